"""A mail server from `.cache/peers/root`, as if it were installed, in a namespace.

Process and mount namespaces of its own: when process 1 in there ends, so does all that
it ever started, and the paths that are compiled into the server are bound to what was
unpacked and to the test's folder. In there,

``/mnt/root``
    is the folder of the unpacked packages,
``/mnt/run``
    is the peer's own folder in the test's temporary folder: reachable for every user,
    which a pytest folder (mode 0700) is not.

Needs root and what `.ci/peers` makes.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from peers.process import Finished, Process, run

STORE = Path(
    os.environ.get("PEERS_STORE")
    or Path(__file__).resolve().parents[2] / ".cache" / "peers"
)
ROOT = STORE / "root"

_ENTER = """
set -e
mount -t tmpfs -o mode=755 peers /mnt
mkdir /mnt/root /mnt/run
mount --bind "$1" /mnt/root
mount --bind "$2" /mnt/run
shift 2
while [ "$1" != -- ]; do mount --bind "$1" "$2"; shift 2; done
shift
exec "$@"
"""


def require_server(package: str) -> None:
    """Skip the test where this server cannot be started, and say why."""
    if os.geteuid() != 0:
        pytest.skip(f"{package} needs root to be started")
    if not (ROOT / package).is_dir():
        pytest.skip(f"{package} is not there: run .ci/peers")
    if not shutil.which("unshare"):
        pytest.skip(f"{package} needs util-linux (unshare)")
    if run(["unshare", "-m", "-p", "-f", "true"]).status != 0:
        pytest.skip(f"{package} needs the right to make namespaces")


def require_program(name: str) -> str:
    """Give the path of a program, or skip the test."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: run .ci/peers")
    return found


def _inside(
    folder: Path, binds: Mapping[str, str], arguments: Sequence[str | Path]
) -> list[str]:
    pairs = [part for target, source in binds.items() for part in (source, target)]
    entered = ["sh", "-c", _ENTER, "sh", str(ROOT), str(folder), *pairs, "--"]
    return [*entered, *(str(argument) for argument in arguments)]


def in_namespace(
    folder: Path,
    *,
    binds: Mapping[str, str],
    arguments: Sequence[str | Path],
    log: Path,
) -> Process:
    """Prepare a server.

    Args:
        folder: What `/mnt/run` is.
        binds: Compiled-in path → what it is to lead to; both as seen in there.
        arguments: The program and its arguments.
        log: Where its output goes.

    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    apart = ["unshare", "-m", "-p", "-f", "--kill-child=SIGKILL", "--mount-proc"]
    return Process([*apart, *_inside(folder, binds, arguments)], log=log)


def run_in_namespace(
    folder: Path,
    *,
    binds: Mapping[str, str],
    arguments: Sequence[str | Path],
    data: bytes = b"",
) -> Finished:
    """Run one of a server's commands beside it, with the same paths."""
    return run(["unshare", "-m", *_inside(folder, binds, arguments)], data=data)
