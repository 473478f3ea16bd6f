"""A next host that keeps every octet it is sent.

It is deliberately naive and strict: DATA ends at CRLF.CRLF and nowhere else, commands
end at CRLF, and what is on the wire is kept as it came, so that a test can look for a
bare newline or a second message in the octets themselves.
"""

import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from peers.listening import Listening
from peers.process import wait_for

_BARE_NEWLINE = re.compile(rb"(?<!\r)\n|\r(?!\n)")
_BDAT = re.compile(rb"BDAT ([0-9]+)( LAST)?", re.IGNORECASE)

Answer = Callable[[bytes], bytes | None]
"""A command line without CRLF → the reply line to give instead, without CRLF."""


@dataclass
class Received:
    """One message as the next host took it."""

    reverse_path: str
    recipients: list[str]
    wire: bytes
    """Between 354 and the end: dot-stuffed as it came (BDAT: the chunks)."""
    stuffed: bool
    at: float = field(default_factory=time.monotonic)
    """When it was whole."""

    @property
    def content(self) -> bytes:
        """The message itself, CRLF at its end included."""
        if not self.stuffed:
            return self.wire
        first = self.wire[1:] if self.wire.startswith(b".") else self.wire
        return first.replace(b"\r\n.", b"\r\n")


@dataclass
class Connection:
    """One connection: all that came over it."""

    octets: bytearray = field(default_factory=bytearray)
    commands: list[bytes] = field(default_factory=list[bytes])


class _Talk:
    """The other end of one connection."""

    def __init__(self, sink: "RecordingSink", stream: socket.socket) -> None:
        self.sink = sink
        self.stream = stream
        self.record = Connection()
        sink.connections.append(self.record)
        self.buffer = bytearray()
        self.reverse_path = ""
        self.recipients: list[str] = []
        self.chunks = bytearray()

    def _more(self) -> None:
        data = self.stream.recv(65536)
        if not data:
            raise ConnectionError("closed by the client")
        self.record.octets += data
        self.buffer += data

    def _until(self, end: bytes) -> bytes:
        while (at := self.buffer.find(end)) < 0:
            self._more()
        taken = bytes(self.buffer[:at])
        del self.buffer[: at + len(end)]
        return taken

    def _count(self, octets: int) -> bytes:
        while len(self.buffer) < octets:
            self._more()
        taken = bytes(self.buffer[:octets])
        del self.buffer[:octets]
        return taken

    def _say(self, *lines: bytes) -> None:
        self.stream.sendall(b"".join(line + b"\r\n" for line in lines))

    def run(self) -> None:
        """Talk until one side is done."""
        self._say(b"220 sink.test ESMTP")
        while True:
            line = self._until(b"\r\n")
            self.record.commands.append(line)
            if self._command(line):
                return

    def _command(self, line: bytes) -> bool:
        verb = line[:4].upper()
        if (instead := self.sink.answer(line)) is not None and verb != b"BDAT":
            self._say(instead)
            return instead.startswith(b"421")
        handlers: dict[bytes, Callable[[bytes], None]] = {
            b"EHLO": self._ehlo,
            b"MAIL": self._mail,
            b"RCPT": self._rcpt,
            b"DATA": self._data,
            b"BDAT": self._bdat,
            b"RSET": self._reset,
        }
        if verb == b"QUIT":
            self._say(b"221 2.0.0 bye")
            return True
        handlers.get(verb, lambda _: self._say(b"250 2.0.0 ok"))(line)
        return False

    def _ehlo(self, _: bytes) -> None:
        offered = [b"sink.test", *self.sink.extensions]
        self._say(*(b"250-" + name for name in offered[:-1]), b"250 " + offered[-1])

    def _reset(self, _: bytes) -> None:
        self._forget()
        self._say(b"250 2.0.0 ok")

    def _forget(self) -> None:
        self.reverse_path, self.recipients = "", []
        self.chunks = bytearray()

    @staticmethod
    def _path(line: bytes) -> str:
        return line[line.index(b"<") + 1 : line.rindex(b">")].decode()

    def _mail(self, line: bytes) -> None:
        self._forget()
        self.reverse_path = self._path(line)
        self._say(b"250 2.1.0 ok")

    def _rcpt(self, line: bytes) -> None:
        self.recipients.append(self._path(line))
        self._say(b"250 2.1.5 ok")

    def _data(self, _: bytes) -> None:
        if not self.recipients:
            self._say(b"554 5.5.1 no valid recipients")
            return
        self._say(b"354 go on")
        wire = b"\r\n"  # so that an empty message ends as any other
        self.buffer[:0] = wire
        wire = self._until(b"\r\n.\r\n")[2:]
        self._take(wire + b"\r\n" if wire else b"", stuffed=True)

    def _bdat(self, line: bytes) -> None:
        matched = _BDAT.fullmatch(line)
        assert matched, line
        self.chunks += self._count(int(matched[1]))
        if not self.recipients:
            self._say(b"503 5.5.1 no valid recipients")
            return
        if matched[2]:
            self._take(bytes(self.chunks), stuffed=False)
        else:
            self._say(b"250 2.0.0 chunk")

    def _take(self, wire: bytes, *, stuffed: bool) -> None:
        instead = self.sink.answer(b".")
        if instead is None:
            self.sink.messages.append(
                Received(self.reverse_path, list(self.recipients), wire, stuffed)
            )
        self._forget()
        self._say(instead or b"250 2.0.0 taken")


class RecordingSink(Listening):
    """Listens from `__enter__` to `__exit__`.

    Args:
        address: Where.
        port: 0 is any.
        extensions: Offered after EHLO.
        answer: What to reply instead of taking a command (``b"."`` is the end of
            content); None for all that is to be taken.

    """

    def __init__(
        self,
        address: str = "127.0.0.1",
        port: int = 0,
        *,
        extensions: tuple[bytes, ...] = (b"PIPELINING", b"8BITMIME"),
        answer: Answer = lambda _: None,
    ) -> None:
        super().__init__(address, port)
        self.extensions = extensions
        self.answer = answer
        self.messages: list[Received] = []
        self.connections: list[Connection] = []

    def octets(self) -> bytes:
        """All that ever came, connection after connection."""
        return b"".join(bytes(each.octets) for each in self.connections)

    def bare_newlines(self) -> list[bytes]:
        """Where a CR or LF stood alone on the wire, with what is around it."""
        return [
            bytes(each.octets[max(0, found.start() - 20) : found.end() + 20])
            for each in self.connections
            for found in _BARE_NEWLINE.finditer(each.octets)
        ]

    def wait_for_messages(self, count: int, seconds: float = 10.0) -> list[Received]:
        """Wait until so many messages have come."""
        wait_for(
            f"{count} messages at the sink (has {len(self.messages)})",
            lambda: len(self.messages) >= count,
            seconds,
        )
        return self.messages

    def wait_for_content(self, part: bytes, seconds: float = 10.0) -> Received:
        """Wait for the message that holds `part`."""

        def look() -> Received | None:
            found = [each for each in self.messages if part in each.content]
            return found[0] if found else None

        return wait_for(f"{part!r} at the sink", look, seconds)

    def talk(self, stream: socket.socket) -> None:
        """Take what comes; no STARTTLS is offered."""
        _Talk(self, stream).run()
