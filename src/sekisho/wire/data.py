r"""Content as it comes in: DATA with its dots, BDAT with its counts.

RFC 5321 §4.1.1.4 and §4.5.2, RFC 3030.

Promises:

- DATA ends with CRLF.CRLF and with nothing else. Whatever resembles it (LF.LF,
  CR.CR, LF.CRLF, …) is content, and content that breaks a rule.
- A rule that was broken stays broken: the receiver swallows the rest, as answering
  before it would let the rest be read as commands.
- How the octets were cut into reads changes nothing but the cut of the pieces that
  come out. So the fault that is told in the end is the gravest one of all that the
  content holds, and never the one that a read happened to show first.

Dots are taken off lines that begin behind a real CRLF. Where bare newlines are
normalised this comes first: a dot behind a bare LF was not stuffed by the sender, is
content, and is stuffed like any other on its way out.
"""

from dataclasses import dataclass
from enum import IntEnum

from sekisho.model.rules import BareNewline
from sekisho.wire.lines import InputBuffer

PIECE_BYTES = 64 * 1024
"""The longest piece that comes out: a read may bring three times as much at once."""
_END = b"\r\n.\r\n"
_BLANK_LINE = b"\r\n\r\n"


class ContentFault(IntEnum):
    """Which rule content broke; the graver one wins."""

    NONE = 0
    TOO_BIG = 1
    HEADER_TOO_BIG = 2
    LINE_TOO_LONG = 3
    BARE_NEWLINE = 4


@dataclass(frozen=True, slots=True)
class ContentRules:
    """What content must keep to.

    Attributes:
        max_message_bytes: Octets as they come out of the receiver.
        max_header_bytes: Octets up to the first blank line, that one included.
        max_text_line_bytes: Octets of one line, CRLF included.
        bare_newline: What becomes of a CR or an LF that stands alone.

    """

    max_message_bytes: int
    max_header_bytes: int
    max_text_line_bytes: int
    bare_newline: BareNewline


class ContentCheck:
    """Keeps the rules over pieces that are not cut within a CRLF.

    Attributes:
        size: Octets so far.
        fault: The gravest so far.

    """

    __slots__ = ("_binary", "_line_octets", "_rules", "_tail", "fault", "size")

    def __init__(self, rules: ContentRules, *, binary: bool) -> None:
        """Begin; binary content (RFC 3030 §3) has no lines that could break rules."""
        self._rules = rules
        self._binary = binary
        self.size = 0
        self.fault = ContentFault.NONE
        # The last octets of the header so far; empty once it is over. What the first
        # line follows counts as a line end: content may begin with the blank line.
        self._tail = b"\r\n"
        self._line_octets = 0

    def take(self, piece: bytes) -> bytes:
        """Judge a piece, and normalise it where that is the rule."""
        if not self._binary:
            piece = self._newlines(piece)
        self.size += len(piece)
        if self.size > self._rules.max_message_bytes:
            self.blame(ContentFault.TOO_BIG)
        if self._tail:
            self._measure_header(piece)
        if not self._binary and self.fault < ContentFault.LINE_TOO_LONG:
            self._measure_lines(piece)
        return piece

    def blame(self, fault: ContentFault) -> None:
        """Note a fault, unless a graver one is known."""
        self.fault = max(self.fault, fault)

    def _newlines(self, piece: bytes) -> bytes:
        # Far cheaper than to count single octets.
        rest = b"".join(piece.split(b"\r\n"))
        bare = b"\n" in rest or b"\r" in rest
        if b"\0" in rest or (
            bare and self._rules.bare_newline is not BareNewline.NORMALISE
        ):
            self.fault = ContentFault.BARE_NEWLINE
            return piece
        if not bare:
            return piece
        unix = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return unix.replace(b"\n", b"\r\n")

    def _measure_header(self, piece: bytes) -> None:
        window = self._tail + piece
        end = window.find(_BLANK_LINE)
        if end >= 0:
            header = self.size - len(window) + end + len(_BLANK_LINE)
            self._tail = b""
        else:
            header = self.size
            self._tail = window[-3:]
        if header > self._rules.max_header_bytes:
            self.blame(ContentFault.HEADER_TOO_BIG)

    def _measure_lines(self, piece: bytes) -> None:
        # Jumps from one limit's length to the next: no line is looked at that is not
        # the last one to begin within it.
        start, room = 0, self._rules.max_text_line_bytes - self._line_octets
        while len(piece) - start >= room:
            start = piece.rfind(b"\n", start, start + room) + 1
            if not start:
                self.blame(ContentFault.LINE_TOO_LONG)
                return
            room = self._rules.max_text_line_bytes
        last = piece.rfind(b"\n")
        self._line_octets = (
            len(piece) - last - 1 + (self._line_octets if last < 0 else 0)
        )


