"""Command lines as typed values (RFC 5321 §4.1, RFC 2033, 3030, 3207, 4954).

`parse_command` takes any line and always answers with a command: a broken one is
`Malformed` with the reply that refuses it. Whether a command may stand where it
stands is not known here; that is the session's table.

Two kinds of lines leave us not knowing what the octets behind them are, so that the
session must not go on (`Fatal`): a BDAT whose size cannot be read, as its chunk would
be read as commands, and a request of HTTP, whose body may hold commands that a page
made a browser send.

RFC 5321 §4.1.1 asks us to bear with blanks at the end of a line. Blanks behind
``FROM:`` and ``TO:`` are not borne with: §3.3 rules them out in so many words.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import msgspec

from sekisho.model import replies
from sekisho.model.envelope import Envelope, Recipient
from sekisho.model.reply import Reply
from sekisho.wire.parameters import (
    MailParameters,
    RcptParameters,
    parse_mail_parameters,
    parse_rcpt_parameters,
)
from sekisho.wire.path import PATH, parse_forward_path, parse_reverse_path

MAX_CHUNK_DIGITS = 10
"""A chunk of more than 10 GB is nobody's; we would swallow it for hours."""

MOST_REMEMBERED = 512
MAX_REMEMBERED_OCTETS = 128
"""So many short lines of EHLO, MAIL and RCPT each are read but once: hosts say the same
again and again. Nothing secret stands in them, and what they become never changes."""


class Helo(msgspec.Struct, frozen=True):
    """HELO; the name is printable and has no blank."""

    name: str


class Ehlo(msgspec.Struct, frozen=True):
    """EHLO; the name is printable and has no blank."""

    name: str


class Lhlo(msgspec.Struct, frozen=True):
    """LHLO, the EHLO of LMTP (RFC 2033); the name as there."""

    name: str


class Mail(msgspec.Struct, frozen=True):
    """MAIL.

    Attributes:
        envelope: Without recipients.
        extended: Whether parameters were given, which only EHLO allows.

    """

    envelope: Envelope
    extended: bool


class Rcpt(msgspec.Struct, frozen=True):
    """RCPT.

    Attributes:
        recipient: The unqualified ``postmaster`` with an empty domain.
        extended: Whether parameters were given, which only EHLO allows.
        utf8: Whether the line holds more than ASCII, which only SMTPUTF8 allows.

    """

    recipient: Recipient
    extended: bool
    utf8: bool


class Data(msgspec.Struct, frozen=True):
    """DATA."""


class Bdat(msgspec.Struct, frozen=True):
    """BDAT: that many octets follow the line."""

    octets: int
    last: bool


class Rset(msgspec.Struct, frozen=True):
    """RSET."""


class Noop(msgspec.Struct, frozen=True):
    """NOOP."""


class Quit(msgspec.Struct, frozen=True):
    """QUIT."""


class Vrfy(msgspec.Struct, frozen=True):
    """VRFY."""


class Expn(msgspec.Struct, frozen=True):
    """EXPN."""


class Help(msgspec.Struct, frozen=True):
    """HELP."""


@dataclass(frozen=True, slots=True)
class Auth:
    """AUTH.

    Attributes:
        mechanism: Upper case.
        initial: The initial response, still encoded; None where there was none.

    """

    mechanism: str
    initial: bytes | None = field(repr=False)


class StartTls(msgspec.Struct, frozen=True):
    """STARTTLS."""


class Malformed(msgspec.Struct, frozen=True):
    """A command that breaks its grammar, is unknown or is not done here.

    Attributes:
        verb: One of ours, or ``(unknown)``: other words are not to be logged.
        reply: What refuses it.

    """

    verb: str
    reply: Reply


class Fatal(msgspec.Struct, frozen=True):
    """A line behind which nothing can be trusted: reply and close.

    Attributes:
        verb: As in `Malformed`.
        reply: The last one.

    """

    verb: str
    reply: Reply


Command = (
    Helo
    | Ehlo
    | Lhlo
    | Mail
    | Rcpt
    | Data
    | Bdat
    | Rset
    | Noop
    | Quit
    | Vrfy
    | Expn
    | Help
    | Auth
    | StartTls
    | Malformed
    | Fatal
)

UNKNOWN_VERB = "(unknown)"

# A host name with what careless clients put into it (an underscore, no dot), or a
# literal. No more: the name goes into our Received field.
_NAME = re.compile(
    rb"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253}[A-Za-z0-9_.])?|\[[A-Za-z0-9:.-]{1,60}\]"
)
_MAIL = re.compile(rf"FROM:({PATH})(?: (.+))?", re.IGNORECASE)
_RCPT = re.compile(rf"TO:({PATH})(?: (.+))?", re.IGNORECASE)
_BDAT = re.compile(rf"([0-9]{{1,{MAX_CHUNK_DIGITS}}})( LAST)?".encode(), re.IGNORECASE)
_AUTH = re.compile(rb"([A-Za-z0-9_-]{1,20})(?: ([^ ]+))?")
_TEXT = re.compile(r"[^\x00-\x1f\x7f-\x9f]*")
_HTTP = frozenset(
    {
        b"GET",
        b"POST",
        b"HEAD",
        b"PUT",
        b"OPTIONS",
        b"CONNECT",
        b"DELETE",
        b"PATCH",
        b"TRACE",
        b"PRI",
    }
)
_NOT_IMPLEMENTED = frozenset(
    {b"ETRN", b"TURN", b"ATRN", b"SEND", b"SOML", b"SAML"}
    | {b"XCLIENT", b"XFORWARD", b"BURL"}
)

