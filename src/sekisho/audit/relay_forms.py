"""Every known way to write a recipient or a sender that has made servers relay.

Placeholders are the catalogue's (`visit`). What a 2xx to RCPT means depends on whose
mailbox it is, read by RFC 5321:

* *foreign*: relaying, as far as RCPT can show it;
* *ours*: a strange local part at the server's own domain. That is opaque, and a server
  that takes every local part takes this one: so the canary's own local part, which
  nobody has there, is asked beside it, and where that one is taken too (a catch-all, or
  a user with a subaddress), only a canary can tell;
* *nobody's*: no domain at all. Some servers take it for a local user (a well-known
  false alarm), so only a canary can tell.

Left out are the catalogue's forms that name no foreign mailbox at all (``<c>``,
``<@>``, ``<"">``, ``<postmaster>``, the own domain with a dot or in capitals): taking
them is no relaying.
"""

from dataclasses import dataclass
from enum import Enum

PLAIN = "<{C}@{X}>"
STRANGER = "<spamtest@{X}>"
FROM_LITERAL = "<antispam@[{IP}]>"


class Whose(Enum):
    """Whose mailbox the recipient is."""

    FOREIGN = "foreign"
    OURS = "ours"
    NOBODYS = "nobody's"


@dataclass(frozen=True, slots=True)
class Form:
    """One attempt.

    Attributes:
        recipient: Behind ``RCPT TO:``; lone surrogates stand for octets.
        whose: See above.
        sender: Behind ``MAIL FROM:``.
        beside: The unknown user that is asked beside what is ours.
        carries: Whether a message may be handed over where a canary watches: never to
            domains that are neither the server's nor the canary's.
        keyword: Not asked where EHLO does not offer it.
        before: Commands said first, whatever they are answered.

    """

    recipient: str
    whose: Whose = Whose.FOREIGN
    sender: str = STRANGER
    beside: str = "<{C}@{D}>"
    carries: bool = True
    keyword: str = ""
    before: tuple[str, ...] = ()

    @property
    def is_odd_sender(self) -> bool:
        """Whether the sender is what it is about."""
        return self.sender != STRANGER and not self.sender_is_habit

    @property
    def sender_is_habit(self) -> bool:
        """Whether other tools send it so, and any other sender would do as well."""
        return self.sender == FROM_LITERAL and self.recipient != PLAIN

    @property
    def is_plain(self) -> bool:
        """Whether nothing about it is odd but the sender."""
        return self.recipient == PLAIN and " " not in self.sender


def _from(*senders: str) -> tuple[Form, ...]:
    return tuple(Form(PLAIN, sender=sender) for sender in senders)


def _foreign(*recipients: str, sender: str = STRANGER) -> tuple[Form, ...]:
    return tuple(Form(recipient, sender=sender) for recipient in recipients)


def _ours(
    *recipients: str, sender: str = STRANGER, beside: str = "<{C}@{D}>"
) -> tuple[Form, ...]:
    return tuple(Form(r, Whose.OURS, sender, beside) for r in recipients)


def _nobodys(*recipients: str, sender: str = STRANGER) -> tuple[Form, ...]:
    return tuple(Form(r, Whose.NOBODYS, sender) for r in recipients)


def _utf8(*recipients: str) -> tuple[Form, ...]:
    sender = STRANGER + " SMTPUTF8"
    return tuple(Form(r, sender=sender, keyword="SMTPUTF8") for r in recipients)


_AT_IP, _AT_HOST = "<{C}@[{IP}]>", "<{C}@{H}>"

NMAP: tuple[tuple[Form, ...], ...] = (
    _from("<>"),
    _from("<antispam@{X}>"),
    _from("<antispam@{H}>"),
    _from(FROM_LITERAL),
    _ours("<{C}%{X}@[{IP}]>", sender=FROM_LITERAL, beside=_AT_IP),
    _ours("<{C}%{X}@{H}>", sender=FROM_LITERAL, beside=_AT_HOST),
    _nobodys('<"{C}@{X}">', sender=FROM_LITERAL),
    _nobodys('<"{C}%{X}">', sender=FROM_LITERAL),
    _ours("<{C}@{X}@[{IP}]>", sender=FROM_LITERAL, beside=_AT_IP),
    _ours('<"{C}@{X}"@[{IP}]>', sender=FROM_LITERAL, beside=_AT_IP),
    _ours("<{C}@{X}@{H}>", sender=FROM_LITERAL, beside=_AT_HOST),
    _foreign("<@[{IP}]:{C}@{X}>", sender=FROM_LITERAL),
    _foreign("<@{H}:{C}@{X}>", sender=FROM_LITERAL),
    _nobodys("<{X}!{C}>", sender=FROM_LITERAL),
    _ours("<{X}!{C}@[{IP}]>", sender=FROM_LITERAL, beside=_AT_IP),
    _ours("<{X}!{C}@{H}>", sender=FROM_LITERAL, beside=_AT_HOST),
)
"""The sixteen pairs of RLY-001 to RLY-016, in order."""

