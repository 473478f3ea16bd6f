"""Sessions at once and messages an hour, by client, of all workers: shared memory.

Each worker writes its own slot of one mapped file and reads those of all: no lock, no
system call, one microsecond. A client's block is two cells of a slot (a count-min
table): its count is the smaller of both sums, never too low, and too high only where
others fall on both cells. Cells are chosen by a keyed hash, so that nobody can aim.

A slot belongs to whoever holds the kernel's lock on its byte. A worker that claims one
clears all that nobody holds: the dead have no sessions. What a dead worker counted of
the last hour's messages is forgotten with it; that much the bound an hour is inexact,
and by two minutes of its width.

What is mapped is allocated before: on a full disk a write to a hole would end the
process. Who cannot have the file counts by himself (`path` None).
"""

import fcntl
import mmap
import os
import struct
from collections import deque
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from secrets import token_bytes

from sekisho.shared.locks import ByteLocks

MAX_WORKERS = 320
"""More than are configured: while a service is reloaded old and new ones count."""
CELLS = 16_384
HOUR_SECONDS = 3600
PLANES = 30
"""Parts of an hour in which messages are forgotten."""

_PAGE = 4096
_MAGIC = b"sekishoC\x01\0\0\0"
_SECRET_BYTES = 16
_HIGH = (len(_MAGIC) + _SECRET_BYTES) // 4
"""Word of the header: slots from here on were never claimed."""
_MESSAGES = 2 * CELLS
_SESSIONS = 4 * CELLS
"""Word of a slot: how many sessions in all."""
_SLOT_WORDS = 4 * CELLS + _PAGE // 4
_SLOT_BYTES = 4 * _SLOT_WORDS
_FIRST_WORD = _PAGE // 4

Block = int | str