_NO_MAIL_PARAMETERS = MailParameters()
_NO_RCPT_PARAMETERS = RcptParameters()


def _name(make: Callable[[str], Command], verb: str) -> Callable[[bytes], Command]:
    def parse(argument: bytes) -> Command:
        if not _NAME.fullmatch(argument):
            return Malformed(verb, replies.BAD_SYNTAX)
        return make(argument.decode("ascii"))

    return parse


def _bare(command: Command, verb: str) -> Callable[[bytes], Command]:
    """Parser of a command without arguments."""

    def parse(argument: bytes) -> Command:
        return Malformed(verb, replies.BAD_SYNTAX) if argument else command

    return parse


def _texted(command: Command, verb: str, least: int) -> Callable[[bytes], Command]:
    """Parser of a command whose argument is of no interest but must be text."""

    def parse(argument: bytes) -> Command:
        text = _decode(argument)
        if text is None or len(text) < least or not _TEXT.fullmatch(text):
            return Malformed(verb, replies.BAD_SYNTAX)
        return command

    return parse


def _mail(argument: bytes) -> Command:
    text = _decode(argument)
    found = _MAIL.fullmatch(text) if text is not None else None
    if text is None or found is None:
        return Malformed("MAIL", replies.BAD_SENDER_ADDRESS)
    path, extras = found.groups()
    given = parse_mail_parameters(extras) if extras else _NO_MAIL_PARAMETERS
    if isinstance(given, Reply):
        return Malformed("MAIL", given)
    if not given.smtputf8 and not text.isascii():
        return Malformed("MAIL", replies.NEEDS_SMTPUTF8)
    reverse_path = parse_reverse_path(path)
    if isinstance(reverse_path, Reply):
        return Malformed("MAIL", reverse_path)
    envelope = Envelope(
        reverse_path,
        (),
        given.body,
        given.smtputf8,
        given.ret,
        given.envid,
        given.declared_bytes,
    )
    return Mail(envelope, bool(extras))


def _rcpt(argument: bytes) -> Command:
    text = _decode(argument)
    found = _RCPT.fullmatch(text) if text is not None else None
    if text is None or found is None:
        return Malformed("RCPT", replies.BAD_RECIPIENT_ADDRESS)
    path, extras = found.groups()
    given = parse_rcpt_parameters(extras) if extras else _NO_RCPT_PARAMETERS
    if isinstance(given, Reply):
        return Malformed("RCPT", given)
    address = parse_forward_path(path)
    if isinstance(address, Reply):
        return Malformed("RCPT", address)
    recipient = Recipient(address, given.notify, given.notify_given, given.original)
    return Rcpt(recipient, bool(extras), not text.isascii())


def _bdat(argument: bytes) -> Command:
    found = _BDAT.fullmatch(argument)
    if found is None:
        return Fatal("BDAT", replies.BAD_SYNTAX)
    return Bdat(int(found[1]), found[2] is not None)


def _auth(argument: bytes) -> Command:
    found = _AUTH.fullmatch(argument)
    if found is None:
        return Malformed("AUTH", replies.BAD_SYNTAX)
    return Auth(found[1].decode("ascii").upper(), found[2])


_PARSERS: Mapping[bytes, Callable[[bytes], Command]] = {
    b"HELO": _name(Helo, "HELO"),
    b"EHLO": _name(Ehlo, "EHLO"),
    b"LHLO": _name(Lhlo, "LHLO"),
    b"MAIL": _mail,
    b"RCPT": _rcpt,
    b"DATA": _bare(Data(), "DATA"),
    b"BDAT": _bdat,
    b"RSET": _bare(Rset(), "RSET"),
    b"NOOP": _texted(Noop(), "NOOP", 0),
    b"QUIT": _bare(Quit(), "QUIT"),
    b"VRFY": _texted(Vrfy(), "VRFY", 1),
    b"EXPN": _texted(Expn(), "EXPN", 1),
    b"HELP": _texted(Help(), "HELP", 0),
    b"AUTH": _auth,
    b"STARTTLS": _bare(StartTls(), "STARTTLS"),
}


_remembering = lru_cache(MOST_REMEMBERED)
_REMEMBERING: Mapping[bytes, Callable[[bytes], Command]] = {
    **_PARSERS,
    **{verb: _remembering(_PARSERS[verb]) for verb in (b"EHLO", b"MAIL", b"RCPT")},
}


def parse_command(line: bytes) -> Command:
    """Read a line without its CRLF; every line is some command."""
    verb, _, argument = line.rstrip(b" ").partition(b" ")
    verb = verb.upper()
    parsers = _REMEMBERING if len(line) <= MAX_REMEMBERED_OCTETS else _PARSERS
    return parsers[verb](argument) if verb in parsers else _unknown(verb)


def is_bdat(line: bytes) -> bool:
    """Whether another reader might take the line for BDAT."""
    return line[:4].upper() == b"BDAT"


def _unknown(verb: bytes) -> Command:
    if is_bdat(verb):
        return Fatal("BDAT", replies.BAD_SYNTAX)
    if verb in _HTTP:
        return Fatal(verb.decode("ascii"), replies.NOT_SMTP)
    if verb in _NOT_IMPLEMENTED:
        return Malformed(verb.decode("ascii"), replies.NOT_IMPLEMENTED)
    if not verb.isascii():
        return Malformed(UNKNOWN_VERB, replies.BAD_CHARACTER)
    return Malformed(UNKNOWN_VERB, replies.UNKNOWN_COMMAND)


def _decode(argument: bytes) -> str | None:
    """Decode UTF-8 (RFC 6531 §3.1); None where it is not."""
    try:
        return argument.decode("utf-8")
    except UnicodeDecodeError:
        return None
