"""``sekisho init``: a folder from which the service can be started."""

import os
from dataclasses import dataclass
from pathlib import Path

from sekisho.app.certificates import self_signed
from sekisho.app.control import Refusal
from sekisho.config.template import Blanks, demo_config, init_config

CONFIG_NAME = "sekisho.toml"
CERTIFICATE_NAME = "certificate.pem"
KEY_NAME = "key.pem"
DATA_NAME = "data"
DEMO_HOSTNAME = "sekisho.example.com"
DEMO_PORTS = (2525, 2587)
DEMO_ACCOUNT = "alice@example.com"
DEMO_PASSWORD_NAME = "alice.password"  # noqa: S105 - the name of the file
DEMO_NEXT_NAME = "NEXT.txt"


@dataclass(frozen=True, slots=True)
class Made:
    """What `set_up` wrote."""

    folder: Path
    config: Path


def set_up(folder: Path, hostname: str, now: float, *, demo: bool = False) -> Made:
    """Write configuration, certificate and data folder.

    Args:
        folder: Made where it is missing.
        hostname: In normal form.
        now: Unix seconds.
        demo: The configuration of ``make run`` instead.

    Raises:
        Refusal: There is a configuration already; nothing was changed.

    """
    config = folder / CONFIG_NAME
    if config.exists():
        hint = f"edit it, or remove it first: rm {config}"
        raise Refusal(f"{config} is there already", hint)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DATA_NAME).mkdir(mode=0o700, exist_ok=True)
    if not (folder / KEY_NAME).exists():
        pair = self_signed(hostname, now)
        write_private(folder / KEY_NAME, pair.key)
        (folder / CERTIFICATE_NAME).write_bytes(pair.certificate)
    if demo:
        mx, submission = DEMO_PORTS
        blanks = Blanks(hostname=hostname, mx_port=mx, submission_port=submission)
        text = demo_config(blanks)
    else:
        text = init_config(Blanks(hostname=hostname))
    config.write_text(text)
    return Made(folder, config)


def write_private(path: Path, octets: bytes) -> None:
    """Write a file that its owner alone may read, from its first moment on."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    descriptor = os.open(path, flags, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(octets)
