"""One connection to one host: the client machine on a socket.

Promises:

- The machine (`sekisho.session.client`) decides everything that is said; here octets,
  time and TLS are handed to and fro, on `asyncio.Protocol` callbacks. A small message
  is sent from within the callback that reads the 354: no task wakes up for it.
- A large body is read in pieces, and the next piece only when the socket has taken
  the last: neither side's slowness fills our memory.
- One timer a connection. It is not moved at each reply but looks, when it fires, at
  the deadline as it is then.
- From the 220 to STARTTLS until the handshake nothing is read (`pause_reading`): what
  stands there belongs to the handshake or to an attacker.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import cast

from sekisho.delivery.content import Bodies
from sekisho.delivery.conversion import Outgoing, large_outgoing, small_outgoing
from sekisho.model.content import InlineBody
from sekisho.model.envelope import Recipient
from sekisho.model.message import Message
from sekisho.model.outcome import Cause, Deferred, Failed, Outcome
from sekisho.model.reply import Reply, printable, reply
from sekisho.model.rules import IPAddress
from sekisho.session.client import ClientSession
from sekisho.session.client_endings import CONTENT_LOST
from sekisho.session.client_events import (
    ClientEvent,
    ClientProfile,
    ContentWanted,
    ProbeDone,
    SessionFailed,
    SessionReady,
    TlsWanted,
    TransactionDone,
)

CONNECT_TIMED_OUT = reply(451, "4.4.1", "No answer from the next host")


@dataclass(frozen=True, slots=True)
class Peer:
    """Where to connect, and how.

    Attributes:
        profile: For the machine.
        address: Of the host.
        port: Of the host.
        context: For STARTTLS, or for TLS before the greeting.
        implicit_tls: Whether TLS comes before the greeting.
        connect_seconds: For the TCP connection.
        handshake_seconds: For a TLS handshake.

    """

    profile: ClientProfile
    address: IPAddress
    port: int
    context: ssl.SSLContext
    implicit_tls: bool = False
    connect_seconds: float = 30.0
    handshake_seconds: float = 30.0


class Connection(asyncio.Protocol):
    """Open it with `open_connection`; then one transaction or probe at a time.

    Attributes:
        session: The machine.

    """

    def __init__(self, profile: ClientProfile, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._profile = profile
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = inf
        self._events: deque[ClientEvent] = deque()
        self._waiter: asyncio.Future[ClientEvent] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._closed: asyncio.Future[None] = loop.create_future()
        self.session: ClientSession

    # What the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; under TLS where it comes before the greeting."""
        self._transport = cast("asyncio.Transport", transport)
        now = self._loop.time()
        version = _tls_version(self._transport)
        self.session = ClientSession(self._profile, now=now, tls=version)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Hand octets to the machine."""
        self.session.receive(data, self._loop.time())
        self._react()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the session, and wake whoever waits."""
        del exc
        self.session.lost()
        self._react()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.resume_writing()
        if not self._closed.done():
            self._closed.set_result(None)

    def pause_writing(self) -> None:
        """Hold the next piece of a large body back."""
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        """Let it go."""
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    # What the carrier calls

    async def transact(
        self, message: Message, recipients: Sequence[Recipient], bodies: Bodies
    ) -> tuple[Outcome, ...]:
        """Carry out one transaction; outcomes in the order of the recipients."""
        session, body = self.session, message.content.body
        try:
            if isinstance(body, InlineBody):
                going = small_outgoing(message, body, session.offered)
            else:
                going = await large_outgoing(message, bodies, session.offered)
            if isinstance(going, Reply):
                failed = Failed(Cause.CONVERSION, going, self._profile.host)
                return (failed,) * len(recipients)
            now = self._loop.time()
            session.send(going.envelope, recipients, going.facts, now, going.inline)
            self._react()
            event = await self._event()
            if isinstance(event, ContentWanted):
                await self._stream(going, bodies)
                event = await self._event()
        except OSError:
            # Before the first command: the connection is as good as before.
            return (Deferred(Cause.LOCAL, CONTENT_LOST),) * len(recipients)
        except BaseException:
            # Cancelled in the middle: nobody knows what the next reply belongs to.
            self.abort()
            raise
        return cast("TransactionDone", event).outcomes

    async def _stream(self, going: Outgoing, bodies: Bodies) -> None:
        session = self.session
        try:
            async for piece in going.pieces(bodies):
                session.content(piece, self._loop.time())
                self._react()
                if self._drained is not None:
                    await self._drained
                if session.ended:
                    return
        except OSError:
            session.content_failed()
        else:
            session.content_ends(self._loop.time())
        self._react()

    async def probe(self, recipient: Recipient) -> Reply | Deferred | Failed:
        """Ask whether the host takes mail for a recipient."""
        self.session.probe(recipient, self._loop.time())
        self._react()
        try:
            return cast("ProbeDone", await self._event()).answer
        except BaseException:
            self.abort()
            raise

    async def close(self) -> None:
        """Take leave; bounded by `ClientTimeouts.quit`."""
        self.session.quit(self._loop.time())
        self._react()
        await self.closed()

    async def closed(self) -> None:
        """Wait until the socket is closed, and do it by force when that takes long.

        A peer that answers neither QUIT nor the end of TLS must not hold us.
        """
        if self._transport is None or self._closed.done():
            return
        try:
            bound = self._profile.timeouts.quit
            await asyncio.wait_for(asyncio.shield(self._closed), bound)
        except TimeoutError:
            self.abort()

    def abort(self) -> None:
        """Close at once."""
        self.session.lost()
        if self._transport is not None:
            self._transport.abort()

    async def opened(self, peer: Peer) -> Deferred | Failed | None:
        """Come to `SessionReady`, through STARTTLS where the machine wants it.

        Returns:
            None where it is ready, else why it is not.

        """
        try:
            while True:
                match await self._event():
                    case TlsWanted():
                        await self._start_tls(peer)
                    case SessionFailed(failure=failure):
                        return failure
                    case SessionReady():
                        return None
                    case ContentWanted() | TransactionDone() | ProbeDone():
                        pass  # Nothing was begun that could bring these.
        except BaseException:
            self.abort()
            raise

    async def _start_tls(self, peer: Peer) -> None:
        try:
            transport = await self._loop.start_tls(
                cast("asyncio.Transport", self._transport),
                self,
                peer.context,
                server_hostname=peer.profile.host,
                ssl_handshake_timeout=peer.handshake_seconds,
            )
            if transport is None:
                raise ConnectionResetError("the connection was closed")
        except (OSError, ValueError) as error:
            self.session.tls_failed(why_tls_failed(error))
            self._react()
            self.abort()
        else:
            self._transport = transport
            version = _tls_version(transport)
            self.session.tls_started(version, self._loop.time())
            self._react()

    # Within

    def _react(self) -> None:
        """Carry out what the machine wants now."""
        session, transport = self.session, self._transport
        while (event := session.next_event()) is not None:
            if isinstance(event, TlsWanted) and transport is not None:
                transport.pause_reading()
            self._tell(event)
        if transport is not None:
            octets = session.output()
            if octets and not transport.is_closing():
                transport.write(octets)
            if session.ended:
                transport.close()
                return
        if session.deadline < self._timer_at:
            self._watch()

    def _tell(self, event: ClientEvent) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is None or waiter.done():
            self._events.append(event)
        else:
            waiter.set_result(event)

    def _event(self) -> asyncio.Future[ClientEvent]:
        waiter: asyncio.Future[ClientEvent] = self._loop.create_future()
        if self._events:
            waiter.set_result(self._events.popleft())
        else:
            self._waiter = waiter
        return waiter

    def _watch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = None, self.session.deadline
        if self._timer_at < inf:
            self._timer = self._loop.call_at(self._timer_at, self._look_at_deadline)

    def _look_at_deadline(self) -> None:
        if self._loop.time() < self.session.deadline:
            self._watch()
            return
        self.session.timed_out()
        self._react()
        if self._transport is not None:
            self._transport.abort()


