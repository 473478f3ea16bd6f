"""One connection: octets between a socket and the session machine.

Stages, in order, some left out by configuration::

    PROXY → HANDSHAKE (implicit TLS) → SILENCE → TALK ⇄ HANDSHAKE (STARTTLS) → CLOSED

Rules that safety hangs on:

- From the first octet of a handshake on all that comes goes through TLS
  (`sekisho.net.tls_feed`), and all that is said too. What came in plain text behind
  STARTTLS is thrown away by the session.
- While an answer is being worked on, the client is not read from once something came:
  a client that sends on without waiting is slowed down, and costs one read of memory.
- A client that has said all it wants to say (and closed that direction) still gets the
  answer that is being worked on.
- A client that does not read its replies is not read from either.
- A client that speaks before the greeting is no mail client (RFC 5321 §3.1).
"""

import asyncio
import ssl
from collections.abc import Callable
from enum import Enum, auto
from ipaddress import IPv4Address
from typing import cast

from sekisho.model import replies
from sekisho.model.reply import Reply
from sekisho.model.rules import TlsMode, unmapped
from sekisho.net.tls_feed import TlsFeed
from sekisho.observe.events import SessionClosed, SessionOpened
from sekisho.server.arrival import (
    identify,
    is_proxy,
    mechanisms,
    no_room,
    spoken_for,
    tls_state,
)
from sekisho.server.client import Client
from sekisho.server.reception import Reception
from sekisho.server.services import ListenerContext, Services
from sekisho.server.tls_start import (
    HANDSHAKE_SECONDS,
    begin_tls,
    note_no_tls,
    note_tls,
)
from sekisho.session.events import SessionEnded, TlsRequested
from sekisho.session.server import ServerSession
from sekisho.wire.proxy import NeedMore, ProxyError, ProxyHeader, parse_proxy

PROXY_SECONDS = 5.0
CLOSE_SECONDS = 5.0
"""How long a closed connection may take to take its last reply."""

