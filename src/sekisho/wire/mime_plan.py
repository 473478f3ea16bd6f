"""What a conversion is made of: what it aims at, what it changes, why it is refused."""

from dataclasses import dataclass
from enum import Enum

from sekisho.wire.mime_coding import Coding


class Target(Enum):
    """What the next host takes."""

    SEVEN_BIT = "7bit"
    """No octet above 127, and lines (RFC 2045 §2.7)."""
    EIGHT_BIT = "8bit"
    """Any octet but NUL, and lines (RFC 2045 §2.8): 8BITMIME without BINARYMIME."""


class Refusal(Enum):
    """Why a message cannot be converted; the value says it in words."""

    SIGNED = "a signed or encrypted part would be changed"
    HEADER = "a header field holds octets above 127"
    UNCLEAR = "its MIME structure cannot be told exactly"


@dataclass(frozen=True, slots=True)
class Edit:
    """One change.

    Attributes:
        start: Offset in the content of the first octet that goes.
        end: Offset behind the last; `start` where something is only put in.
        becomes: What stands there instead, or how the octets are encoded.

    """

    start: int
    end: int
    becomes: bytes | Coding


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes, by offset and apart from each other; the rest is copied.

    Attributes:
        size: Octets of the content as it is.
        edits: See `Edit`; no more than a few for each part.

    """

    size: int
    edits: tuple[Edit, ...] = ()
