"""The fields we put before a message: ``Received``, a missing ``Date``, ``Message-ID``.

RFC 5321 §4.4 (trace), RFC 3848 and RFC 6531 §4.3 (the words after ``with``), RFC 5322
§3.3 (dates), RFC 6409 §8 (what a submission server may add).

Promise: whatever a client says stays within its clause. Words from outside are of the
alphabet that their clause allows, or get a ``?`` for each character that is not; none
can close a comment, add a clause or end a line. Lines are far below 998 octets
(RFC 5322 §2.1.1), since every part has a bound.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from sekisho.model.address import Address
from sekisho.model.ids import MessageId

MAX_WORD = 255
"""Characters of a word from outside; the rest is cut off."""

_NAME_OR_LITERAL = re.compile(
    r"[\w.-]{1,255}|\[[\d.]{7,15}\]|\[IPv6:[\da-f:.]{2,45}\]", re.IGNORECASE | re.ASCII
)
_NOT_IN_NAME = re.compile(r"[^\w.-]", re.ASCII)
_NOT_IN_ACCOUNT = re.compile(r"[^\w.@+-]", re.ASCII)

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)

# RFC 3848, RFC 6531 §4.3. After HELO there is one word alone: none is registered that
# would tell of TLS or AUTH without ESMTP. Keys: (LMTP, SMTPUTF8) and (TLS, AUTH).
_FAMILY = {
    (False, False): "ESMTP",
    (False, True): "UTF8SMTP",
    (True, False): "LMTP",
    (True, True): "UTF8LMTP",
}
_SUFFIX = {
    (False, False): "",
    (False, True): "A",
    (True, False): "S",
    (True, True): "SA",
}


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """What a ``Received`` field says of one message.

    Attributes:
        hostname: Ours.
        id: The message's.
        now: Unix seconds.
        client: The client's address, as text.
        greeting_name: What it said after HELO, EHLO or LHLO; anything at all.
        esmtp: Whether that was EHLO or LHLO.
        lmtp: Whether that was LHLO.
        smtputf8: Whether MAIL had SMTPUTF8.
        authenticated: Whether AUTH succeeded.
        tls_version: Such as ``TLSv1.3``, or empty without TLS.
        tls_cipher: Such as ``TLS_AES_256_GCM_SHA384``.
        account: Named only where the operator asks for it, else empty.
        for_recipient: Only where the message has exactly one: others would learn of
            blind copies.

    """

    hostname: str
    id: MessageId
    now: float
    client: str
    greeting_name: str
    esmtp: bool = True
    lmtp: bool = False
    smtputf8: bool = False
    authenticated: bool = False
    tls_version: str = ""
    tls_cipher: str = ""
    account: str = ""
    for_recipient: Address | None = None


def received_field(case: Trace) -> bytes:
    """Write the ``Received`` field, CRLF at its end included (RFC 5321 §4.4)."""
    way = _way(
        case.greeting_name,
        case.client,
        case.hostname,
        case.esmtp,
        (case.lmtp, case.smtputf8),
        case.authenticated,
        case.tls_version,
        case.tls_cipher,
        case.account,
    )
    return (
        f"{way}\tid {case.id}{_for(case)};\r\n\t{rfc5322_date(case.now)}\r\n"
    ).encode()


def missing_fields(
    header: bytes,
    *,
    id: MessageId,  # noqa: A002 - the field's name in every value that has one
    hostname: str,
    now: float,
) -> bytes:
    """Write ``Date`` and ``Message-ID`` where a submission has none (RFC 6409 §8).

    Args:
        header: What was submitted.
        id: The message's; it becomes the left side of the ``Message-ID``.
        hostname: Ours; the right side.
        now: Unix seconds.

    Returns:
        Whole fields to put before the header, or nothing.

    """
    lowered = b"\n" + header.lower()
    fields = ""
    if b"\ndate:" not in lowered and b"\ndate :" not in lowered:
        fields = f"Date: {rfc5322_date(now)}\r\n"
    if b"\nmessage-id:" not in lowered and b"\nmessage-id :" not in lowered:
        fields += f"Message-ID: <{id}@{hostname}>\r\n"
    return fields.encode()


def rfc5322_date(now: float) -> str:
    """Write a moment as RFC 5322 §3.3 does, in UTC.

    Args:
        now: Unix seconds.

    """
    return _date_of_second(int(now))


@lru_cache(maxsize=64)
def _date_of_second(second: int) -> str:
    # By hand and not by strftime, which would write the month in the locale's words.
    at = datetime.fromtimestamp(second, UTC)
    day, month = _DAYS[at.weekday()], _MONTHS[at.month - 1]
    return f"{day}, {at.day} {month} {at.year:04} {at:%H:%M:%S} +0000"


def _name(greeting_name: str) -> str:
    if _NAME_OR_LITERAL.fullmatch(greeting_name):
        return greeting_name
    return _NOT_IN_NAME.sub("?", greeting_name[:MAX_WORD]) or "unknown"


def _literal(client: str) -> str:
    if ":" not in client:
        return f"[{client}]"
    # A literal has no zone (RFC 5321 §4.1.3).
    return f"[IPv6:{client.partition('%')[0]}]"


@lru_cache(maxsize=256)
def _way(  # noqa: PLR0913, PLR0917 - the key of what is made once
    greeting_name: str,
    client: str,
    hostname: str,
    esmtp: bool,  # noqa: FBT001 - as above
    family: tuple[bool, bool],
    authenticated: bool,  # noqa: FBT001 - as above
    tls_version: str,
    tls_cipher: str,
    account: str,
) -> str:
    """The clauses that are the same for all messages of a session."""
    protocol, tls, user = "SMTP", "", ""
    if esmtp:
        protocol = _FAMILY[family] + _SUFFIX[tls_version != "", authenticated]
    if tls_version:
        tls = f" ({_name(tls_version)} {_name(tls_cipher)})"
    if account:
        user = f"\r\n\t(account {_NOT_IN_ACCOUNT.sub('?', account[:MAX_WORD])})"
    return (
        f"Received: from {_name(greeting_name)} ({_literal(client)})\r\n"
        f"\tby {hostname} with {protocol}{tls}{user}\r\n"
    )


def _for(case: Trace) -> str:
    recipient = case.for_recipient
    # Without SMTPUTF8 a header is ASCII; then it goes without the clause.
    if recipient is None or not (recipient.is_ascii or case.smtputf8):
        return ""
    return f"\r\n\tfor <{recipient}>"
