"""Messages whose rows SQLite reads, but that are no message: named, and set aside.

One such message must not keep others waiting. Its recipients become dead, which an
operator sees, and its rows stay as they are: nothing of it is lost, nothing of it is
sent. Whatever is shown of it is what can be shown.
"""

from collections.abc import Sequence
from typing import Any

from sekisho.model.ids import MessageId
from sekisho.queue.records import (
    WAITING,
    State,
    Unreadable,
)
from sekisho.queue.rows import INDEX_MASK
from sekisho.queue.schema import INDEX_BITS
from sekisho.queue.sqlite import Connection

_ID_OCTETS = 16
_MESSAGE = (
    "SELECT seq, id, received_at, CAST(reverse_path AS BLOB), size, recipients, "
    "CAST(file AS BLOB), facts FROM message WHERE seq = ?"
)
_RECIPIENTS = (
    "SELECT key, state, attempts, next_attempt, CAST(destination AS BLOB), "
    "CAST(address AS BLOB), CAST(last_reply AS BLOB), facts, CAST(cause AS BLOB), "
    "delay_told_at FROM recipient WHERE key BETWEEN ? AND ? ORDER BY key"
)
_SET_ASIDE = (
    "UPDATE recipient SET state = ?, last_reply = ? "
    "WHERE key BETWEEN ? AND ? AND state IN (?, ?)"
)
_STILL_WAITS = (
    "SELECT 1 FROM recipient WHERE key BETWEEN ? AND ? AND state IN (?, ?) LIMIT 1"
)


def name_of(octets: object, seq: int) -> str:
    """A message's id, or what else to call it."""
    if isinstance(octets, bytes) and len(octets) == _ID_OCTETS:
        return str(MessageId(int.from_bytes(octets, "big")))
    return f"number {seq}"


def why(error: Exception) -> str:
    """What is wrong, for people; without a row's content."""
    return f"{type(error).__name__}: {error}"[:200]


def still_waits(connection: Connection, seq: int) -> bool:
    """Whether a message whose row was not found has recipients nevertheless.

    Rows of a message come and go in one transaction: where recipients are still there,
    it was no other thread that took the message away.
    """
    base = seq << INDEX_BITS
    bindings = (base, base + INDEX_MASK, *map(int, WAITING))
    return bool(connection.execute(_STILL_WAITS, bindings).fetchall())


def set_aside(connection: Connection, messages: Sequence[Unreadable]) -> None:
    """Make the waiting recipients of messages dead, in the caller's transaction."""
    for one in messages:
        base = one.number << INDEX_BITS
        connection.execute(
            _SET_ASIDE,
            (
                int(State.DEAD),
                f"set aside: it cannot be read ({one.why})",
                base,
                base + INDEX_MASK,
                *map(int, WAITING),
            ),
        )


def lenient_message(connection: Connection, seq: int) -> list[tuple[Any, ...]]:
    """A message's row with text that may be no text."""
    return [_lenient(row) for row in connection.execute(_MESSAGE, (seq,))]


def lenient_recipients(connection: Connection, seq: int) -> list[tuple[Any, ...]]:
    """A message's recipients with text that may be no text."""
    base = seq << INDEX_BITS
    rows = connection.execute(_RECIPIENTS, (base, base + INDEX_MASK))
    return [_lenient(row) for row in rows]


_BLOBS = frozenset({1, 7})
"""Columns that hold octets, in both tables (a recipient has a number at 1)."""


def _lenient(row: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(
        one.decode("utf-8", "replace")
        if isinstance(one, bytes) and place not in _BLOBS
        else one
        for place, one in enumerate(row)
    )
