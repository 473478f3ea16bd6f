"""What waits for a host that is down: parked once, whatever many steps it takes.

A hundred thousand messages for a dead host would each be read and written again at
each of its steps. Instead the host's step is kept once, in a row of `parked`, and
their own rows are moved, unread and once, to the moment at which somebody has to be
told of them: the delay notice, then the expiry. A step is then one try, by one of the
messages, and one row written. Once the host is back its mail is made due, and its row
of `parked` goes with the last page: a crash between two pages leaves it to the next
start.

New mail for such a host is stored with its next step, and nothing more is written of
it (`sekisho.queue.rows.prepare`).

Both walk by destination, page by page, so that other mail goes on between the pages.
People are shown the host's step (`shown`): that is when they are tried next.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from sekisho.queue.sqlite import Connection

if TYPE_CHECKING:
    from sekisho.queue.rows import RecipientRow


@dataclass(frozen=True, slots=True)
class Parked:
    """The step of a host that is down; as an operation: keep it.

    Attributes:
        destination: As the queue spells it.
        until: Its next step (unix seconds).
        failures: Steps in vain so far.
        last_reply: What the last try came to.
        cause: The same in a word.

    """

    destination: str
    until: float
    failures: int
    last_reply: str
    cause: str

    def at(self, until: float) -> "Parked":
        """The same with another step."""
        return replace(self, until=until)


NOTHING_PARKED: Mapping[str, Parked] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Postpone:
    """Park a page of what is due before a destination's next step.

    Attributes:
        parked: The step.
        now: Unix seconds. What somebody has to be told of by now is left alone: it is
            read as any other, and judged.
        notice_seconds: A sender not told of the delay is, so long after arrival.
        expire_seconds: A message is given up so long after arrival.
        after: Only recipients with greater keys.
        limit: At most so many rows are looked at.

    """

    parked: Parked
    now: float
    notice_seconds: float
    expire_seconds: float
    after: int = -1
    limit: int = 500

    def behind(self, key: int) -> "Postpone":
        """The page behind a key."""
        return replace(self, after=key)


@dataclass(frozen=True, slots=True)
class Unpark:
    """Make a page of a destination's mail due; after the last it is not parked."""

    destination: str
    now: float
    after: int = -1
    limit: int = 500


_PAGE = """
SELECT max(key) FROM (
  SELECT key FROM recipient WHERE destination = ? AND key > ? ORDER BY key LIMIT ?
)
"""

_NOTE = """
INSERT OR REPLACE INTO parked(destination, until, failures, last_reply, cause)
VALUES (?, ?, ?, ?, ?)
"""

_MOMENT = """
m.received_at + iif(recipient.delay_told_at > 0 OR m.reverse_path = '', ?4, ?3)
"""
"""When somebody is to be told of a recipient next."""

_POSTPONE = f"""
UPDATE recipient SET
  state = 1,
  attempts = attempts + 1,
  next_attempt = {_MOMENT},
  last_reply = ?5,
  cause = ?6
FROM message m
WHERE m.seq = key >> 20
  AND recipient.destination = ?7 AND key > ?8 AND key <= ?9
  AND state IN (0, 1) AND next_attempt < ?1
  AND {_MOMENT} > ?2
"""  # noqa: S608 - constants
"""The number of a message is its recipient's key without 20 bits (`INDEX_BITS`)."""

_UNPARK = """
UPDATE recipient SET next_attempt = ?1
WHERE destination = ?2 AND key > ?3 AND key <= ?4 AND state = 1 AND next_attempt > ?1
"""

_FORGET = "DELETE FROM parked WHERE destination = ?"


def note_parked(connection: Connection, parked: Parked) -> None:
    """Keep a host's step."""
    connection.execute(
        _NOTE,
        (
            *(parked.destination, parked.until, parked.failures),
            *(parked.last_reply, parked.cause),
        ),
    )


def walk(connection: Connection, wanted: Postpone | Unpark) -> int | None:
    """Do a page. Returns the greatest key looked at; None where none was left."""
    if isinstance(wanted, Postpone):
        return _postpone(connection, wanted)
    return _unpark(connection, wanted)


def _postpone(connection: Connection, wanted: Postpone) -> int | None:
    parked = wanted.parked
    end = _end_of_page(connection, parked.destination, wanted.after, wanted.limit)
    if end is None:
        return None
    note_parked(connection, parked)
    notice = min(wanted.notice_seconds, wanted.expire_seconds)
    connection.execute(
        _POSTPONE,
        (
            *(parked.until, wanted.now, notice, wanted.expire_seconds),
            *(parked.last_reply, parked.cause),
            *(parked.destination, wanted.after, end),
        ),
    )
    return end


def _unpark(connection: Connection, wanted: Unpark) -> int | None:
    name = wanted.destination
    end = _end_of_page(connection, name, wanted.after, wanted.limit)
    if end is None:
        connection.execute(_FORGET, (name,))
    else:
        connection.execute(_UNPARK, (wanted.now, name, wanted.after, end))
    return end


def _end_of_page(
    connection: Connection, destination: str, after: int, limit: int
) -> int | None:
    return connection.execute(_PAGE, (destination, after, limit)).fetchall()[0][0]


def read_parked(connection: Connection) -> dict[str, Parked]:
    """Every host's step, by destination."""
    query = "SELECT destination, until, failures, last_reply, cause FROM parked"
    return {row[0]: Parked(*row) for row in connection.execute(query)}


def shown(
    recipients: Sequence["RecipientRow"], parked: Mapping[str, Parked]
) -> Sequence["RecipientRow"]:
    """Recipients as they stand: what is parked is tried with its host's next step."""
    if not parked:
        return recipients
    return [_shown(row, parked.get(row[4])) for row in recipients]


def _shown(row: "RecipientRow", parked: Parked | None) -> "RecipientRow":
    key, state, attempts, next_attempt, destination, address, *_ = row
    if parked is None or state != 1 or next_attempt <= parked.until:
        return row
    return (
        *(key, state, attempts, parked.until, destination, address),
        *(parked.last_reply, row[7], parked.cause, row[9]),
    )
