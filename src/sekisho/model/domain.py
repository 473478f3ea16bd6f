"""Domain names and address literals in one normal form (RFC 5321 §4.1.2, RFC 5890).

Promise: two spellings of one domain become one string, and what is not a domain
never becomes one. The normal form is lower-case ASCII: A-labels for names, and
``[192.0.2.1]`` or ``[IPv6:2001:db8::1]`` for literals.

U-labels and A-labels are one and the same (RFC 6531 §3.2); an A-label that does
not decode to a valid U-label is refused, since two such labels could look alike.
Only IDNA 2008 without UTS 46 mapping beyond lower case and NFC is taken: full-width
dots and letters are refused, not folded (a mapping is a second spelling that
another parser may read otherwise).
"""

import ipaddress
import re
import unicodedata
from functools import lru_cache

import idna

MAX_DOMAIN_OCTETS = 255

_ASCII_DOMAIN = re.compile(
    r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
    r"(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*"
)
_CHEROKEE_CAPITALS = {
    **{small: small - 0xAB70 + 0x13A0 for small in range(0xAB70, 0xABC0)},
    **{small: small - 8 for small in range(0x13F8, 0x13FE)},
}
"""Cherokee is the one script in which RFC 5892 takes capitals and not small letters."""
_DIGITS = frozenset("0123456789")


class DomainError(ValueError):
    """The text is no domain and no address literal; the message says why."""


def _a_label(label: str) -> str:
    """One label in its normal form."""
    if label.startswith("xn--"):
        try:
            return _encode(idna.ulabel(label))
        except idna.IDNAError as error:
            raise DomainError(f"{label!r} is no valid A-label") from error
    return label if label.isascii() else _encode(label)


def _encode(label: str) -> str:
    lowered = label.lower().translate(_CHEROKEE_CAPITALS)
    lowered = unicodedata.normalize("NFC", lowered)
    try:
        return idna.alabel(lowered).decode("ascii")
    except idna.IDNAError as error:
        raise DomainError(f"{label!r} is no valid U-label") from error


@lru_cache(maxsize=4096)
def normal_domain(text: str) -> str:
    """Bring a domain name into its normal form.

    Args:
        text: A name of A-labels or U-labels, without a trailing dot.

    Returns:
        Lower-case A-labels joined by dots, at most 255 octets.

    Raises:
        DomainError: It is no domain name: empty labels, a trailing dot, a dotted
            number (which is an address without its brackets), bad labels.

    """
    if not text or len(text) > MAX_DOMAIN_OCTETS:
        raise DomainError("a domain has 1 to 255 octets")
    lowered = text.lower()
    if not (lowered.isascii() and "xn--" not in lowered):
        lowered = ".".join(_a_label(label) for label in lowered.split("."))
    if len(lowered) > MAX_DOMAIN_OCTETS or not _ASCII_DOMAIN.fullmatch(lowered):
        raise DomainError(f"{text!r} is no domain name")
    if _DIGITS.issuperset(lowered.rpartition(".")[2]):
        raise DomainError(f"{text!r} is a number: an address stands in brackets")
    return lowered


def normal_literal(text: str) -> str:
    """Bring an address literal, brackets included, into its normal form.

    IPv4-mapped IPv6 literals become IPv4 ones: they name the same host.

    Raises:
        DomainError: It is not an IPv4 or IPv6 literal of RFC 5321 §4.1.3. General
            address literals (``[tag:…]``) are refused: no tag is registered.

    """
    inner = text[1:-1]
    if not (text.startswith("[") and text.endswith("]")) or not inner.isascii():
        raise DomainError(f"{text!r} is no address literal")
    try:
        if inner[:5].lower() == "ipv6:":
            address = ipaddress.IPv6Address(inner[5:])
            if address.scope_id is not None:
                raise DomainError("an address literal has no zone")
            if address.ipv4_mapped is not None:
                return f"[{address.ipv4_mapped}]"
            return f"[IPv6:{address.compressed}]"
        return f"[{ipaddress.IPv4Address(inner)}]"
    except ipaddress.AddressValueError as error:
        raise DomainError(f"{text!r} is no address literal") from error


def domain_to_unicode(domain: str) -> str:
    """Give the U-label form of a normal domain, for people; literals stay as is."""
    if "xn--" not in domain:
        return domain
    return idna.decode(domain)
