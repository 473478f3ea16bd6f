"""Drives the client machine by hand: say what the server says, see what it says."""

from sekisho.model.address import NULL_PATH, ReversePath, parse_address
from sekisho.model.envelope import BodyKind, Envelope, Recipient
from sekisho.model.route import TlsPolicy
from sekisho.session.client import ClientSession
from sekisho.session.client_events import (
    ClientEvent,
    ClientProfile,
    ContentFacts,
    ContentWanted,
    SessionReady,
)

HOST = "mx.example.net"
NOW = 1000.0
CONTENT = b"Subject: x\r\n\r\n.dot\r\nend\r\n"


def profile(**given: object) -> ClientProfile:
    values: dict[str, object] = {"tls": TlsPolicy.OFF, **given}
    return ClientProfile("relay.example.com", HOST, **values)  # type: ignore[arg-type]


def recipient(text: str) -> Recipient:
    return Recipient(parse_address(text))


def envelope(sender: str = "a@example.com", **given: object) -> Envelope:
    path: ReversePath = parse_address(sender) if sender else NULL_PATH
    return Envelope(path, **given)  # type: ignore[arg-type]


BINARY = BodyKind.BINARY_MIME
EIGHT_BIT = BodyKind.EIGHT_BIT_MIME


class Driver:
    """One session; octets go in whole or one by one."""

    def __init__(
        self, given: ClientProfile, *, tls: str = "", byte_by_byte: bool = False
    ) -> None:
        self.session = ClientSession(given, now=NOW, tls=tls)
        self.now = NOW
        self.byte_by_byte = byte_by_byte

    def hear(self, *lines: str) -> str:
        """Let the server say lines; give what the client says then."""
        octets = "".join(f"{line}\r\n" for line in lines).encode()
        if self.byte_by_byte:
            for n in range(len(octets)):
                self.session.receive(octets[n : n + 1], self.now)
        else:
            self.session.receive(octets, self.now)
        return self.said()

    def said(self) -> str:
        return self.session.output().decode()

    def events(self) -> list[ClientEvent]:
        found: list[ClientEvent] = []
        while (event := self.session.next_event()) is not None:
            found.append(event)
        return found

    def event(self) -> ClientEvent:
        (event,) = self.events()
        return event

    def ready(self, *offers: str) -> "Driver":
        """Come to readiness with a server that offers these."""
        assert self.hear("220 mx ESMTP").endswith("LO relay.example.com\r\n")
        lines = ["mx greets", *offers]
        last = len(lines) - 1
        said = [f"250{' ' if n == last else '-'}{line}" for n, line in enumerate(lines)]
        assert self.hear(*said) == ""
        assert self.event() == SessionReady()
        return self

    def send(
        self,
        *recipients: str,
        facts: ContentFacts | None = None,
        of: Envelope | None = None,
        whole: bytes | None = None,
    ) -> str:
        self.session.send(
            of or envelope(),
            [recipient(text) for text in recipients],
            facts or ContentFacts(len(CONTENT)),
            self.now,
            whole,
        )
        return self.said()

    def give(self, *pieces: bytes) -> str:
        assert self.event() == ContentWanted()
        for piece in pieces:
            self.session.content(piece, self.now)
        self.session.content_ends(self.now)
        return self.said()
