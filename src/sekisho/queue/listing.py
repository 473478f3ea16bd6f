"""What `queue list` shows: the query for a page of messages, and their entries."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sekisho.model.ids import MessageId
from sekisho.queue.records import (
    WAITING,
    ListedMessage,
    ListedRecipient,
    Selection,
    State,
)
from sekisho.queue.rows import MessageRow, RecipientRow
from sekisho.queue.schema import INDEX_BITS
from sekisho.queue.sqlite import blobs
from sekisho.queue.unreadable import name_of

_SHOWN = {state: state.label for state in State} | {State.DEAD: "failed"}
"""What `queue list` calls a recipient's state; a message with a dead one is "dead"."""


def listed_query(selection: Selection, *, walk: bool) -> tuple[str, tuple[Any, ...]]:
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


def list_entry(row: MessageRow, recipients: Sequence[RecipientRow]) -> ListedMessage:
    """What `queue list` shows of a message."""
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


def list_entry_anyway(
    row: Sequence[Any], recipients: Sequence[Sequence[Any]]
) -> ListedMessage:
    """What `queue list` shows of a message that cannot be read."""
    return ListedMessage(
        id=name_of(row[1], row[0]),
        state="dead",
        reverse_path=str(row[3]),
        recipients=[
            ListedRecipient(
                address=str(one[5]),
                state=_shown_state(one[1]),
                attempts=_number(one[2]),
                next_attempt=None,
                last_reply=str(one[6]),
            )
            for one in recipients
        ],
        size_bytes=_number(row[4]),
        received_at=_moment_or_never(row[2]),
    )


def _shown_state(value: object) -> str:
    try:
        return _SHOWN[State(value)]
    except ValueError:
        return f"unreadable ({value!r:.20})"


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _moment_or_never(value: object) -> datetime:
    try:
        return datetime.fromtimestamp(float(value), UTC)  # pyright: ignore[reportArgumentType] - SQLite has a number there
    except (TypeError, ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
