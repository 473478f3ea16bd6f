"""Looking up in a file of the timeline: what happened to a message, or at an address.

It needs no running service. Keys lead to batches, and a batch is gone through.
"""

# apsw's stubs leave the types of rows partly unknown.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import msgspec

from sekisho.observe.timeline_store import BUSY_MILLISECONDS, Envelope, upgrade

_ID = re.compile(r"[0-9a-hjkmnp-tv-z]{26}")
_ENVELOPE = msgspec.json.Decoder(Envelope)

_BATCHES = """
SELECT number, lines FROM key_{n} JOIN batch_{n} USING (number) WHERE key = ?
ORDER BY number DESC
"""


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
        connection.set_busy_timeout(BUSY_MILLISECONDS)
        upgrade(connection)
        found: dict[int, bytes] = {}
        with connection:  # What is written meanwhile is not seen.
            found.update(_found(connection, wanted.strip().lower(), limit))
        return [msgspec.json.decode(found[number]) for number in sorted(found)]


def _found(connection: apsw.Connection, wanted: str, limit: int) -> dict[int, bytes]:
    """Lines by their numbers."""
    if _ID.fullmatch(wanted):
        return _of_message(connection, wanted)
    found: dict[int, bytes] = {}
    for number, line, envelope in _newest_first(connection, wanted):
        if wanted in envelope.addresses():
            if limit <= 0:
                break
            limit -= 1
            found[number] = line
            if envelope.message:
                found |= _of_message(connection, envelope.message)
    return found


def _of_message(connection: apsw.Connection, message: str) -> dict[int, bytes]:
    return {
        number: line
        for number, line, envelope in _newest_first(connection, message)
        if envelope.message == message
    }


def _newest_first(
    connection: apsw.Connection, key: str
) -> Iterator[tuple[int, bytes, Envelope]]:
    """All lines of the batches that a key leads to, the last one first."""
    segments = connection.execute("SELECT number FROM segment ORDER BY 1 DESC")
    for (segment,) in list(segments):
        batches = connection.execute(_BATCHES.format(n=segment), (key,))
        for first, text in batches:
            lines = text.split(b"\n")
            for position in range(len(lines) - 1, -1, -1):
                line = lines[position]
                yield first + position, line, _ENVELOPE.decode(line)
