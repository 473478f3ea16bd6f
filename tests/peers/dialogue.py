"""A client that says exactly the octets it is told to, and reads whole replies."""

import base64
import contextlib
import re
import socket
import ssl
from types import TracebackType
from typing import Self

_REPLY = re.compile(rb"(?:[0-9]{3}-[^\r\n]*\r\n)*[0-9]{3}(?: [^\r\n]*)?\r\n")


class ClosedError(AssertionError):
    """The server closed where a reply was wanted."""


def encoded(*parts: str | bytes) -> bytes:
    r"""Give the parts, joined by NUL, in base64."""
    raw = [part.encode() if isinstance(part, str) else part for part in parts]
    return base64.b64encode(b"\0".join(raw))


class Reply(bytes):
    """A whole reply, all its lines, as it came."""

    @property
    def code(self) -> int:
        """Three digits."""
        return int(self[:3])

    @property
    def status(self) -> str:
        """Code and enhanced code, such as ``550 5.7.1``."""
        last = self.rstrip(b"\r\n").rsplit(b"\r\n", 1)[-1].decode()
        words = last[4:].split(" ", 1)
        enhanced = words[0] if re.fullmatch(r"[245]\.\d+\.\d+", words[0]) else ""
        return f"{last[:3]} {enhanced}".rstrip()

    @property
    def lines(self) -> list[str]:
        """The texts, one a line."""
        return [line[4:].decode() for line in self.rstrip(b"\r\n").split(b"\r\n")]


class Dialogue:
    """One connection to a server, from its greeting on.

    Args:
        address: The server's.
        port: The server's.
        source: Our own address on loopback.
        greeting: Whether to wait for the 220 at once.

    """

    def __init__(
        self,
        address: str,
        port: int,
        *,
        source: str = "127.0.0.1",
        greeting: bool = True,
        seconds: float = 10.0,
    ) -> None:
        self.stream: socket.socket | ssl.SSLSocket = socket.create_connection(
            (address, port), timeout=seconds, source_address=(source, 0)
        )
        self.stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.transcript: list[bytes] = []
        self.greeting = Reply()
        if greeting:
            try:
                self.greeting = self.reply()
            except BaseException:
                self.stream.close()
                raise

    def send(self, octets: bytes) -> None:
        """Send octets, whatever they are."""
        self.transcript.append(b"C: " + octets)
        self.stream.sendall(octets)

    def _receive(self) -> bytes:
        try:
            return self.stream.recv(65536)
        except (ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return b""

    def reply(self) -> Reply:
        """Read one whole reply.

        Raises:
            ClosedError: The server closed first.

        """
        while not (found := _REPLY.match(self.buffer)):
            more = self._receive()
            if not more:
                raise ClosedError(
                    f"closed after {self.transcript[-6:]}; {self.buffer!r}"
                )
            self.buffer += more
        self.buffer = self.buffer[found.end() :]
        self.transcript.append(b"S: " + found[0])
        return Reply(found[0])

    def say(self, line: str | bytes) -> Reply:
        """Send one line and read its reply."""
        raw = line.encode() if isinstance(line, str) else line
        self.send(raw + b"\r\n")
        return self.reply()

    def replies_until_closed(self) -> list[Reply]:
        """Read replies until the server closes."""
        replies: list[Reply] = []
        with contextlib.suppress(ClosedError):
            while True:
                replies.append(self.reply())
        return replies

    def replies_until_closed_or_quiet(self, seconds: float = 1.0) -> list[Reply]:
        """Read replies until the server closes or says nothing more."""
        self.stream.settimeout(seconds)
        with contextlib.suppress(TimeoutError):
            while more := self._receive():
                self.buffer += more
        self.stream.settimeout(10)
        found = [Reply(each[0]) for each in _REPLY.finditer(self.buffer)]
        self.buffer = b""
        return found

    def is_closed(self) -> bool:
        """Whether the server closes now, without another word."""
        if self.buffer:
            return False
        return self._receive() == b""

    def ehlo(self, name: str = "stranger.test") -> list[str]:
        """Say EHLO; the keywords of what is offered."""
        answer = self.say(f"EHLO {name}")
        assert answer.code == 250, answer
        return [line.upper() for line in answer.lines[1:]]

    def handshake(self) -> None:
        """Begin TLS now, whatever the server said."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.stream = context.wrap_socket(self.stream)
        self.transcript.append(b"-- TLS")

    def starttls(self, name: str = "stranger.test") -> list[str]:
        """Say EHLO, STARTTLS and EHLO again; what is offered under TLS."""
        self.ehlo(name)
        answer = self.say("STARTTLS")
        assert answer.code == 220, answer
        self.handshake()
        return self.ehlo(name)

    def login(self, user: str, password: str) -> Reply:
        """AUTH PLAIN in one line."""
        return self.say(b"AUTH PLAIN " + encoded("", user, password))

    def close(self) -> None:
        """Close without a word."""
        self.stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            print("\n".join(map(repr, self.transcript)))  # noqa: T201 - pytest shows it with the failure
        self.close()
