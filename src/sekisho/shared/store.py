"""The shared store as one worker sees it: short transactions, or a clear "not now".

Promises:

- Nothing here waits longer than `BUSY_MILLISECONDS`, and while the store is lost only
  one call in `RETRY_SECONDS` waits at all: the others are told at once.
- Whatever SQLite or the file system says comes out as `StoreUnavailableError`; the
  rooms above make 454 or 451 of it. A failed transaction has counted nothing.
- Each use looks whether the file is still the one that is open (one `stat`): counts
  written into a file that was taken away would be seen by nobody. A file that is not
  there is never made here: whoever took it may bring it back.
- `changed` hears when it is lost and when it is well again, once each.
"""

import os
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import apsw

from sekisho.shared.schema import open_existing, prepare
from sekisho.shared.sqlite import Connection, Row

RETRY_SECONDS = 0.25
WAL_BYTES = 4 * 1024 * 1024
"""Above this the WAL is copied into the file."""
QUOTA_SECONDS = 2 * 86_400.0
KNOWN_SECONDS = 30 * 86_400.0


class StoreUnavailableError(Exception):
    """What all workers share cannot be looked at or changed now."""


def _tell_nobody(_why: str) -> None:
    """Nobody wants to know."""


class SharedStore:
    """One worker's connection to ``shared.db``."""

    def __init__(
        self,
        path: Path,
        changed: Callable[[str], None] = _tell_nobody,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Use a file; it is opened when it is first needed.

        Args:
            path: Where it is; made by `create`.
            changed: Told why it is lost, and an empty text when it is well again.
            clock: For the time between two tries.

        """
        self.path = path
        self._changed = changed
        self._clock = clock
        self._connection: Connection | None = None
        self._identity = (0, 0)
        self._lost = ""
        self._again_at = float("-inf")

    @classmethod
    def create(
        cls, path: Path, changed: Callable[[str], None] = _tell_nobody
    ) -> tuple["SharedStore", str]:
        """Make or migrate the file, and use it.

        Returns:
            The store, and what an operator should know (see `prepare`).

        Raises:
            SharedStoreError: It cannot be used.

        """
        told = prepare(path)
        return cls(path, changed), told

    @property
    def is_lost(self) -> bool:
        """Whether the last use failed."""
        return bool(self._lost)

    def look(self) -> None:
        """See whether it can be used.

        Raises:
            StoreUnavailableError: It cannot.

        """
        self.read("SELECT entries FROM tally LIMIT 1")

    def read(self, statement: str, bindings: Sequence[Any] = ()) -> list[Row]:
        """Run one reading statement by itself.

        Raises:
            StoreUnavailableError: The store is lost.

        """
        try:
            rows = self._usable().execute(statement, bindings).fetchall()
        except (apsw.Error, OSError) as error:
            raise self._failed(error) from error
        if self._lost:
            self._well_again()
        return rows

    @contextmanager
    def transaction(self) -> Generator[Connection]:
        """Change something: all of it, or nothing.

        Raises:
            StoreUnavailableError: The store is lost; nothing was changed.

        """
        try:
            connection = self._usable()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    with suppress(apsw.Error):
                        connection.execute("ROLLBACK")
                raise
        except (apsw.Error, OSError) as error:
            raise self._failed(error) from error
        if self._lost:
            self._well_again()

    def upkeep(self, now: float) -> None:
        """Copy a long WAL into the file, and forget what is old; for a thread.

        It has a connection of its own, and what goes wrong is tried again next time.
        """
        with suppress(apsw.Error, OSError):
            wal = self.path.with_name(self.path.name + "-wal")
            if wal.stat().st_size < WAL_BYTES:
                return
            connection = open_existing(self.path)
            try:
                for statement, since in (
                    ("DELETE FROM quota WHERE touched < ?", now - QUOTA_SECONDS),
                    ("DELETE FROM known WHERE at < ?", now - KNOWN_SECONDS),
                ):
                    connection.execute(statement, (since,))
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            finally:
                connection.close()

    def close(self) -> None:
        """Close it; it is opened again when it is needed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(apsw.Error):
                connection.close()

    def _usable(self) -> Connection:
        if self._lost and self._clock() < self._again_at:
            raise StoreUnavailableError(self._lost)
        found = os.stat(self.path)  # noqa: PTH116 - half the time of Path.stat
        identity = (found.st_dev, found.st_ino)
        if self._connection is None or identity != self._identity:
            self.close()
            self._connection = open_existing(self.path)
            self._identity = identity
        return self._connection

    def _failed(self, error: Exception) -> StoreUnavailableError:
        if not isinstance(error, (apsw.BusyError, FileNotFoundError)):
            self.close()
        first, self._lost = not self._lost, f"{type(error).__name__}: {error}"
        self._again_at = self._clock() + RETRY_SECONDS
        if first:
            self._changed(self._lost)
        return StoreUnavailableError(self._lost)

    def _well_again(self) -> None:
        self._lost = ""
        self._changed("")