_GONE = "the client closed the connection"
_NOBODY_YET = IPv4Address(0)


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
        self._has_finished = False
        self._client = Client(_NOBODY_YET, "", name, listener.name)
        self._session = cast("ServerSession", None)
        self._reception = cast("Reception", None)
        self._tls: TlsFeed | None = None
        self._shaken: Callable[[], None] | None = None
        self._deadline = 0.0
        self._reason = _GONE

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: with the PROXY header, the handshake or the greeting."""
        self._transport = cast("asyncio.Transport", transport)
        self._others.add(self)
        self._opened_at = now = self._services.ticks()
        if not identify(self._transport, self._listener, self._client):
            self.abort()
            return
        if self._stage is Stage.PROXY:
            self._deadline = now + PROXY_SECONDS
            if not is_proxy(self._services, self._listener, self._client):
                # The header is a must here: who is no proxy has no business here.
                self._close("not one of the listener's proxies")
            return
        self._begin()

    def data_received(self, data: bytes) -> None:
        """Take octets, in plain text or under TLS."""
        if self._tls is None:
            self._take(data)
        else:
            self._take_under(self._tls, data)

    def _take(self, data: bytes) -> None:
        """Take what the client says, whatever it is at this stage."""
        match self._stage:
            case Stage.TALK:
                if self._reception.is_busy or not self._writable:
                    self._hold(data)
                else:
                    self._session.receive(data, self._services.ticks())
                    self._pump()
            case Stage.PROXY:
                self._proxy_header(data)
            case Stage.SILENCE:
                self._refuse(replies.EARLY_TALKER)
            case Stage.HANDSHAKE | Stage.CLOSED:
                pass  # Under TLS only; or too late.

    def pause_writing(self) -> None:
        """Stop reading: the client does not take its replies."""
        self._writable = False
        self._pause_reading()

    def resume_writing(self) -> None:
        """Go on: the client has taken its replies."""
        self._writable = True
        self._resume()

    def eof_received(self) -> bool:
        """Keep the connection for the answer that is being worked on.

        Returns:
            Whether it stays open; under TLS it cannot.

        """
        self._has_finished = (
            self._stage is Stage.TALK and self._reception.is_busy and self._tls is None
        )
        return self._has_finished

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client."""
        self._stage = Stage.CLOSED
        self._others.discard(self)
        if self._shaken is not None:
            self._note_failure(exc or ConnectionResetError("the client has gone"))
        elif exc is not None and self._counted and not self._session.ended:
            self._reason = f"the connection broke: {type(exc).__name__}"
        if not self._counted:
            return
        self._counted = False
        self._services.clients.closed(self._client.address)
        self._reception.abandon()
        client = self._client
        self._services.emit(
            SessionClosed(
                session=client.session_id,
                listener=client.listener,
                client=client.text,
                reason=self._reason,
                messages=client.messages,
                refused=client.refused,
                seconds=round(self._services.ticks() - self._opened_at, 3),
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
            self._end_silence()
            return
        if self._stage is not Stage.CLOSED:
            self._reason = "timed out"
        if self._shaken is not None:
            self._note_failure(TimeoutError("the handshake took too long"))
        self.abort()

    def stop(self) -> None:
        """Say goodbye, unless an answer is being worked on or mail is coming in."""
        if self._stage is Stage.SILENCE:
            self._refuse(replies.SHUTTING_DOWN)
        elif self._stage in (Stage.PROXY, Stage.HANDSHAKE):
            self._reason = "shutting down"
            self.abort()
        elif self._stage is Stage.TALK and self._reception.is_idle:
            self._session.refuse(replies.SHUTTING_DOWN)
            self._pump()

    # Stages

    def _proxy_header(self, data: bytes) -> None:
        self._held += data
        answer = parse_proxy(self._held)
        match answer:
            case NeedMore():
                return
            case ProxyError(reason):
                self._close(f"PROXY header: {reason}")
            case ProxyHeader():
                source = answer.source and unmapped(answer.source)
                if not spoken_for(self._services, self._client, source):
                    self._close("the audit speaks for itself alone")
                    return
                rest = self._held[answer.consumed :]
                self._held = b""
                self._begin(early=rest)

    def _begin(self, early: bytes = b"") -> None:
        """Count the client; greet it, shake hands with it, or turn it away."""
        services, listener = self._services, self._listener
        self._counted = True
        of_client = services.clients.opened(self._client.address)
        services.emit(SessionOpened(self._name, listener.name, self._client.text))
        self._make_session()
        refusal = no_room(services, of_client)
        if listener.tls_mode is TlsMode.IMPLICIT:
            if refusal is None:
                self._start_handshake(self._greet_privately, early)
            else:
                # A handshake for the sake of a reply is what a flood would cost most.
                self._close(f"refused: {refusal.code}")
        elif refusal is not None:
            self._refuse(refusal)
        elif early:
            self._refuse(replies.EARLY_TALKER)
        else:
            self._stage = Stage.SILENCE
            seconds = listener.profile.limits.greeting_seconds
            self._deadline = self._opened_at + seconds
            if not seconds:
                # In the loop's next turn: behind what may have come already.
                asyncio.get_running_loop().call_later(0, self._end_silence)

    def _make_session(self) -> None:
        listener = self._listener
        self._session = ServerSession(
            listener.profile,
            now=self._services.ticks(),
            tls=tls_state(self._services, listener),
            mechanisms=mechanisms(self._services, listener, self._client),
        )
        self._reception = Reception(
            self._services,
            listener,
            self._session,
            self._client,
            resume=self._resume,
            abort=self.abort,
        )

    def _end_silence(self) -> None:
        if self._stage is Stage.SILENCE:
            self._greet()

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
        if reception.is_busy:
            self._write(session.output())
            if session.held_bytes:
                self._pause_reading()
        elif session.ended or self._has_finished:
            self._close(self._reason, session.output())
        else:
            self._write(session.output())

    def _resume(self) -> None:
        """An answer is there, or room to write: go on."""
        if self._stage is not Stage.TALK:
            return
        self._pump()
        if self._held and self._can_take():
            self._session.receive(self._take_held(), self._services.ticks())
            self._pump()
        if self._can_take():
            self._resume_reading()

    def _can_take(self) -> bool:
        """Whether more of what the client says can be dealt with."""
        return (
            self._stage is Stage.TALK and self._writable and not self._reception.is_busy
        )

    # TLS

    def _start_handshake(self, then: Callable[[], None], early: bytes = b"") -> None:
        # Said in the clear: no part of what is said under TLS (RFC 3207 §4.2).
        self._held = b""
        self._stage = Stage.HANDSHAKE
        self._deadline = self._services.ticks() + HANDSHAKE_SECONDS
        self._shaken = then
        try:
            self._tls = begin_tls(self._services, self._client)
        except ConnectionAbortedError as error:
            self._tls_failed(error)
            return
        # The client may have been slow to take its replies.
        self._resume_reading()
        if early:
            self._take_under(self._tls, early)

    def _take_under(self, tls: TlsFeed, octets: bytes) -> None:
        """Take octets of a handshake, or what is said under TLS."""
        if self._stage is Stage.CLOSED:
            return
        try:
            said = tls.receive(octets)
        except ssl.SSLError as error:
            self._transport.write(tls.output())
            self._tls_failed(error)
            return
        if octets := tls.output():
            self._transport.write(octets)
        if tls.is_shaken and (then := self._shaken) is not None:
            self._shaken = None
            note_tls(self._services, self._client, tls)
            self._stage = Stage.TALK
            then()
        if said:
            self._take(said)
        if tls.has_ended:
            self._close(self._reason)

    def _tls_failed(self, error: Exception) -> None:
        """Close: there is no TLS, or no more."""
        if self._shaken is not None:
            self._note_failure(error)
        else:
            self._reason = f"the connection broke: {type(error).__name__}"
        self._close(self._reason)

    def _note_failure(self, error: Exception) -> None:
        self._shaken = None
        if self._reason == _GONE:
            self._reason = "TLS handshake failed"
        note_no_tls(self._services, self._client, error)

    def _session_goes_private(self) -> None:
        """Begin anew after STARTTLS (RFC 3207 §4.2)."""
        self._reception.tls_started()
        self._tls_started()

    def _greet_privately(self) -> None:
        """Begin after a handshake that came before the greeting."""
        self._tls_started()
        self._greet()

    def _tls_started(self) -> None:
        # Only now it is known whether the client has a certificate.
        offered = mechanisms(self._services, self._listener, self._client)
        self._session.tls_started(self._services.ticks(), offered)

    # Reading and writing

    def _write(self, data: bytes) -> None:
        # Each is a system call: asyncio's and uvloop's transports wait for no more.
        if data:
            tls = self._tls
            self._transport.write(data if tls is None else tls.send(data))

    def _hold(self, data: bytes) -> None:
        self._held += data
        self._pause_reading()

    def _take_held(self) -> bytes:
        held, self._held = self._held, b""
        return held

    def _pause_reading(self) -> None:
        if self._reading and self._stage is not Stage.CLOSED:
            self._reading = False
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if not self._reading and self._stage is not Stage.CLOSED:
            self._reading = True
            self._transport.resume_reading()

    def _close(self, reason: str, last: bytes = b"") -> None:
        """Close once the last reply is out; with it goes the end of TLS."""
        if self._stage is Stage.CLOSED:
            return
        self._reason = reason
        self._stage = Stage.CLOSED
        self._deadline = self._services.ticks() + CLOSE_SECONDS
        if (tls := self._tls) is not None:
            last = tls.end(last)
        if last:
            self._transport.write(last)
        self._transport.close()

    def abort(self) -> None:
        """Close at once; nothing more is said."""
        self._stage = Stage.CLOSED
        self._transport.abort()
