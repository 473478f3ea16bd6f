"""A next host that misbehaves, one fault a connection, and keeps a ledger.

A fault strikes at one *point* of a transaction, before that point is answered, and the
connection is lost to it; up to three messages are taken on it before. What the ledger
says of a message is what the host itself could prove: how many copies of its whole
content came, and how many of them were answered 250 while the other side listened.
"""

import contextlib
import random
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from peers.listening import Listening

_SUBJECT = re.compile(rb"(?m)^Subject: (\S+)\r$")
_PIECE = b"x" * 65_536
_ENDLESS_PIECES = 1024
_OFFERS: Sequence[tuple[bytes, ...]] = (
    (),
    (b"PIPELINING",),
    (b"PIPELINING", b"CHUNKING", b"8BITMIME"),
)


class Point(Enum):
    """Before what a fault strikes."""

    GREETING = auto()
    EHLO = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    CONTENT = auto()
    """Some of the content has come."""
    DOT = auto()
    """All of it has come."""


class Struck(Exception):  # noqa: N818 - the end of a connection, by plan
    """The fault has happened."""


Action = Callable[["_Talk"], None]


@dataclass(frozen=True)
class Fault:
    """What happens, and where."""

    name: str
    point: Point
    act: Action


def hang(talk: "_Talk") -> None:
    """Say nothing more, until the other side goes."""
    talk.wait_until_left()


def reset(talk: "_Talk") -> None:
    """End the connection as a crash does: RST."""
    linger = struct.pack("ii", 1, 0)
    talk.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def close(talk: "_Talk") -> None:
    """Hang up without a word."""
    del talk


def says(octets: bytes) -> Action:
    """Say this, and nothing more."""

    def act(talk: "_Talk") -> None:
        talk.stream.sendall(octets)
        talk.wait_until_left()

    return act


def says_endlessly(piece: bytes) -> Action:
    """Say this until nobody listens."""

    def act(talk: "_Talk") -> None:
        try:
            for _ in range(_ENDLESS_PIECES):
                talk.host.poured += talk.stream.send(piece)
        finally:
            talk.host.pours.append(talk.host.poured)
            talk.host.poured = 0

    return act


def late(octets: bytes, seconds: float) -> Action:
    """Answer when nobody waits for it any more."""

    def act(talk: "_Talk") -> None:
        time.sleep(seconds)
        talk.stream.sendall(octets)
        talk.wait_until_left()

    return act


@dataclass
class Ledger:
    """What the host could prove; by the word in ``Subject``."""

    copies: Counter[str] = field(default_factory=Counter[str])
    """Whole contents that came."""
    answered: Counter[str] = field(default_factory=Counter[str])
    """Those of them that were answered 250, in time."""
    moments: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    """When each copy was whole (monotonic)."""
    struck: Counter[str] = field(default_factory=Counter[str])
    """How often each fault happened."""
    after_the_dot: int = 0
    """Copies that came whole and were not answered in time."""


