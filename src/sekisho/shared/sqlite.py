"""The part of apsw that the shared store uses, with types.

The queue has its own (`sekisho.queue.sqlite`): it asks for more, and no room of a
lower layer may look there.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, cast

import apsw

Row = tuple[Any, ...]


class Cursor(Protocol):
    """The rows of one statement."""

    def fetchall(self) -> list[Row]:
        """All rows that are left."""
        ...

    def __iter__(self) -> Iterator[Row]:
        """Row by row."""
        ...


class Connection(Protocol):
    """One connection to one file."""

    in_transaction: bool

    def execute(self, statement: str, bindings: Sequence[Any] = (), /) -> Cursor:
        """Run a statement, which is kept prepared."""
        ...

    def changes(self) -> int:
        """How many rows the last statement changed."""
        ...

    def set_busy_timeout(self, milliseconds: int, /) -> None:
        """How long to wait for a lock."""
        ...

    def wal_checkpoint(self, dbname: str | None = None, mode: int = 0) -> object:
        """Copy the WAL into the file."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


def connect(path: str, flags: int) -> Connection:
    """Open a connection."""
    return cast("Connection", apsw.Connection(path, flags=flags))
