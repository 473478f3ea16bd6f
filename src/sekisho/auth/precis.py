"""Names and passwords in one normal form (RFC 8264, RFC 8265).

Promise: two spellings that a person takes for one name are one string, or one of
them is refused; nothing is folded away silently. Names follow the profile
UsernameCaseMapped (width mapped, lower case, NFC, Bidi Rule), passwords follow
OpaqueString (non-ASCII spaces become spaces, NFC, nothing else: never cut, never
trimmed, never folded).

The derived property of a code point is computed after RFC 8264 §8 from Python's own
Unicode tables; contextual rules and the Bidi Rule come from `idna` (RFC 5892
Appendix A, RFC 5893). Left out, and so refused:

- spaces in names ("userpart *(1*SP userpart)", RFC 8265 §3.1): in a log or a
  configuration nobody sees where such a name ends;
- code points that this Python's Unicode does not know yet: no property of theirs
  can be computed, and RFC 8264 §8 calls them disallowed until it can.

What is refused holds no control character, so no NUL, CR or LF reaches an
authenticator, a log line or a reply through a credential.
"""

import re
import unicodedata
from collections.abc import Callable
from enum import Enum, auto

from idna import IDNAError
from idna.core import check_bidi, valid_contextj, valid_contexto

MAX_NAME_OCTETS = 254
"""A name may be an address, and no address is longer (RFC 5321 §4.5.3.1.3)."""

MAX_PASSWORD_OCTETS = 1024
"""A longer one is refused as a whole, never cut (CVE-2025-22228 and its kind)."""


class PreparationError(ValueError):
    """The text is no name or no password; the message says why, without the text."""


class _Property(Enum):
    """What RFC 8264 §8 says of a code point."""

    VALID = auto()
    FREEFORM_ONLY = auto()  # FREE_PVAL: in passwords, not in names
    JOINER = auto()  # CONTEXTJ
    CONTEXT = auto()  # CONTEXTO
    DISALLOWED = auto()


def _ranges(*spans: tuple[int, int]) -> frozenset[str]:
    return frozenset(chr(n) for first, last in spans for n in range(first, last + 1))


_JOINERS = frozenset("\u200c\u200d")

# RFC 5892 §2.6, which RFC 8264 §9.6 takes over.
_EXCEPTIONS = {
    **dict.fromkeys("\u00df\u03c2\u06fd\u06fe\u0f0b\u3007", _Property.VALID),
    **dict.fromkeys("\u00b7\u0375\u05f3\u05f4\u30fb", _Property.CONTEXT),
    **dict.fromkeys(_ranges((0x660, 0x669), (0x6F0, 0x6F9)), _Property.CONTEXT),
    **dict.fromkeys("\u0640\u07fa\u302e\u302f\u303b", _Property.DISALLOWED),
    **dict.fromkeys(_ranges((0x3031, 0x3035)), _Property.DISALLOWED),
}

# RFC 8264 §9.9: conjoining jamo, which have a composed spelling as well.
_OLD_HANGUL_JAMO = _ranges(
    (0x1100, 0x11FF), (0xA960, 0xA97C), (0xD7B0, 0xD7C6), (0xD7CB, 0xD7FB)
)

# RFC 8264 §9.13: Default_Ignorable_Code_Point, which unicodedata does not have.
# (Non-characters have the category Cn and fall with the unassigned ones.)
_IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)

# RFC 8264 §9.1 and §9.14 to §9.18; a category that is not here is disallowed.
_BY_CATEGORY = {
    **dict.fromkeys(("Ll", "Lu", "Lo", "Lm", "Nd", "Mn", "Mc"), _Property.VALID),
    **dict.fromkeys(("Lt", "Nl", "No", "Me", "Zs"), _Property.FREEFORM_ONLY),
    **dict.fromkeys(("Sm", "Sc", "Sk", "So"), _Property.FREEFORM_ONLY),
    **dict.fromkeys(
        ("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po"), _Property.FREEFORM_ONLY
    ),
}


