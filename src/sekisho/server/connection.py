"""One connection: octets between a socket and the session machine.

Stages, in order, some left out by configuration::

    PROXY → HANDSHAKE (implicit TLS) → SILENCE → TALK ⇄ HANDSHAKE (STARTTLS) → CLOSED

Rules that safety hangs on:

- While a handshake runs, whatever arrives is held and not interpreted: asyncio may hand
  over decrypted octets before `start_tls` returns, and an answer then would go out in
  plain text. What came in plain text behind STARTTLS is the session's to throw away.
- While an answer is being worked on, the client is not read from once something came:
  a client that sends on without waiting is slowed down, and costs one read of memory.
- A client that does not read its replies is not read from either.
- A client that speaks before the greeting is no mail client (RFC 5321 §3.1).
"""

import asyncio
import fcntl
import ssl
import struct
import termios
from collections.abc import Callable
from enum import Enum, auto
from ipaddress import IPv4Address
from typing import cast

from sekisho.model import replies
from sekisho.model.identity import NOBODY
from sekisho.model.reply import Reply, printable
from sekisho.model.rules import TlsMode
from sekisho.net.unix import peer_user
from sekisho.observe.events import SessionClosed, SessionOpened, TlsFailed, TlsStarted
from sekisho.server.client import Client
from sekisho.server.reception import Reception
from sekisho.server.services import (
    ListenerContext,
    Services,
    client_address,
    is_one_of,
)
from sekisho.session.events import SessionEnded, TlsRequested
from sekisho.session.extensions import TlsState
from sekisho.session.server import ServerSession
from sekisho.wire.proxy import NeedMore, ProxyError, ProxyHeader, parse_proxy

HANDSHAKE_SECONDS = 30.0
PROXY_SECONDS = 5.0
CLOSE_SECONDS = 5.0
"""How long a closed connection may take to take its last reply."""


