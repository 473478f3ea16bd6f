r"""Octets that have come and were not read yet, and the lines in them.

A line ends with CRLF and with nothing else (RFC 5321 §2.3.8). A CR or an LF that
stands alone, and a NUL, are no part of any line: a peer that sends them reads lines
otherwise than we do, and two readings of one stream are what smuggling is made of.

Promise: how the octets were cut into reads makes no difference. Therefore only what
stands within the limit is judged: an octet behind it may not have come yet.
"""

from enum import Enum


class LineFault(Enum):
    """Why there is no line."""

    INCOMPLETE = "incomplete"
    TOO_LONG = "too long"
    BAD_OCTET = "bare CR, bare LF or NUL"


class InputBuffer:
    """Input, read from the front.

    Adding to what is held copies it, so whoever feeds it stops feeding while much
    is held (`held`).

    Attributes:
        data: Octets; those before `start` are read.
        start: Where reading goes on.

    """

    __slots__ = ("data", "start")

    def __init__(self) -> None:
        self.data = b""
        self.start = 0

    @property
    def held(self) -> int:
        """Octets not read yet."""
        return len(self.data) - self.start

    def feed(self, data: bytes) -> None:
        """Add what came."""
        # In the usual case all was read, and nothing is copied.
        rest = self.data[self.start :]
        self.data = rest + data if rest else data
        self.start = 0

    def clear(self) -> None:
        """Throw away what was not read."""
        self.data = b""
        self.start = 0

    def take(self, octets: int) -> bytes:
        """Read at most so many octets."""
        begin = self.start
        self.start = min(begin + octets, len(self.data))
        return self.data[begin : self.start]

    def peek(self, octets: int) -> bytes:
        """Look at the first octets without reading them."""
        return self.data[self.start : self.start + octets]

    def take_line(self, limit: int) -> bytes | LineFault:
        """Read one line.

        Args:
            limit: The most octets a line may have, its CRLF included.

        Returns:
            The line without its CRLF, or why there is none; then nothing is read.

        """
        data, begin = self.data, self.start
        end = data.find(b"\n", begin)
        # The first CR of all stands right before the first LF of all.
        if 0 < end - begin < limit and data.find(b"\r", begin, end) == end - 1:
            line = data[begin : end - 1]
            if b"\0" not in line:
                self.start = end + 1
                return line
        return _fault(data[begin : begin + limit], limit)

    def skip_line(self) -> bool:
        """Throw away the line that stands first, as far as it came.

        Returns:
            Whether its CRLF came.

        """
        end = self.data.find(b"\r\n", self.start)
        if end >= 0:
            self.start = end + 2
            return True
        # A CR at the end may be half of the CRLF that is looked for.
        self.start = len(self.data) - self.data.endswith(b"\r", self.start)
        return False


def _fault(window: bytes, limit: int) -> LineFault:
    """What is wrong with a window that holds no good line."""
    pairs = window.count(b"\r\n")
    # A CR that is the window's last octet may be followed by an LF.
    returns = window.count(b"\r") - window.endswith(b"\r")
    if b"\0" in window or returns != pairs or window.count(b"\n") != pairs:
        return LineFault.BAD_OCTET
    return LineFault.TOO_LONG if len(window) >= limit else LineFault.INCOMPLETE