def _property(character: str) -> _Property:
    """The derived property, in the order of RFC 8264 §8."""
    if exception := _EXCEPTIONS.get(character):
        return exception
    if "!" <= character <= "~":
        return _Property.VALID
    if character in _JOINERS:
        return _Property.JOINER
    if character in _OLD_HANGUL_JAMO or _IGNORABLE.match(character):
        return _Property.DISALLOWED
    of_category = _BY_CATEGORY.get(
        unicodedata.category(character), _Property.DISALLOWED
    )
    if unicodedata.normalize("NFKC", character) == character:
        return of_category
    # HasCompat: a second spelling of something else, such as KELVIN SIGN for K.
    return _Property.FREEFORM_ONLY


def _require_class(text: str, allowed: frozenset[_Property]) -> None:
    """Check that a text belongs to a string class (RFC 8264 §4)."""
    for place, character in enumerate(text):
        match _property(character):
            case _Property.JOINER:
                fits = valid_contextj(text, place)
            case _Property.CONTEXT:
                fits = valid_contexto(text, place)
            case other:
                fits = other in allowed
        if not fits:
            raise PreparationError(f"U+{ord(character):04X} is not allowed here")


_IDENTIFIER_CLASS = frozenset({_Property.VALID})
_FREEFORM_CLASS = frozenset({_Property.VALID, _Property.FREEFORM_ONLY})

_WIDTH = re.compile("[\u3000\uff01-\uffee]")


def _map_width(match: re.Match[str]) -> str:
    kind, _, code = unicodedata.decomposition(match[0]).partition(" ")
    return chr(int(code, 16)) if kind in ("<wide>", "<narrow>") else match[0]


def _enforce_name(text: str) -> str:
    """Apply UsernameCaseMapped once (RFC 8265 §3.3.3)."""
    mapped = _WIDTH.sub(_map_width, text)
    _require_class(mapped, _IDENTIFIER_CLASS)
    name = unicodedata.normalize("NFC", mapped.lower())
    check_bidi(name)
    return name


_NON_ASCII_SPACE = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")


def _enforce_password(text: str) -> str:
    """Apply OpaqueString once (RFC 8265 §4.2.2)."""
    _require_class(text, _FREEFORM_CLASS)
    return unicodedata.normalize("NFC", _NON_ASCII_SPACE.sub(" ", text))


def _stable(enforce: Callable[[str], str], text: str) -> str:
    """Enforce, and refuse what enforcing once more would change (RFC 8264 §7)."""
    try:
        once = enforce(text)
        twice = enforce(once)
    except (IDNAError, ValueError) as error:
        if isinstance(error, PreparationError):
            raise
        # idna's messages quote the text; ours must not.
        raise PreparationError("its characters do not fit together") from None
    if once != twice:
        raise PreparationError("it has no stable normal form")
    return once


_ASCII_NAME = re.compile("[!-~]+")
_ASCII_PASSWORD = re.compile("[ -~]+")


def prepare_name(text: str) -> str:
    """Bring an account's name into its normal form.

    Args:
        text: As a client or an operator spelled it.

    Raises:
        PreparationError: It is empty, longer than 254 octets, or holds a character
            that no name has.

    """
    _require_length(text, MAX_NAME_OCTETS)
    if _ASCII_NAME.fullmatch(text):
        return text.lower()
    name = _stable(_enforce_name, text)
    _require_length(name, MAX_NAME_OCTETS)
    return name


def prepare_password(text: str) -> str:
    """Bring a password into its normal form.

    Raises:
        PreparationError: It is empty, longer than 1,024 octets, or holds a control
            or an unassigned character.

    """
    _require_length(text, MAX_PASSWORD_OCTETS)
    if _ASCII_PASSWORD.fullmatch(text):
        return text
    return _stable(_enforce_password, text)


def _require_length(text: str, limit: int) -> None:
    if not text:
        raise PreparationError("it is empty")
    if len(text) > limit or len(text.encode("utf-8", "surrogatepass")) > limit:
        raise PreparationError(f"it is longer than {limit} octets")
