"""What a header section says of the body below it (RFC 2045, RFC 2046).

Promise: what two readers may understand differently is `Refusal.UNCLEAR`: a field that
is there twice, a value that does not parse, a line that is no field, an encoding that
hides a structure. Such a part may be carried as it is, but nothing in it is changed.

Content-Type matters for its type, and for a multipart's boundary; other parameters are
copied unread, since printers and scripts write much that does not parse there.
"""

import re
from dataclasses import dataclass
from enum import Enum

from sekisho.wire.mime_coding import Coding
from sekisho.wire.mime_plan import Refusal

_FIELDS = re.compile(
    rb"(?:[!-9;-~]++[ \t]*+:[^\r\n\0]*+\r\n(?:[ \t][^\r\n\0]*+\r\n)*+)*+"
)
_MIME_FIELD = re.compile(
    rb"""^(mime-version|content-type|content-transfer-encoding)
    [ \t]*+:((?:[^\r\n]|\r\n[ \t])*+)\r\n""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)

_CFWS = rb"(?:[ \t]|\([^()\\]*+\))*+"
_TOKEN = rb"([!#$%&'*+\-.^_`{|}~0-9A-Za-z]++)"
_VERSION_1 = re.compile(_CFWS + rb"1" + _CFWS + rb"\." + _CFWS + rb"0" + _CFWS)
_ENCODING = re.compile(_CFWS + _TOKEN + _CFWS)
# No comments in Content-Type: not all readers know them there.
_TYPE = re.compile(rb"[ \t]*+%b[ \t]*+/[ \t]*+%b[ \t]*+(?=;|\Z)" % (_TOKEN, _TOKEN))
# Other parameters may hold what their grammar forbids ("type=text/html"). A boundary
# may not, nor what is right but read in two ways: a quoted-pair, or odd octets that
# are not quoted.
_PARAMETER = re.compile(
    rb"""[;][ \t]*+
    (?:
        %b[ \t]*+=[ \t]*+
        (?: ([^\s";()<>\\,]++) | "((?:[^"\\]|\\.)*+)" )
        [ \t]*+
    )?"""
    % _TOKEN,
    re.VERBOSE,
)
_PLAIN_WORD = re.compile(rb"[\w+.-]+")
# RFC 2046 allows 70 octets; mail servers put their host name into those of bounces.
_BOUNDARY = re.compile(rb"(?!.*\\)[ -~]{0,199}[!-~]")

_IDENTITY = frozenset({b"7bit", b"8bit", b"binary"})
_UNTOUCHABLE = frozenset({b"signed", b"encrypted"})

_VERSION_FIELD = b"MIME-Version: 1.0\r\n"
_UNKNOWN_TEXT = b"Content-Type: text/plain; charset=unknown-8bit\r\n"
"""RFC 1428: what octets are that nothing was said about."""


class Kind(Enum):
    """What stands below a header."""

    LEAF = "leaf"
    MULTIPART = "multipart"
    MESSAGE = "message"


class Place(Enum):
    """Where a header stands."""

    MESSAGE = "at the top of a message"
    PART = "in a multipart"
    DIGEST = "in a multipart/digest, where a part is a message unless it says else"


@dataclass(frozen=True, slots=True)
class Entity:
    """A part, or a message.

    Attributes:
        kind: See there.
        rule: How its body is converted, or why it is not.
        boundary: Of a multipart.
        digest: Whether it is a multipart/digest.
        label: Its Content-Transfer-Encoding, lower case; empty where there is none.
        label_at: Where that field stands in the header, (0, 0) where there is none.
        declared: Whether it says that it is MIME, or is a part of what does.
        additions: Fields that are missing once its body is encoded.

    """

    kind: Kind = Kind.LEAF
    rule: Coding | Refusal = Refusal.UNCLEAR
    boundary: bytes = b""
    digest: bool = False
    label: bytes = b""
    label_at: tuple[int, int] = (0, 0)
    declared: bool = False
    additions: bytes = b""


_UNCLEAR = Entity()


def label_field(label: str) -> bytes:
    """Spell a Content-Transfer-Encoding field."""
    return b"Content-Transfer-Encoding: %b\r\n" % label.encode()


def read_entity(fields: bytes, place: Place) -> Entity:
    """Read a header section.

    Args:
        fields: Without the blank line at its end.
        place: Where it stands.

    """
    if not _FIELDS.fullmatch(fields):
        return _UNCLEAR
    found: dict[bytes, re.Match[bytes]] = {}
    for field in _MIME_FIELD.finditer(fields):
        if found.setdefault(field[1].lower(), field) is not field:
            return _UNCLEAR
    values = {name: field[2].replace(b"\r\n", b"") for name, field in found.items()}
    label = _label(values)
    declared = place is not Place.MESSAGE or b"mime-version" in values
    if label is None or not _VERSION_1.fullmatch(values.get(b"mime-version", b"1.0")):
        return _UNCLEAR
    at = found[b"content-transfer-encoding"].span() if label else (0, 0)
    kind, rule, boundary, digest = _body(values, label, place, declared=declared)
    return Entity(
        kind, rule, boundary, digest, label, at, declared, _missing(values, declared)
    )


def _label(values: dict[bytes, bytes]) -> bytes | None:
    """The encoding, empty where none is named, None where it cannot be read."""
    value = values.get(b"content-transfer-encoding")
    if value is None:
        return b""
    matched = _ENCODING.fullmatch(value)
    return matched[1].lower() if matched else None


def _missing(values: dict[bytes, bytes], declared: bool) -> bytes:  # noqa: FBT001 - one caller
    if declared:
        return b""
    return _VERSION_FIELD + (b"" if b"content-type" in values else _UNKNOWN_TEXT)


_Body = tuple[Kind, Coding | Refusal, bytes, bool]
_UNCLEAR_BODY: _Body = (Kind.LEAF, Refusal.UNCLEAR, b"", False)


def _body(
    values: dict[bytes, bytes], label: bytes, place: Place, *, declared: bool
) -> _Body:
    if label and label not in _IDENTITY:
        # Encoded already. If octets are wrong in it all the same, it is broken.
        return _UNCLEAR_BODY
    default = b"message/rfc822" if place is Place.DIGEST else b"text/plain"
    value = values.get(b"content-type", default)
    matched = _TYPE.match(value)
    if matched is None:
        return _UNCLEAR_BODY
    major, minor = matched[1].lower(), matched[2].lower()
    if major == b"multipart":
        return _multipart(minor, value[matched.end() :]) if declared else _UNCLEAR_BODY
    if major == b"message":
        return _message(minor) if declared else _UNCLEAR_BODY
    coding = Coding.QUOTED_PRINTABLE if major == b"text" else Coding.BASE64
    return Kind.LEAF, coding, b"", False


def _multipart(minor: bytes, parameters: bytes) -> _Body:
    if minor in _UNTOUCHABLE:
        return Kind.LEAF, Refusal.SIGNED, b"", False
    boundary = _boundary(parameters)
    if not _BOUNDARY.fullmatch(boundary):
        return _UNCLEAR_BODY
    return Kind.MULTIPART, Refusal.UNCLEAR, boundary, minor == b"digest"


def _message(minor: bytes) -> _Body:
    if minor == b"rfc822":
        return Kind.MESSAGE, Refusal.UNCLEAR, b"", False
    if minor.startswith(b"global"):
        # Unlike message/rfc822 these may be encoded (RFC 6532 §3.7, RFC 6533).
        return Kind.LEAF, Coding.BASE64, b"", False
    return _UNCLEAR_BODY


def _boundary(parameters: bytes) -> bytes:
    """The boundary; empty, which none may be, where it cannot be told."""
    found = b""
    at = 0
    while at < len(parameters):
        matched = _PARAMETER.match(parameters, at)
        if matched is None:
            return b""
        name = (matched[1] or b"").lower()
        if name.startswith(b"boundary"):
            if found or name != b"boundary":
                return b""
            if matched[2] and not _PLAIN_WORD.fullmatch(matched[2]):
                return b""
            found = matched[2] or matched[3] or b""
        at = matched.end()
    return found
