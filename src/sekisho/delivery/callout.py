"""The callout: does the host of an own domain know this recipient?

Asked at RCPT, so that unknown recipients are refused there and not bounced later to
whoever's address was forged. The host is asked as a sender of bounces would be:
``MAIL FROM:<>``, ``RCPT TO``, and no more.

- Only a 5yz to RCPT that speaks of the address is UNKNOWN. A refusal for other
  reasons (policy, a full mailbox, greylisting, no connection) says nothing about it:
  taking it for UNKNOWN would lose mail to a host that has a bad day.
- Answers are remembered, bounded in number and time. Concurrent questions for one
  address are one question, and a domain's host is asked over few kept connections.
- A Maildir and a drop folder take every recipient.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import assert_never

from sekisho.delivery.connection import Connection
from sekisho.delivery.courier import Courier
from sekisho.delivery.routing import destination_for
from sekisho.model.address import NULL_PATH, Address
from sekisho.model.envelope import Recipient
from sekisho.model.facts import Standing
from sekisho.model.outcome import Deferred, Failed
from sekisho.model.reply import Reply
from sekisho.model.route import Destination, DropRoute, MaildirRoute, Routes

_UNKNOWN_CODES = frozenset({550, 551, 553})
"""Without an enhanced code, these speak of the address (RFC 5321 §4.2.3)."""

_UNKNOWN_SUBJECT = "5.1."
_UNKNOWN_ENHANCED = frozenset({"5.2.1", "5.4.1"})
"""With one, this subject does (RFC 3463 §3.2), and so do a disabled mailbox and what
Exchange says of recipients that its directory does not know."""


@dataclass(frozen=True, slots=True)
class CalloutOptions:
    """Bounds.

    Attributes:
        remembered_seconds: By answer.
        max_remembered: Addresses.
        max_connections: To one destination at once.
        kept_seconds: How long an idle connection is kept.
        ask_seconds: For one question, waiting for a connection included; the client
            waits for its answer to RCPT meanwhile.

    """

    remembered_seconds: dict[Standing, float] = field(
        default_factory=lambda: {
            Standing.EXISTS: 86_400.0,
            Standing.UNKNOWN: 600.0,
            Standing.UNAVAILABLE: 60.0,
            Standing.NOT_ASKED: 0.0,
        }
    )
    max_remembered: int = 10_000
    max_connections: int = 4
    kept_seconds: float = 30.0
    ask_seconds: float = 60.0


class Callout:
    """Asks, and remembers."""

    def __init__(
        self,
        courier: Courier,
        routes: Callable[[], Routes],
        clock: Callable[[], float],
        options: CalloutOptions,
    ) -> None:
        """Prepare; nothing is asked yet.

        Args:
            courier: Opens connections.
            routes: As they are now.
            clock: Monotonic seconds.
            options: Bounds.

        """
        self._courier = courier
        self._routes = routes
        self._clock = clock
        self._options = options
        self._remembered: OrderedDict[tuple[str, str], tuple[float, Standing]]
        self._remembered = OrderedDict()
        self._asking: dict[tuple[str, str], asyncio.Task[Standing]] = {}
        self._pools: dict[Destination, _Pool] = {}

    async def ask(self, address: Address) -> Standing:
        """Give a recipient's standing; never raises for what a host does."""
        key = address.key
        if (entry := self._remembered.get(key)) is not None:
            if self._clock() < entry[0]:
                self._remembered.move_to_end(key)
                return entry[1]
            del self._remembered[key]
        task = self._asking.get(key)
        if task is None:
            task = asyncio.ensure_future(self._find_out(address))
            self._asking[key] = task
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        # A client that hangs up must not end the question for the others.
        return await asyncio.shield(task)

    async def close(self) -> None:
        """End open questions and connections; bounded."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        pools, self._pools = self._pools, {}
        await asyncio.gather(*(pool.close() for pool in pools.values()))

    async def _find_out(self, address: Address) -> Standing:
        destination = destination_for(self._routes(), address, NULL_PATH)
        if isinstance(destination.route, MaildirRoute | DropRoute):
            return Standing.EXISTS
        try:
            async with asyncio.timeout(self._options.ask_seconds):
                answer = await self._pool(destination).probe(Recipient(address))
                standing = standing_of(answer)
        except TimeoutError:
            standing = Standing.UNAVAILABLE
        until = self._clock() + self._options.remembered_seconds[standing]
        self._remembered[address.key] = (until, standing)
        while len(self._remembered) > self._options.max_remembered:
            self._remembered.popitem(last=False)
        return standing

    def _pool(self, destination: Destination) -> "_Pool":
        # One for each own domain's host, as many as the configuration names.
        pool = self._pools.get(destination)
        if pool is None:
            pool = _Pool(self._courier, destination, self._options)
            self._pools[destination] = pool
        return pool


def standing_of(answer: Reply | Deferred | Failed) -> Standing:
    """Say what an answer tells of the address."""
    match answer:
        case Reply() if answer.is_positive:
            return Standing.EXISTS
        case Reply(enhanced=""):
            unknown = answer.code in _UNKNOWN_CODES
            return Standing.UNKNOWN if unknown else Standing.UNAVAILABLE
        case Reply(enhanced=code):
            unknown = code.startswith(_UNKNOWN_SUBJECT) or code in _UNKNOWN_ENHANCED
            return Standing.UNKNOWN if unknown else Standing.UNAVAILABLE
        case Deferred() | Failed():
            return Standing.UNAVAILABLE
        case _:
            assert_never(answer)


class _Pool:
    """A bounded number of connections to one destination."""

    def __init__(
        self, courier: Courier, destination: Destination, options: CalloutOptions
    ) -> None:
        self._courier = courier
        self._destination = destination
        self._options = options
        self._places = asyncio.Semaphore(options.max_connections)
        self._idle: deque[Connection] = deque()
        self._expiry: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def probe(self, recipient: Recipient) -> Reply | Deferred | Failed:
        async with self._places:
            while self._idle:
                connection = self._idle.pop()
                if connection.session.reusable:
                    answer = await self._ask(connection, recipient)
                    if isinstance(answer, Reply):
                        return answer
                # Closed while it was idle, or at this question: ask anew.
            opened = await self._courier.open(self._destination)
            if not isinstance(opened, Connection):
                return opened
            return await self._ask(opened, recipient)

    async def _ask(
        self, connection: Connection, recipient: Recipient
    ) -> Reply | Deferred | Failed:
        answer = await connection.probe(recipient)
        if connection.session.reusable:
            self._idle.append(connection)
            self._expire_later()
        return answer

    def _expire_later(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        loop = asyncio.get_running_loop()
        self._expiry = loop.call_later(self._options.kept_seconds, self._expire)

    def _expire(self) -> None:
        task = asyncio.ensure_future(self.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close the idle connections."""
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        idle, self._idle = self._idle, deque()
        await asyncio.gather(*(connection.close() for connection in idle))
