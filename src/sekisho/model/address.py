"""Mailboxes, the null reverse-path, and patterns over mailboxes.

Promise: an `Address` cannot be wrong. It is made by `parse_address` alone (RFC 5321
§4.1.2 "Mailbox", RFC 6531 §3.3), with the local part unquoted and the domain in its
normal form, so that equal mailboxes are equal values.

What stands in a local part is opaque: ``%``, ``!`` and a quoted ``@`` have no
meaning here, so no address can be routed through us by writing another one into it.

Local parts are compared without regard to ASCII case (`Address.key`), as all mail
systems that our users know do, while the spelling given is kept and passed on.
"""

import re
import unicodedata
from dataclasses import dataclass

import msgspec

from sekisho.model.domain import DomainError, normal_domain, normal_literal

MAX_LOCAL_PART_OCTETS = 64
MAX_PATH_OCTETS = 256
"""RFC 5321 §4.5.3.1.3, the angle brackets included."""

_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-"
_UTEXT = rf"[{_ATEXT}\u0080-\U0010ffff]+"
_DOT_STRING = re.compile(rf"{_UTEXT}(?:\.{_UTEXT})*")
_QUOTED_STRING = re.compile(r'"((?:[ !#-\[\]-~\u0080-\U0010ffff]|\\[ -~])*)"')
_PLAIN_ADDRESS = re.compile(rf"([{_ATEXT}]+(?:\.[{_ATEXT}]+)*)@([A-Za-z0-9.\-]+)")
_UNQUOTE = re.compile(r"\\(.)")
_QUOTE = re.compile(r'(["\\])')
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Cf", "Zl", "Zp", "Co", "Cn"})


class AddressError(ValueError):
    """The text is no mailbox; the message says why."""


class Address(msgspec.Struct, frozen=True):
    """A mailbox.

    Attributes:
        local_part: Without quotes and escapes, as the sender spelled it.
        domain: In normal form (`sekisho.model.domain`), or empty for the
            unqualified ``postmaster`` of RFC 5321 §4.5.1.

    """

    local_part: str
    domain: str

    def __str__(self) -> str:
        """Spell it as RFC 5321 does, quoted where it must be."""
        local = self.local_part
        # Letters and digits alone are the common case, and need no pattern.
        if not (local.isalnum() or _DOT_STRING.fullmatch(local)):
            local = '"' + _QUOTE.sub(r"\\\1", local) + '"'
        return f"{local}@{self.domain}" if self.domain else local

    @property
    def key(self) -> tuple[str, str]:
        """What two spellings of one mailbox have in common."""
        return (self.local_part.lower(), self.domain)

    @property
    def is_ascii(self) -> bool:
        """Whether it can be sent without SMTPUTF8 (domains always are A-labels)."""
        return self.local_part.isascii()

    @property
    def is_postmaster(self) -> bool:
        """Whether it is postmaster, of any domain or of none (RFC 5321 §4.5.1)."""
        return self.local_part.lower() == "postmaster"


class NullPath(msgspec.Struct, frozen=True):
    """The null reverse-path ``<>`` of bounces and notices (RFC 5321 §4.5.5)."""

    def __str__(self) -> str:
        return ""


NULL_PATH = NullPath()
ReversePath = Address | NullPath


def parse_address(text: str) -> Address:
    """Read a mailbox, without angle brackets.

    Args:
        text: ``local-part@domain`` or ``local-part@[literal]``; quoted local parts
            and non-ASCII characters are taken.

    Raises:
        AddressError: It is no mailbox of RFC 5321 and RFC 6531.

    """
    if len(text) > MAX_PATH_OCTETS - 2:
        raise AddressError("the address is longer than 254 octets")
    if plain := _PLAIN_ADDRESS.fullmatch(text):
        local, domain = plain.groups()
        if len(local) > MAX_LOCAL_PART_OCTETS:
            raise AddressError("the local part is longer than 64 octets")
        return Address(local, _domain(domain))
    if len(text.encode("utf-8", "replace")) > MAX_PATH_OCTETS - 2:
        raise AddressError("the address is longer than 254 octets")
    # A quoted local part may hold an @, a domain never does.
    local, at, domain = text.rpartition("@")
    if not at:
        raise AddressError("the address has no @")
    return Address(parse_local_part(local), _domain(domain))


