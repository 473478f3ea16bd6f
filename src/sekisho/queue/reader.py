"""`QueueReader`: what the store holds, over a connection of its own.

Every method is one or a few short queries, each its own snapshot: a long-running
reader would keep the WAL from being reset. Nothing here walks over bodies, and no page
is longer than it was asked to be.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sekisho.model.ids import MessageId
from sekisho.queue.operations import StoredMessage
from sekisho.queue.records import (
    WAITING,
    Cursor,
    DuePage,
    ListedMessage,
    ListedRecipient,
    QueuedMessage,
    Selection,
    State,
    Stats,
)
from sekisho.queue.rows import INDEX_MASK, BodyRow, MessageRow, RecipientRow, restore
from sekisho.queue.schema import INDEX_BITS, open_reader
from sekisho.queue.sqlite import blobs, integers

_DUE = """
SELECT key, next_attempt FROM (
  SELECT key, next_attempt FROM recipient
  WHERE state = 0 AND (next_attempt, key) > (?1, ?2) AND next_attempt <= ?3
  UNION ALL
  SELECT key, next_attempt FROM recipient
  WHERE state = 1 AND (next_attempt, key) > (?1, ?2) AND next_attempt <= ?3
) ORDER BY next_attempt, key LIMIT ?4
"""
"""Two walks over one index, merged as they go: nothing is sorted."""

_NEXT_DUE = """
SELECT min(at) FROM (
  SELECT min(next_attempt) AS at FROM recipient WHERE state = 0 AND next_attempt > ?1
  UNION ALL
  SELECT min(next_attempt) FROM recipient WHERE state = 1 AND next_attempt > ?1
)
"""

_COMMON = 10_000
"""Recipients from which on a state is common."""

_SHOWN = {state: state.label for state in State} | {State.DEAD: "failed"}
"""What `queue list` calls a recipient's state; a message with a dead one is "dead"."""


