"""Our two machines talk to each other: what one means, the other understands.

Without sockets: octets cross in pieces of any size, the server answers at random, and
both must agree on every envelope, every content and every recipient's outcome.
"""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from replacing import replace
from sekisho.model import replies
from sekisho.model.address import NULL_PATH, Address
from sekisho.model.envelope import BodyKind, Envelope, Notify, Recipient, Ret
from sekisho.model.limits import Limits
from sekisho.model.outcome import Deferred, Delivered, Failed, Outcome
from sekisho.model.reply import Reply, reply
from sekisho.model.route import Credentials, TlsPolicy
from sekisho.model.rules import BareNewline, Role
from sekisho.session.client import ClientSession
from sekisho.session.client_events import (
    ClientProfile,
    ContentFacts,
    ContentWanted,
    SessionFailed,
    SessionReady,
    TlsWanted,
    TransactionDone,
)
from sekisho.session.events import (
    AuthRequested,
    ContentCompleted,
    ContentReceived,
    ContentStarted,
    Event,
    RecipientOffered,
    SenderOffered,
    TlsRequested,
)
from sekisho.session.server import ServerSession, SessionProfile, TlsState

LATER = reply(451, "4.3.0", "Later")
NEVER = reply(550, "5.1.1", "Never")
KINDS: dict[Reply, type] = {replies.OK: Delivered, LATER: Deferred, NEVER: Failed}


@dataclass
class Case:
    """One message and how it fares."""

    envelope: Envelope
    content: bytes
    sender: Reply
    recipients: list[Reply]
    final: Reply


@dataclass
class World:
    """Client, server and the wire between them."""

    client: ClientSession
    server: ServerSession
    hidden: list[bytes]
    step: int
    cases: list[Case]
    taken: list[tuple[Envelope, bytes]] = field(
        default_factory=list[tuple[Envelope, bytes]]
    )
    outcomes: list[tuple[Outcome, ...]] = field(
        default_factory=list[tuple[Outcome, ...]]
    )
    _current: int = -1
    _asked: int = 0
    _envelope: Envelope | None = None
    _pieces: list[bytes] = field(default_factory=list[bytes])

    def run(self) -> None:
        self.server.greet()
        while True:
            moved = self._server_acts()
            moved |= self._cross(self._shown(self.server.output()), self._to_client)
            moved |= self._client_acts()
            moved |= self._cross(self.client.output(), self._to_server)
            if not moved:
                return

    def _shown(self, octets: bytes) -> bytes:
        for keyword in self.hidden:
            octets = octets.replace(b"250-" + keyword + b"\r\n", b"")
        return octets

    def _cross(self, octets: bytes, give: object) -> bool:
        for at in range(0, len(octets), self.step):
            give(octets[at : at + self.step])  # type: ignore[operator]
        return bool(octets)

    def _to_client(self, octets: bytes) -> None:
        self.client.receive(octets, 0.0)

    def _to_server(self, octets: bytes) -> None:
        self.server.receive(octets, 0.0)

    def _client_acts(self) -> bool:
        moved = False
        while (event := self.client.next_event()) is not None:
            moved = True
            match event:
                case TlsWanted():
                    self.client.tls_started("TLSv1.3", 0.0)
                    self.server.tls_started(0.0)
                case SessionReady():
                    self._next()
                case ContentWanted():
                    content = self.cases[self._current].content
                    for at in range(0, len(content), self.step):
                        self.client.content(content[at : at + self.step], 0.0)
                    self.client.content_ends(0.0)
                case TransactionDone(outcomes=outcomes):
                    self.outcomes.append(outcomes)
                    self._next()
                case SessionFailed(failure=failure):
                    raise AssertionError(failure)
                case _:
                    raise AssertionError(event)
        return moved

    def _next(self) -> None:
        self._current += 1
        if self._current == len(self.cases):
            self.client.quit(0.0)
            return
        case = self.cases[self._current]
        self._asked = 0
        facts = ContentFacts(len(case.content), eight_bit=not case.content.isascii())
        self.client.send(case.envelope, case.envelope.recipients, facts, 0.0)

    def _server_acts(self) -> bool:
        moved = False
        while (event := self.server.next_event()) is not None:
            moved = True
            case = self.cases[min(self._current, len(self.cases) - 1)]
            match event:
                case TlsRequested():
                    pass
                case AuthRequested(mechanism=mechanism, initial=initial):
                    assert (mechanism, initial) == ("PLAIN", b"\0user\0pa55")
                    self.server.answer(replies.AUTH_OK)
                case SenderOffered():
                    self.server.answer(case.sender)
                case RecipientOffered():
                    self.server.answer(case.recipients[self._asked])
                    self._asked += 1
                case _:
                    self._content(event, case)
        return moved

    def _content(self, event: Event, case: Case) -> None:
        match event:
            case ContentStarted(envelope=envelope):
                self._envelope, self._pieces = envelope, []
                self.server.answer(replies.OK)
            case ContentReceived(data=data):
                self._pieces.append(data)
            case ContentCompleted(size=size):
                content = b"".join(self._pieces)
                assert size == len(content)
                assert self._envelope is not None
                self.taken.append((self._envelope, content))
                self.server.answer(case.final)
            case _:
                pass  # What only tells needs nothing here.


