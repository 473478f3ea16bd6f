"""One owner a queue folder.

The lock is the kernel's (``flock``), so it ends with its owner however that died: a
pid file alone would outlive a ``kill -9`` and keep the next start from its mail. The
pid inside is for people only. ``flock`` and not ``lockf``: the latter would let a
second `Queue` of the same process in.
"""

import fcntl
import os
from pathlib import Path

from sekisho.queue.errors import QueueError


class FolderLock:
    """A lock held on ``queue.lock`` in a queue's folder."""

    def __init__(self, folder: Path) -> None:
        """Take the lock.

        Raises:
            QueueError: Somebody else holds it; the sentence names the pid.

        """
        path = folder / "queue.lock"
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(self._descriptor, 32).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            raise QueueError(
                f"the queue in {folder} is in use by process {owner or 'unknown'}",
                "stop that process first, or talk to it through its control socket",
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode("ascii"), 0)

    def release(self) -> None:
        """Let the next owner in. The file stays: removing it would race with him."""
        os.close(self._descriptor)