class SharedCounts:
    """The counts, as one worker sees them.

    Attributes:
        is_first: No other worker was there when this one came.

    """

    def __init__(self, path: Path | None = None) -> None:
        """Claim a slot.

        Args:
            path: The file; None for memory of this process alone.

        Raises:
            OSError: The file cannot be used, or all slots are claimed.

        """
        self._locks: ByteLocks | None = None
        self.is_first = True
        if path is None:
            slot, self._map = 0, mmap.mmap(-1, _PAGE + _SLOT_BYTES)
            self._map[:_PAGE] = _header(1)
        else:
            self._locks = _opened(path)
            try:
                slot, self._map = self._claim(self._locks.descriptor)
            except BaseException:
                self._locks.close()
                raise
            fcntl.flock(self._locks.descriptor, fcntl.LOCK_UN)
        secret = self._map[len(_MAGIC) : len(_MAGIC) + _SECRET_BYTES]
        self._words = memoryview(self._map).cast("I")
        self._own = _FIRST_WORD + slot * _SLOT_WORDS
        self._slots: tuple[int, ...] = ()
        self._cells = lru_cache(maxsize=4096)(_Chooser(secret))
        self._planes: deque[tuple[int, memoryview]] = deque()

    # Sessions

    def opened(self, block: Block) -> int:
        """Count a session; how many its client has now."""
        words, own = self._words, self._own
        one, two = self._cells(block)
        words[own + one] += 1
        words[own + two] += 1
        words[own + _SESSIONS] += 1
        return self._sum(one, two)

    def closed(self, block: Block) -> None:
        """Count a session off."""
        words, own = self._words, self._own
        one, two = self._cells(block)
        words[own + one] -= 1
        words[own + two] -= 1
        words[own + _SESSIONS] -= 1

    def sessions_of(self, block: Block) -> int:
        """How many sessions a client has."""
        return self._sum(*self._cells(block))

    @property
    def sessions(self) -> int:
        """How many there are in all."""
        words = self._words
        return sum([words[slot + _SESSIONS] for slot in self._seen()])

    # Messages

    def sent(self, block: Block, now: float) -> None:
        """Count a message."""
        self.tidy(now)
        part = _part(now)
        if not self._planes or self._planes[-1][0] < part:
            self._planes.append((part, memoryview(bytearray(8 * CELLS)).cast("I")))
        plane = self._planes[-1][1]
        for cell in self._cells(block):
            plane[cell] += 1
            self._words[self._own + _MESSAGES + cell] += 1

    def messages_of(self, block: Block, now: float) -> int:
        """How many messages a client sent in the last hour."""
        self.tidy(now)
        one, two = self._cells(block)
        return self._sum(_MESSAGES + one, _MESSAGES + two)

    def tidy(self, now: float) -> None:
        """Forget this worker's messages of more than an hour ago."""
        if not self._planes or self._planes[0][0] > _part(now) - PLANES:
            return
        _, plane = self._planes.popleft()
        words, first = self._words, self._own + _MESSAGES
        for cell, count in enumerate(plane):
            if count:
                words[first + cell] -= count
        self.tidy(now)

    def close(self) -> None:
        """Give the slot back."""
        self._words.release()
        self._map.close()
        if self._locks is not None:
            self._locks.close()

    def _sum(self, one: int, two: int) -> int:
        words = self._words
        by_one = by_two = 0
        for slot in self._seen():
            by_one += words[slot + one]
            by_two += words[slot + two]
        return min(by_one, by_two)

    def _seen(self) -> tuple[int, ...]:
        """Where the slots begin that anybody ever claimed."""
        if len(self._slots) != self._words[_HIGH]:
            self._slots = tuple(
                _FIRST_WORD + slot * _SLOT_WORDS for slot in range(self._words[_HIGH])
            )
        return self._slots

    def _claim(self, descriptor: int) -> tuple[int, mmap.mmap]:
        """Find a slot that nobody holds."""
        slot = self._first_free()
        os.posix_fallocate(descriptor, _PAGE + slot * _SLOT_BYTES, _SLOT_BYTES)
        mapped = mmap.mmap(descriptor, _size())
        self._clear_dead(mapped, slot)
        return slot, mapped

    def _first_free(self) -> int:
        assert self._locks is not None  # noqa: S101 - where there is a file
        for slot in range(MAX_WORKERS):
            if self._locks.take(slot):
                return slot
        raise OSError(f"all {MAX_WORKERS} slots are claimed")

    def _clear_dead(self, mapped: mmap.mmap, own: int) -> None:
        assert self._locks is not None  # noqa: S101 - where there is a file
        place = 4 * _HIGH
        (high,) = struct.unpack_from("I", mapped, place)
        live = [slot for slot in range(high) if self._locks.others_hold(slot)]
        self.is_first = not live
        for slot in {*range(high), own}.difference(live):
            begin = _PAGE + slot * _SLOT_BYTES
            if slot == own or any(mapped[begin : begin + _SLOT_BYTES]):
                mapped[begin : begin + _SLOT_BYTES] = bytes(_SLOT_BYTES)
        struct.pack_into("I", mapped, place, max([own, *live]) + 1)


class _Chooser:
    """Chooses the two cells of a block."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def __call__(self, block: Block) -> tuple[int, int]:
        digest = blake2b(str(block).encode(), key=self._secret, digest_size=8).digest()
        one, two = struct.unpack("II", digest)
        return one % CELLS, CELLS + two % CELLS


def _opened(path: Path) -> ByteLocks:
    """Open the file, for one worker at a time (``flock``), as one of ours.

    One of another layout is replaced and never cut: whoever still maps it would die.
    """
    while True:
        locks = ByteLocks(path)
        try:
            fcntl.flock(locks.descriptor, fcntl.LOCK_EX)
            there = os.fstat(locks.descriptor)
            if there.st_size == 0:
                os.ftruncate(locks.descriptor, _size())
                os.posix_fallocate(locks.descriptor, 0, _PAGE)
                os.pwrite(locks.descriptor, _header(0), 0)
            elif not _is_ours(locks.descriptor, there.st_size):
                path.unlink(missing_ok=True)
            if path.exists() and os.path.samestat(path.stat(), there):
                return locks
        except BaseException:
            locks.close()
            raise
        locks.close()


def _is_ours(descriptor: int, size: int) -> bool:
    return size == _size() and os.pread(descriptor, len(_MAGIC), 0) == _MAGIC


def _size() -> int:
    return _PAGE + MAX_WORKERS * _SLOT_BYTES


def _header(slots: int) -> bytes:
    head = _MAGIC + token_bytes(_SECRET_BYTES) + struct.pack("I", slots)
    return head.ljust(_PAGE, b"\0")


def _part(now: float) -> int:
    return int(now * PLANES // HOUR_SECONDS)
