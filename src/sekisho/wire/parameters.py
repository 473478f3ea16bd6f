"""Parameters of MAIL and RCPT (RFC 5321 §4.1.2), one row each.

SIZE (RFC 1870), BODY (RFC 6152, RFC 3030), SMTPUTF8 (RFC 6531), RET, ENVID, NOTIFY
and ORCPT (RFC 3461, RFC 6533), AUTH (RFC 4954 §5).

AUTH= names who the client says first submitted the message. It is read, since a
malformed one must be refused, and then ignored: it proves nothing (RFC 4954 §5 lets
us take every one for ``<>``).

Promise: a parameter given twice is refused, as the two readers "first wins" and "last
wins" would disagree. What is decoded from xtext is printable, so that it can go into
a report or a further command without adding a line of its own.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from sekisho.model import replies
from sekisho.model.envelope import NOTIFY_DEFAULT, BodyKind, Notify, Ret
from sekisho.model.reply import Reply

MAX_ENVID_OCTETS = 100
MAX_ORCPT_OCTETS = 500
"""As spelled on the wire (RFC 3461 §4.2, §4.4)."""

MAX_PARAMETERS = 16
"""More than there are: bounds what one command may cost."""

_SIZE = re.compile(r"[0-9]{1,20}")
_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_VALUE = re.compile(r"[^\x00-\x20=\x7f-\x9f]+")
_ADDR_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
# Pairs stand for printable ASCII alone: ENVID and ORCPT go into header fields.
_PAIR = r"\+(?:[2-6][0-9A-F]|7[0-9A-E])"
_XTEXT = re.compile(rf"(?:[!-*,-<>-~]|{_PAIR})+")
_UTF8_XTEXT = re.compile(
    rf"(?:[!-*,-<>-~\u00a0-\u2027\u202a-\ud7ff\ue000-\U0010ffff]|{_PAIR})+"
)
_HEXCHAR = re.compile(r"\+(..)")
_BODIES = {kind.value: kind for kind in BodyKind}
_RETS = {kind.value: kind for kind in Ret if kind.value}
_NOTIFIES = {
    "SUCCESS": Notify.SUCCESS,
    "FAILURE": Notify.FAILURE,
    "DELAY": Notify.DELAY,
}


@dataclass(slots=True)
class MailParameters:
    """What stood behind the reverse-path; names as in `model.envelope.Envelope`."""

    declared_bytes: int = 0
    body: BodyKind = BodyKind.SEVEN_BIT
    smtputf8: bool = False
    ret: Ret = Ret.UNSPECIFIED
    envid: str = ""


@dataclass(slots=True)
class RcptParameters:
    """What stood behind a forward-path; names as in `model.envelope.Recipient`."""

    notify: Notify = NOTIFY_DEFAULT
    notify_given: bool = False
    original: str = ""


class _MalformedError(ValueError):
    """A value breaks its grammar; never leaves this module."""


def _size(given: MailParameters, value: str) -> None:
    if not _SIZE.fullmatch(value):
        raise _MalformedError
    given.declared_bytes = int(value)


def _body(given: MailParameters, value: str) -> None:
    given.body = _one_of(_BODIES, value)


def _smtputf8(given: MailParameters, value: str) -> None:
    if value:
        raise _MalformedError
    given.smtputf8 = True


def _ret(given: MailParameters, value: str) -> None:
    given.ret = _one_of(_RETS, value)


def _envid(given: MailParameters, value: str) -> None:
    if len(value) > MAX_ENVID_OCTETS:
        raise _MalformedError
    given.envid = _decode_xtext(value, _XTEXT)


def _auth(_: MailParameters, value: str) -> None:
    if value != "<>":
        _decode_xtext(value, _XTEXT)


def _notify(given: RcptParameters, value: str) -> None:
    given.notify_given = True
    given.notify = Notify.NEVER
    if value.upper() == "NEVER":
        return
    for word in value.split(","):
        flag = _one_of(_NOTIFIES, word)
        if flag in given.notify:
            raise _MalformedError
        given.notify |= flag


def _orcpt(given: RcptParameters, value: str) -> None:
    kind, _, address = value.partition(";")
    if len(value) > MAX_ORCPT_OCTETS or not _ADDR_TYPE.fullmatch(kind):
        raise _MalformedError
    grammar = _UTF8_XTEXT if kind.lower() == "utf-8" else _XTEXT
    given.original = f"{kind};{_decode_xtext(address, grammar)}"


_Given = TypeVar("_Given")
_Row = TypeVar("_Row")

_MAIL: Mapping[str, Callable[[MailParameters, str], None]] = {
    "SIZE": _size,
    "BODY": _body,
    "SMTPUTF8": _smtputf8,
    "RET": _ret,
    "ENVID": _envid,
    "AUTH": _auth,
}
_RCPT: Mapping[str, Callable[[RcptParameters, str], None]] = {
    "NOTIFY": _notify,
    "ORCPT": _orcpt,
}


def parse_mail_parameters(text: str) -> MailParameters | Reply:
    """Read what stands behind the reverse-path, or find the reply that refuses it."""
    return _parse(text, _MAIL, MailParameters())


def parse_rcpt_parameters(text: str) -> RcptParameters | Reply:
    """Read what stands behind a forward-path, or find the reply that refuses it."""
    return _parse(text, _RCPT, RcptParameters())


def _parse(
    text: str, rows: Mapping[str, Callable[[_Given, str], None]], given: _Given
) -> _Given | Reply:
    words = text.split(" ", MAX_PARAMETERS)
    if len(words) > MAX_PARAMETERS:
        return replies.BAD_SYNTAX
    names: set[str] = set()
    for word in words:
        keyword, equals, value = word.partition("=")
        name = keyword.upper()
        if name in names or not _KEYWORD.fullmatch(keyword):
            return replies.BAD_SYNTAX
        if equals and not _VALUE.fullmatch(value):
            return replies.BAD_SYNTAX
        if name not in rows:
            return replies.UNKNOWN_PARAMETER
        names.add(name)
        try:
            rows[name](given, value)
        except _MalformedError:
            return replies.BAD_SYNTAX
    return given


def _one_of(rows: Mapping[str, _Row], value: str) -> _Row:
    try:
        return rows[value.upper()]
    except KeyError:
        raise _MalformedError from None


def _decode_xtext(value: str, grammar: re.Pattern[str]) -> str:
    """Decode xtext (RFC 3461 §4)."""
    if not grammar.fullmatch(value):
        raise _MalformedError
    return _HEXCHAR.sub(lambda found: chr(int(found[1], 16)), value)
