"""Locks on single bytes of a file, which the kernel frees when their holder dies.

They belong to the open file (``F_OFD_SETLK``), not to the process: two holders within
one process keep each other out as two processes do, and no other `close` of the same
file drops them. Where the system lacks them they are the process's own (``lockf``).
The bytes need not be there: the file stays empty.
"""

import fcntl
import os
import struct
from pathlib import Path

_FLOCK = struct.Struct("@hhqqi4x")
_SET = getattr(fcntl, "F_OFD_SETLK", fcntl.F_SETLK)
_ASK = getattr(fcntl, "F_OFD_GETLK", fcntl.F_GETLK)


class ByteLocks:
    """Locks on the bytes of one file; nothing here waits."""

    def __init__(self, path: Path) -> None:
        """Open the file, making it where it is missing.

        Raises:
            OSError: It cannot be opened.

        """
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self, offset: int, *, shared: bool = False) -> bool:
        """Take a byte, or change how it is held. Returns whether it is held so now.

        Raises:
            OSError: The system cannot lock.

        """
        kind = fcntl.F_RDLCK if shared else fcntl.F_WRLCK
        try:
            self._set(kind, offset)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def free(self, offset: int) -> None:
        """Give a byte back; nothing where it is not held."""
        self._set(fcntl.F_UNLCK, offset)

    def others_hold(self, offset: int) -> bool:
        """Whether somebody else holds a byte, alone or shared."""
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, offset, 1, 0)
        answer = fcntl.fcntl(self.descriptor, _ASK, asked)
        return _FLOCK.unpack(answer)[0] != fcntl.F_UNLCK

    def close(self) -> None:
        """Give everything back."""
        os.close(self.descriptor)

    def _set(self, kind: int, offset: int) -> None:
        wanted = _FLOCK.pack(kind, os.SEEK_SET, offset, 1, 0)
        fcntl.fcntl(self.descriptor, _SET, wanted)
