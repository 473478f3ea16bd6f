"""The header section: where it ends, who it says wrote it, how often it travelled.

RFC 5322 §2.2, §3.4 and §3.6, RFC 6532, RFC 5321 §6.3.

Promises:

- Nothing here raises, whatever the octets, and time is linear in their number.
- `HeaderFacts.author` is a mailbox only where *every* reader that we know of takes the
  same one from these octets. What a strict reader and a lax one may understand
  differently is a `Malformation`, and a submission that has one is refused.

So we are lax in finding fields (``From :``, a zero-width space before the name, a fold
before the colon all make a ``From``: some reader shows them as one) and strict in
reading them: no bare newline and no NUL anywhere in the header, no control character
in the two fields, no route, no blanks around dots, no empty list element.

What the grammar says is opaque stays opaque: an address within a quoted string, a
comment or an encoded-word is a name, never an author. A local part that looks like an
encoded-word is refused, since readers decode it and find another address inside.
"""

import re
from functools import lru_cache

from sekisho.model.address import Address, AddressError, parse_address
from sekisho.model.facts import HeaderFacts, Malformation

MAX_COMMENT_NESTING = 16
"""Comments within comments in one field; more is `Malformation.BROKEN`."""

MOST_KNOWN = 512
MAX_KNOWN_OCTETS = 128
"""So many short `From` lines are read but once: hosts write the same again."""
_PLAIN_OCTETS = b"\t" + bytes(range(0x20, 0x7F))

# The common case in one step: an ASCII header with one From of this form. What it
# matches, the grammar below reads alike (the tests hold the two against each other).
_PLAIN_FROM = re.compile(
    rb"""from:[ \t]*+
    (?:
        (?: "[^"\\]*+"[ \t]*+ | [\w\ .&'/+-]*+ )
        <([\w.+=\#$&'*/^`{|}~!%-]+@[a-z0-9.-]+)>
        | ([\w.+-]+@[a-z0-9.-]+)
    )[ \t]*+""",
    re.IGNORECASE | re.VERBOSE,
)

