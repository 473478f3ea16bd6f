"""The socket that ``sekisho sendmail`` speaks to: papers checked by the kernel.

Whoever connects is known by the user id that the kernel gives (``SO_PEERCRED``), and is
that user's name to `policy`, like any verified identity; see
``docs/decisions/0004-sendmail-through-a-socket.md``.
"""

import os
import pwd
import socket
from pathlib import Path

from sekisho.config.schema import Config
from sekisho.model.address import ANY_ADDRESS, Address, only
from sekisho.model.identity import NOBODY, Identity, Who
from sekisho.net.unix import reachable_socket

SUBMIT_SOCKET = "submit.sock"
WELL_KNOWN_SOCKET = Path("/run/sekisho") / SUBMIT_SOCKET
"""Where programs look whose user may not read the configuration."""

SYSTEM = "system"


def system_identity(uid: int, hostname: str) -> Who:
    """Who a user of this machine is; nobody where the id has no name."""
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        return NOBODY
    is_trusted = uid in (0, os.geteuid())
    return Identity(
        account=name,
        authenticator=SYSTEM,
        mechanism="EXTERNAL",
        generation=0,
        addresses=(ANY_ADDRESS,) if is_trusted else only(Address(name, hostname)),
    )


def submit_socket(config: Config) -> Path:
    """Where the socket is."""
    return config.sendmail.socket or config.data_dir / SUBMIT_SOCKET


def bind_submission(path: Path) -> socket.socket:
    """Bind the socket; who may reach it is the folder's matter.

    Raises:
        OSError: It cannot be bound.

    """
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with reachable_socket(path) as name:
            bound.bind(name)
        path.chmod(0o666)
    except OSError:
        bound.close()
        raise
    bound.setblocking(False)  # noqa: FBT003 - the standard library's signature
    return bound
