"""Rows by number, and messages made of them: what every reading of the queue ends in.

Each query is short, and a snapshot of its own. What left between two of them left
whole: a message with some of its rows missing is damaged, not gone.
"""

from collections.abc import Iterable, Mapping, Sequence

from sekisho.queue.postponing import Parked, shown
from sekisho.queue.records import QueuedMessage
from sekisho.queue.rows import INDEX_MASK, BodyRow, MessageRow, RecipientRow, restore
from sekisho.queue.schema import INDEX_BITS
from sekisho.queue.sqlite import Connection, integers

_NO_PARKED: Mapping[str, Parked] = {}


class MessageRows:
    """The rows of messages, over a reader's connection."""

    def __init__(self, connection: Connection) -> None:
        self._execute = connection.execute

    def messages(self, numbers: Iterable[int]) -> dict[int, MessageRow]:
        """Give the message rows that are there and whose text is text."""
        wanted = tuple(numbers)
        if not wanted:
            return {}
        query = "SELECT * FROM message WHERE seq IN carray(?)"
        try:
            rows = self._execute(query, (integers(wanted),)).fetchall()
        except UnicodeDecodeError:
            if len(wanted) == 1:
                return {}
            # One holds text that is none: each by itself, without that one.
            alone = [self.messages((seq,)) for seq in wanted]
            return {seq: row for one in alone for seq, row in one.items()}
        return {row[0]: row for row in rows}

    def recipients(self, numbers: Iterable[int]) -> dict[int, list[RecipientRow]]:
        """Give each message's recipients, in their order; perhaps none."""
        found: dict[int, list[RecipientRow]] = {}
        for seq in numbers:
            base = seq << INDEX_BITS
            found[seq] = self._execute(
                "SELECT * FROM recipient WHERE key BETWEEN ? AND ? ORDER BY key",
                (base, base + INDEX_MASK),
            ).fetchall()
        return found

    def bodies(self, seq: int) -> Sequence[BodyRow]:
        """Give a message's body: one row, or none."""
        return self._execute("SELECT * FROM body WHERE seq = ?", (seq,)).fetchall()

    def whole(
        self, row: MessageRow, parked: Mapping[str, Parked] = _NO_PARKED
    ) -> QueuedMessage | None:
        """Make a message of its rows, or None where it has left meanwhile.

        Raises:
            Exception: Of any kind, where they are none of a message.

        """
        body = self.bodies(row[0])
        recipients = self.recipients((row[0],))[row[0]]
        if body and recipients:
            return restore(row, body[0], shown(recipients, parked))
        query = "SELECT 1 FROM message WHERE seq = ?"
        # Whatever left the queue between two queries left it whole.
        if self._execute(query, (row[0],)).fetchall():
            raise LookupError(f"it has no {'recipients' if body else 'content'}")
        return None
