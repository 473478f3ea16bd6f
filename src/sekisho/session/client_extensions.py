"""What the next host offers: the answer to EHLO or LHLO (RFC 5321 §4.1.1.1)."""

from dataclasses import dataclass

from sekisho.model.reply import Reply

_LARGEST = 10**18
"""Announced numbers above it mean no bound; 20 digits are RFC 1870's limit."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The offer, parsed once.

    Attributes:
        keywords: Upper case, without parameters.
        mechanisms: Of AUTH, upper case.
        max_bytes: SIZE (RFC 1870), 0 where no bound was named.
        max_recipients: LIMITS RCPTMAX (RFC 9422), 0 where none.
        max_messages: LIMITS MAILMAX, 0 where none.

    """

    keywords: frozenset[str] = frozenset()
    mechanisms: frozenset[str] = frozenset()
    max_bytes: int = 0
    max_recipients: int = 0
    max_messages: int = 0


NO_CAPABILITIES = Capabilities()
"""After HELO."""


def parse_capabilities(reply: Reply) -> Capabilities:
    """Read a positive answer to EHLO; what cannot be read is not offered.

    The first line is the greeting, not an offer.
    """
    offers: dict[str, list[str]] = {}
    for line in reply.lines[1:]:
        # "AUTH=LOGIN" is how servers older than RFC 2554 spell it.
        words = line.upper().replace("AUTH=", "AUTH ", 1).split()
        if words:
            offers.setdefault(words[0], []).extend(words[1:])
    limits = dict(
        word.split("=", 1) for word in offers.get("LIMITS", []) if "=" in word
    )
    return Capabilities(
        keywords=frozenset(offers),
        mechanisms=frozenset(offers.get("AUTH", [])),
        max_bytes=_number(next(iter(offers.get("SIZE", [])), "")),
        max_recipients=_number(limits.get("RCPTMAX", "")),
        max_messages=_number(limits.get("MAILMAX", "")),
    )


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(_LARGEST)):
        return 0
    return min(int(text), _LARGEST)
