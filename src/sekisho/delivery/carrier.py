"""A carrier: what takes messages to one destination, over one connection or none."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from sekisho.delivery.connection import Connection
from sekisho.delivery.content import Bodies
from sekisho.model.envelope import Recipient
from sekisho.model.message import Message
from sekisho.model.outcome import Cause, Deferred, Failed, Outcome


class Carrier(Protocol):
    """Takes one message at a time.

    Attributes:
        reusable: Whether it can take another message.

    """

    @property
    def reusable(self) -> bool:
        """Whether it can take another message."""
        ...

    async def deliver(
        self, message: Message, recipients: Sequence[Recipient]
    ) -> Sequence[Outcome]:
        """Try to deliver to some of the message's recipients.

        Returns:
            One outcome a recipient, in their order. Never raises for what a next
            host, a disk or a body file does.

        """
        ...

    async def close(self) -> None:
        """Take leave; bounded."""
        ...


class SmtpCarrier:
    """Carries by SMTP or LMTP.

    A kept connection may have been closed by the other side since the last message,
    which shows only at the next command. Before any content went out nothing can
    have been taken, so the message goes over a new connection then, once, instead of
    waiting for a retry. After it, never: the message may be there already.
    """

    def __init__(
        self,
        connection: Connection,
        bodies: Bodies,
        reconnect: Callable[[], Awaitable[Connection | Deferred | Failed]],
    ) -> None:
        self._connection = connection
        self._bodies = bodies
        self._reconnect = reconnect
        self._used = False

    @property
    def reusable(self) -> bool:
        """Whether the connection stands and the host takes another transaction."""
        return self._connection.session.reusable

    async def deliver(
        self, message: Message, recipients: Sequence[Recipient]
    ) -> Sequence[Outcome]:
        """Carry out one transaction."""
        used, self._used = self._used, True
        connection = self._connection
        if not (used and connection.session.ended):
            outcomes = await connection.transact(message, recipients, self._bodies)
            if not (used and _was_stale(connection, outcomes)):
                return outcomes
        fresh = await self._reconnect()
        if not isinstance(fresh, Connection):
            return [fresh] * len(recipients)
        self._connection = fresh
        return await fresh.transact(message, recipients, self._bodies)

    async def close(self) -> None:
        """Say QUIT."""
        await self._connection.close()


_STALE_CAUSES = (Cause.UNREACHABLE, Cause.REMOTE_REPLY)


def _was_stale(connection: Connection, outcomes: Sequence[Outcome]) -> bool:
    return (
        connection.session.ended
        and not connection.session.content_begun
        and all(
            isinstance(outcome, Deferred) and outcome.cause in _STALE_CAUSES
            for outcome in outcomes
        )
    )
