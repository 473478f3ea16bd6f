"""What one transaction may be made of, and what each part of it is answered."""

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from sekisho.model.decision import Decision
from sekisho.model.ids import MessageId
from sekisho.queue.postponing import Parked, Postpone, Unpark
from sekisho.queue.records import Action, Result, Selection, Settled, Unreadable
from sekisho.queue.rows import BodyRow, MessageRow, PreparedMessage, RecipientRow


class Put:
    """Store one message."""

    __slots__ = ("prepared",)

    def __init__(self, prepared: PreparedMessage) -> None:
        self.prepared = prepared


class Settle:
    """Store what an attempt came to, and the reports that follow from it."""

    __slots__ = ("octets", "reports", "results")

    def __init__(
        self,
        octets: bytes,
        results: Sequence[Result],
        reports: Sequence[PreparedMessage],
    ) -> None:
        self.octets = octets
        self.results = results
        self.reports = reports


class Act(msgspec.Struct, frozen=True):
    """Do to a page of recipients what an operator wants (hold, retry, remove).

    Attributes:
        action: Anything but RELEASE, which needs a Decision.
        selection: Which recipients.
        now: Unix seconds.
        after: Only recipients with greater keys.
        limit: At most so many, so that mail is not kept waiting.

    """

    action: Action
    selection: Selection
    now: float
    after: int = -1
    limit: int = 500


class Release(msgspec.Struct, frozen=True):
    """Let held and dead recipients go on, by policy's decision about the message."""

    octets: bytes
    decision: Decision
    now: float


class Pause(msgspec.Struct, frozen=True):
    """Remember that an operator paused a destination, since when (unix seconds)."""

    destination: str
    since: float


class Resume(msgspec.Struct, frozen=True):
    """Forget that a destination is paused."""

    destination: str


class StoredMessage(msgspec.Struct, frozen=True):
    """A message's rows as another queue file holds them."""

    message: MessageRow
    body: BodyRow | None
    recipients: tuple[RecipientRow, ...]


class Adopt(msgspec.Struct, frozen=True):
    """Take messages over from another queue file, except those that are here already.

    Attributes:
        first_seq: The number of the first of them in this file; the next follow.
        messages: With the numbers that they had.

    """

    first_seq: int
    messages: tuple[StoredMessage, ...]


class Forget(msgspec.Struct, frozen=True):
    """Delete messages that another queue file has taken over; body files too."""

    numbers: tuple[int, ...]


class SetAside(msgspec.Struct, frozen=True):
    """Let nothing of messages that cannot be read become due again: they are dead."""

    messages: tuple[Unreadable, ...]


class Acted(msgspec.Struct, frozen=True):
    """What an `Act` or a `Release` did.

    Attributes:
        recipients: How many it changed.
        ids: Of these messages.
        last: The greatest key seen, or -1 where nothing matched (any more).

    """

    recipients: int
    ids: tuple[MessageId, ...]
    last: int


Operation: TypeAlias = (
    Put
    | Settle
    | Act
    | Release
    | Postpone
    | Unpark
    | Parked
    | Pause
    | Resume
    | Adopt
    | Forget
    | SetAside
)
Answer: TypeAlias = Settled | Acted | Exception | None
