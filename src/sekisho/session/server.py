"""The server's side of an SMTP session, without any input or output of its own.

Theory of operation. Octets go in by `ServerSession.receive`; what they mean comes out
of `next_event`, one event after another; what is to be sent comes out of `output`.
Nothing is read ahead: `next_event` reads just as far as the next event, and not at
all while an event that asks waits for its `answer`. So commands that a client
pipelined take effect one after the other, each in the state that the ones before it
left, and how the octets were cut into reads makes no difference.

    session.receive(data, now)
    while (event := session.next_event()) is not None:
        ...                               # perhaps session.answer(reply)
    transport.write(session.output())
    if session.ended: transport.close()

The session knows SMTP and nothing of who may relay: it answers alone only where an
RFC or a bound of `model.limits` says how. The pieces: `states` (which command may
stand where), `reading` (lines to handlers), `greetings`, `transaction`, `content`,
`login` (the handlers), `core` (what they share).

Input held while an answer is outstanding is not bounded here: whoever reads from the
socket stops while `held_bytes` is large.
"""

from sekisho.model import replies
from sekisho.model.reply import Reply
from sekisho.session import greetings, login
from sekisho.session.core import NEVER, Core, read_nothing
from sekisho.session.events import Event
from sekisho.session.extensions import SessionProfile, TlsState
from sekisho.session.reading import READERS

__all__ = ["ServerSession", "SessionMisuseError", "SessionProfile", "TlsState"]


class SessionMisuseError(RuntimeError):
    """The room above answered what was not asked: its mistake, not the client's."""


class ServerSession:
    """One session with one client."""

    __slots__ = ("_core",)

    def __init__(
        self,
        profile: SessionProfile,
        *,
        now: float,
        tls: TlsState,
        mechanisms: tuple[str, ...] = (),
        lhlo: bool = False,
    ) -> None:
        """Begin, without a greeting yet.

        Args:
            profile: The listener's.
            now: Seconds, as in all other calls.
            tls: `TlsState.ACTIVE` where TLS came before the greeting.
            mechanisms: Upper case; offered once TLS is active.
            lhlo: Whether LMTP (RFC 2033) is spoken.

        """
        self._core = Core(
            profile,
            now=now,
            tls=tls,
            mechanisms=mechanisms,
            lmtp=lhlo,
            readers=READERS,
        )

    def greet(self) -> None:
        """Queue the greeting; input that came before is read from now on."""
        core = self._core
        if not core.ended:
            core.say(greetings.greeting(core.profile.hostname, lmtp=core.lmtp))
            core.read = READERS.command

    def refuse(self, reply: Reply) -> None:
        """End the session with a reply: instead of the greeting, or at any time.

        Events not taken yet are dropped, an outstanding one needs no answer.
        """
        self._end(reply, f"refused: {reply.code}")

    def receive(self, data: bytes, now: float) -> None:
        """Take what the client sent."""
        core = self._core
        if not core.ended:
            core.clock.now = now
            core.input.feed(data)

    def next_event(self) -> Event | None:
        """Read up to the next event.

        Returns:
            The event, or None: more input is needed, or an answer is outstanding.

        """
        core = self._core
        events = core.events
        while not events:
            if core.on_answer is not None or core.ended or not core.read(core):
                # What reads may tell of something, and yet wait for more.
                return events.popleft() if events else None
        return events.popleft()

    def answer(self, reply: Reply) -> None:
        """Answer the outstanding event; after the session's end it is ignored.

        Raises:
            SessionMisuseError: Nothing was asked.

        """
        core = self._core
        if core.ended:
            return
        on_answer = core.on_answer
        if on_answer is None:
            raise SessionMisuseError("no event is outstanding")
        core.on_answer = None
        on_answer(core, reply)

    def challenge(self, data: bytes) -> None:
        """Answer an AUTH event with a challenge, not encoded yet.

        Raises:
            SessionMisuseError: No AUTH event is outstanding.

        """
        core = self._core
        if core.ended:
            return
        if core.on_answer is not login.answered:
            raise SessionMisuseError("no AUTH exchange is outstanding")
        login.challenge(core, data)

    def tls_started(
        self, now: float, mechanisms: tuple[str, ...] | None = None
    ) -> None:
        """Begin anew under TLS: the answer to `TlsRequested`, or before the greeting.

        Args:
            now: Seconds.
            mechanisms: What AUTH offers after this handshake; as before if None.

        Raises:
            SessionMisuseError: The client was greeted, and no `TlsRequested` is
                outstanding.

        """
        core = self._core
        if core.ended:
            return
        if self.greeted and core.on_answer is not greetings.tls_failed:
            raise SessionMisuseError("no handshake is outstanding")
        if mechanisms is not None:
            core.mechanisms = mechanisms
        greetings.tls_started(core, now)

    def tls_failed(self, reply: Reply) -> None:
        """Answer `TlsRequested`: the handshake failed, the session ends.

        Raises:
            SessionMisuseError: Nothing was asked.

        """
        self.answer(reply)

    def output(self) -> bytes:
        """Give the octets to send now, and forget them."""
        output = self._core.output
        if not output:
            return b""
        data = output[0] if len(output) == 1 else b"".join(output)
        output.clear()
        return data

    def deadline(self) -> float:
        """Give the time at which `timed_out` is due if nothing came until then.

        While an answer is outstanding only the session's whole time runs: the client
        is not to blame for us.
        """
        core = self._core
        if core.ended:
            return NEVER
        if core.on_answer is not None:
            return core.clock.session
        return core.clock.deadline()

    def timed_out(self) -> None:
        """End the session, as the client was too slow."""
        self._end(replies.TIMED_OUT, "timed out")

    def _end(self, reply: Reply, reason: str) -> None:
        core = self._core
        if not core.ended:
            core.events.clear()
            core.end(reply, reason)

    @property
    def greeted(self) -> bool:
        """Whether the greeting was given."""
        return self._core.read is not read_nothing

    @property
    def in_content(self) -> bool:
        """Whether a message's content is coming in, chunks still to come included."""
        return self._core.clock.data != NEVER

    @property
    def ended(self) -> bool:
        """Whether nothing will be read any more: flush and close."""
        return self._core.ended

    @property
    def held_bytes(self) -> int:
        """Input that was not read yet."""
        return self._core.input.held

    @property
    def tls_active(self) -> bool:
        """Whether the session is under TLS."""
        return self._core.tls is TlsState.ACTIVE

    @property
    def authenticated(self) -> bool:
        """Whether AUTH succeeded."""
        return self._core.authenticated

    @property
    def greeting_name(self) -> str:
        """What the client calls itself, printable; empty before it said so."""
        return self._core.greeting_name

    @property
    def esmtp(self) -> bool:
        """Whether the client said EHLO (or LHLO)."""
        return self._core.esmtp

    @property
    def lmtp(self) -> bool:
        """Whether LMTP is spoken."""
        return self._core.lmtp
