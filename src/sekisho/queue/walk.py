"""Walking a table of a damaged file: every row that can be reached, and the holes.

SQLite stops at the first page that it cannot read, wherever the row that was wanted
lies. A table is a tree by number, so that numbers behind the bad page are found by
asking for them: after an error one number after the other is asked for until reading on
works again. Where the tree is cut so high up that this would take too long, the rest is
read from its other end. Indexes are not used: what they say may be older than the rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import apsw

from sekisho.queue.schema import INDEX_BITS
from sekisho.queue.sqlite import Connection

MAX_STEPS = 2_000_000
"""Numbers asked for one by one, in all: a minute or two."""

READ_ERRORS = (apsw.Error, UnicodeDecodeError)
"""What reading a damaged row comes to."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table by number; `shift` bits of its key are a place below the number."""

    name: str
    key: str
    shift: int = 0

    def forward(self) -> str:
        """All keys from one on."""
        return (
            f"SELECT {self.key} FROM {self.name} NOT INDEXED "  # noqa: S608 - constants
            f"WHERE {self.key} >= ? ORDER BY {self.key}"
        )

    def backward(self) -> str:
        """All keys above one, from the last."""
        return (
            f"SELECT {self.key} FROM {self.name} NOT INDEXED "  # noqa: S608 - constants
            f"WHERE {self.key} > ? ORDER BY {self.key} DESC"
        )

    def one(self) -> str:
        """Whether there is a key between two."""
        return (
            f"SELECT 1 FROM {self.name} NOT INDEXED "  # noqa: S608 - constants
            f"WHERE {self.key} BETWEEN ? AND ? LIMIT 1"
        )


MESSAGES = Table("message", "seq")
BODIES = Table("body", "seq")
RECIPIENTS = Table("recipient", "key", INDEX_BITS)
TABLES = (MESSAGES, BODIES, RECIPIENTS)


def last_number(connection: Connection) -> int:
    """The last number that any table tells of."""
    found = 0
    for table in TABLES:
        try:
            for (key,) in connection.execute(table.backward() + " LIMIT 1", (-1,)):
                found = max(found, key >> table.shift)
        except READ_ERRORS:
            continue
    return found


@dataclass(slots=True)
class Walk:
    """One walk over a table.

    Attributes:
        holes: Numbers that could not be asked for: whether there was a row is unknown.
        cut: Between these two numbers nothing could be asked for.

    """

    connection: Connection
    table: Table
    last: int
    holes: list[int] = field(default_factory=list[int])
    cut: tuple[int, int] | None = None
    _at: int = 0
    _steps: int = MAX_STEPS

    def numbers(self) -> Iterator[int]:
        """All numbers that can be reached, each once."""
        while True:
            try:
                yield from self._stream()
            except READ_ERRORS:
                pass
            else:
                return
            if self._at > self.last:
                return
            if self._steps <= 0:
                yield from self._from_the_end()
                return
            yield from self._step()

    def _stream(self) -> Iterator[int]:
        shift = self.table.shift
        start = self._at << shift
        for (key,) in self.connection.execute(self.table.forward(), (start,)):
            number = key >> shift
            if number < self._at - 1:
                raise apsw.CorruptError("numbers that fall: pages of another place")
            if number >= self._at:
                self._at = number + 1
                yield number

    def _step(self) -> Iterator[int]:
        number, shift = self._at, self.table.shift
        self._at += 1
        self._steps -= 1
        bounds = (number << shift, ((number + 1) << shift) - 1)
        try:
            found = self.connection.execute(self.table.one(), bounds).fetchall()
        except READ_ERRORS:
            self.holes.append(number)
        else:
            if found:
                yield number

    def _from_the_end(self) -> Iterator[int]:
        shift, least = self.table.shift, self._at
        above = self.last + 1
        try:
            start = (least << shift) - 1
            for (key,) in self.connection.execute(self.table.backward(), (start,)):
                number = key >> shift
                if number > above:
                    break
                if number < above:
                    above = number
                    yield number
        except READ_ERRORS:
            pass
        self.cut = (least, above - 1)
