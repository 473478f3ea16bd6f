"""Quoted-printable and base64, in pieces (RFC 2045 §6.7 and §6.8).

Promises:

- Decoding gives the very octets back: a CR or LF that stands alone, a NUL and blanks
  at a line's end are encoded, so nothing on the way has to guess about them.
- What comes out is ASCII in lines of at most 76 octets, and does not depend on how the
  octets were cut into pieces: a first pass can measure what a second one sends.
- No more than a line, cut at `_CUT_OCTETS`, is held back.

`binascii.b2a_qp` is given one line at a time and in binary mode. In text mode it would
take a lone CR or LF for a line's end, and write what the line's end of the whole is by
the first one that it sees.
"""

from binascii import b2a_base64, b2a_qp
from enum import Enum
from typing import Protocol

_CUT_OCTETS = 4096
"""Longer lines of quoted-printable are encoded in steps, with a soft break between."""

_QUOTED_LINE = 76
_BASE64_LINE = 76
_BASE64_GROUP = 57
"""Octets that make one line of 76."""


class Coding(Enum):
    """A Content-Transfer-Encoding that makes 7-bit lines of anything."""

    QUOTED_PRINTABLE = "quoted-printable"
    BASE64 = "base64"


class Encoder(Protocol):
    """Encodes the body of one part."""

    def piece(self, data: bytes) -> bytes:
        """Encode more of it."""
        ...

    def end(self, *, of_content: bool) -> bytes:
        """Give what is left.

        Args:
            of_content: Whether nothing follows in the message, so that its last line
                must be ended here. Else the line's end before the next boundary does.

        """
        ...


class QuotedPrintable:
    """For text: lines stay lines."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def piece(self, data: bytes) -> bytes:
        """Encode what is whole lines, and of a long open line what is whole steps."""
        *lines, last = (self._rest + data).split(b"\r\n")
        # A CR at the end may be half of a line's end.
        cuts = (len(last) - last.endswith(b"\r") - 1) // _CUT_OCTETS
        cut = max(cuts, 0) * _CUT_OCTETS
        self._rest = last[cut:]
        done = [_stepwise(line) + b"\r\n" for line in lines]
        if cut:
            done.append(_broken(_stepwise(last[:cut])))
        return b"".join(done)

    def end(self, *, of_content: bool) -> bytes:
        """Encode the open line; a soft break ends it without adding to it."""
        last = _stepwise(self._rest)
        self._rest = b""
        return _broken(last) if of_content and last else last


def _stepwise(line: bytes) -> bytes:
    if len(line) <= _CUT_OCTETS:
        return _encoded(line)
    steps = range(0, len(line), _CUT_OCTETS)
    *before, last = (_encoded(line[at : at + _CUT_OCTETS]) for at in steps)
    return b"".join([*map(_broken, before), last])


def _broken(text: bytes) -> bytes:
    """End it with a soft break, which has to fit into the last line too."""
    _, _, line = text.rpartition(b"\r\n")
    if len(line) < _QUOTED_LINE:
        return text + b"=\r\n"
    last = 3 if text[-3:-2] == b"=" else 1
    return text[:-last] + b"=\r\n" + text[-last:] + b"=\r\n"


def _encoded(data: bytes) -> bytes:
    # Its soft breaks end with LF alone; no other LF can come out.
    return b2a_qp(data, istext=False).replace(b"\n", b"\r\n")


class Base64:
    """For all that is not text."""

    __slots__ = ("_begun", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._begun = False

    def piece(self, data: bytes) -> bytes:
        """Encode what fills lines."""
        data = self._rest + data
        whole = len(data) - len(data) % _BASE64_GROUP
        self._rest = data[whole:]
        return self._lines(data[:whole])

    def end(self, *, of_content: bool) -> bytes:
        """Encode the last, short line."""
        last = self._lines(self._rest)
        self._rest = b""
        return last + b"\r\n" if of_content else last

    def _lines(self, data: bytes) -> bytes:
        if not data:
            return b""
        text = b2a_base64(data, newline=False)
        starts = range(0, len(text), _BASE64_LINE)
        lines = b"\r\n".join([text[at : at + _BASE64_LINE] for at in starts])
        begun, self._begun = self._begun, True
        return b"\r\n" + lines if begun else lines


def encoder(coding: Coding) -> Encoder:
    """Make the one for a coding."""
    return QuotedPrintable() if coding is Coding.QUOTED_PRINTABLE else Base64()