def parse_local_part(text: str) -> str:
    """Read a local part (Dot-string or Quoted-string) and take its quotes off.

    Raises:
        AddressError: It is neither, is empty, or is longer than 64 octets.

    """
    if quoted := _QUOTED_STRING.fullmatch(text):
        local = _UNQUOTE.sub(r"\1", quoted[1])
    elif _DOT_STRING.fullmatch(text):
        local = text
    else:
        raise AddressError("the local part is malformed")
    if not local or len(local.encode("utf-8", "replace")) > MAX_LOCAL_PART_OCTETS:
        raise AddressError("a local part has 1 to 64 octets")
    if local.isascii():
        return local
    if any(unicodedata.category(c) in _FORBIDDEN_CATEGORIES for c in local):
        raise AddressError("the local part holds an invisible character")
    return unicodedata.normalize("NFC", local)


def _domain(text: str) -> str:
    try:
        return normal_literal(text) if text.startswith("[") else normal_domain(text)
    except DomainError as error:
        raise AddressError(str(error)) from error


@dataclass(frozen=True, slots=True)
class AddressPattern:
    """Which mailboxes: one, all of a domain, all below a domain, or all.

    Spelled ``user@example.com``, ``*@example.com``, ``*@*.example.com`` (labels
    below it, not itself) and ``*``. A star never stands for part of a label or of a
    local part: such patterns are read differently by different people.

    Attributes:
        local_part: Lower-case, or ``*``.
        domain: Normal form, ``*.`` before it for what is below, or ``*``.

    """

    local_part: str
    domain: str

    def __str__(self) -> str:
        if self.domain == "*":
            return "*"
        if self.local_part == "*":
            return f"*@{self.domain}"
        return str(Address(self.local_part, self.domain))

    def matches(self, address: Address) -> bool:
        """Whether the mailbox is one of those meant."""
        local_part = self.local_part
        if local_part != "*" and local_part != address.local_part.lower():
            return False
        if self.domain == "*":
            return True
        if self.domain.startswith("*."):
            # The border is a dot: evil-example.com is not below example.com.
            return address.domain.endswith(self.domain[1:])
        return address.domain == self.domain

    def covers(self, other: "AddressPattern") -> bool:
        """Whether every mailbox that the other means is one of those meant."""
        if self.local_part not in ("*", other.local_part):
            return False
        if self.domain.startswith("*."):
            return other.domain.removeprefix("*").endswith(self.domain[1:])
        return self.domain in ("*", other.domain)


ANY_ADDRESS = AddressPattern("*", "*")


def only(address: Address) -> tuple[AddressPattern, ...]:
    """Make the pattern of this one mailbox.

    Returns:
        It; none where the mailbox is called by a star, which RFC 5321 allows: a pattern
        made of it would mean every mailbox of the domain.

    """
    if address.local_part == "*":
        return ()
    return (AddressPattern(address.local_part.lower(), address.domain),)


def parse_pattern(text: str) -> AddressPattern:
    """Read a pattern as the configuration spells it.

    Raises:
        AddressError: It is none of the four forms.

    """
    if text == "*":
        return ANY_ADDRESS
    if text.startswith("*@"):
        domain = text[2:]
        if domain == "*":
            return ANY_ADDRESS
        prefix = "*." if domain.startswith("*.") else ""
        return AddressPattern("*", prefix + _domain(domain[len(prefix) :]))
    if "*" in text:
        raise AddressError("a star stands for a whole local part or for leading labels")
    (one,) = only(parse_address(text))
    return one