ADDRESSES = st.builds(
    Address,
    st.sampled_from(["a", "B.c", "a b", 'q"t', "%x!", "ü"]),
    st.sampled_from(["example.net", "xn--bcher-kva.example", "[192.0.2.1]"]),
)
RECIPIENTS = st.builds(
    Recipient,
    ADDRESSES,
    st.sampled_from([Notify.NEVER, Notify.SUCCESS, Notify.FAILURE | Notify.DELAY]),
    st.just(True),  # NOTIFY was given, so it must come back.
    st.sampled_from(["", "rfc822;a+b=c@example.net"]),
)
TEXT = st.lists(
    st.sampled_from([b"", b".", b"..", b".a", b"QUIT", b"x" * 70, "é".encode()]),
    max_size=6,
).map(lambda lines: b"Subject: x\r\n\r\n" + b"".join(ln + b"\r\n" for ln in lines))
ANSWERS = st.sampled_from([replies.OK, LATER, NEVER])


@st.composite
def cases(draw: st.DrawFn) -> Case:
    recipients = tuple(draw(st.lists(RECIPIENTS, min_size=1, max_size=4)))
    envelope = Envelope(
        draw(st.one_of(st.just(NULL_PATH), ADDRESSES)),
        recipients,
        body=draw(st.sampled_from([BodyKind.EIGHT_BIT_MIME, BodyKind.BINARY_MIME])),
        smtputf8=True,
        ret=draw(st.sampled_from(Ret)),
        envid=draw(st.sampled_from(["", "id+1=2"])),
    )
    return Case(
        envelope,
        draw(TEXT),
        draw(st.sampled_from([replies.OK, replies.OK, replies.OK, NEVER, LATER])),
        [draw(ANSWERS) for _ in recipients],
        draw(ANSWERS),
    )


def expected(case: Case) -> list[type]:
    """Say what becomes of each recipient."""
    if case.sender is not replies.OK:
        return [KINDS[case.sender]] * len(case.recipients)
    return [KINDS[a if a is not replies.OK else case.final] for a in case.recipients]


@given(
    st.lists(cases(), min_size=1, max_size=3),
    st.integers(1, 200),
    st.sets(st.sampled_from([b"CHUNKING", b"PIPELINING"])),
    st.booleans(),
    st.booleans(),
)
def test_both_agree_on_envelope_content_and_outcome(
    given_cases: list[Case], step: int, hidden: set[bytes], lmtp: bool, tls: bool
) -> None:
    if b"CHUNKING" in hidden:
        for case in given_cases:
            case.envelope = replace(case.envelope, body=BodyKind.EIGHT_BIT_MIME)
        hidden |= {b"BINARYMIME"}
    policy = TlsPolicy.REQUIRED if tls else TlsPolicy.OFF
    world = World(
        ClientSession(
            ClientProfile(
                "relay.example.com",
                "mx.example.net",
                tls=policy,
                lmtp=lmtp,
                credentials=Credentials("user", "pa55") if tls else None,
            ),
            now=0.0,
        ),
        ServerSession(
            SessionProfile(
                "mx.example.net",
                Role.SUBMISSION if tls else Role.MX,
                Limits(),
                BareNewline.REFUSE,
            ),
            now=0.0,
            tls=TlsState.OFFERED if tls else TlsState.UNAVAILABLE,
            mechanisms=("PLAIN",) if tls else (),
            lhlo=lmtp,
        ),
        sorted(hidden),
        step,
        given_cases,
    )
    world.run()
    assert world.client.ended
    assert world.server.ended
    assert [[type(o) for o in outcomes] for outcomes in world.outcomes] == [
        expected(case) for case in given_cases
    ]
    whole = [
        case
        for case in given_cases
        if case.sender is replies.OK and replies.OK in case.recipients
    ]
    # Without recipients the lone dot ends an empty message, for nobody.
    carried = [taken for taken in world.taken if taken[0].recipients]
    assert len(carried) == len(whole)
    for (envelope, content), case in zip(carried, whole, strict=True):
        wanted = [
            recipient
            for recipient, answer in zip(
                case.envelope.recipients, case.recipients, strict=True
            )
            if answer is replies.OK
        ]
        assert envelope == replace(
            case.envelope,
            recipients=tuple(wanted),
            declared_bytes=len(case.content),
        )
        assert content == case.content
