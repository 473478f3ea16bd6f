"""`QueueReader`: what the store holds, over a connection of its own.

Every method is one or a few short queries, each its own snapshot: a long-running
reader would keep the WAL from being reset. Nothing here walks over bodies, and no page
is longer than it was asked to be.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import apsw

from sekisho.model.ids import MessageId
from sekisho.queue.errors import UnreadableError
from sekisho.queue.listing import list_entry, list_entry_anyway, listed_query
from sekisho.queue.messages import MessageRows
from sekisho.queue.operations import StoredMessage
from sekisho.queue.postponing import Parked, read_parked, shown
from sekisho.queue.records import (
    Cursor,
    DuePage,
    ListedMessage,
    QueuedMessage,
    Selection,
    State,
    Stats,
    Unreadable,
)
from sekisho.queue.rows import MessageRow
from sekisho.queue.schema import INDEX_BITS, open_reader
from sekisho.queue.unreadable import (
    lenient_message,
    lenient_recipients,
    name_of,
    still_waits,
    why,
)

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

_DUE_WITHOUT = _DUE.replace(
    "next_attempt <= ?3",
    "next_attempt <= ?3 AND destination NOT IN (SELECT value FROM json_each(?5))",
)

_NEXT_DUE = """
SELECT min(at) FROM (
  SELECT min(next_attempt) AS at FROM recipient WHERE state = 0 AND next_attempt > ?1
  UNION ALL
  SELECT min(next_attempt) FROM recipient WHERE state = 1 AND next_attempt > ?1
)
"""

_STRAY = """
SELECT EXISTS (SELECT 1 FROM recipient WHERE state = 0 AND next_attempt > ?1)
  OR EXISTS (SELECT 1 FROM parked WHERE until > ?2)
  OR EXISTS (
    SELECT 1 FROM recipient WHERE state = 1 AND next_attempt > ?2
    AND destination NOT IN (SELECT destination FROM parked)
  )
