"""Which octets and lines a part holds, told in pieces."""

from sekisho.wire.mime_plan import Target

_MAX_LINE_OCTETS = 998
"""Without CRLF (RFC 5322 §2.1.1, RFC 2045 §2.7)."""

_REACH = _MAX_LINE_OCTETS + 2


class LineCheck:
    """Looks at the octets between two offsets, in C-level steps.

    Attributes:
        eight_bit: Whether an octet above 127 was there.
        binary: Whether there was a NUL, or a CR or LF that stands alone.
        long: Whether a line was longer than 998 octets.

    """

    __slots__ = ("_cr", "_line", "binary", "eight_bit", "long")

    def __init__(self) -> None:
        self.eight_bit = False
        self.binary = False
        self.long = False
        self._cr = b""
        self._line = 0

    def take(self, data: bytes) -> None:
        """Look at the next octets."""
        data = self._cr + data
        # It may be half of a line's end.
        self._cr = b"\r" if data.endswith(b"\r") else b""
        data = data[: len(data) - len(self._cr)]
        ends = data.count(b"\r\n")
        self.eight_bit |= not data.isascii()
        self.binary |= (
            data.count(b"\n") != ends or data.count(b"\r") != ends or b"\0" in data
        )
        if not self.long:
            self._measure(data)

    def _measure(self, data: bytes) -> None:
        # From the last line's end within reach to the next: short lines are skipped.
        start, reach = 0, _REACH - self._line
        while len(data) - start > reach:
            end = data.rfind(b"\n", start, start + reach)
            if end < 0:
                self.long = True
                return
            start, reach = end + 1, _REACH
        end = data.rfind(b"\n", start)
        self._line = _REACH - reach + len(data) - start
        if end >= 0:
            self._line = len(data) - end - 1

    def end(self) -> None:
        """Say that no more comes; a line's end follows, or nothing at all."""
        self.binary |= bool(self._cr)
        self.long |= self._line > _MAX_LINE_OCTETS

    def must_change(self, target: Target) -> bool:
        """Whether the next host cannot take it as it is."""
        return self.binary or (self.eight_bit and target is Target.SEVEN_BIT)
