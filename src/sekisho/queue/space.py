"""Is there room on the disk? Asked of the kernel at most once a second."""

import os
from collections.abc import Callable
from pathlib import Path

FRESH_SECONDS = 1.0
"""How long one answer of the kernel is believed."""


def free_bytes(folder: Path) -> int:
    """What an unprivileged process may still write below a folder."""
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize


class FreeSpace:
    """Whether new mail may be taken: above `min_free_bytes`.

    Outcomes go on below it: they are what makes room again.
    """

    __slots__ = ("_asked_at", "_clock", "_folder", "_free_bytes", "_has_room", "_least")

    def __init__(
        self,
        folder: Path,
        min_free_bytes: int,
        *,
        measure: Callable[[Path], int],
        clock: Callable[[], float],
    ) -> None:
        self._folder = folder
        self._least = min_free_bytes
        self._free_bytes = measure
        self._clock = clock
        self._asked_at = float("-inf")
        self._has_room = False

    def has_room(self) -> bool:
        """Whether there was room within the last second."""
        now = self._clock()
        if now - self._asked_at >= FRESH_SECONDS:
            self._asked_at = now
            self._has_room = self._free_bytes(self._folder) >= self._least
        return self._has_room
