"""What was said, in order, for whoever doubts the verdict.

A transcript is bounded: past `MAX_OCTETS` it says that more came. A secret that was
named by `hide` (and its base64) never stands in it.
"""

from base64 import b64encode
from dataclasses import dataclass, field
from enum import Enum

MAX_OCTETS = 64 * 1024
MAX_LINE_OCTETS = 1000
HIDDEN = b"(hidden)"
PRINTABLE = range(0x20, 0x7F)


class Direction(Enum):
    """Who said it; the value is how it is shown."""

    OURS = "C"
    THEIRS = "S"
    NOTE = "#"


@dataclass(frozen=True, slots=True)
class Line:
    """One line, without its line end where that was CRLF.

    Attributes:
        who: Who said it.
        text: Printable ASCII; other octets are shown in hexadecimal.

    """

    who: Direction
    text: str


@dataclass(slots=True)
class Transcript:
    """The lines of one probe."""

    lines: list[Line] = field(default_factory=list[Line])
    _secrets: list[bytes] = field(default_factory=list[bytes])
    _octets: int = 0

    def hide(self, secret: str | bytes) -> None:
        """Never show this, nor its base64; for a token that is sent as it is built."""
        octets = secret.encode() if isinstance(secret, str) else secret
        if octets:
            self._secrets += [octets, b64encode(octets).rstrip(b"=")]

    def note(self, text: str) -> None:
        """Write down what no octet shows."""
        self._append(Direction.NOTE, text)

    def add(self, who: Direction, octets: bytes) -> None:
        """Write down octets as they went or came."""
        for secret in self._secrets:
            octets = octets.replace(secret, HIDDEN)
        pieces = octets.split(b"\r\n")
        if pieces[-1] == b"":
            pieces.pop()
        else:
            pieces[-1] += b" (no CRLF)" if who is Direction.OURS else b""
        for piece in pieces:
            self._append(who, _shown(piece))

    def _append(self, who: Direction, text: str) -> None:
        if self._octets > MAX_OCTETS:
            return
        self._octets += len(text)
        if self._octets > MAX_OCTETS:
            who, text = Direction.NOTE, "more was said; the transcript ends here"
        self.lines.append(Line(who, text))


def _shown(octets: bytes) -> str:
    cut = octets[:MAX_LINE_OCTETS]
    text = "".join(
        chr(octet) if octet in PRINTABLE else f"\\x{octet:02x}" for octet in cut
    )
    left = len(octets) - len(cut)
    return f"{text} … {left} octets more" if left else text
