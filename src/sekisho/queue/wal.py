"""Damage in the WAL: what SQLite would leave out of it without a word.

A WAL is a header and frames, each a page with the sum over all before it (SQLite's
"file format", §4). SQLite replays frames up to the last commit before the first whose
sum is wrong, and forgets what lies behind: after a power cut that is the end of what
was being written, and nobody was told that it is kept. A page of the WAL that went bad
later looks the same, and what was acknowledged after it would be gone.

The two are told apart by what lies behind. Each commit is waited for (synchronous =
FULL), so that a cut leaves at most one commit that is not whole. Two commits one after
the other behind a bad frame, each frame with the sum that follows from the one before,
were acknowledged. Frames of an earlier cycle have other salts, and frames left from an
earlier cut do not follow from what was written over their beginning.

What cannot be told: damage within the last group alone is a cut, to all that is seen.

`mended` writes a WAL without the bad frames, so that all the others can be read: a
page whose frame was bad is as old as it was before.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import apsw

from sekisho.queue.sqlite import connect

_HEADER_BYTES = 32
_FRAME = struct.Struct(">6I")
_BIG_ENDIAN_SUMS = 0x377F0683
_LITTLE_ENDIAN_SUMS = 0x377F0682
_MASK = 0xFFFFFFFF
_TWO = 2
"""Commits in a row that no power cut leaves behind a bad frame."""

_Sums = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Break:
    """Where a WAL's replay ends although there is more that was acknowledged.

    Attributes:
        replayed: Frames before the first bad one.
        last: Frames up to the last commit that can be read.
        bad: Which of them (from 1) cannot.
        commits: How many were behind the first bad one, at least.

    """

    replayed: int
    last: int
    bad: frozenset[int]
    commits: int

    def told(self) -> str:
        """What there is to say of it."""
        return (
            f"frame {min(self.bad)} of {self.last} is damaged; {self.commits} commits "
            f"lay behind it, and their pages were read without {len(self.bad)} frames"
        )


class _Wal:
    """The file's octets, by frame."""

    def __init__(self, path: Path) -> None:
        self._data = data = path.read_bytes()
        magic, _, size, _, *_ = struct.unpack_from(">8I", data.ljust(_HEADER_BYTES))
        self._order = ">" if magic == _BIG_ENDIAN_SUMS else "<"
        self._page = size if size in {1 << n for n in range(9, 17)} else 4096
        self._step = _FRAME.size + self._page
        self.frames = max(0, len(data) - _HEADER_BYTES) // self._step
        self.has_header = self._sums(data[:24], (0, 0)) == self.sums(0)
        # Where the header is bad, the first frame tells.
        salts = struct.unpack_from(">2I", data, 16) if self.has_header else ()
        self.salts = salts or (self.head(1)[2:4] if self.frames else (0, 0))

    def head(self, number: int) -> tuple[int, ...]:
        """A frame's page, size after a commit or 0, salts and sums."""
        return _FRAME.unpack_from(self._data, self._at(number))

    def sums(self, number: int) -> _Sums:
        """The sums that stand in a frame; of the header for 0."""
        if not number:
            one, two = struct.unpack_from(">2I", self._data, 24)
            return one, two
        *_, one, two = self.head(number)
        return one, two

    def is_current(self, number: int) -> bool:
        """Whether it was written since the WAL last began anew."""
        page, _, *salts, _, _ = self.head(number)
        return bool(page) and tuple(salts) == self.salts

    def is_commit(self, number: int) -> bool:
        """Whether a transaction ends with it."""
        return self.is_current(number) and self.head(number)[1] > 0

    def follows(self, number: int) -> bool:
        """Whether its sums follow from those that stand in the frame before it."""
        if not self.is_current(number):
            return False
        at = self._at(number)
        before = self._sums(self._data[at : at + 8], self.sums(number - 1))
        return self._sums(self.page(number), before) == self.sums(number)

    def page(self, number: int) -> bytes:
        """Its page."""
        at = self._at(number) + _FRAME.size
        return self._data[at : at + self._page]

    def without(self, bad: frozenset[int], last: int) -> Iterator[bytes]:
        """The same WAL up to a frame, without some."""
        magic = _BIG_ENDIAN_SUMS if self._order == ">" else _LITTLE_ENDIAN_SUMS
        head = struct.pack(">6I", magic, 3_007_000, self._page, 0, *self.salts)
        sums = self._sums(head, (0, 0))
        yield head + struct.pack(">2I", *sums)
        for number in range(1, last + 1):
            if number in bad:
                continue
            page, size, *_ = self.head(number)
            data = self.page(number)
            sums = self._sums(struct.pack(">2I", page, size), sums)
            sums = self._sums(data, sums)
            yield _FRAME.pack(page, size, *self.salts, *sums) + data

    def _at(self, number: int) -> int:
        return _HEADER_BYTES + (number - 1) * self._step

    def _sums(self, data: bytes, sums: _Sums) -> _Sums:
        one, two = sums
        words = iter(struct.unpack(f"{self._order}{len(data) // 4}I", data))
        for first, second in zip(words, words, strict=True):
            one = (one + first + two) & _MASK
            two = (two + second + one) & _MASK
        return one, two


def find_break(path: Path) -> Break | None:
    """Look whether replaying a queue file's WAL would forget what was acknowledged.

    The file is not changed; nobody else has it open.

    Returns:
        Where it breaks off, or None where nothing acknowledged is behind.

    """
    wal_path = Path(f"{path}-wal")
    if not path.exists() or not wal_path.exists():
        return None
    replayed = _replayed(path)
    if wal_path.stat().st_size <= _HEADER_BYTES or replayed is None:
        return None
    wal = _Wal(wal_path)
    behind = range(replayed + 1, wal.frames + 1)
    if sum(map(wal.is_commit, behind)) < _TWO:
        return None
    return _look(wal, replayed)


def _look(wal: _Wal, replayed: int) -> Break | None:
    bad: set[int] = set()
    commits = run = 0
    last, bad_there = 0, frozenset[int]()
    for number in range(replayed + 1, wal.frames + 1):
        is_commit = wal.is_commit(number)
        if wal.follows(number):
            run += is_commit
        else:
            bad.add(number)
            run = int(is_commit)
        commits += is_commit
        if is_commit and run >= _TWO:
            last, bad_there = number, frozenset(bad)
    if not last or not bad_there:
        return None
    return Break(replayed, last, bad_there, commits)


def mended(path: Path, broken: Break, target: Path) -> None:
    """Write the WAL of a queue file without its bad frames."""
    with target.open("wb") as file:
        file.writelines(_Wal(Path(f"{path}-wal")).without(broken.bad, broken.last))


def _replayed(path: Path) -> int | None:
    """How many frames SQLite replays; None where it cannot say."""
    connection = connect(str(path), apsw.SQLITE_OPEN_READWRITE)
    try:
        # Else closing it would copy the WAL into the file.
        option = apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE
        cast("Any", connection).config(option, 1)
        connection.execute("SELECT 1 FROM sqlite_schema").fetchall()
        noop = apsw.SQLITE_CHECKPOINT_NOOP
        frames, _ = cast("Any", connection.wal_checkpoint(mode=noop))
    except apsw.Error:
        return None
    else:
        return max(0, frames)
    finally:
        connection.close()