# A field whose name reads From or Sender when everything that does not show is taken
# away. A line that begins with a blank is no field but goes on with the one before.
_AUTHOR_FIELD = re.compile(
    rb"""^(?![ \t])(?P<before>[^!-~\r\n]*+)
    (?P<name>from|sender)
    (?P<after>(?:[^!-~\r\n]|\r\n[ \t])*+):
    (?P<value>(?:[^\r\n]|\r\n[ \t])*+)(?:\r\n)?+""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
_BLANK_START = re.compile(rb"\A(?:[ \t]++(?:\r\n)?+)*+")
_FIELD_START = re.compile(rb"[!-9;-~]++[ \t]*+:")
_BARE_OCTETS = re.compile(rb"\r(?!\n)|(?<!\r)\n|\0")

# The rest works on one unfolded field value. Octets that are not UTF-8 (old printers
# send Latin-1 names) come as lone surrogates, which no address may hold.
_UNREADABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
_ATEXT = r"[\w!#$%&'*+/=?^`{|}~\-\u0080-\U0010ffff]"
_PHRASE = rf"(?:{_QUOTED}|{_ATEXT}|[ \t.\[\]])"
_LOCAL_PART = rf"({_QUOTED}|(?:{_ATEXT}|\.)++)"
_DOMAIN = rf"(\[[^\]]*+\]|(?:{_ATEXT}|\.)++)"
_ADDR_SPEC = rf"{_LOCAL_PART}[ \t]*+@[ \t]*+{_DOMAIN}"
_MAILBOX = re.compile(
    rf"[ \t]*+(?:{_PHRASE}*+<[ \t]*+{_ADDR_SPEC}[ \t]*+>|{_ADDR_SPEC})[ \t]*+"
)
_GROUP = re.compile(rf"{_PHRASE}++:")
_UP_TO_COMMENT = re.compile(rf'((?:[^("]|{_QUOTED})*+)\(')
_INSIDE_COMMENT = re.compile(r"(?:[^()\\]|\\.)*+([()])", re.DOTALL)


def header_end(data: bytes) -> int:
    """Find where the body begins.

    Returns:
        The offset after the blank line, or ``len(data)`` where there is no body.

    """
    if data.startswith(b"\r\n"):
        return 2
    at = data.find(b"\r\n\r\n")
    return len(data) if at < 0 else at + 4


def begins_with_field(data: bytes) -> bool:
    """Whether a content begins with a header field, or with the line that ends one.

    What begins otherwise is all body. Put behind a field of ours it would go on with
    that field, or stand as a line that is none.
    """
    return not data or data.startswith(b"\r\n") or bool(_FIELD_START.match(data))


def needs_smtputf8(header: bytes) -> bool:
    """Tell whether the header holds what only SMTPUTF8 may carry (RFC 6531 §3.6)."""
    return not header.isascii()


def field_values(header: bytes, name: bytes) -> list[bytes]:
    """Give the unfolded values of all fields of that name, in order.

    Args:
        header: The header section.
        name: Without colon, in any case.

    """
    return [_unfolded(value) for value in _field_pattern(name).findall(header)]


def header_facts(header: bytes) -> HeaderFacts:
    """Read what decisions need of a header.

    Args:
        header: The header section, without any of the body.

    """
    lowered = b"\n" + header.lower()
    hops = lowered.count(b"\nreceived:") + lowered.count(b"\nreceived :")
    if _is_plain(header):
        at = lowered.find(b"\nfrom")
        one_from = lowered.find(b"\nfrom", at + 1) < 0 <= at
        if one_from and b"\nsender" not in lowered:
            found = _plain_author(header, at)
            if found is not None:
                return HeaderFacts(found, None, Malformation.NONE, hops)
    elif _has_bare_octets(header):
        return HeaderFacts(None, None, Malformation.BROKEN, hops)
    return _facts_by_grammar(header, hops)


def rewrite_from(header: bytes, author: Address) -> bytes:
    """Let ``From`` name the mailbox, and drop ``Sender``.

    What stood there goes on as ``X-Original-From`` and ``X-Original-Sender``. Bare
    newlines and NULs, which could hide a field from us, become blanks.

    Args:
        header: The header section, the blank line at its end included if there is one.
        author: What ``From`` is to say; the only ``From`` afterwards.

    """
    clean = _BLANK_START.sub(b"", _BARE_OCTETS.sub(b" ", header))
    fields = _AUTHOR_FIELD.finditer(clean)
    froms = (field.start() for field in fields if field["name"].lower() == b"from")
    place = next(froms, 0)
    return b"".join(
        (
            _AUTHOR_FIELD.sub(_as_original, clean[:place]),
            f"From: <{author}>\r\n".encode(),
            _AUTHOR_FIELD.sub(_as_original, clean[place:]),
        )
    )


def _is_plain(header: bytes) -> bool:
    """ASCII without controls, every line ended by CRLF, no fold at its start."""
    return not b"".join(header.split(b"\r\n")).translate(
        None, _PLAIN_OCTETS
    ) and header[:1] not in (b" ", b"\t")


def _has_bare_octets(header: bytes) -> bool:
    # A blank at its very start would be a fold of the field that we put before it.
    return header[:1] in (b" ", b"\t") or _BARE_OCTETS.search(header) is not None


def _plain_author(header: bytes, at: int) -> Address | None:
    """The author where the field is one line of the common form, else None."""
    end = header.find(b"\r\n", at)
    if end < 0 or header[end + 2 : end + 3] in (b" ", b"\t"):
        return None
    line = header[at:end]
    return (_known if len(line) <= MAX_KNOWN_OCTETS else _plain_mailbox)(line)


def _plain_mailbox(line: bytes) -> Address | None:
    found = _PLAIN_FROM.fullmatch(line)
    if found is None:
        return None
    try:
        return parse_address((found[1] or found[2]).decode("ascii"))
    except AddressError:
        return None


_known = lru_cache(MOST_KNOWN)(_plain_mailbox)


def _facts_by_grammar(header: bytes, hops: int) -> HeaderFacts:
    values: dict[bytes, list[bytes]] = {b"from": [], b"sender": []}
    disguised = False
    for field in _AUTHOR_FIELD.finditer(header):
        values[field["name"].lower()].append(field["value"])
        disguised |= bool(field["before"] or field["after"].strip(b" \t\r\n"))
    author = _author(values[b"from"])
    sender = _sender(values[b"sender"])
    if disguised:
        author = Malformation.BROKEN
    match author, sender:
        case Address(), Malformation():
            return HeaderFacts(None, None, sender, hops)
        case Malformation(), _:
            return HeaderFacts(None, None, author, hops)
        case _:
            return HeaderFacts(author, sender, Malformation.NONE, hops)


def _author(values: list[bytes]) -> Address | Malformation:
    if not values:
        return Malformation.NO_FROM
    if len(values) > 1:
        return Malformation.MANY_FROM
    return _mailbox(values[0])


def _sender(values: list[bytes]) -> Address | Malformation | None:
    if not values:
        return None
    if len(values) > 1:
        return Malformation.MANY_SENDER
    found = _mailbox(values[0])
    return found if isinstance(found, Address) else Malformation.BROKEN


def _mailbox(value: bytes) -> Address | Malformation:
    """Read a field value that is to hold one mailbox (RFC 5322 §3.4)."""
    text = _unfolded(value).decode("utf-8", "surrogateescape")
    if _UNREADABLE.search(text):
        return Malformation.BROKEN
    if "(" in text:
        text = _without_comments(text)
    found = _MAILBOX.match(text)
    if found is None:
        return Malformation.GROUP if _GROUP.match(text) else Malformation.BROKEN
    if found.end() < len(text):
        more = text[found.end()] == ","
        return Malformation.MANY_MAILBOXES if more else Malformation.BROKEN
    in_angles, at_angles, alone, at_alone = found.groups()
    return _address(in_angles or alone, at_angles or at_alone)


def _address(local_part: str, domain: str) -> Address | Malformation:
    if "=?" in local_part:
        return Malformation.BROKEN
    try:
        return parse_address(f"{local_part}@{domain}")
    except AddressError:
        return Malformation.BROKEN


def _without_comments(text: str) -> str:
    """Put a blank for each comment, or give what is no mailbox where one is broken.

    A quoted string that is never closed ends the search: trying its next quote, and
    the next, would take time in the square of their number.
    """
    kept: list[str] = []
    at = 0
    while before := _UP_TO_COMMENT.match(text, at):
        kept.append(before[1])
        at = _comment_end(text, before.end())
        if at < 0:
            return ""
    kept.append(text[at:])
    return " ".join(kept)


def _comment_end(text: str, at: int) -> int:
    """The offset after the parenthesis that closes the comment, or -1."""
    depth = 1
    while depth:
        piece = _INSIDE_COMMENT.match(text, at)
        if piece is None or depth > MAX_COMMENT_NESTING:
            return -1
        depth += 1 if piece[1] == "(" else -1
        at = piece.end()
    return at


def _unfolded(value: bytes) -> bytes:
    return value.replace(b"\r\n", b"").strip(b" \t")


def _as_original(field: re.Match[bytes]) -> bytes:
    return b"X-Original-" + field["name"].title() + b":" + field["value"] + b"\r\n"


@lru_cache(maxsize=64)
def _field_pattern(name: bytes) -> re.Pattern[bytes]:
    return re.compile(
        rb"(?im)^" + re.escape(name) + rb"[ \t]*+:((?:[^\r\n]|\r\n[ \t])*+)"
    )