class Stage(Enum):
    """What the octets that come now are."""

    PROXY = auto()
    HANDSHAKE = auto()
    SILENCE = auto()
    TALK = auto()
    CLOSED = auto()


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(
        self,
        services: Services,
        listener: ListenerContext,
        name: str,
        others: set["Connection"],
    ) -> None:
        self._services = services
        self._listener = listener
        self._name = name
        self._others = others
        self._transport = cast("asyncio.Transport", None)
        self._stage = Stage.PROXY if listener.proxies else Stage.SILENCE
        self._held = b""
        self._opened_at = 0.0
        self._counted = False
        self._reading = True
        self._writable = True
        self._client = Client(IPv4Address(0), "", name, listener.name)
        self._session = cast("ServerSession", None)
        self._reception = cast("Reception", None)
        self._handshake: asyncio.Task[None] | None = None
        self._deadline = 0.0
        self._reason = "the client closed the connection"

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: with the PROXY header, the handshake or the greeting."""
        self._transport = cast("asyncio.Transport", transport)
        self._others.add(self)
        self._opened_at = now = self._services.clock()
        if not self._identify():
            self.abort()
            return
        if self._stage is Stage.PROXY:
            self._deadline = now + PROXY_SECONDS
            if not is_one_of(self._client.address, self._listener.proxies):
                # The header is a must here: who is no proxy has no business here.
                self._close("not one of the listener's proxies")
            return
        self._begin()

    def data_received(self, data: bytes) -> None:
        """Take octets, whatever they are at this stage."""
        match self._stage:
            case Stage.TALK:
                if self._reception.is_busy or not self._writable:
                    self._hold(data)
                else:
                    self._session.receive(data, self._services.clock())
                    self._pump()
            case Stage.HANDSHAKE:
                self._hold(data)
            case Stage.PROXY:
                self._proxy_header(data)
            case Stage.SILENCE:
                self._refuse(replies.EARLY_TALKER)
            case Stage.CLOSED:
                pass

    def pause_writing(self) -> None:
        """Stop reading: the client does not take its replies."""
        self._writable = False
        self._pause_reading()

    def resume_writing(self) -> None:
        """Go on: the client has taken its replies."""
        self._writable = True
        self._resume()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client."""
        self._stage = Stage.CLOSED
        self._others.discard(self)
        if self._handshake is not None:
            self._handshake.cancel()
        if not self._counted:
            return
        self._counted = False
        self._services.clients.closed(self._client.address)
        self._reception.abandon()
        if exc is not None and self._session.ended is False:
            self._reason = f"the connection broke: {type(exc).__name__}"
        client = self._client
        self._services.emit(
            SessionClosed(
                session=client.session_id,
                listener=client.listener,
                client=client.text,
                reason=self._reason,
                messages=client.messages,
                refused=client.refused,
                seconds=round(self._services.clock() - self._opened_at, 3),
            )
        )

    # From outside

    def look_at_clock(self, now: float) -> None:
        """End what has taken too long."""
        if self._stage is Stage.TALK:
            if not self._reception.is_busy and now >= self._session.deadline():
                self._session.timed_out()
                self._pump()
        elif now >= self._deadline:
            self._late()

    def _late(self) -> None:
        if self._stage is Stage.SILENCE:
            self._greet()
            return
        if self._stage is not Stage.CLOSED:
            self._reason = "timed out"
        self.abort()

    def stop(self) -> None:
        """Say goodbye, unless an answer is being worked on or mail is coming in."""
        if self._stage is Stage.SILENCE:
            self._refuse(replies.SHUTTING_DOWN)
        elif self._stage is Stage.TALK and self._reception.is_idle:
            self._session.refuse(replies.SHUTTING_DOWN)
            self._pump()

    # Stages

    def _identify(self) -> bool:
        """Find out who is there: an address, or a user of this machine."""
        identify = self._listener.identify
        if identify is None:
            peer = self._transport.get_extra_info("peername")
            if peer:
                self._known_as(str(peer[0]))
            return bool(peer)
        try:
            descriptor = self._transport.get_extra_info("socket").fileno()
            self._client.user = identify(peer_user(descriptor))
        except OSError:
            return False
        self._known_as("127.0.0.1")
        return self._client.user is not NOBODY

    def _known_as(self, host: str) -> None:
        self._client.address = client_address(host)
        self._client.text = str(self._client.address)

    def _proxy_header(self, data: bytes) -> None:
        self._held += data
        answer = parse_proxy(self._held)
        match answer:
            case NeedMore():
                return
            case ProxyError(reason):
                self._close(f"PROXY header: {reason}")
            case ProxyHeader():
                if answer.source is not None:
                    self._known_as(str(answer.source))
                rest = self._held[answer.consumed :]
                self._held = b""
                self._begin(early=rest)

    def _begin(self, early: bytes = b"") -> None:
        """Count the client; greet it, shake hands with it, or turn it away."""
        services, listener = self._services, self._listener
        self._counted = True
        of_client = services.clients.opened(self._client.address)
        services.emit(SessionOpened(self._name, listener.name, self._client.text))
        if listener.tls_mode is TlsMode.IMPLICIT:
            self._held = early
            self._start_handshake(self._begin_session)
            return
        has_tls = services.tls is not None and listener.tls_mode is not TlsMode.OFF
        self._make_session(TlsState.OFFERED if has_tls else TlsState.UNAVAILABLE)
        if not self._turned_away(of_client) and (early or self._has_spoken()):
            self._refuse(replies.EARLY_TALKER)
        elif self._stage is Stage.CLOSED:
            pass
        elif listener.profile.limits.greeting_seconds > 0:
            self._stage = Stage.SILENCE
            self._deadline = self._opened_at + listener.profile.limits.greeting_seconds
        else:
            self._greet()

    def _begin_session(self) -> None:
        """Go on after a handshake that came before the greeting."""
        self._make_session(TlsState.ACTIVE)
        block = self._services.clients.sessions_of(self._client.address)
        if not self._turned_away(block):
            self._greet()

    def _make_session(self, state: TlsState) -> None:
        listener = self._listener
        self._session = ServerSession(
            listener.profile,
            now=self._services.clock(),
            tls=state,
            mechanisms=self._mechanisms(),
        )
        self._reception = Reception(
            self._services,
            listener,
            self._session,
            self._client,
            resume=self._resume,
            abort=self.abort,
        )

    def _turned_away(self, of_client: int) -> bool:
        """Refuse one session too many, of all clients or of this one."""
        services = self._services
        if services.draining:
            self._refuse(replies.SHUTTING_DOWN)
        elif services.clients.sessions > services.limits.max_sessions:
            self._refuse(replies.TOO_MANY_SESSIONS)
        elif of_client > services.limits.max_sessions_per_client:
            self._refuse(replies.TOO_MANY_CLIENT_SESSIONS)
        else:
            return False
        return True

    def _mechanisms(self) -> tuple[str, ...]:
        services = self._services
        if not self._listener.offers_auth or services.tls is None:
            return ()
        bound = bool(services.tls.channel_binding)
        return services.gatekeeper.mechanisms(channel_binding=bound)

    def _has_spoken(self) -> bool:
        """Whether octets wait in the socket before we have said a word."""
        sock = self._transport.get_extra_info("socket")
        try:
            answer = fcntl.ioctl(sock.fileno(), termios.FIONREAD, b"\0\0\0\0")
        except (OSError, AttributeError):
            return False
        return struct.unpack("i", answer)[0] > 0

    def _greet(self) -> None:
        self._stage = Stage.TALK
        self._session.greet()
        self._pump()

    def _refuse(self, reply: Reply) -> None:
        self._stage = Stage.TALK
        self._session.refuse(reply)
        self._pump()

    # The session

    def _pump(self) -> None:
        """Carry out the session's events until it waits for input or an answer."""
        session, reception = self._session, self._reception
        while not reception.is_busy and (event := session.next_event()) is not None:
            if isinstance(event, TlsRequested):
                self._write(session.output())
                self._start_handshake(self._session_goes_private)
                return
            if isinstance(event, SessionEnded):
                self._reason = event.reason
            reception.handle(event)
        self._write(session.output())
        if session.ended and not reception.is_busy:
            self._close(self._reason)

    def _resume(self) -> None:
        """An answer is there, or room to write: go on."""
        if self._stage is not Stage.TALK:
            return
        self._pump()
        if self._held and not self._reception.is_busy and self._writable:
            held, self._held = self._held, b""
            self._session.receive(held, self._services.clock())
            self._pump()
        if not self._held and self._writable:
            self._resume_reading()

    # TLS

    def _start_handshake(self, then: Callable[[], None]) -> None:
        self._stage = Stage.HANDSHAKE
        self._deadline = self._services.clock() + HANDSHAKE_SECONDS
        self._handshake = asyncio.ensure_future(self._shake_hands(then))

    async def _shake_hands(self, then: Callable[[], None]) -> None:
        tls = self._services.tls
        if tls is None:
            self.abort()
            return
        try:
            transport = await asyncio.get_running_loop().start_tls(
                self._transport,
                self,
                tls.context,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
            )
        except (OSError, ssl.SSLError, EOFError) as error:
            self._tls_failed(error)
            return
        self._handshake = None
        if transport is None or self._stage is Stage.CLOSED:
            self.abort()
            return
        self._transport = transport
        self._note_tls()
        self._stage = Stage.TALK
        then()
        self._resume()

    def _tls_failed(self, error: Exception) -> None:
        self._handshake = None
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        self._reason = "TLS handshake failed"
        self._services.emit(
            TlsFailed(
                session=self._name,
                client=self._client.text,
                reason=printable(str(reason)),
            )
        )
        self.abort()

    def _note_tls(self) -> None:
        client = self._client
        ssl_object = self._transport.get_extra_info("ssl_object")
        client.tls_version = ssl_object.version() or ""
        client.tls_cipher = (ssl_object.cipher() or ("",))[0]
        self._services.emit(
            TlsStarted(self._name, client.tls_version, client.tls_cipher)
        )

    def _session_goes_private(self) -> None:
        """Begin anew after STARTTLS (RFC 3207 §4.2)."""
        self._reception.tls_started()
        self._session.tls_started(self._services.clock())

    # Reading and writing

    def _write(self, data: bytes) -> None:
        if data:
            self._transport.write(data)

    def _hold(self, data: bytes) -> None:
        self._held += data
        self._pause_reading()

    def _pause_reading(self) -> None:
        if self._reading and self._stage is not Stage.CLOSED:
            self._reading = False
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if not self._reading and self._stage is not Stage.CLOSED:
            self._reading = True
            self._transport.resume_reading()

    def _close(self, reason: str) -> None:
        """Close once the last reply is out."""
        if self._stage is Stage.CLOSED:
            return
        self._reason = reason
        self._stage = Stage.CLOSED
        self._deadline = self._services.clock() + CLOSE_SECONDS
        self._transport.close()

    def abort(self) -> None:
        """Close at once; nothing more is said."""
        self._stage = Stage.CLOSED
        self._transport.abort()
