"""The file of the timeline: segments, written in batches, looked up by `trace`.

A segment is two tables: events by message and number, and the addresses of envelopes.
Numbers only grow, so they are the order in which things happened.
"""

# apsw's stubs leave the types of rows partly unknown.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import msgspec

SEGMENTS = 16
"""Shares of the bytes and days that are dropped as one."""

SCHEMA_VERSION = 1
"""In ``user_version``; a file of a newer version is not touched."""

_PAGES_FOR_LINES = 2
"""Octets of pages for one octet of lines, indexes included."""

_DAMAGED = (apsw.NotADBError, apsw.CorruptError)
_BUSY_MILLISECONDS = 5000
_ID = re.compile(r"[0-9a-hjkmnp-tv-z]{26}")

_CREATE = """
CREATE TABLE IF NOT EXISTS segment (
    number INTEGER PRIMARY KEY,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    last_event INTEGER NOT NULL,
    bytes INTEGER NOT NULL
);
"""

_CREATE_SEGMENT = """
CREATE TABLE event_{n} (
    message TEXT NOT NULL,
    number INTEGER NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (message, number)
) WITHOUT ROWID;
CREATE TABLE address_{n} (
    address TEXT NOT NULL,
    number INTEGER NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (address, number)
) WITHOUT ROWID;
"""

_DROP_SEGMENT = """
DROP TABLE event_{n};
DROP TABLE address_{n};
DELETE FROM segment WHERE number = {n};
"""

_INSERT_EVENTS = """
INSERT INTO event_{n}
SELECT coalesce(value ->> '$.message', ''), :base + key, value FROM json_each(:lines)
"""

# The envelope's addresses: of what was accepted and of what was refused.
_INSERT_ADDRESSES = """
INSERT OR IGNORE INTO address_{n}
WITH line AS (
    SELECT :base + key AS number, coalesce(value ->> '$.message', '') AS message, value
    FROM json_each(:lines)
    WHERE value ->> '$.event' IN ('mail.accepted', 'mail.refused')
)
SELECT lower(value ->> '$.reverse_path'), number, message FROM line
    WHERE value ->> '$.reverse_path' <> ''
UNION ALL
SELECT lower(value ->> '$.recipient'), number, message FROM line
    WHERE value ->> '$.recipient' <> ''
UNION ALL
SELECT lower(recipient.value), number, message
    FROM line, json_each(line.value, '$.recipients') AS recipient
"""

_UPDATE_SEGMENT = """
UPDATE segment SET last_at = ?, last_event = ?, bytes = bytes + ? WHERE number = ?
"""

_BY_MESSAGE = "SELECT number, line FROM event_{n} WHERE message = :key"
_BY_ADDRESS = """
SELECT number, message FROM address_{n} WHERE address = lower(:key)
ORDER BY number DESC LIMIT :limit
"""
_ONE_EVENT = "SELECT number, line FROM event_{n} WHERE message = '' AND number = :key"


@dataclass(frozen=True, slots=True)
class TimelineOptions:
    """How much is kept.

    Attributes:
        max_bytes: Of the file's pages in use.
        max_days: Of age.

    """

    max_bytes: int = 1024 * 1024 * 1024
    max_days: float = 30.0