"""
"""What is parked waits for its host, however long."""

_ONE = """
SELECT key >> ?1 FROM recipient
WHERE destination = ?2 AND +state IN (0, 1) ORDER BY key
"""

_COMMON = 10_000
"""Recipients from which on a state is common."""


class QueueReader:
    """Reads beside the owner; used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._connection = open_reader(path)
        self._execute = self._connection.execute
        self._rows = MessageRows(self._connection)

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
        without: frozenset[str] = frozenset(),
    ) -> DuePage:
        """A page of what is due.

        Args:
            now: Unix seconds.
            limit: At most so many recipients are looked at.
            after: Where the page before ended.
            max_bytes: The page ends once its messages hold so much inline.
            skip: Messages not to be read: those that are in memory already.
            without: Destinations whose mail is left out.

        """
        start = after or Cursor(float("-inf"), 0)
        bindings = (start.next_attempt, start.key, now, limit)
        if without:
            left_out = json.dumps(sorted(without))
            keys = self._execute(_DUE_WITHOUT, (*bindings, left_out)).fetchall()
        else:
            keys = self._execute(_DUE, bindings).fetchall()
        rows = self._rows.messages({key >> INDEX_BITS for key, _ in keys})
        taken: list[int] = []
        missing: list[int] = []
        seen: set[int] = set()
        held = 0
        cursor = Cursor(keys[-1][1], keys[-1][0]) if len(keys) == limit else None
        for key, next_attempt in keys:
            seq = key >> INDEX_BITS
            row = rows.get(seq)
            if seq in seen:
                continue
            seen.add(seq)
            if row is None or type(row[1]) is not bytes:
                missing.append(seq)
                continue
            if skip(MessageId(int.from_bytes(row[1], "big"))):
                continue
            taken.append(seq)
            held += row[4] if row[6] is None else 0
            if held >= max_bytes:
                cursor = Cursor(next_attempt, key)
                break
        return self._page([rows[seq] for seq in taken], missing, cursor)

    def _page(
        self, rows: Sequence[MessageRow], missing: Sequence[int], cursor: Cursor | None
    ) -> DuePage:
        messages: list[QueuedMessage] = []
        unreadable = [
            Unreadable(seq, self._name(seq), "its row is missing or unreadable")
            for seq in missing
            if still_waits(self._connection, seq)
        ]
        for row in rows:
            try:
                message = self._rows.whole(row)
            except apsw.Error:
                raise
            except Exception as error:  # noqa: BLE001 - what a row may hold is unknown
                unreadable.append(
                    Unreadable(row[0], name_of(row[1], row[0]), why(error))
                )
            else:
                if message is not None:
                    messages.append(message)
        return DuePage(tuple(messages), cursor, tuple(unreadable))

    def one_for(
        self, destination: str, skip: Callable[[MessageId], bool]
    ) -> QueuedMessage | None:
        """The first message that waits for a destination, due or not.

        Args:
            destination: As the queue spells it.
            skip: Messages not to be read: those that are in memory already.

        Returns:
            None where there is none, or none that can be read.

        """
        cursor = self._execute(_ONE, (INDEX_BITS, destination))
        try:
            for (seq,) in cursor:
                for row in self._rows.messages((seq,)).values():
                    with suppress(ValueError, TypeError, LookupError):
                        if not skip(MessageId(int.from_bytes(row[1], "big"))):
                            return self._rows.whole(row)
        finally:
            cursor.close()
        return None

    def has_stray(self, now: float, latest: float) -> bool:
        """Whether something waits that cannot, unless the clock was set back.

        Args:
            now: Unix seconds; what was never tried is due by now.
            latest: What was tried is due again by this moment.

        """
        return bool(self._execute(_STRAY, (now, latest)).fetchall()[0][0])

    def next_due_at(self, after: float) -> float | None:
        """When the next recipient becomes due after a moment, or None."""
        return self._execute(_NEXT_DUE, (after,)).fetchall()[0][0]

    # For people

    def get(self, message_id: MessageId) -> QueuedMessage | None:
        """One message whole, or None where it is not there (any more).

        Raises:
            UnreadableError: Its rows are there, and are no message.

        """
        query = "SELECT seq FROM message WHERE id = ?"
        for (seq,) in self._execute(query, (message_id.octets,)).fetchall():
            try:
                rows = self._execute("SELECT * FROM message WHERE seq = ?", (seq,))
                for row in rows.fetchall():
                    return self._rows.whole(row, self.parked())
            except apsw.Error:
                raise
            except Exception as error:
                raise self._unreadable(message_id, seq, error) from error
        return None

    def _name(self, seq: int) -> str:
        for row in lenient_message(self._connection, seq):
            return name_of(row[1], seq)
        return name_of(None, seq)

    def _unreadable(
        self, message_id: MessageId, seq: int, error: Exception
    ) -> UnreadableError:
        recipients = lenient_recipients(self._connection, seq)
        addresses = ", ".join(str(one[5]) for one in recipients[:20])
        return UnreadableError(
            f"{message_id} cannot be read ({why(error)}); it is for {addresses or '?'}",
            "`sekisho queue remove` takes it out; a backup may have it whole",
        )

    def listed(
        self, selection: Selection, limit: int, after: MessageId | None
    ) -> list[ListedMessage]:
        """A page of messages, oldest first.

        Args:
            selection: Messages with at least one recipient meant.
            limit: At most so many.
            after: The last id of the page before.

        """
        query, bindings = listed_query(selection, walk=self._is_common(selection.state))
        numbers = self._numbers(query, (*bindings, self._seq(after)), limit)
        try:
            rows = self._rows.messages(numbers)
            recipients, parked = self._rows.recipients(numbers), self.parked()
            return [
                one
                for seq in numbers
                for one in (
                    (list_entry(rows[seq], shown(recipients[seq], parked)),)
                    if seq in rows
                    else self._listed_anyway(seq)
                )
            ]
        except apsw.Error:
            raise
        except Exception:  # noqa: BLE001 - one of them is unreadable: each by itself
            return [one for seq in numbers for one in self._listed_anyway(seq)]

    def _listed_anyway(self, seq: int) -> Iterator[ListedMessage]:
        for row in lenient_message(self._connection, seq):
            recipients = lenient_recipients(self._connection, seq)
            try:
                yield list_entry(cast("MessageRow", row), recipients)
            except (TypeError, ValueError, OverflowError, OSError):
                yield list_entry_anyway(row, recipients)

    def stats(self, now: float) -> Stats:
        """How much is there, by state."""
        counts = dict(
            self._execute("SELECT state, count(*) FROM recipient GROUP BY state")
        )
        (messages,) = self._execute("SELECT count(*) FROM message").fetchall()[0]
        oldest = self._execute(
            "SELECT CAST(received_at AS REAL) FROM message ORDER BY seq LIMIT 1"
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

    def parked(self) -> dict[str, Parked]:
        """The steps of hosts that are down, whose mail waits for them."""
        return read_parked(self._connection)

    # For whoever takes this file's mail over

    def stored(self, after: int, limit: int) -> list[StoredMessage]:
        """The next messages behind a number, as rows; of ten columns a recipient."""
        query = "SELECT * FROM message WHERE seq > ? ORDER BY seq LIMIT ?"
        rows: list[MessageRow] = self._execute(query, (after, limit)).fetchall()
        recipients, parked = (
            self._rows.recipients(row[0] for row in rows),
            self.parked(),
        )
        found: list[StoredMessage] = []
        for row in rows:
            bodies = self._rows.bodies(row[0])
            body = bodies[0] if bodies else None
            found.append(
                StoredMessage(row, body, tuple(shown(recipients[row[0]], parked)))
            )
        return found

    # Numbers

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
