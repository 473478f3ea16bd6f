"""A damaged queue file, opened so that nothing in it changes.

Its WAL is read with it (what was committed last is there), but never copied into it.
Where frames of the WAL are damaged, one without them takes its place beside a link to
the file (`sekisho.queue.wal`). Where its first page is gone, which names the tables
and where they begin, that of a new file takes its place in a copy: the three tables
are the first thing that any queue file was given, so they begin where they begin in
every other.
"""

import shutil
from pathlib import Path
from typing import Any, cast

import apsw

from sekisho.queue.bodies import link_body
from sekisho.queue.schema import VERSION, open_writer
from sekisho.queue.sqlite import Connection, connect
from sekisho.queue.wal import Break, find_break, mended
from sekisho.queue.walk import READ_ERRORS, TABLES

_PAGE_BYTES = 4096
_CHANGE_COUNTER = slice(24, 28)
_VALID_FOR = slice(92, 96)
_NAMES = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN (?, ?, ?)"


class Wreck:
    """The file, for reading.

    Attributes:
        connection: To it, or to its copy with a new first page.
        version: Of its tables.
        wal: Where its WAL breaks off, if it does.

    """

    connection: Connection
    version: int
    wal: Break | None

    def __init__(self, path: Path) -> None:
        """Open it; the copy, where it takes one, lies beside it until `close`."""
        copy, new = path.with_name("wreck.db"), path.with_name("new.db")
        suffixes = ("", "-wal", "-shm")
        self._copies = [Path(f"{one}{end}") for one in (copy, new) for end in suffixes]
        self._remove_copies()
        self.wal = find_break(path)
        try:
            self._open(path if self.wal is None else self._with_a_mended_wal(path))
        except READ_ERRORS:
            self._open(self._with_a_first_page(path))

    def close(self) -> None:
        """Close it, and remove the copy."""
        self.connection.close()
        self._remove_copies()

    def _remove_copies(self) -> None:
        for copy in self._copies:
            copy.unlink(missing_ok=True)

    def _open(self, path: Path) -> None:
        connection = connect(str(path), apsw.SQLITE_OPEN_READWRITE)
        try:
            self.version = _version(connection)
        except BaseException:
            connection.close()
            raise
        self.connection = connection

    def _with_a_first_page(self, path: Path) -> Path:
        self._remove_copies()
        copy, new = path.with_name("wreck.db"), path.with_name("new.db")
        open_writer(new).close()
        page = bytearray(new.read_bytes()[:_PAGE_BYTES])
        # How many pages there are is then asked of the file's length.
        page[_VALID_FOR] = bytes(255 - octet for octet in page[_CHANGE_COUNTER])
        shutil.copyfile(path, copy)
        with copy.open("r+b") as file:
            file.write(page)
        self._copy_wal(path, copy)
        return copy

    def _with_a_mended_wal(self, path: Path) -> Path:
        copy = path.with_name("wreck.db")
        link_body(path, copy)
        self._copy_wal(path, copy)
        return copy

    def _copy_wal(self, path: Path, copy: Path) -> None:
        wal, its = Path(f"{path}-wal"), Path(f"{copy}-wal")
        if self.wal is not None:
            mended(path, self.wal, its)
        elif wal.exists():
            shutil.copyfile(wal, its)


def _version(connection: Connection) -> int:
    # Else closing it would copy the WAL into it.
    cast("Any", connection).config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.execute("PRAGMA query_only = 1").fetchall()
    (version,) = connection.execute("PRAGMA user_version").fetchall()[0]
    names = tuple(table.name for table in TABLES)
    (tables,) = connection.execute(_NAMES, names).fetchall()[0]
    if tables != len(TABLES) or not 0 < version <= VERSION:
        raise apsw.CorruptError("its tables are not named")
    return int(version)