async def open_connection(peer: Peer) -> Connection | Deferred | Failed:
    """Connect and come to the point where a transaction may begin."""
    loop = asyncio.get_running_loop()
    host = peer.profile.host
    connection = Connection(peer.profile, loop)
    context = peer.context if peer.implicit_tls else None
    try:
        await asyncio.wait_for(
            loop.create_connection(
                lambda: connection,
                str(peer.address),
                peer.port,
                ssl=context,
                server_hostname=host if context else None,
                ssl_handshake_timeout=peer.handshake_seconds if context else None,
            ),
            peer.connect_seconds,
        )
    except TimeoutError:
        return Deferred(Cause.TIMEOUT, CONNECT_TIMED_OUT, host)
    except (ssl.SSLError, ssl.CertificateError, ValueError) as error:
        words = f"TLS with the next host failed: {why_tls_failed(error)}"
        return Deferred(Cause.TLS, reply(454, "4.7.5", words[:200]), host)
    except OSError as error:
        words = printable(f"Next host cannot be reached: {error.strerror or error}")
        return Deferred(Cause.UNREACHABLE, reply(451, "4.4.1", words[:200]), host)
    failure = await connection.opened(peer)
    if failure is None:
        return connection
    await connection.closed()
    return failure


def _tls_version(transport: asyncio.Transport) -> str:
    tls = cast("ssl.SSLObject | None", transport.get_extra_info("ssl_object"))
    return (tls.version() or "TLS") if tls is not None else ""


def why_tls_failed(error: BaseException) -> str:
    """Say in printable words why a handshake failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return printable(error.verify_message)
    if isinstance(error, ssl.SSLError):
        return printable((error.reason or "handshake failed").replace("_", " ").lower())
    return printable(str(error) or type(error).__name__)
