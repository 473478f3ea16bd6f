"""Tables, versions, and how a connection to a queue file is opened.

A message has a number of its own in the file (`seq`): an integer is the smallest key
and the fastest, and numbers rise, so that what is put together lies together. A
recipient's key is ``seq << 20 | index``: all of a message's recipients are one range
of one tree, without an index for it.

Only three indexes are kept, since each costs every message twice: by id, by what is
due (state first, which makes counting by state a walk over this index alone), and by
destination. Filters that are rarer (sender) walk; rows are short for their sake, and
whatever is never looked for is one encoded blob. Bodies lie in a tree of their own, so
that no walk steps over them.
"""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import apsw

from sekisho.queue.errors import DamagedError, QueueError
from sekisho.queue.sqlite import Connection, connect

VERSION = 4
APPLICATION_ID = 0x53454B49
INDEX_BITS = 20
"""A message has at most 2**20 recipients; `Limits.max_recipients` is far below."""

_MIGRATIONS = (
    """
    CREATE TABLE message(
      seq INTEGER PRIMARY KEY,
      id BLOB NOT NULL,
      received_at REAL NOT NULL,
      reverse_path TEXT NOT NULL,
      size INTEGER NOT NULL,
      recipients INTEGER NOT NULL,
      file TEXT,
      facts BLOB NOT NULL
    );
    CREATE UNIQUE INDEX message_id ON message(id);
    CREATE INDEX message_file ON message(file) WHERE file IS NOT NULL;
    CREATE TABLE body(
      seq INTEGER PRIMARY KEY,
      prefix BLOB NOT NULL,
      data BLOB
    );
    CREATE TABLE recipient(
      key INTEGER PRIMARY KEY,
      state INTEGER NOT NULL,
      attempts INTEGER NOT NULL,
      next_attempt REAL NOT NULL,
      destination TEXT NOT NULL,
      address TEXT NOT NULL,
      last_reply TEXT NOT NULL,
      facts BLOB NOT NULL
    );
    CREATE INDEX recipient_due ON recipient(state, next_attempt);
    CREATE INDEX recipient_destination ON recipient(destination);
    """,
    """
    ALTER TABLE recipient ADD COLUMN cause TEXT NOT NULL DEFAULT '';
    ALTER TABLE recipient ADD COLUMN delay_told_at REAL NOT NULL DEFAULT 0;
    """,
    """
    CREATE TABLE paused(
      destination TEXT PRIMARY KEY,
      since REAL NOT NULL
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE parked(
      destination TEXT PRIMARY KEY,
      until REAL NOT NULL,
      failures INTEGER NOT NULL,
      last_reply TEXT NOT NULL,
      cause TEXT NOT NULL
    ) WITHOUT ROWID;
    """,
)
"""One script a version: the n-th turns a file of version n into one of n + 1."""

_READ_WRITE_CREATE = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
_BUSY_MILLISECONDS = 10_000
_WRITER_CACHE_KIB = 2 * 1024
_READER_CACHE_KIB = 1024
_KEEPER_CACHE_KIB = 256


def open_writer(path: Path) -> Connection:
    """Open a queue file for its one owner, making or migrating it where needed.

    Raises:
        QueueError: It is damaged, newer than we are, or no queue file.

    """
    try:
        connection = connect(str(path), _READ_WRITE_CREATE)
        _configure(connection, _WRITER_CACHE_KIB)
        # Checkpoints run off the commit path (`sekisho.queue.upkeep`).
        connection.execute("PRAGMA wal_autocheckpoint = 0").fetchall()
        _migrate(connection, path)
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise damaged(path, error) from error
    except (apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError) as error:
        raise QueueError(
            f"the queue file {path} cannot be opened ({error})",
            "look at the owner and the rights of its folder",
        ) from error
    except apsw.FullError as error:
        raise QueueError(
            f"there is no room on the disk for the queue file {path}",
            "make room and start again",
        ) from error
    return connection


def open_reader(path: Path) -> Connection:
    """Open a queue file for reading beside its owner."""
    connection = connect(str(path), apsw.SQLITE_OPEN_READWRITE)
    _configure(connection, _READER_CACHE_KIB)
    connection.execute("PRAGMA query_only = 1").fetchall()
    return connection


def open_keeper(path: Path) -> Connection:
    """Open a queue file for checkpoints beside its owner."""
    connection = connect(str(path), apsw.SQLITE_OPEN_READWRITE)
    _configure(connection, _KEEPER_CACHE_KIB)
    return connection


def copy_pages(
    source: Connection, target: Path, step: int, told: Callable[[int, int], None]
) -> None:
    """Copy a file into a new one, some pages at a time.

    Args:
        source: In a read transaction, where it takes more than one step.
        target: Empty, or not there yet.
        step: So many pages at a time; all, where it is negative.
        told: Called after each step: pages left, pages in all.

    """
    copy = apsw.Connection(str(target), flags=_READ_WRITE_CREATE)
    try:
        with copy.backup("main", cast("apsw.Connection", source), "main") as backup:
            while not backup.done:
                backup.step(step)
                told(backup.remaining, backup.page_count)
    finally:
        copy.close()


def damaged(path: Path, error: Exception) -> DamagedError:
    """What to say of a queue file that SQLite cannot read."""
    return DamagedError(
        f"the queue file {path} is damaged ({error})",
        "put it aside with its -wal file and restore a backup; keep it: much of it "
        "can still be read",
    )


def _configure(connection: Connection, cache_kib: int) -> None:
    connection.set_busy_timeout(_BUSY_MILLISECONDS)
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "temp_store = MEMORY",
        "trusted_schema = 0",
        f"cache_size = -{cache_kib}",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _migrate(connection: Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchall()[0]
    (application,) = connection.execute("PRAGMA application_id").fetchall()[0]
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()[0]
    if version > VERSION:
        raise QueueError(
            f"the queue file {path} is of version {version}, newer than {VERSION}",
            "start the newer Sekisho again: it is the one that wrote this mail",
        )
    if application != APPLICATION_ID and (application or version or tables):
        raise QueueError(
            f"{path} is a database, but none of Sekisho's",
            "give the service a data_dir of its own",
        )
    if version == VERSION:
        return
    # DDL is transactional in SQLite: a crash in here leaves the older file.
    with connection:
        for script in _MIGRATIONS[version:]:
            connection.execute(script)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
