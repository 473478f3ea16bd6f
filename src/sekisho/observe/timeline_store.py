"""The file of the timeline: segments, written in batches, looked up by `trace`.

A segment is two tables. A *batch* is one row: the lines that were written together, as
they are in the log. A *key* leads from a message's id, or an envelope's address in
lower case, to the batches in which it occurs; most messages come and go within one. So
what costs something is paid a batch, and who looks up reads a few hundred lines more.

Numbers only grow, so they are the order in which things happened. A batch has the
number of its first event, and its lines count on from there.
"""

# apsw's stubs leave the types of rows partly unknown.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import apsw
import msgspec

SEGMENTS = 16
"""Shares of the bytes and days that are dropped as one."""

SCHEMA_VERSION = 2
"""In ``user_version``; a file of a newer version is not touched."""

_FIRST_VERSION = 1
"""With a row an event; such a file is rewritten when it is opened."""

_PAGES_FOR_LINES = 2
"""Octets of pages for one octet of lines at most, keys included."""

_LINES_A_BATCH = 500
"""Of a file that is rewritten."""

_DAMAGED = (apsw.NotADBError, apsw.CorruptError)
BUSY_MILLISECONDS = 5000

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
CREATE TABLE batch_{n} (number INTEGER PRIMARY KEY, lines BLOB NOT NULL);
CREATE TABLE key_{n} (
    key TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (key, number)
) WITHOUT ROWID;
"""

_DROP_SEGMENT = """
DROP TABLE batch_{n};
DROP TABLE key_{n};
DELETE FROM segment WHERE number = {n};
"""

_INSERT_BATCH = "INSERT INTO batch_{n} VALUES (?, ?)"
# SQLite takes the keys apart, with the interpreter's lock released.
_INSERT_KEYS = "INSERT INTO key_{n} SELECT value, ? FROM json_each(?)"

_UPDATE_SEGMENT = """
UPDATE segment SET last_at = ?, last_event = ?, bytes = bytes + ? WHERE number = ?
"""

_OF_FIRST_VERSION = """
SELECT segment.number FROM segment JOIN sqlite_schema AS it
ON it.type = 'table' AND it.name = 'event_' || segment.number ORDER BY 1
"""


class Envelope(msgspec.Struct, gc=False):
    """What a line is found by; all other keys are passed over."""

    event: str
    message: str = ""
    reverse_path: str = ""
    recipient: str = ""
    recipients: tuple[str, ...] = ()

    def addresses(self) -> set[str]:
        """The envelope's, of what was accepted and of what was refused."""
        if not self.event.startswith("mail."):
            return set()
        found = {self.reverse_path.lower(), self.recipient.lower()}
        found.update(map(str.lower, self.recipients))
        found.discard("")
        return found


_ENVELOPES = msgspec.json.Decoder(list[Envelope])
_ENCODER = msgspec.json.Encoder()


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

    def write(self, lines: Sequence[bytes], now: float) -> None:
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
        self, connection: apsw.Connection, lines: Sequence[bytes], now: float
    ) -> None:
        # A full disk is left by dropping what is old, so that goes first, and alone.
        self._make_room(connection, now)
        last = self._next_event + len(lines)
        with connection:
            segment = self._segment(connection, now)
            octets = _insert(connection, segment, self._next_event, lines)
            connection.execute(_UPDATE_SEGMENT, (int(now), last, octets, segment))
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


def _insert(
    connection: apsw.Connection, segment: int, number: int, lines: Sequence[bytes]
) -> int:
    """Write a batch, and by what it is found; return its octets."""
    keys: set[str] = set()
    for envelope in _ENVELOPES.decode(b"[" + b",".join(lines) + b"]"):
        keys.add(envelope.message)
        keys |= envelope.addresses()
    keys.discard("")
    text = b"\n".join(lines)
    connection.execute(_INSERT_BATCH.format(n=segment), (number, text))
    # In order: what is inserted beside its neighbour is quickly there.
    found_by = _ENCODER.encode(sorted(keys)).decode()
    connection.execute(_INSERT_KEYS.format(n=segment), (number, found_by))
    return len(text)


def upgrade(connection: apsw.Connection) -> None:
    """Rewrite a file of the first version, a segment at a time.

    Who is interrupted goes on the next time; two that begin at once wait in turn.
    """
    if connection.pragma("user_version") != _FIRST_VERSION:
        return
    for (segment,) in list(connection.execute(_OF_FIRST_VERSION)):
        with connection:
            connection.execute(f"DROP TABLE IF EXISTS address_{segment}")
            _rewrite(connection, segment)
    with connection:
        connection.pragma("user_version", SCHEMA_VERSION)


def _rewrite(connection: apsw.Connection, segment: int) -> None:
    there = "SELECT 1 FROM sqlite_schema WHERE name = ?"
    if connection.execute(there, (f"event_{segment}",)).get is None:
        return  # Another process has done it meanwhile.
    connection.execute(_CREATE_SEGMENT.format(n=segment))
    rows = connection.execute(
        f"SELECT number, line FROM event_{segment} ORDER BY number"  # noqa: S608 - a number
    )
    while some := list(islice(rows, _LINES_A_BATCH)):
        # Numbers have no gaps within a segment; one would close, and all stay in order.
        _insert(connection, segment, some[0][0], [line.encode() for _, line in some])
    connection.execute(f"DROP TABLE event_{segment}")


def _opened(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    path.chmod(0o600)
    try:
        connection.set_busy_timeout(BUSY_MILLISECONDS)
        _require_known(connection.pragma("user_version"))
        connection.pragma("journal_mode", "wal")
        # The newest events may be lost with the machine's power; the mail is not.
        connection.pragma("synchronous", "normal")
        upgrade(connection)
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