class TimelineStore:
    """The file, from the timeline's thread alone; opened when first written to."""

    def __init__(self, path: Path, options: TimelineOptions) -> None:
        self._path = path
        self._options = options
        self._connection: apsw.Connection | None = None
        self._next_event = 0

    def write(self, lines: list[bytes], now: float) -> None:
        """Write lines in one transaction, after making room.

        Raises:
            apsw.Error: Nothing of them was written.
            OSError: A damaged file could not be set aside.

        """
        connection = self._connection or self._open()
        try:
            self._write(connection, lines, now)
        except _DAMAGED:
            # Found in the middle of the file: this batch is lost, the next is not.
            self._set_aside()
            raise

    def _write(
        self, connection: apsw.Connection, lines: list[bytes], now: float
    ) -> None:
        # A full disk is left by dropping what is old, so that goes first, and alone.
        self._make_room(connection, now)
        document = b"[" + b",".join(lines) + b"]"
        last = self._next_event + len(lines)
        with connection:
            segment = self._segment(connection, now)
            values = {"base": self._next_event, "lines": document.decode()}
            for insert in (_INSERT_EVENTS, _INSERT_ADDRESSES):
                connection.execute(insert.format(n=segment), values)
            connection.execute(
                _UPDATE_SEGMENT, (int(now), last, len(document), segment)
            )
        self._next_event = last

    def close(self) -> None:
        """Close the file, if it is open."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> apsw.Connection:
        try:
            return self._opened()
        except _DAMAGED:
            self._set_aside()
            return self._opened()

    def _opened(self) -> apsw.Connection:
        connection = self._connection = _opened(self._path)
        last = connection.execute("SELECT max(last_event) FROM segment").get
        self._next_event = last or 0
        return connection

    def _set_aside(self) -> None:
        """Keep what cannot be read any more from stopping what happens now."""
        self.close()
        for suffix in ("", "-wal", "-shm"):
            file = self._path.with_name(self._path.name + suffix)
            if file.exists():
                file.replace(file.with_name(file.name + ".damaged"))

    def _make_room(self, connection: apsw.Connection, now: float) -> None:
        oldest_allowed = int(now - self._options.max_days * 86400)
        while True:
            segments = list(
                connection.execute("SELECT number, last_at FROM segment ORDER BY 1")
            )
            if not segments:
                return
            number, last_at = segments[0]
            too_large = _bytes_in_use(connection) > self._options.max_bytes
            if last_at >= oldest_allowed and not (too_large and len(segments) > 1):
                return
            with connection:
                connection.execute(_DROP_SEGMENT.format(n=number))

    def _segment(self, connection: apsw.Connection, now: float) -> int:
        """The segment to write to; a new one when the newest has its share."""
        newest = connection.execute(
            "SELECT number, first_at, bytes FROM segment ORDER BY 1 DESC LIMIT 1"
        ).get
        share = self._options.max_bytes // SEGMENTS // _PAGES_FOR_LINES
        if newest is not None:
            number, first_at, octets = newest
            age = now - first_at
            if octets < share and age < self._options.max_days * 86400 / SEGMENTS:
                return number
        number = 1 if newest is None else newest[0] + 1
        connection.execute(_CREATE_SEGMENT.format(n=number))
        connection.execute(
            "INSERT INTO segment VALUES (?, ?, ?, ?, 0)",
            (number, int(now), int(now), self._next_event),
        )
        return number


def trace(path: Path, wanted: str, limit: int = 20) -> list[dict[str, Any]]:
    """Look up what happened.

    Args:
        path: Of a timeline's file.
        wanted: A message's id, or an envelope address in any case.
        limit: How many messages or refusals at most, for an address: the newest.

    Returns:
        Events as the log has them, oldest first; empty where nothing is known.

    Raises:
        apsw.Error: The file is there but cannot be read.

    """
    if not path.exists():
        return []
    flags = apsw.SQLITE_OPEN_READWRITE  # A WAL needs its shared memory written.
    with closing(apsw.Connection(str(path), flags=flags)) as connection:
        connection.set_busy_timeout(_BUSY_MILLISECONDS)
        events: dict[int, str] = {}
        with connection:
            found = sorted(_found(connection, wanted.strip(), limit))
            events.update(found)
        return [msgspec.json.decode(line) for line in events.values()]


def _found(
    connection: apsw.Connection, wanted: str, limit: int
) -> Iterator[tuple[int, str]]:
    segments = [
        number
        for (number,) in connection.execute("SELECT number FROM segment ORDER BY 1")
    ]
    if _ID.fullmatch(wanted.lower()):
        for segment in segments:
            yield from connection.execute(
                _BY_MESSAGE.format(n=segment), {"key": wanted.lower()}
            )
        return
    for number, message in _newest(connection, segments, wanted, limit):
        for segment in segments:
            query = _BY_MESSAGE if message else _ONE_EVENT
            yield from connection.execute(
                query.format(n=segment), {"key": message or number}
            )


def _newest(
    connection: apsw.Connection, segments: list[int], address: str, limit: int
) -> list[tuple[int, str]]:
    """The newest messages and refusals of an address: event number, message's id."""
    found: list[tuple[int, str]] = []
    for segment in reversed(segments):
        left = limit - len(found)
        if left <= 0:
            break
        values = {"key": address, "limit": left}
        found += connection.execute(_BY_ADDRESS.format(n=segment), values)
    return found


def _opened(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    path.chmod(0o600)
    try:
        connection.set_busy_timeout(_BUSY_MILLISECONDS)
        _require_known(connection.pragma("user_version"))
        connection.pragma("journal_mode", "wal")
        # The newest events may be lost with the machine's power; the mail is not.
        connection.pragma("synchronous", "normal")
        with connection:
            connection.execute(_CREATE)
            connection.pragma("user_version", SCHEMA_VERSION)
    except BaseException:
        connection.close()
        raise
    return connection


def _bytes_in_use(connection: apsw.Connection) -> int:
    pages = connection.pragma("page_count") - connection.pragma("freelist_count")
    return pages * connection.pragma("page_size")


def _require_known(version: int) -> None:
    if version > SCHEMA_VERSION:
        raise apsw.SchemaChangeError(f"written by a newer version ({version})")
