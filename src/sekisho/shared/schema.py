"""Tables of the shared store, its versions, and how it is made.

It holds counts and what is known of hosts, no mail and no secret. So a damaged file is
set aside and begun anew (the caller tells an operator): a relay that does not start
because it forgot who guessed wrong would be the worse fault.

`synchronous = NORMAL` under WAL: a commit waits for no disk, only a checkpoint does,
and checkpoints run in a thread of their own (`SharedStore.upkeep`). A power cut takes
the last seconds' counts and leaves the file whole.
"""

import fcntl
import os
from pathlib import Path

import apsw

from sekisho.shared.sqlite import Connection, connect

VERSION = 1
APPLICATION_ID = 0x53454B53
BUSY_MILLISECONDS = 200
"""How long one worker waits for another's transaction, which takes 50 microseconds."""

_MIGRATIONS = (
    """
    CREATE TABLE pair(
      seq INTEGER PRIMARY KEY,
      account TEXT NOT NULL,
      block TEXT NOT NULL,
      failures INTEGER NOT NULL,
      quiet_since REAL NOT NULL,
      locked_until REAL NOT NULL
    );
    CREATE UNIQUE INDEX pair_key ON pair(account, block);
    CREATE TABLE block(
      seq INTEGER PRIMARY KEY,
      account TEXT NOT NULL,
      block TEXT NOT NULL,
      failures INTEGER NOT NULL,
      quiet_since REAL NOT NULL,
      locked_until REAL NOT NULL
    );
    CREATE UNIQUE INDEX block_key ON block(account, block);
    CREATE TABLE known(
      account TEXT NOT NULL,
      block TEXT NOT NULL,
      at REAL NOT NULL,
      PRIMARY KEY (account, block)
    ) WITHOUT ROWID;
    CREATE TABLE tally(
      kind TEXT PRIMARY KEY,
      entries INTEGER NOT NULL
    ) WITHOUT ROWID;
    INSERT INTO tally VALUES ('pair', 0), ('block', 0);
    CREATE TABLE quota(
      grant_name TEXT NOT NULL,
      account TEXT NOT NULL,
      touched REAL NOT NULL,
      windows BLOB NOT NULL,
      PRIMARY KEY (grant_name, account)
    );
    CREATE TABLE down(
      destination TEXT PRIMARY KEY,
      until REAL NOT NULL,
      failures INTEGER NOT NULL,
      cause TEXT NOT NULL,
      code INTEGER NOT NULL,
      enhanced TEXT NOT NULL,
      text TEXT NOT NULL,
      host TEXT NOT NULL
    ) WITHOUT ROWID;
    """,
)
"""One script a version: the n-th turns a file of version n into one of n + 1."""

_READ_WRITE_CREATE = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE


class SharedStoreError(Exception):
    """The file cannot be used; the sentence says why.

    Attributes:
        hint: What to do.

    """

    def __init__(self, sentence: str, hint: str) -> None:
        super().__init__(sentence)
        self.hint = hint


def prepare(path: Path) -> str:
    """Make or migrate the file, one process at a time.

    Returns:
        What an operator should know: where a damaged file was set aside; else empty.

    Raises:
        SharedStoreError: It is newer than we are, another's, or cannot be opened.

    """
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            _make(path)
        except (apsw.NotADBError, apsw.CorruptError) as error:
            aside = _set_aside(path)
            _make(path)
            return f"{path} was damaged ({error}) and is set aside as {aside.name}"
    except (apsw.Error, OSError) as error:
        raise SharedStoreError(
            f"{path} cannot be used ({error})",
            "look at the owner and the rights of its folder, and at the disk",
        ) from error
    finally:
        os.close(lock)
    return ""


def open_existing(path: Path) -> Connection:
    """Open a file that is there and of our version.

    Raises:
        apsw.Error: It is not.

    """
    connection = connect(str(path), apsw.SQLITE_OPEN_READWRITE)
    try:
        _configure(connection)
        (version,) = connection.execute("PRAGMA user_version").fetchall()[0]
    except BaseException:
        connection.close()
        raise
    if version != VERSION:
        connection.close()
        raise apsw.CantOpenError(f"it is of version {version}, and not {VERSION}")
    return connection


def _configure(connection: Connection) -> None:
    connection.set_busy_timeout(BUSY_MILLISECONDS)
    for pragma in (
        "journal_mode = WAL",
        "synchronous = NORMAL",
        "wal_autocheckpoint = 0",
        "temp_store = MEMORY",
        "trusted_schema = 0",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _make(path: Path) -> None:
    mask = os.umask(0o077)
    try:
        connection = connect(str(path), _READ_WRITE_CREATE)
    finally:
        os.umask(mask)
    try:
        _configure(connection)
        _migrate(connection, path)
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchall()[0]
        if verdict != "ok":
            raise apsw.CorruptError(str(verdict))
    finally:
        connection.close()


def _migrate(connection: Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchall()[0]
    (application,) = connection.execute("PRAGMA application_id").fetchall()[0]
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()[0]
    if version > VERSION:
        raise SharedStoreError(
            f"{path} is of version {version}, newer than {VERSION}",
            "start the newer Sekisho again, or remove the file: lockout and quotas"
            " begin anew",
        )
    if application != APPLICATION_ID and (application or version or tables):
        raise SharedStoreError(
            f"{path} is a database, but none of Sekisho's",
            "give the service a data_dir of its own",
        )
    if version == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    for script in _MIGRATIONS[version:]:
        connection.execute(script)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def _set_aside(path: Path) -> Path:
    aside = path.with_name(f"{path.name}.damaged")
    path.replace(aside)
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    return aside
