"""A message in memory (a *flight*) and the jobs it is made of.

A job is what shares one transaction: recipients of one message that go to one
destination. A flight lasts until the results of all of its jobs are on disk: as long
as it does, the loader skips its message, so nothing is ever tried twice at once.
"""

from collections.abc import Sequence

from sekisho.model.content import InlineBody
from sekisho.model.envelope import Recipient
from sekisho.model.message import Message


class Flight:
    """One message in memory.

    Attributes:
        message: Whole.
        name: Its id, spelled once.
        bytes: What it holds of the scheduler's memory.
        jobs: Those whose results are not on disk yet.
        wake_at: When the store has to be looked into for it after it has left
            (unix seconds, or infinity).
        withdrawn: An operator held or removed it: jobs not begun are dropped.
        delay_told: Places of the recipients of whose delay the sender knows.
        is_loaded: It was read from the store.

    """

    __slots__ = (
        "bytes",
        "delay_told",
        "is_loaded",
        "jobs",
        "message",
        "name",
        "wake_at",
        "withdrawn",
    )

    def __init__(
        self,
        message: Message,
        delay_told: frozenset[int] = frozenset(),
        *,
        is_loaded: bool = False,
    ) -> None:
        content = message.content
        body = content.body
        self.message = message
        self.name = str(message.id)
        self.bytes = len(content.prefix) + (
            len(body.data) if isinstance(body, InlineBody) else 0
        )
        self.jobs = 0
        self.wake_at = float("inf")
        self.withdrawn = False
        self.delay_told = delay_told
        self.is_loaded = is_loaded


class Job:
    """Recipients of one message for one destination.

    Attributes:
        flight: Their message.
        indexes: Their places in the store.
        recipients: In the same order.
        attempts: How often each was tried, in the same order.

    """

    __slots__ = ("attempts", "flight", "indexes", "recipients")

    def __init__(
        self,
        flight: Flight,
        indexes: Sequence[int],
        recipients: Sequence[Recipient],
        attempts: Sequence[int],
    ) -> None:
        self.flight = flight
        self.indexes = indexes
        self.recipients = recipients
        self.attempts = attempts
