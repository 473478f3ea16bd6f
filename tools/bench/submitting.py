"""The load of submission: clients that sign in under TLS, all in one process.

As a program, ``submitting.py PORT SESSIONS MESSAGES KEPT CERTIFICATE`` prints when it
began (the system's monotonic clock) and ends when all is acknowledged. Every connection
is EHLO, STARTTLS with a full handshake and a verified certificate, EHLO, AUTH PLAIN; no
pipelining, as smtp-source does none.

What the load costs is taken from the same cores as the servers. So there is one loop
for all sessions, every octet is prepared, and a reply is looked at where it ends.
"""

import base64
import select
import socket
import ssl
import sys
import time
from collections import deque
from collections.abc import Generator, Iterator
from pathlib import Path

from bench.clients import PASSWORD, RECIPIENT, USER, content, trusting

_READ = 16_384
_AT_MOST_SECONDS = 60.0
"""Without any octet from the server."""

Step = tuple[bytes, bytes]
"""What is said, and how the reply to it begins."""

_PAPERS = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode())
_HELLO: Step = (b"EHLO client.test\r\n", b"250")
_IN_PLAIN: tuple[Step, ...] = ((b"", b"220"), _HELLO, (b"STARTTLS\r\n", b"220"))
_SIGN_IN: tuple[Step, ...] = (_HELLO, (b"AUTH PLAIN " + _PAPERS + b"\r\n", b"235"))
_MAIL: tuple[Step, ...] = (
    (f"MAIL FROM:<{USER}>\r\n".encode(), b"250"),
    (f"RCPT TO:<{RECIPIENT}>\r\n".encode(), b"25"),
    (b"DATA\r\n", b"354"),
    (content(USER), b"250"),
)
_QUIT: tuple[Step, ...] = ((b"QUIT\r\n", b"221"),)


class _Connection:
    """One connection; `go_on` when there is something to read.

    Attributes:
        stream: Its socket.

    """

    def __init__(self, port: int, trust: ssl.SSLContext, messages: int) -> None:
        self.stream = socket.create_connection(("127.0.0.1", port), _AT_MOST_SECONDS)
        self.stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream.settimeout(0)
        self._trust = trust
        self._way = self._walk(messages)
        next(self._way)

    def go_on(self) -> bool:
        """Take what came; whether the connection goes on."""
        return next(self._way, False)

    def _walk(self, messages: int) -> Generator[bool, None, None]:
        """All that is said; stops where something has to come."""
        stream = self.stream
        for said, wanted in _IN_PLAIN:
            if said:
                stream.sendall(said)
            reply = b""
            while not _is_whole(reply):
                yield True
                reply += _came(stream)
            _must(reply, wanted, said)
        came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._trust.wrap_bio(came, goes, server_hostname="127.0.0.1")
        while not _shook_hands(tls):
            stream.sendall(goes.read())
            yield True
            came.write(_came(stream))
        for said, wanted in _steps(messages):
            tls.write(said)
            stream.sendall(goes.read())
            reply = b""
            while not _is_whole(reply):
                yield True
                came.write(_came(stream))
                reply += _read(tls)
            _must(reply, wanted, said)
        stream.close()


def _steps(messages: int) -> Iterator[Step]:
    yield from _SIGN_IN
    for _ in range(messages):
        yield from _MAIL
    yield from _QUIT


def _came(stream: socket.socket) -> bytes:
    octets = stream.recv(_READ)
    if not octets:
        raise ConnectionError("closed before all was said")
    return octets


def _shook_hands(tls: ssl.SSLObject) -> bool:
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def _read(tls: ssl.SSLObject) -> bytes:
    try:
        return tls.read(_READ)
    except ssl.SSLWantReadError:
        return b""  # A session ticket, or a part of a record.


def _is_whole(reply: bytes) -> bool:
    """Whether its last line has come: digits, a space, and a newline at the end."""
    last = reply.rfind(b"\n", 0, -1) + 1
    return reply.endswith(b"\n") and reply[last + 3 : last + 4] == b" "


def _must(reply: bytes, wanted: bytes, said: bytes) -> None:
    if not reply.startswith(wanted):
        raise ConnectionError(f"{said[:40]!r} was answered {reply!r}")


def submit(port: int, sessions: int, shares: deque[int], trust: ssl.SSLContext) -> None:
    """So many connections at once, until all shares of messages are acknowledged."""
    poll = select.epoll()
    there: dict[int, _Connection] = {}

    def begin() -> None:
        connection = _Connection(port, trust, shares.popleft())
        there[connection.stream.fileno()] = connection
        poll.register(connection.stream.fileno(), select.EPOLLIN)

    for _ in range(min(sessions, len(shares))):
        begin()
    while there:
        ready = poll.poll(_AT_MOST_SECONDS)
        if not ready:
            raise TimeoutError(f"{len(there)} sessions wait for a reply")
        for descriptor, _ in ready:
            if not there[descriptor].go_on():
                del there[descriptor]  # Closed, so it is polled no more.
                if shares:
                    begin()


def shares_of(messages: int, sessions: int, *, kept: bool) -> deque[int]:
    """How many messages each connection carries."""
    if not kept:
        return deque([1] * messages)
    each, more = divmod(messages, sessions)
    return deque(each + (number < more) for number in range(sessions))


def main() -> None:
    """Submit, as the arguments tell."""
    port, sessions, messages, kept = map(int, sys.argv[1:5])
    trust = trusting(Path(sys.argv[5]))
    print(time.monotonic(), flush=True)
    submit(port, sessions, shares_of(messages, sessions, kept=bool(kept)), trust)


if __name__ == "__main__":
    main()