class _Talk:
    """The host's end of one connection."""

    def __init__(
        self, host: "HostileHost", stream: socket.socket, fault: Fault | None
    ) -> None:
        self.host = host
        self.stream = stream
        self._fault = fault
        self._spared = 0
        if fault is not None and fault.point not in (Point.GREETING, Point.EHLO):
            self._spared = random.randrange(4)
        # With CHUNKING there is no answer between RCPT and the final one.
        by_data = fault is not None and fault.point is Point.DATA
        offers = _OFFERS[:2] if by_data else _OFFERS
        self._offers = random.choice(offers)
        self._buffer = bytearray()
        self._content = bytearray()
        self._recipients = 0

    def wait_until_left(self) -> None:
        """Read, and forget, until the other side closes."""
        while self.stream.recv(65536):
            pass

    def run(self) -> None:
        """Talk until one side is done, or the fault has happened."""
        self._at(Point.GREETING)
        self._say(b"220 hostile.test ESMTP")
        while True:
            line = self._until(b"\r\n")
            verb = line[:4].upper()
            if verb == b"QUIT":
                self._say(b"221 2.0.0 bye")
                return
            self._command(verb, line)

    def _command(self, verb: bytes, line: bytes) -> None:
        match verb:
            case b"EHLO":
                self._at(Point.EHLO)
                offers = [b"hostile.test", *self._offers]
                self._say(*(b"250-" + one for one in offers), b"250 HELP")
            case b"MAIL":
                self._at(Point.MAIL)
                self._recipients = 0
                self._say(b"250 2.1.0 ok")
            case b"RCPT":
                self._at(Point.RCPT)
                refused = self.host.refuses(line)
                self._recipients += not refused
                self._say(b"550 5.1.1 nobody here" if refused else b"250 2.1.5 ok")
            case b"DATA" if not self._recipients:
                self._say(b"554 5.5.1 no valid recipients")
            case b"DATA":
                self._at(Point.DATA)
                self._say(b"354 go on")
                self._begin_content()
                self._buffer[:0] = b"\r\n"
                self._whole(self._until(b"\r\n.\r\n"))
            case b"BDAT":
                self._bdat(line)
            case _:
                self._say(b"250 2.0.0 ok")

    def _bdat(self, line: bytes) -> None:
        if self._recipients:
            self._begin_content()
        size = int(line.split()[1])
        while len(self._buffer) < size:
            self._more()
        self._content += self._buffer[:size]
        del self._buffer[:size]
        is_last = line.upper().endswith(b"LAST")
        if not self._recipients:
            self._content.clear()
            self._say(b"503 5.5.1 no valid recipients")
        elif not is_last:
            self._say(b"250 2.0.0 chunk")
        else:
            content, self._content = bytes(self._content), bytearray()
            self._whole(content)

    def _begin_content(self) -> None:
        if self._strikes(Point.CONTENT):
            while not self._buffer:
                self._more()
            self._at(Point.CONTENT)

    def _whole(self, content: bytes) -> None:
        found = _SUBJECT.search(content)
        assert found, content[:2000]
        mark, ledger = found[1].decode(), self.host.ledger
        with self.host.lock:
            ledger.copies[mark] += 1
            ledger.moments.setdefault(mark, []).append(time.monotonic())
        if self._strikes(Point.DOT):
            with self.host.lock:
                ledger.after_the_dot += 1
        self._at(Point.DOT)
        self._say(b"250 2.0.0 taken")
        with self.host.lock:
            ledger.answered[mark] += 1
        self._spared -= 1

    def _strikes(self, point: Point) -> bool:
        fault = self._fault
        return fault is not None and fault.point is point and self._spared <= 0

    def _at(self, point: Point) -> None:
        fault = self._fault
        if fault is None or not self._strikes(point):
            return
        with self.host.lock:
            self.host.ledger.struck[fault.name] += 1
        fault.act(self)
        raise Struck

    def _more(self) -> None:
        data = self.stream.recv(65536)
        if not data:
            raise ConnectionError("closed by the client")
        self._buffer += data

    def _until(self, end: bytes) -> bytes:
        while (at := self._buffer.find(end)) < 0:
            self._more()
        taken = bytes(self._buffer[:at])
        del self._buffer[: at + len(end)]
        return taken

    def _say(self, *lines: bytes) -> None:
        self.stream.sendall(b"".join(line + b"\r\n" for line in lines))


class HostileHost(Listening):
    """Listens from `__enter__` to `__exit__`; `become_well` ends the faults.

    Args:
        faults: One for each connection.
        refuses: RCPT lines that it answers 550.
        port: 0 is any.

    Attributes:
        ledger: What it could prove.
        pours: Octets that each endless answer got rid of.

    """

    def __init__(
        self,
        faults: Sequence[Fault],
        refuses: Callable[[bytes], bool] = lambda _: False,
        port: int = 0,
    ) -> None:
        super().__init__(port=port)
        self.refuses = refuses
        self.ledger = Ledger()
        self.lock = threading.Lock()
        self.poured = 0
        self.pours: list[int] = []
        self._faults = faults
        self._well = False

    def become_well(self) -> None:
        """From the next connection on there is no fault."""
        self._well = True

    def has_struck(self, times: int) -> bool:
        """Whether each fault has happened so often."""
        with self.lock:
            return all(self.ledger.struck[one.name] >= times for one in self._faults)

    def _fault(self) -> Fault | None:
        if self._well or not self._faults:
            return None
        # Of those that have happened least: some points are reached seldom.
        with self.lock:
            return min(self._faults, key=lambda one: self.ledger.struck[one.name])

    def talk(self, stream: socket.socket) -> None:
        """Take mail until the connection's fault strikes."""
        with contextlib.suppress(Struck):
            _Talk(self, stream, self._fault()).run()


class FullBacklog:
    """A port that answers no SYN: its queue of connections is full.

    It is a host behind a firewall that drops, or one that hangs so early that nobody
    accepts. `HostileHost` cannot be that one: a kernel accepts for it.
    """

    def __init__(self) -> None:
        self._listening = socket.socket()
        self._listening.bind(("127.0.0.1", 0))
        self._listening.listen(0)
        self.address: tuple[str, int] = self._listening.getsockname()
        self._fillers: list[socket.socket] = []
        while True:
            filler = socket.socket()
            filler.settimeout(0.2)
            self._fillers.append(filler)
            try:
                filler.connect(self.address)
            except TimeoutError:
                break

    def close(self) -> None:
        """Free the port."""
        for one in (*self._fillers, self._listening):
            one.close()
