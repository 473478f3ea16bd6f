"""What a sound server does: each function is the default of one field of `Manners`.

The lab knows one account, a second user and postmaster, of one domain.
"""

import re
from hmac import compare_digest
from typing import TYPE_CHECKING

from sekisho.wire.commands import Mail, Malformed, Rcpt, parse_command

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.audit.lab.manners import Mechanism
    from sekisho.audit.lab.session import LabSession

DOMAIN = b"lab.test"
USER, PASSWORD, OTHER = b"user", b"Tsuukou-tegata-4711-" * 4, b"other"
"""Known to everybody: the lab guards nothing. Long, as bcrypt cuts at 72 octets."""
LOCALS = frozenset({USER, OTHER, b"postmaster"})

MAX_SIZE = 10 * 1024 * 1024
MAX_TEXT_LINE_OCTETS = 1000
MAX_HOPS = 100

BARE = re.compile(rb"\r[^\n]|(?<!\r)\n|\0")
"""A CR without its LF, an LF without its CR, a NUL."""
_LONG_LINE = re.compile(rb"[^\n]{%d}" % MAX_TEXT_LINE_OCTETS)
_FROM = re.compile(rb"^from:(.*)$", re.IGNORECASE | re.MULTILINE)
_ADDRESS = re.compile(rb"[^\s<>\"(),:;]+@[^\s<>\"(),:;]+")
_HOP = re.compile(rb"^received:", re.IGNORECASE | re.MULTILINE)

RELAYING_DENIED = b"550 5.7.1 relaying denied"
NO_SUCH_USER = b"550 5.1.1 no such user"
TAKEN = b"250 2.1.5 recipient ok"
BAD_CREDENTIALS = b"535 5.7.8 authentication failed"
MALFORMED_CREDENTIALS = b"501 5.5.2 malformed response"


def _spelled(malformed: Malformed) -> bytes:
    return malformed.reply.encoded.splitlines()[-1]


def takes_sender(session: "LabSession", argument: bytes) -> bytes:
    """Judge MAIL by all that stands behind ``FROM:``.

    Whose sender it is decides nothing for strangers; users write as themselves.
    """
    command = parse_command(b"MAIL FROM:" + argument)
    if isinstance(command, Malformed):
        return _spelled(command)
    if not isinstance(command, Mail):
        return b"501 5.5.4 syntax"
    if command.envelope.declared_bytes > MAX_SIZE:
        return b"552 5.3.4 message too big"
    own = f"{session.identity}@{DOMAIN.decode()}"
    if session.identity and str(command.envelope.reverse_path).lower() != own:
        return b"553 5.7.1 not your address"
    session.smtputf8 = command.envelope.smtputf8
    return b"250 2.1.0 sender ok"


def knows(session: "LabSession", argument: bytes) -> bytes:
    """Judge RCPT by all that stands behind ``TO:``.

    The own domain exactly, and users who exist; others for who has signed in.
    """
    command = parse_command(b"RCPT TO:" + argument)
    if isinstance(command, Malformed):
        return _spelled(command)
    if not isinstance(command, Rcpt):
        return b"501 5.5.4 syntax"
    if command.utf8 and not session.smtputf8:
        return b"553 5.6.7 SMTPUTF8 was not asked for"
    address = command.recipient.address
    if address.domain not in {"", DOMAIN.decode()}:
        return TAKEN if session.identity else RELAYING_DENIED
    return TAKEN if address.local_part.lower().encode() in LOCALS else NO_SUCH_USER


def leads_to(argument: bytes) -> bytes:
    """Give the mailbox that a taken recipient stands for: itself."""
    return argument.partition(b"<")[2].partition(b">")[0]


def sends_on(session: "LabSession", content: bytes) -> bytes:
    """Send on what came, as it came."""
    del session
    return content


def right_password(user: bytes, password: bytes) -> bool:
    """Compare all octets of both."""
    return compare_digest(user, USER) & compare_digest(password, PASSWORD)


async def plain(session: "LabSession", initial: bytes | None) -> bytes:
    """PLAIN (RFC 4616): nobody but oneself may be acted for."""
    fields = (await session.response(initial)).split(b"\0")
    if len(fields) != 3 or not fields[1] or not fields[2]:  # noqa: PLR2004 - RFC 4616
        return MALFORMED_CREDENTIALS
    authzid, user, password = fields
    if authzid not in {b"", user} or not right_password(user, password):
        return BAD_CREDENTIALS
    return session.signed_in(user)


async def login(session: "LabSession", initial: bytes | None) -> bytes:
    """LOGIN, as everybody speaks it and nobody has specified."""
    user = await session.response(initial, b"Username:")
    password = await session.response(None, b"Password:")
    if not right_password(user, password):
        return BAD_CREDENTIALS
    return session.signed_in(user)


MECHANISMS: "Mapping[str, Mechanism]" = {"PLAIN": plain, "LOGIN": login}


def bare_octets(session: "LabSession", content: bytes) -> bytes | None:
    """Refuse lines that do not end in CRLF, and NUL."""
    del session
    return b"550 5.5.2 bare CR, bare LF or NUL" if BARE.search(content) else None


def long_lines(session: "LabSession", content: bytes) -> bytes | None:
    """Refuse lines past RFC 5321 §4.5.3.1.6."""
    del session
    return b"554 5.6.0 line too long" if _LONG_LINE.search(content) else None


def own_author(session: "LabSession", content: bytes) -> bytes | None:
    """Refuse From where it is another's: users write as themselves, strangers not."""
    head = content.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ")
    authors = {
        address.lower()
        for field in _FROM.findall(head)
        for address in _ADDRESS.findall(field)
    }
    users = {name + b"@" + DOMAIN for name in LOCALS}
    own = session.identity.encode() + b"@" + DOMAIN
    foreign = authors - {own} if session.identity else authors & users
    return b"550 5.7.1 not your address" if foreign else None


def many_hops(session: "LabSession", content: bytes) -> bytes | None:
    """Refuse what goes in circles (RFC 5321 §6.3)."""
    del session
    head = content.partition(b"\r\n\r\n")[0]
    return b"554 5.4.6 too many hops" if len(_HOP.findall(head)) > MAX_HOPS else None
