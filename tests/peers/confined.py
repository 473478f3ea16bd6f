"""A program as a container or a hardened unit runs it: nobody, and nothing to write to.

A mount namespace with a root file system that can only be read, one folder that can be
written, an empty ``/tmp``, and a network of its own; in there a user without
privileges, who cannot get any, and with one capability at most: to bind ports below
1024.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import pytest

from peers.process import Finished, Process, run

NOBODY = 65534
PROGRAM = Path("/opt/sekisho")
"""Where the unit and the image have it."""

_ENTER = """
set -e
state=$1 program=$2 base=$3 shut=$4 keep=$5; shift 5
mount --bind "$state" "$state"
mount -t tmpfs -o mode=755 tmpfs /opt
mkdir /opt/sekisho
mount --bind "$program" /opt/sekisho
if [ -n "$shut" ]; then
  mount --bind "$base" "$keep"
  mount -t tmpfs -o mode=755 tmpfs "$shut"
  mkdir -p "$base"
  mount --bind "$keep" "$base"
fi
mount -t tmpfs -o mode=1777 tmpfs /tmp
ip link set lo up
mount -o remount,bind,ro /opt/sekisho
mount -o remount,bind,ro /opt
mount -o remount,bind,ro /
exec "$@"
"""


def require_confinement() -> None:
    """Skip the test where nothing can be confined."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    for program in ("setpriv", "unshare", "nsenter", "ip"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: run .ci/peers")
    if Path(__file__).is_relative_to("/tmp"):
        pytest.skip("the checkout is under /tmp, which the unit and the image hide")
    if run(["unshare", "-m", "-n", "true"]).status != 0:
        pytest.skip("needs the right to make namespaces")


@dataclass(frozen=True)
class Place:
    """A folder that nobody can read, and its one folder that nobody can write to."""

    folder: Path

    @property
    def state(self) -> Path:
        """The one that can be written to."""
        return self.folder / "state"

    def entering(self, program: Path, *, network: bool = False) -> list[str | Path]:
        """A command that runs another one as root in there.

        Args:
            program: What `PROGRAM` is.
            network: Whether it stays in the network of this machine.

        """
        # The interpreter may lie below a folder that is root's alone.
        base = Path(sys.base_prefix)
        shut = [one for one in base.parents if not one.stat().st_mode & 0o001]
        paths = (base, shut[-1] if shut else "", self.folder / "keep")
        entered = ["sh", "-c", _ENTER, "sh", self.state, program, *paths]
        return ["unshare", "-m", *([] if network else ["-n"]), *entered]


@contextmanager
def place() -> Generator[Place]:
    """Make a place, outside of pytest's folders, which are root's alone."""
    require_confinement()
    folder = Path(mkdtemp(prefix="sekisho-", dir="/var/tmp"))
    try:
        folder.chmod(0o755)
        (folder / "keep").mkdir()
        made = Place(folder)
        made.state.mkdir(mode=0o700)
        os.chown(made.state, NOBODY, NOBODY)
        yield made
    finally:
        subprocess.run(["rm", "-rf", str(folder)], check=True)


def as_nobody(capabilities: Sequence[str] = ()) -> list[str | Path]:
    """A command that runs another one as nobody.

    Args:
        capabilities: As setpriv(1) spells them; all others are given up for good.

    """
    kept = ",".join(["-all", *(f"+{one}" for one in capabilities)])
    who = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"]
    what = [f"--{kind}={kept}" for kind in ("inh-caps", "ambient-caps", "bounding-set")]
    return ["setpriv", *who, *what, "--"]


def beside(process: Process, *arguments: str | Path, root: bool = False) -> Finished:
    """Run a command in the namespaces of a running one."""
    entered = ["nsenter", "-m", "-n", "-t", str(process.running.pid)]
    return run(
        [*entered, *([] if root else as_nobody()), *arguments],
        environment=process.environment,
    )
