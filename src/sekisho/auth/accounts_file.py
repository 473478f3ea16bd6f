"""The file ``accounts.db``: opened, secured and brought up to this version.

SQLite in WAL mode with ``synchronous=FULL``: a password that was changed stays
changed after a power cut. The file carries its schema's version (``user_version``).
An older file is migrated in one transaction, so that it is whole in either version;
a newer one is refused, because what its new columns forbid we would not see.
"""

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from sekisho.auth.account import AccountError

_APPLICATION_ID = 0x53454B41  # "SEKA"
_BUSY_MILLISECONDS = 5000

MIGRATIONS: tuple[str, ...] = (
    # 0 → 1
    """
    -- generation: the last one given out, to whichever account. One counter for all
    -- makes generations of an account that was removed and added again differ.
    CREATE TABLE file (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        generation INTEGER NOT NULL,
        decoy_secret BLOB NOT NULL
    ) STRICT;
    INSERT INTO file VALUES (1, 0, randomblob(32));
    CREATE TABLE account (
        name TEXT PRIMARY KEY,
        generation INTEGER NOT NULL UNIQUE,
        enabled INTEGER NOT NULL,
        password_hash TEXT NOT NULL,
        scram TEXT NOT NULL,         -- RFC 5803, or empty: switched off
        addresses TEXT NOT NULL,     -- one a line
        groups TEXT NOT NULL,        -- one a line
        created_at REAL NOT NULL,
        changed_at REAL NOT NULL
    ) STRICT;
    -- So that another process learns of a removal; as many as the operator removed.
    CREATE TABLE removed (
        name TEXT PRIMARY KEY,
        generation INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX removed_by_generation ON removed (generation);
    CREATE TABLE success (
        account TEXT NOT NULL,
        block TEXT NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (account, block)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX success_by_time ON success (at);
    """,
    # 1 → 2
    """
    -- Of app passwords; made with the file, and never shown.
    ALTER TABLE file ADD COLUMN app_key BLOB NOT NULL DEFAULT x'';
    UPDATE file SET app_key = randomblob(32);
    ALTER TABLE account ADD COLUMN expires_at REAL NOT NULL DEFAULT 0;  -- 0: never
    CREATE TABLE app_password (
        account TEXT NOT NULL,
        label TEXT NOT NULL,
        digest TEXT NOT NULL,
        addresses TEXT NOT NULL,     -- one a line; empty: the account's
        networks TEXT NOT NULL,      -- one a line; empty: anywhere
        max_messages_per_day INTEGER NOT NULL,
        expires_at REAL NOT NULL,    -- 0: never
        created_at REAL NOT NULL,
        last_used_at REAL NOT NULL,
        PRIMARY KEY (account, label)
    ) STRICT, WITHOUT ROWID;
    """,
)


class AccountsFile:
    """One connection to the file.

    Every statement is run to its end: one left half-way would pin the connection to
    an old snapshot, and a disabled account would stay alive.

    Args:
        path: Made, secured and migrated where needed.

    Raises:
        AccountError: It cannot be opened, is damaged, is something else, or was
            written by a newer Sekisho.

    """

    def __init__(self, path: Path) -> None:
        try:
            _secure(path)
            # Any: apsw's stubs name types that Python 3.11 does not have yet.
            self._connection: Any = apsw.Connection(str(path))
            try:
                self._prepare(path)
            except BaseException:
                self._connection.close()
                raise
        except OSError as error:
            raise AccountError(
                f"the accounts' file {path} cannot be opened: {error.strerror}",
                "Does its folder exist, and may this user write there?",
            ) from error
        except apsw.Error as error:
            raise AccountError(
                f"the accounts' file {path} cannot be used: {error}",
                "Restore it from a backup, or move it away and add the accounts again",
            ) from error

    def rows(self, statement: str, bindings: Sequence[object] = ()) -> list[Any]:
        """Run a statement; all its rows."""
        return self._connection.execute(statement, bindings).fetchall()

    def value(self, statement: str, bindings: Sequence[object] = ()) -> Any:  # noqa: ANN401 - as SQLite has it
        """Run a statement; the one value of its first row, None if it has none."""
        return self._connection.execute(statement, bindings).get

    def run(self, statement: str, bindings: Sequence[object] = ()) -> int:
        """Run a statement that changes; the number of rows that it changed."""
        self._connection.execute(statement, bindings)
        return self._connection.changes()

    def run_many(self, statement: str, bindings: Sequence[Sequence[object]]) -> None:
        """Run a statement that changes, once for each."""
        self._connection.executemany(statement, bindings)

    @contextmanager
    def transaction(self, kind: str) -> Generator[None]:
        """Do all or nothing.

        Args:
            kind: ``DEFERRED`` to read at one point in time, ``IMMEDIATE`` to write
                with nobody else writing between our reading and our writing.

        """
        self.run(f"BEGIN {kind}")
        try:
            yield
            self.run("COMMIT")
        except BaseException:
            # SQLite has rolled back by itself after some errors, such as a full disk.
            if self._connection.in_transaction:
                self.run("ROLLBACK")
            raise

    def close(self) -> None:
        """Close; every later statement raises."""
        self._connection.close()

    def _prepare(self, path: Path) -> None:
        self._connection.set_busy_timeout(_BUSY_MILLISECONDS)
        self._connection.pragma("journal_mode", "wal")
        self._connection.pragma("synchronous", "full")
        if self._is_as_it_must_be(path):
            return
        with self.transaction("IMMEDIATE"):
            # Another process may have been first.
            if not self._is_as_it_must_be(path):
                for step in MIGRATIONS[self.value("PRAGMA user_version") :]:
                    self.run(step)
                self.run(f"PRAGMA application_id = {_APPLICATION_ID}")
                self.run(f"PRAGMA user_version = {len(MIGRATIONS)}")

    def _is_as_it_must_be(self, path: Path) -> bool:
        version = self.value("PRAGMA user_version")
        foreign = self.value("PRAGMA application_id") != _APPLICATION_ID
        if foreign and (version or self.value("PRAGMA schema_version")):
            raise AccountError(
                f"{path} is a database, but not one of accounts",
                "Move it away; the accounts' file is made anew",
            )
        if version > len(MIGRATIONS):
            raise AccountError(
                f"{path} was written by a newer Sekisho (version {version} of its"
                f" format; this one knows {len(MIGRATIONS)})",
                "Run the newer Sekisho, or restore the file from before the update",
            )
        return version == len(MIGRATIONS)


def _secure(path: Path) -> None:
    """Let nobody else read it; SQLite gives -wal and -shm the same mode."""
    # Made by us and not by SQLite, whose file would be open to others for a moment.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
