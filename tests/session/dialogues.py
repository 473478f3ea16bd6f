"""The language of ``tests/dialogues/*.smtp``, and a room above that plays its part.

A file holds dialogues, each under a line ``== title``. Lines:

    # text            a comment
    ! name value      a setting, before the first ``c``:
                      tls unavailable|offered|active, mechanisms A B, role, lmtp,
                      bare_newline, NAME N (a bound of model.limits), whole (the cut
                      into reads is what the dialogue is about: fed as it stands)
    a: Event REPLY    the answer to the next event of this type that has none;
                      ``challenge TEXT`` for a 334. Without one: a positive answer
    c: text           the client sends a line; c lines in a row are one write
    c> text           the same without a CRLF at the end
    s: text           the session sends this line; ``*`` at the end stands for
                      anything, ``s: 250+`` for a whole multi-line reply
    e: Event          of the events since the last e line, this one is among them,
                      behind the one that the line before named
    m: text           the content of the message that was completed last
    tls               the handshake that STARTTLS asked for is done
    wait N            N seconds go by
    closed            the session has ended

Escapes in c> and m: ``\\r \\n \\0 \\t \\xHH \\\\``, and ``{N*text}`` for a repetition,
which c takes too. A line of ``m:`` has no CRLF of its own.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import assert_never

from sekisho.model import replies
from sekisho.model.limits import Limits
from sekisho.model.reply import Reply
from sekisho.model.rules import BareNewline, Role
from sekisho.session import events
from sekisho.session.server import ServerSession, SessionProfile, TlsState

FOLDER = Path(__file__).parent.parent / "dialogues"

Cut = Callable[[bytes], Iterator[bytes]]
"""How the octets of one write are cut into reads."""


@dataclass(frozen=True)
class Dialogue:
    """One dialogue, as it stands in its file."""

    name: str
    lines: tuple[tuple[int, str], ...]

    @property
    def is_whole_only(self) -> bool:
        return any(line == "! whole" for _, line in self.lines)


def read_dialogues() -> list[Dialogue]:
    """Read all dialogues of all files."""
    found: list[Dialogue] = []
    for path in sorted(FOLDER.glob("*.smtp")):
        lines: list[tuple[int, str]] = []
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if line.startswith("== "):
                lines = []
                found.append(Dialogue(f"{path.stem}: {line[3:]}", ()))
            elif line.strip() and not line.startswith("#"):
                lines.append((number, line))
                found[-1] = Dialogue(found[-1].name, tuple(lines))
    return found


def whole(data: bytes) -> Iterator[bytes]:
    """One read a write."""
    yield data


def octets(data: bytes) -> Iterator[bytes]:
    """One read an octet."""
    for index in range(len(data)):
        yield data[index : index + 1]


_ESCAPE = re.compile(r"\\(?:([rn0t\\])|x([0-9a-fA-F]{2}))")
_REPEAT = re.compile(r"\{(\d+)\*([^{}]*)\}")
_PLAIN = {"r": "\r", "n": "\n", "0": "\0", "t": "\t", "\\": "\\"}


def repeated(text: str) -> str:
    return _REPEAT.sub(lambda m: m[2] * int(m[1]), text)


def unescaped(text: str) -> bytes:
    parts: list[bytes] = []
    position = 0
    text = repeated(text)
    for found in _ESCAPE.finditer(text):
        parts.append(text[position : found.start()].encode())
        plain = found[1]
        parts.append(_PLAIN[plain].encode() if plain else bytes.fromhex(found[2]))
        position = found.end()
    return b"".join((*parts, text[position:].encode()))


_DEFAULTS: dict[str, Reply] = {
    "SenderOffered": replies.SENDER_OK,
    "RecipientOffered": replies.RECIPIENT_OK,
    "ContentStarted": replies.START_DATA,
    "ContentCompleted": replies.queued("1"),
    "AuthRequested": replies.AUTH_OK,
    "AuthResponded": replies.AUTH_OK,
}


def make_reply(text: str) -> Reply:
    code, _, rest = text.partition(" ")
    enhanced, _, words = rest.partition(" ")
    return Reply(int(code), enhanced, (words,))


class Invariants:
    """What must hold whatever the client sends."""

    def __init__(self) -> None:
        self.in_transaction = False
        self.recipients = 0
        self.in_content = False
        self.is_over = False

    def see(self, event: events.Event) -> None:  # noqa: C901, PLR0912 - one row an event
        assert not self.is_over, f"{event} after the session's end"
        match event:
            case events.SenderOffered():
                assert not self.in_transaction, "a transaction within another"
            case events.RecipientOffered():
                assert self.in_transaction, "a recipient of no transaction"
                assert not self.in_content
            case events.ContentStarted(envelope):
                assert self.recipients, "content for nobody"
                assert len(envelope.recipients) == self.recipients
            case events.ContentReceived(data):
                assert self.in_content, "content that nobody let in, or was aborted"
                assert data
            case events.ContentCompleted():
                assert self.in_content
            case events.ContentAborted():
                assert self.in_content
                self.forget()
            case events.TransactionReset():
                assert self.in_transaction
                self.forget()
            case events.TlsRequested():
                assert not self.in_transaction
            case events.SessionEnded():
                self.is_over = True
            case (
                events.AuthRequested()
                | events.AuthResponded()
                | events.AuthCancelled()
                | events.CommandRefused()
            ):
                assert not self.in_content or isinstance(event, events.CommandRefused)
            case _:
                assert_never(event)

    def answered(self, event: events.Event, reply: Reply) -> None:
        match event:
            case events.SenderOffered():
                self.in_transaction = reply.is_positive
            case events.RecipientOffered():
                self.recipients += reply.is_positive
            case events.ContentStarted():
                self.in_content = reply.is_positive
            case events.ContentCompleted():
                self.forget()
            case _:
                pass

    def forget(self) -> None:
        self.in_transaction = self.in_content = False
        self.recipients = 0


@dataclass
class Player:
    """Plays one dialogue against a session of its own."""

    dialogue: Dialogue
    cut: Cut
    now: float = 1000.0
    settings: dict[str, str] = field(default_factory=dict[str, str])
    answers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    seen: list[str] = field(default_factory=list[str])
    content: bytes = b""
    message: bytes = b""
    said: bytes = b""
    sent: bytes = b""
    shaking_hands: bool = False
    session: ServerSession | None = None
    invariants: Invariants = field(default_factory=Invariants)

    def play(self) -> None:
        """Play it; an assertion names the line that was not as it should be."""
        for number, line in self.dialogue.lines:
            try:
                self._line(line)
            except AssertionError as error:
                raise AssertionError(f"line {number}: {line}\n{error}") from error
        self._flush()
        assert not self.said, f"the session said more: {self.said!r}"

    def _line(self, line: str) -> None:
        kind, _, text = line.partition(" ")
        if kind == "!":
            name, _, value = text.partition(" ")
            self.settings[name] = value
            return
        if self.session is None:
            self._open()
        if kind not in ("c:", "c>"):
            self._flush()
        row = self._rows().get(kind)
        assert row is not None, "no line of this language"
        row(text)

    def _rows(self) -> dict[str, Callable[[str], None]]:
        return {
            "c:": self._client_line,
            "c>": self._client_octets,
            "s:": self._expect,
            "a:": self._script,
            "e:": self._expect_event,
            "m:": self._expect_message,
            "tls": self._tls,
            "wait": self._wait,
            "closed": self._closed,
        }

    def _client_line(self, text: str) -> None:
        self.sent += repeated(text).encode() + b"\r\n"

    def _client_octets(self, text: str) -> None:
        self.sent += unescaped(text)

    def _script(self, text: str) -> None:
        event, _, answer = text.partition(" ")
        self.answers.append((event, answer))

    def _expect_event(self, text: str) -> None:
        assert text in self.seen, f"events: {self.seen}"
        del self.seen[: self.seen.index(text) + 1]

    def _expect_message(self, text: str) -> None:
        assert self.message == unescaped(text), f"{self.message!r}"

    def _tls(self, _: str) -> None:
        assert self.shaking_hands, "no handshake was asked for"
        self.shaking_hands = False
        self._session.tls_started(self.now)
        self._pump()

    def _wait(self, text: str) -> None:
        self.now += float(text)
        if self.now >= self._session.deadline():
            self._session.timed_out()
            self._pump()

    def _closed(self, _: str) -> None:
        assert self._session.ended, "the session goes on"

    @property
    def _session(self) -> ServerSession:
        assert self.session is not None
        return self.session

    def _open(self) -> None:
        settings = dict(self.settings)
        settings.pop("whole", None)
        tls = TlsState(settings.pop("tls", "offered"))
        mechanisms = tuple(settings.pop("mechanisms", "PLAIN LOGIN").split())
        role = Role(settings.pop("role", "mx"))
        bare_newline = BareNewline(settings.pop("bare_newline", "refuse"))
        lmtp = settings.pop("lmtp", None) is not None
        bounds = {name: int(value) for name, value in settings.items()}
        self.session = ServerSession(
            SessionProfile("relay.example.com", role, Limits(**bounds), bare_newline),
            now=self.now,
            tls=tls,
            mechanisms=mechanisms,
            lhlo=lmtp,
        )
        self.session.greet()
        self._pump()

    def _flush(self) -> None:
        """Send what the client's lines so far hold, cut as is wanted."""
        sent, self.sent = self.sent, b""
        for piece in self.cut(sent) if sent else ():
            # During a handshake input is the TLS layer's, and never comes here.
            if not self.shaking_hands:
                self._session.receive(piece, self.now)
                self._pump()

    def _pump(self) -> None:
        session = self._session
        while (event := session.next_event()) is not None:
            self._event(event)
        self.said += session.output()

    def _event(self, event: events.Event) -> None:
        self.invariants.see(event)
        name = type(event).__name__
        if isinstance(event, events.ContentReceived):
            self.content += event.data
            return
        self.seen.append(name)
        if isinstance(event, events.ContentStarted):
            self.content = b""
        if isinstance(event, events.ContentCompleted):
            assert event.size == len(self.content)
            self.message = self.content
        if isinstance(event, events.TlsRequested) and not self._scripted(name):
            self.shaking_hands = True
        elif name in _DEFAULTS or self._scripted(name):
            self._answer(event)

    def _scripted(self, name: str) -> bool:
        return any(event == name for event, _ in self.answers)

    def _answer(self, event: events.Event) -> None:
        name = type(event).__name__
        script = next((row for row in self.answers if row[0] == name), None)
        if script is None:
            reply = _DEFAULTS[name]
        else:
            self.answers.remove(script)
            if script[1].startswith("challenge"):
                self._session.challenge(script[1][10:].encode())
                return
            reply = make_reply(script[1])
        if isinstance(event, events.TlsRequested):
            self._session.tls_failed(reply)
            return
        self._session.answer(reply)
        self.invariants.answered(event, reply)

    def _expect(self, text: str) -> None:
        if text.endswith("+"):
            code = text[:-1]
            assert self.said.startswith(code.encode()), f"said: {self.said!r}"
            while self.said.startswith(f"{code}-".encode()):
                self.said = self.said.partition(b"\r\n")[2]
            text = f"{code} *"
        line, end, rest = self.said.partition(b"\r\n")
        assert end, f"the session said nothing more: {self.said!r}"
        expected = text.encode()
        if expected.endswith(b"*"):
            assert line.startswith(expected[:-1]), f"said: {line!r}"
        else:
            assert line == expected, f"said: {line!r}"
        self.said = rest
