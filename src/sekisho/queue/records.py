"""What callers see of the store.

A recipient is in exactly one `State`. A message is in the store as long as one of its
recipients is not final; with the last one the message and its body go.

```
 pending ──attempt──> deferred ──attempt──> delivered | failed   (final)
    │ hold   release ↑    │  bounce impossible
    └──────> held ────────┘────> dead        (held and dead: an operator's)
```
"""

from datetime import datetime
from enum import Enum, IntEnum

import msgspec

from sekisho.model.envelope import Recipient
from sekisho.model.ids import MessageId
from sekisho.model.message import Message


class State(IntEnum):
    """Where one recipient stands; the numbers are stored, so they are for ever."""

    PENDING = 0
    DEFERRED = 1
    HELD = 2
    DEAD = 3
    DELIVERED = 4
    FAILED = 5

    @property
    def label(self) -> str:
        """For people and scripts."""
        return self.name.lower()


WAITING = (State.PENDING, State.DEFERRED)
"""What becomes due."""

UNFINISHED = (State.PENDING, State.DEFERRED, State.HELD, State.DEAD)
"""What keeps a message in the store."""


class QueuedRecipient(msgspec.Struct, frozen=True):
    """One recipient as stored.

    Attributes:
        index: Its place in the envelope.
        recipient: Address and what was asked for it.
        state: Where it stands.
        attempts: How often delivery was tried.
        next_attempt: Unix seconds; of meaning while it waits.
        last_reply: What the last attempt came to, or empty.
        destination: Where it goes, for people and filters.
        rule: The rule that let it in.
        grant: The grant that let it in, or empty.
        cause: Why the last attempt did not deliver, in a word or two, or empty.
        delay_told_at: Unix seconds at which the sender was told of the delay, or 0.

    """

    index: int
    recipient: Recipient
    state: State
    attempts: int
    next_attempt: float
    last_reply: str
    destination: str
    rule: str
    grant: str
    cause: str
    delay_told_at: float


class QueuedMessage(msgspec.Struct, frozen=True):
    """One message as stored. It holds no Decision: reading a row makes none.

    Attributes:
        message: As it was put, without the recipients that an operator removed.
        recipients: In the envelope's order. Their `index` counts those removed too,
            so take it from here and not from the envelope.
        rule: The rule that let it in.
        grant: The grant that let it in, or empty.
        reason: Why, in words.

    """

    message: Message
    recipients: tuple[QueuedRecipient, ...]
    rule: str
    grant: str
    reason: str


class Result(msgspec.Struct, frozen=True):
    """What one attempt made of one recipient.

    Attributes:
        index: Its place in the envelope.
        state: Anything but PENDING.
        last_reply: What to remember of the attempt.
        next_attempt: Unix seconds, for DEFERRED.
        cause: Why it did not deliver, in a word or two.
        delay_told_at: Unix seconds, where the sender is told of the delay by one of
            the reports stored with it; 0 leaves what is stored.
        tries: Attempts that it took: 1, or 0 where nobody tried.

    """

    index: int
    state: State
    last_reply: str
    next_attempt: float = 0.0
    cause: str = ""
    delay_told_at: float = 0.0
    tries: int = 1


class Settled(msgspec.Struct, frozen=True):
    """How a message stands after its results were stored.

    All are 0 where the message was not there any more (an operator removed it).

    Attributes:
        unfinished: Recipients that keep it in the store; 0: it has left.
        delivered: Recipients delivered, earlier attempts counted.
        failed: Recipients given up, earlier attempts counted.

    """

    unfinished: int
    delivered: int
    failed: int


class Cursor(msgspec.Struct, frozen=True):
    """Where a page of due mail ended."""

    next_attempt: float
    key: int


class Unreadable(msgspec.Struct, frozen=True):
    """A message that cannot be made of its rows.

    Attributes:
        number: Of the message in its file.
        name: Its id, or what is known of it.
        why: What is wrong with its rows.

    """

    number: int
    name: str
    why: str


class DuePage(msgspec.Struct, frozen=True):
    """Some of what is due, oldest first.

    Attributes:
        messages: May be empty where all on the page was to be skipped.
        cursor: Where to go on, or None where nothing more is due.
        unreadable: Messages that are due and cannot be made of their rows.

    """

    messages: tuple[QueuedMessage, ...]
    cursor: Cursor | None
    unreadable: tuple[Unreadable, ...] = ()


class Selection(msgspec.Struct, frozen=True):
    """Which recipients an operator means; what is left out does not matter.

    Attributes:
        ids: Of these messages.
        destination: On their way there, as `QueuedRecipient.destination` spells it.
        sender: Of messages with this reverse-path; ``<>`` is the null one.
        state: In this state.

    """

    ids: tuple[MessageId, ...] = ()
    destination: str = ""
    sender: str = ""
    state: State | None = None


class Action(Enum):
    """What an operator does to recipients."""

    HOLD = "hold"
    RELEASE = "release"
    RETRY = "retry"
    REMOVE = "remove"


class ListedRecipient(msgspec.Struct, frozen=True):
    """One recipient in ``sekisho queue list --json``."""

    address: str
    state: str
    attempts: int
    next_attempt: datetime | None
    last_reply: str


class ListedMessage(msgspec.Struct, frozen=True):
    """One message in ``sekisho queue list --json`` (design §9)."""

    id: str
    state: str
    reverse_path: str
    recipients: list[ListedRecipient]
    size_bytes: int
    received_at: datetime


class Stats(msgspec.Struct, frozen=True):
    """``sekisho queue stats --json``; `by_state` counts recipients."""

    messages: int
    recipients: int
    by_state: dict[str, int]
    oldest_age_seconds: float