class DataReceiver:
    """Content behind DATA.

    Attributes:
        check: Size and fault.
        finished: Whether the final dot came.

    """

    __slots__ = ("_line_start", "check", "finished")

    def __init__(self, rules: ContentRules) -> None:
        self.check = ContentCheck(rules, binary=False)
        self.finished = False
        self._line_start = True

    def receive(self, source: InputBuffer) -> bytes:
        """Read what is there, up to the final dot, and take the dots off.

        Returns:
            The next piece of content, of at most `PIECE_BYTES`; empty where too little
            came.

        """
        data, start = source.data, source.start
        until = min(len(data), start + PIECE_BYTES)
        if self._line_start and data.startswith(b".\r\n", start):
            self.finished = True
            source.start = start + 3
            return b""
        # The first dot of all is in the usual case the final one.
        dot = data.find(_END[:3], start, until)
        end = data.find(_END, dot, until) if dot >= 0 else -1
        if end >= 0:
            self.finished = True
            source.start = end + len(_END)
            piece = data[start : end + 2]
        else:
            source.start = until - self._held_back(data, start, until)
            piece = data[start : source.start]
        return self._unstuffed(piece, dotted=dot != end) if piece else b""

    def _held_back(self, data: bytes, start: int, until: int) -> int:
        """How many of the last octets may be the beginning of the final dot."""
        if self._line_start and data[start : start + 3] in (b".", b".\r"):
            return until - start
        if data.endswith(_END[:-1], start, until):
            return 2
        return int(data.endswith((b"\r", b"\r\n."), start, until))

    def _unstuffed(self, piece: bytes, *, dotted: bool) -> bytes:
        """Take the dots off: the one it begins with, and others where there are any."""
        begins = self._line_start and piece.startswith(b".")
        self._line_start = piece.endswith(b"\r\n")
        if begins:
            piece = piece[1:]
        if dotted:
            piece = piece.replace(b"\r\n.", b"\r\n")
        return self.check.take(piece)


class ChunkReceiver:
    """Content behind one or more BDAT.

    Attributes:
        check: Size and fault.
        finished: Whether all octets of the last chunk came.

    """

    __slots__ = ("_announced", "_binary", "_carry", "_last", "_rules", "check", "left")

    def __init__(self, rules: ContentRules, *, binary: bool) -> None:
        self.check = ContentCheck(rules, binary=binary)
        self._rules = rules
        self._binary = binary
        self._announced = 0
        self._last = False
        self._carry = b""
        self.left = 0

    @property
    def finished(self) -> bool:
        """Whether the content is whole."""
        return self._last and not self.left

    def begin(self, octets: int, *, last: bool) -> None:
        """Begin a chunk."""
        self.left = octets
        self._last = last
        self._announced += octets
        if self._announced > self._rules.max_message_bytes:
            self.check.blame(ContentFault.TOO_BIG)

    def receive(self, source: InputBuffer) -> bytes:
        """Read what is there, up to the chunk's end.

        Returns:
            The next piece of content, of at most `PIECE_BYTES`; empty where too little
            came.

        """
        piece = source.take(min(self.left, PIECE_BYTES))
        self.left -= len(piece)
        if self._carry:
            piece = self._carry + piece
            self._carry = b""
        # A CRLF may be split between reads, and between chunks.
        if piece.endswith(b"\r") and not self._binary and not self.finished:
            self._carry = b"\r"
            piece = piece[:-1]
        return self.check.take(piece) if piece else b""
