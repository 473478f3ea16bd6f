"""Message ids: time-ordered (UUIDv7, RFC 9562 §5.7), and their short form.

Pure: clock and randomness are arguments.
"""

import re
from functools import lru_cache

import msgspec

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_VALUE = {letter: number for number, letter in enumerate(_ALPHABET)}
_SHORT_LENGTH = 26
_SHORT = re.compile(rf"[{_ALPHABET}]{{{_SHORT_LENGTH}}}")


class MessageId(msgspec.Struct, frozen=True, order=True):
    """The name of a message, the same in log, queue, timeline and ``Received``.

    Attributes:
        value: The UUID's 128 bits; ids made later are larger, to the millisecond.

    """

    value: int

    def __str__(self) -> str:
        """Spell it in 26 characters that sort as the ids do (base 32, Crockford)."""
        return _spelled(self.value)

    @property
    def octets(self) -> bytes:
        """The UUID's 16 octets, as stored."""
        return self.value.to_bytes(16, "big")

    @property
    def unix_milliseconds(self) -> int:
        """When it was made."""
        return self.value >> 80


@lru_cache(maxsize=1024)
def _spelled(value: int) -> str:
    shifts = range(5 * (_SHORT_LENGTH - 2), -1, -10)
    return "".join([_PAIRS[value >> shift & 1023] for shift in shifts])


def new_message_id(unix_seconds: float, random_bits: int) -> MessageId:
    """Make an id.

    Args:
        unix_seconds: Now.
        random_bits: At least 74 random bits.

    """
    milliseconds = int(unix_seconds * 1000) & ((1 << 48) - 1)
    high, low = (random_bits >> 62) & 0xFFF, random_bits & ((1 << 62) - 1)
    return MessageId(milliseconds << 80 | 7 << 76 | high << 64 | 2 << 62 | low)


def parse_message_id(text: str) -> MessageId:
    """Read the short form.

    Raises:
        ValueError: It is none.

    """
    lowered = text.strip().lower()
    if not _SHORT.fullmatch(lowered):
        raise ValueError(f"{text!r} is no message id")
    value = 0
    for letter in lowered:
        value = value << 5 | _VALUE[letter]
    if value >> 128:
        raise ValueError(f"{text!r} is no message id")
    return MessageId(value)
