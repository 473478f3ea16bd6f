"""What a reply to MAIL or RCPT means, where the question is whether a server relays.

Not every refusal answers the question. A block list, greylisting, a wish for TLS or a
sender whose domain is not found would have refused a sound recipient as well, so they
are *hindered*, never *refused*. And a 454 that says "Relay access denied", which
Debian's Postfix gives by default, is the right answer in spite of its 4.
"""

import re
from enum import Enum

from sekisho.model.reply import Reply

HINDERING = re.compile(
    r"block(?:ed|ing| ?list)|black ?list|deny ?list|\bd?n?s?[rb]bl\b|spamhaus|spamcop"
    r"|reputation|gr[ea]y ?list|\brate\b|too (?:many|fast)|client host rejected"
    r"|\bhelo\b|\behlo\b|banned|starttls|encrypt|\btls\b|reverse dns|\bptr\b",
    re.IGNORECASE,
)
"""About the client."""
ABOUT_SENDER = re.compile(
    r"sender (?:address|domain)|domain of sender|\bspf\b|\bdmarc\b", re.IGNORECASE
)
_RELAYING = re.compile(r"\brelay", re.IGNORECASE)
_OUT_OF_ORDER_OR = re.compile(r"auth|option|parameter|syntax", re.IGNORECASE)

SYNTAX_CODES = frozenset({500, 501, 504, 553, 555})
DENIAL_CODES = frozenset({550, 551, 553, 554})
SIZE_CODE = 552
AUTH_WANTED_CODE = 530
ORDER_CODE = 503
NO_SUCH_DOMAIN = "5.1.2"
NO_SUCH_SENDER_DOMAIN = "5.1.8"


class Meaning(Enum):
    """What the reply says of relaying."""

    TAKEN = "taken"
    REFUSED = "refused"
    HINDERED = "hindered"


def at_mail(reply: Reply, *, odd: bool = False) -> Meaning:
    """Read the reply to MAIL: a refused sender gets nothing on either.

    Args:
        reply: It.
        odd: Whether the sender is what the question is about: a refusal of it, for
            whatever is wrong with it, is an answer then.

    """
    if _taken(reply):
        return Meaning.TAKEN
    if reply.code in SYNTAX_CODES or _answers_out_of_order(reply):
        unknown = reply.enhanced == NO_SUCH_SENDER_DOMAIN and not odd
        return Meaning.HINDERED if unknown else Meaning.REFUSED
    if _says_nothing(reply) or (not odd and _is_about_sender(reply)):
        return Meaning.HINDERED
    well = DENIAL_CODES | {SIZE_CODE, AUTH_WANTED_CODE}
    return Meaning.REFUSED if reply.code in well else Meaning.HINDERED


def at_rcpt(reply: Reply, *, plain: bool) -> Meaning:
    """Read the reply to RCPT.

    Args:
        reply: It.
        plain: Whether the recipient was an ordinary foreign address: calling that
            malformed, or its domain unknown, says nothing of relaying.

    """
    if _taken(reply):
        return Meaning.TAKEN
    if _says_nothing(reply) or ABOUT_SENDER.search(_text(reply)):
        return Meaning.HINDERED
    if plain and _is_no_answer(reply):
        return Meaning.HINDERED
    well = SYNTAX_CODES | DENIAL_CODES | {AUTH_WANTED_CODE}
    denied = reply.code in well or _denies_relaying(reply)
    denied = denied or _answers_out_of_order(reply)
    return Meaning.REFUSED if denied else Meaning.HINDERED


def _taken(reply: Reply) -> bool:
    return reply.code // 100 == 2  # noqa: PLR2004 - the class of RFC 5321 §4.2.1


def _text(reply: Reply) -> str:
    return " ".join(reply.lines)


def _denies_relaying(reply: Reply) -> bool:
    return reply.enhanced.endswith(".7.1") and bool(_RELAYING.search(_text(reply)))


def _answers_out_of_order(reply: Reply) -> bool:
    """Know "503 AUTH first", and OpenSMTPD's "503 Unsupported option"."""
    words = _OUT_OF_ORDER_OR.search(_text(reply))
    return reply.code == ORDER_CODE and words is not None


def _is_about_sender(reply: Reply) -> bool:
    unknown = reply.enhanced == NO_SUCH_SENDER_DOMAIN
    return unknown or ABOUT_SENDER.search(_text(reply)) is not None


def _says_nothing(reply: Reply) -> bool:
    temporary = reply.code < 500 and not _denies_relaying(reply)  # noqa: PLR2004
    return temporary or bool(HINDERING.search(_text(reply)))


def _is_no_answer(reply: Reply) -> bool:
    if reply.code in SYNTAX_CODES - DENIAL_CODES:
        return True
    return reply.enhanced == NO_SUCH_DOMAIN
