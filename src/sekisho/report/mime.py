"""MIME as far as reports need it: parts, their encodings, one multipart around them.

RFC 2045 §6, RFC 2046 §5.1, RFC 2047. Octets in, octets out, every line ended by CRLF.
"""

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import count

_UNFIT_FOR_LINES = re.compile(rb"[^\r\n]{999}|\r(?!\n)|(?<!\r)\n|\0")
_ENCODED_WORD_OCTETS = 42
"""Octets of text in one encoded-word, which has 75 characters (RFC 2047 §2)."""
_BASE64_LINE_OCTETS = 57
"""Octets of data in a base64 line of 76 characters (RFC 2045 §6.8)."""


class Encoding(Enum):
    """Content-Transfer-Encoding (RFC 2045 §6)."""

    SEVEN_BIT = "7bit"
    EIGHT_BIT = "8bit"
    BASE64 = "base64"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart.

    Attributes:
        media_type: With its parameters.
        encoding: How `octets` are encoded.
        octets: As they stand on the wire.

    """

    media_type: str
    encoding: Encoding
    octets: bytes


def fits_lines(data: bytes) -> bool:
    """Whether the octets can go as 7bit or 8bit: lines of at most 998, CRLF, no NUL."""
    return _UNFIT_FOR_LINES.search(data) is None


def encoded_part(media_type: str, data: bytes) -> Part:
    """Make a part of 7-bit lines, through base64 where the data is something else."""
    if data.isascii() and fits_lines(data):
        return Part(media_type, Encoding.SEVEN_BIT, data)
    return Part(media_type, Encoding.BASE64, b"\r\n".join(_base64_lines(data)))


def multipart(parts: Sequence[Part], random_bits: int) -> tuple[str, bytes, bytes]:
    """Join parts.

    Args:
        parts: In order.
        random_bits: At least 128 random bits. They make a boundary that whoever wrote
            a part could not foresee; that it stands in none is looked up all the same.

    Returns:
        The boundary, all up to the last part's header, and the rest.

    """
    boundary = next(
        candidate
        for candidate in _boundaries(random_bits)
        if not any(candidate.encode() in part.octets for part in parts)
    )
    *before, last = (
        (
            f"--{boundary}\r\nContent-Type: {part.media_type}\r\n"
            f"Content-Transfer-Encoding: {part.encoding.value}\r\n\r\n"
        ).encode()
        + part.octets
        + b"\r\n"
        for part in parts
    )
    return boundary, b"".join(before), last + f"--{boundary}--\r\n".encode()


def header_text(text: str) -> str:
    """Write words for an unstructured field, folded (RFC 2047 §5 (1))."""
    if text.isascii():
        return text
    words = (b64encode(piece.encode()).decode() for piece in _pieces(text))
    return "\r\n ".join(f"=?utf-8?B?{word}?=" for word in words)


def _boundaries(random_bits: int) -> Iterator[str]:
    # "=_" stands in no base64 and no quoted-printable (RFC 2045 §6.7).
    return (f"=_{random_bits + salt:032x}" for salt in count())


def _base64_lines(data: bytes) -> Iterator[bytes]:
    step = _BASE64_LINE_OCTETS
    return (b64encode(data[at : at + step]) for at in range(0, len(data), step))


def _pieces(text: str) -> Iterator[str]:
    """Cut text where an encoded-word is full; never within a character (§5 (3))."""
    piece, octets = "", 0
    for letter in text:
        octets += len(letter.encode())
        if octets > _ENCODED_WORD_OCTETS:
            yield piece
            piece, octets = "", len(letter.encode())
        piece += letter
    yield piece