class QueueReader:
    """Reads beside the owner; used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._connection = open_reader(path)
        self._execute = self._connection.execute

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    # For the scheduler

    def due(
        self,
        now: float,
        limit: int,
        *,
        after: Cursor | None,
        max_bytes: int,
        skip: Callable[[MessageId], bool],
    ) -> DuePage:
        """A page of what is due.

        Args:
            now: Unix seconds.
            limit: At most so many recipients are looked at.
            after: Where the page before ended.
            max_bytes: The page ends once its messages hold so much inline.
            skip: Messages not to be read: those that are in memory already.

        """
        start = after or Cursor(float("-inf"), 0)
        keys = self._execute(
            _DUE, (start.next_attempt, start.key, now, limit)
        ).fetchall()
        rows = self._messages({key >> INDEX_BITS for key, _ in keys})
        taken: list[int] = []
        seen: set[int] = set()
        held = 0
        cursor = Cursor(keys[-1][1], keys[-1][0]) if len(keys) == limit else None
        for key, next_attempt in keys:
            seq = key >> INDEX_BITS
            row = rows.get(seq)
            if seq in seen or row is None:
                continue
            seen.add(seq)
            if skip(MessageId(int.from_bytes(row[1], "big"))):
                continue
            taken.append(seq)
            held += row[4] if row[6] is None else 0
            if held >= max_bytes:
                cursor = Cursor(next_attempt, key)
                break
        return DuePage(tuple(self._whole(rows[seq] for seq in taken)), cursor)

    def next_due_at(self, after: float) -> float | None:
        """When the next recipient becomes due after a moment, or None."""
        return self._execute(_NEXT_DUE, (after,)).fetchall()[0][0]

    # For people

    def get(self, message_id: MessageId) -> QueuedMessage | None:
        """One message whole, or None where it is not there (any more)."""
        rows = self._execute("SELECT * FROM message WHERE id = ?", (message_id.octets,))
        for message in self._whole(rows.fetchall()):
            return message
        return None

    def listed(
        self, selection: Selection, limit: int, after: MessageId | None
    ) -> list[ListedMessage]:
        """A page of messages, oldest first.

        Args:
            selection: Messages with at least one recipient meant.
            limit: At most so many.
            after: The last id of the page before.

        """
        query, bindings = _listed(selection, walk=self._is_common(selection.state))
        numbers = self._numbers(query, (*bindings, self._seq(after)), limit)
        rows = self._messages(numbers)
        recipients = self._recipients(numbers)
        return [
            _list_entry(rows[seq], recipients.get(seq, []))
            for seq in numbers
            if seq in rows
        ]

    def stats(self, now: float) -> Stats:
        """How much is there, by state."""
        counts = dict(
            self._execute("SELECT state, count(*) FROM recipient GROUP BY state")
        )
        (messages,) = self._execute("SELECT count(*) FROM message").fetchall()[0]
        oldest = self._execute(
            "SELECT received_at FROM message ORDER BY seq LIMIT 1"
        ).fetchall()
        return Stats(
            messages,
            sum(counts.values()),
            {state.label: counts.get(state, 0) for state in State},
            max(0.0, now - oldest[0][0]) if oldest else 0.0,
        )

    def destinations(self, limit: int) -> dict[str, int]:
        """Where mail waits to go, and for how many recipients; the most first."""
        # Both walk over an index alone; few recipients are final and still here.
        counts: dict[str, int] = dict(
            self._execute(
                "SELECT destination, count(*) FROM recipient GROUP BY destination "
                "ORDER BY count(*) DESC LIMIT ?",
                (limit,),
            )
        )
        final: dict[str, int] = dict(
            self._execute(
                "SELECT destination, count(*) FROM recipient WHERE state >= ? "
                "GROUP BY destination",
                (int(State.DELIVERED),),
            )
        )
        return {name: count - final.get(name, 0) for name, count in counts.items()}

    def paused(self) -> dict[str, float]:
        """Destinations that an operator paused, and since when (unix seconds)."""
        return dict(self._execute("SELECT destination, since FROM paused"))

    # For whoever takes this file's mail over

    def stored(self, after: int, limit: int) -> list[StoredMessage]:
        """The next messages behind a number, as rows; of ten columns a recipient."""
        query = "SELECT * FROM message WHERE seq > ? ORDER BY seq LIMIT ?"
        rows: list[MessageRow] = self._execute(query, (after, limit)).fetchall()
        recipients = self._recipients(row[0] for row in rows)
        found: list[StoredMessage] = []
        for row in rows:
            bodies: Sequence[BodyRow] = self._execute(
                "SELECT * FROM body WHERE seq = ?", (row[0],)
            ).fetchall()
            body = bodies[0] if bodies else None
            found.append(StoredMessage(row, body, tuple(recipients[row[0]])))
        return found

    # Rows

    def _numbers(self, query: str, bindings: tuple[Any, ...], limit: int) -> list[int]:
        """The first different numbers: a message comes once for each recipient."""
        found: dict[int, None] = {}
        cursor = self._execute(query, bindings)
        for (seq,) in cursor:
            if len(found) >= limit and seq not in found:
                break
            found[seq] = None
        cursor.close()
        return list(found)

    def _is_common(self, state: State | None) -> bool:
        if state is None:
            return False
        (count,) = self._execute(
            "SELECT count(*) FROM (SELECT 1 FROM recipient WHERE state = ? LIMIT ?)",
            (int(state), _COMMON),
        ).fetchall()[0]
        return count == _COMMON

    def _seq(self, message_id: MessageId | None) -> int:
        if message_id is None:
            return -1
        # The page's last message may have left meanwhile: then its neighbour.
        rows = self._execute(
            "SELECT seq FROM message WHERE id <= ? ORDER BY id DESC LIMIT 1",
            (message_id.octets,),
        ).fetchall()
        return rows[0][0] if rows else -1

    def _messages(self, numbers: Iterable[int]) -> dict[int, MessageRow]:
        wanted = tuple(numbers)
        if not wanted:
            return {}
        return {
            row[0]: row
            for row in self._execute(
                "SELECT * FROM message WHERE seq IN carray(?)", (integers(wanted),)
            )
        }

    def _recipients(self, numbers: Iterable[int]) -> dict[int, list[RecipientRow]]:
        found: dict[int, list[RecipientRow]] = {}
        for seq in numbers:
            base = seq << INDEX_BITS
            found[seq] = self._execute(
                "SELECT * FROM recipient WHERE key BETWEEN ? AND ? ORDER BY key",
                (base, base + INDEX_MASK),
            ).fetchall()
        return found

    def _whole(self, rows: Iterable[MessageRow]) -> Iterable[QueuedMessage]:
        for row in rows:
            body: Sequence[BodyRow] = self._execute(
                "SELECT * FROM body WHERE seq = ?", (row[0],)
            ).fetchall()
            recipients = self._recipients((row[0],))[row[0]]
            # Whatever left the queue between two queries is not due any more.
            if body and recipients:
                yield restore(row, body[0], recipients)


def _listed(selection: Selection, *, walk: bool) -> tuple[str, tuple[Any, ...]]:
    """The query for the numbers of messages, in order; ``after`` is still to bind.

    By destination and by state the recipients lead, since they are indexed by it; by
    sender, messages are walked.

    Args:
        selection: What is wanted.
        walk: Whether its state is so common that looking at recipients in order
            finds a page sooner than sorting all that the index gives.

    """
    conditions: list[str] = []
    bindings: list[Any] = []
    if selection.ids:
        conditions.append("m.id IN carray(?)")
        bindings.append(blobs(one.octets for one in selection.ids))
    if selection.sender:
        conditions.append("m.reverse_path = ?")
        bindings.append("" if selection.sender == "<>" else selection.sender)
    if selection.destination:
        conditions.append("r.destination = ?")
        bindings.append(selection.destination)
    if selection.state is not None:
        # A plus keeps SQLite from the index on the state.
        plus = "+" if walk or selection.destination else ""
        conditions.append(f"{plus}r.state = ?")
        bindings.append(int(selection.state))
    number, tables = "m.seq", "message m"
    if selection.destination or selection.state is not None:
        number = f"r.key >> {INDEX_BITS}"
        tables = f"recipient r CROSS JOIN message m ON m.seq = {number}"
        conditions.append(f"r.key >= (? + 1) << {INDEX_BITS}")
        order = "r.key"
    else:
        conditions.append("m.seq > ?")
        order = "m.seq"
    where = " AND ".join(conditions)
    return (
        f"SELECT {number} FROM {tables} WHERE {where} ORDER BY {order}",  # noqa: S608 - constants
        tuple(bindings),
    )


def _list_entry(row: MessageRow, recipients: Sequence[RecipientRow]) -> ListedMessage:
    states = {recipient[1] for recipient in recipients}
    return ListedMessage(
        id=str(MessageId(int.from_bytes(row[1], "big"))),
        state=_message_state(states),
        reverse_path=row[3],
        recipients=[
            ListedRecipient(
                address=recipient[5],
                state=_SHOWN[State(recipient[1])],
                attempts=recipient[2],
                next_attempt=_moment(recipient[3]) if recipient[1] in WAITING else None,
                last_reply=recipient[6],
            )
            for recipient in recipients
        ],
        size_bytes=row[4],
        received_at=_moment(row[2]),
    )


def _message_state(states: set[int]) -> str:
    """The state that most wants an operator's eye."""
    for state, name in (
        (State.DEAD, "dead"),
        (State.HELD, "held"),
        (State.DEFERRED, "deferred"),
    ):
        if state in states:
            return name
    return "active"


def _moment(unix_seconds: float) -> datetime:
    return datetime.fromtimestamp(round(unix_seconds, 3), UTC)
