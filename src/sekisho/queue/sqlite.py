"""The part of apsw that the store uses, with types.

apsw's own stubs leave row and binding types partly unknown, so that a strict checker
complains of every call. Rows are `Any` here: `sekisho.queue.rows` gives them theirs.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
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

    def close(self) -> None:
        """Want no more rows. One that is left open holds its snapshot."""
        ...


class Connection(Protocol):
    """One connection to one file."""

    in_transaction: bool

    def execute(self, statement: str, bindings: Sequence[Any] = (), /) -> Cursor:
        """Run a statement, which is kept prepared."""
        ...

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> Cursor:
        """Run a statement once for each row of bindings."""
        ...

    def changes(self) -> int:
        """How many rows the last statement changed."""
        ...

    def set_busy_timeout(self, milliseconds: int, /) -> None:
        """How long to wait for a lock."""
        ...

    def set_wal_hook(self, hook: Callable[[Any, str, int], int], /) -> None:
        """Hear of each commit: connection, schema name, pages in the WAL."""
        ...

    def wal_checkpoint(self, dbname: str | None = None, mode: int = 0) -> object:
        """Copy the WAL into the file."""
        ...

    def close(self) -> None:
        """Close it."""
        ...

    def __enter__(self) -> object:
        """Begin a transaction."""
        ...

    def __exit__(self, *error: object) -> bool | None:
        """Commit it, or roll it back where there is an error."""
        ...


def connect(path: str, flags: int) -> Connection:
    """Open a connection."""
    return cast("Connection", apsw.Connection(path, flags=flags))


_carray = cast("Callable[[object], object]", apsw.__dict__["carray"])


def integers(values: Iterable[int]) -> object:
    """Bind many integers at once: ``… IN carray(?)``. At least one."""
    return _carray(array("q", values))


def blobs(values: Iterable[bytes]) -> object:
    """Bind many blobs at once: ``… IN carray(?)``. At least one."""
    return _carray(tuple(values))