UNQUALIFIED_SENDERS = _from("<spamtest>", "<audit>")
NEAR_SENDERS = _from(
    "<audit@localhost>", "<audit@localhost.localdomain>", "<audit@h4x0r.{X}>"
)
POSTMASTER_SENDERS = _from("<postmaster@{H}>", "<postmaster@[{IP}]>", "<postmaster>")
LOCAL_SENDERS = _from("<{U}@{D}>", "<{V}@{D}>")
NULL_SENDER = _from("<>")
MANY_ATS = (
    *_foreign("<{C}@{X}@>", "<{C}@@{X}>"),
    *_ours("<{C}@{X}@{D}>", "<{C}@{D}@{X}>"),
)
PERCENT = (
    *_ours("<{C}%{X}@{D}>", "<{C}%{X}%{D}@{D}>", "<{C}%40{X}@{D}>"),
    *_ours("<{C}%{X}@[{IP}]>", beside=_AT_IP),
    *_nobodys("<{C}%{X}>"),
)
BANG = (
    *_ours("<{X}!{C}@{D}>", "<{X}!{C}%{X}@{D}>", "<{C}@{X}!x@{D}>"),
    *_nobodys("<{X}!{C}>", "<{D}!{X}!{C}>"),
)
ROUTES = (
    *_foreign("<@{D}:{C}@{X}>", "<@{D},@{H}:{C}@{X}>", "<@[{IP}]:{C}@{X}>"),
    *_foreign("<@:{C}@{X}>"),
    *_ours("<@{D}:{C}%{X}@{D}>"),
)
QUOTED = (
    *_ours('<"{C}@{X}"@{D}>', '<"{C}\\@{X}"@{D}>', '<"{C}%{X}"@{D}>'),
    *_ours('<"{C}@{X} x"@{D}>'),
    *_foreign('<"{C}"@{X}>'),
    *_nobodys('<"{C}@{X}">'),
)
COMMENTS = (
    *_foreign("<{C}@{X}(@{D})>", "<{C}(@{D})@{X}>"),
    *_ours("<{C}@{D} (x){X}>", "<{C}@{X} .{D}>"),
    *_ours("<{C}@{D}>,<{C}@{X}>", "<{C}@{D} {C}@{X}>"),
)
ANGLES = (
    *_foreign("<g:{C}@{X};>", "<<{C}@{X}>>", "{C}@{X}", " <{C}@{X}>"),
    *_ours("<{C}@{D}> <{C}@{X}>", "<{C}@{D}>X=<{C}@{X}>"),
)
ENCODED = (
    *_ours("<=?utf-8?q?{C}=40{X}=3e?=@{D}>", "<{C}\udcc1\udc80{X}@{D}>"),
    *_ours("<{C}\uff20{X}@{D}>", "<{C}\ufe6b{X}@{D}>", "<{C}\u0140{X}@{D}>"),
    *_nobodys("<{C}\uff20{X}>"),
)
SCRIPTS = (
    *_foreign("<{C}@b\u00fccher.{X}>"),
    *_utf8("<{C}@b\u00fccher.{X}>", "<{C}@XN--BCHER-KVA.{X}>", "<{C}@xn--a-.{X}>"),
    *_utf8("<{C}@s\u00adub.{X}>", "<{C}@\uff53ub.{X}>"),
)
NEAR_DOMAINS = (
    # Nobody asked the owner of "xexample.com": nothing is handed over for it.
    Form("<{C}@x{D}>", carries=False),
    *_foreign("<{C}@{D}.{X}>", "<{C}@{X}.>", "<{C}@{D}_.{X}>"),
    *_foreign("<{C}@{D}/{X}>", "<{C}@{D}%00{X}>", "<{C}@{D}\0{X}>"),
)
LITERALS = (
    # Documentation addresses (RFC 5737, RFC 3849) lead nowhere.
    *_foreign("<{C}@[192.0.2.9]>", "<{C}@192.0.2.9>", "<{C}@[IPv6:2001:db8::9]>"),
    *_foreign("<{C}@[x-tag:y]>"),
    *_ours("<{C}@[IPv6:::ffff:127.0.0.1]>", "<{C}@#2130706433>", beside=_AT_IP),
    *_ours("<{C}@[0x7f.1]>", beside=_AT_IP),
)
ENCAPSULATED = _ours("<IMCEASMTP-{C}+40{X}@{D}>", "<IMCEAX400-_O=X_OU={X}_CN={C}@{D}>")
"""Within these, a + of the canary's own is spelled +2B (`ENCODED_PLUS`)."""
ENCODED_PLUS = "<IMCEA"
REWRITTEN = _ours(
    "<SRS0=HHH=TT={X}={C}@{D}>",
    "<SRS1=HHH={X}==HHH=TT={X}={C}@{D}>",
    "<prvs=0123456789={C}@{D}>",
    "<{C}={X}@{D}>",
)
PROGRAMS = (
    # What runs it writes to the canary, and proves itself.
    *_ours('<"|/usr/sbin/sendmail {C}@{X}"@{D}>'),
    *(
        Form(recipient, Whose.OURS, carries=False)
        for recipient in ("<|/bin/true@{D}>", "</var/x@{D}>", "<:include:/etc/x@{D}>")
    ),
    Form("<-oQ/tmp@{D}>", Whose.OURS, carries=False),
)
PARAMETERS = (
    *_foreign("<{C}@{X}> ORCPT=rfc822;{U}@{D}", "<{C}@{X}> NOTIFY=NEVER"),
    *_foreign("<{C}@{X}> RELAY=yes"),
    *_from(
        *(f"{STRANGER} {word}" for word in ("BODY=X", "SIZE=-1", "SIZE=9999999999"))
    ),
    *_from(STRANGER + " RET=HDRS ENVID=+0D+0A", STRANGER + " AUTH={U}@{D}"),
)
AFTER_LOOKING_UP = tuple(
    Form(PLAIN, before=(f"{verb} {{C}}@{{X}}",)) for verb in ("VRFY", "EXPN")
)
