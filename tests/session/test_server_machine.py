"""Any commands, any octets, any answers: what must hold, holds.

The rules that are checked at each event stand in `session.dialogues.Invariants`.
"""

import random
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sekisho.model import replies
from sekisho.model.limits import Limits
from sekisho.model.reply import Reply
from sekisho.model.rules import BareNewline, Role
from sekisho.session import events
from sekisho.session.server import ServerSession, SessionProfile, TlsState
from session.dialogues import Invariants

PROFILES = [
    SessionProfile(
        "relay.example.com",
        role,
        Limits(
            max_command_bytes=80,
            max_auth_line_bytes=120,
            max_message_bytes=60,
            max_header_bytes=40,
            max_text_line_bytes=20,
            max_recipients=3,
            max_messages_per_session=3,
            max_errors=6,
            max_idle_commands=8,
            max_auth_failures=2,
        ),
        BareNewline.NORMALISE,
    )
    for role in (Role.MX, Role.LEGACY)
]
LINES = [
    *(b"EHLO x", b"HELO x", b"LHLO x", b"MAIL FROM:<>", b"MAIL FROM:<a@example.org>"),
    *(b"MAIL FROM:<a@b.example> BODY=BINARYMIME", b"MAIL FROM:<a@b.example> SIZE=61"),
    *(b"RCPT TO:<b@example.com>", b"RCPT TO:<postmaster>", b"RCPT TO:<x>", b"DATA"),
    *(b"BDAT 0", b"BDAT 0 LAST", b"BDAT 4", b"BDAT 4 LAST", b"BDAT 90", b"BDAT x"),
    *(b"RSET", b"NOOP", b"QUIT", b"VRFY a", b"EXPN a", b"HELP", b"STARTTLS", b"ETRN x"),
    *(b"AUTH PLAIN", b"AUTH PLAIN QQ==", b"AUTH X", b"*", b"QQ==", b"", b".", b"..a"),
    *(
        b"GET / HTTP/1.1",
        b"NOOP " + b"a" * 90,
        b"AUTH PLAIN " + b"QUFB" * 30,
        b"a" * 25,
    ),
    *(b"a\rb", b"a\nb", b"a\0b", b"Subject: x", b"\xff"),
]
LIKELY = [b"EHLO x", b"MAIL FROM:<>", b"RCPT TO:<b@example.com>", b"DATA", b"x", b"."]
OCTETS = st.one_of(
    st.sampled_from(LINES + LIKELY * 4).map(lambda line: line + b"\r\n"),
    st.sampled_from([b"\r", b"\n", b"\r\n.\r\n", b"\n.\n", b"\0", b"."]),
    st.binary(max_size=20),
)
NEGATIVE = [replies.RELAY_DENIED, replies.TRY_LATER, replies.SHUTTING_DOWN]
ASKING = (
    events.SenderOffered,
    events.RecipientOffered,
    events.ContentStarted,
    events.ContentCompleted,
    events.AuthRequested,
    events.AuthResponded,
    events.TlsRequested,
)


class Clients(RuleBasedStateMachine):
    """A client that says anything, and a room above that answers anything."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.held_to = Invariants()
        self.asked: events.Event | None = None
        self.session = self.open(0, TlsState.OFFERED)

    def open(self, profile: int, tls: TlsState) -> ServerSession:
        session = ServerSession(
            PROFILES[profile], now=self.now, tls=tls, mechanisms=("PLAIN",)
        )
        session.greet()
        session.output()
        return session

    @rule(profile=st.integers(0, 1), tls=st.sampled_from(TlsState))
    def begin_anew(self, profile: int, tls: TlsState) -> None:
        self.held_to = Invariants()
        self.asked = None
        self.session = self.open(profile, tls)

    @rule(pieces=st.lists(OCTETS, max_size=8))
    def send(self, pieces: list[bytes]) -> None:
        self.now += 1
        self.session.receive(b"".join(pieces), self.now)
        self.pump()

    @rule(answer=st.integers(0, 20))
    def answer(self, answer: int) -> None:
        asked = self.asked
        if asked is None:
            return
        self.asked = None
        if isinstance(asked, events.TlsRequested):
            if answer:
                self.session.tls_started(self.now)
            else:
                self.session.tls_failed(replies.TLS_UNAVAILABLE)
        elif isinstance(asked, events.AuthRequested | events.AuthResponded) and answer:
            if answer < 10:
                self.session.challenge(b"?")
            else:
                self.session.answer(replies.AUTH_OK)
        else:
            reply = NEGATIVE[answer] if answer < len(NEGATIVE) else replies.OK
            self.session.answer(reply)
            self.held_to.answered(asked, reply)
        self.pump()

    @rule(seconds=st.floats(0, 400))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        if self.now >= self.session.deadline():
            self.session.timed_out()
            self.asked = None
            self.pump()

    def pump(self) -> None:
        while (event := self.session.next_event()) is not None:
            self.held_to.see(event)
            assert self.asked is None, f"{event} while {self.asked} is outstanding"
            if isinstance(event, ASKING):
                self.asked = event
            if isinstance(event, events.SessionEnded):
                self.asked = None
        said = self.session.output()
        assert not said or said.endswith(b"\r\n")
        if b"354 " in said:
            assert self.held_to.in_content
            assert self.held_to.recipients

    @invariant()
    def bounds_hold(self) -> None:
        if self.session.ended:
            assert self.session.held_bytes == 0
            assert self.session.next_event() is None
        elif self.asked is None:
            assert self.session.held_bytes <= 120


TestClients = Clients.TestCase
TestClients.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)

_POSITIVE: dict[type, Reply] = {
    events.AuthRequested: replies.AUTH_FAILED,
    events.AuthResponded: replies.AUTH_FAILED,
}


def converse(octets: bytes, sizes: Iterator[int]) -> tuple[bytes, bytes, bool]:
    """All that the session says, and all content, of one fixed input."""
    session = ServerSession(PROFILES[0], now=0, tls=TlsState.ACTIVE, mechanisms=("P",))
    session.greet()
    said = content = b""
    while octets:
        size = next(sizes)
        session.receive(octets[:size], 0.0)
        octets = octets[size:]
        while (event := session.next_event()) is not None:
            match event:
                case events.ContentReceived(data):
                    content += data
                case events.ContentAborted():
                    content = b""
                case _ if isinstance(event, ASKING):
                    session.answer(_POSITIVE.get(type(event), replies.OK))
                case _:
                    pass
        said += session.output()
    return said, content, session.ended


@given(st.lists(OCTETS, max_size=30), st.integers(0, 2**32))
@settings(deadline=None)
def test_the_cut_into_reads_changes_no_reply(pieces: list[bytes], seed: int):
    chance = random.Random(seed)
    # DATA with input behind it in one read is refused on purpose; see data.smtp.
    octets = b"".join(piece for piece in pieces if piece != b"DATA\r\n")

    def at_random() -> Iterator[int]:
        while True:
            yield chance.randint(1, 40)

    def ones() -> Iterator[int]:
        while True:
            yield 1

    whole = converse(octets, iter([max(len(octets), 1)]))
    assert converse(octets, ones()) == whole
    assert converse(octets, at_random()) == whole
