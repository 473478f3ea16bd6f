"""Every address form by which strangers have made servers relay: one row a form.

The rows carry the ids of the audit catalogue (RLY-001 to RLY-042; the verbs and
sequences of RLY-041 to RLY-048 stand in ``test_open_relay.py``). In the texts

``{D}`` is the own domain, ``{H}`` the server's name, ``{IP}`` its address, ``{X}`` the
outside world, ``{U}`` an account's local part.

What a refusal may be is a set, because several are right; a 2xx is right for the few
rows that say so, and even then nothing may leave for the world.
"""

from dataclasses import dataclass

OWN, HOST, IP, WORLD, USER = "own.test", "relay.test", "127.0.0.1", "world.test", "user"

DENIED = frozenset({"550 5.7.1"})
"""Relaying denied."""
SYNTAX = frozenset(
    {
        *("501 5.1.3", "501 5.1.7", "501 5.5.2", "501 5.5.4"),
        *("553 5.1.3", "553 5.1.7", "555 5.5.4", "550 5.1.3", "504 5.5.2"),
    }
)
"""Broken, and said so."""
OPAQUE = DENIED | {"550 5.1.1"}
"""Understood as a mailbox of ours that does not exist, or not taken."""
OCTETS = frozenset({"500 5.5.2", "501 5.5.2", "550 5.5.2", "501 5.1.3", "501 5.1.7"})
"""An octet that no command may hold."""
FOREIGN_SCRIPT = frozenset({"553 5.6.7", "550 5.6.7", "501 5.1.3", "501 5.1.7"})
LOCAL = frozenset({"250 2.1.5"})
"""Taken, and it stays here."""


@dataclass(frozen=True)
class Form:
    """One attempt.

    Attributes:
        id: The catalogue's id, with a letter where it has several forms.
        sender: What stands after ``MAIL FROM:``.
        recipient: What stands after ``RCPT TO:``.
        safe: Which replies refuse it rightly, at MAIL or at RCPT.

    """

    id: str
    sender: bytes
    recipient: bytes
    safe: frozenset[str]


def _fill(text: str | bytes) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    names = {"{D}": OWN, "{H}": HOST, "{IP}": IP, "{X}": WORLD, "{U}": USER}
    for name, value in names.items():
        raw = raw.replace(name.encode(), value.encode())
    return raw


def _rows(
    id: str,  # noqa: A002 - the catalogue's word
    safe: frozenset[str],
    *recipients: str | bytes,
    sender: str | bytes = "<spamtest@{X}>",
) -> list[Form]:
    letters = "abcdefghijklmnopqrstuvwxyz" if len(recipients) > 1 else [""]
    return [
        Form(id + letter, _fill(sender), _fill(recipient), safe)
        for letter, recipient in zip(letters, recipients, strict=False)
    ]


_FROM_LITERAL = "<antispam@[{IP}]>"

FORMS: tuple[Form, ...] = (
    # The sixteen pairs that nmap and Metasploit try.
    *_rows("RLY-001", DENIED, "<c@{X}>", sender="<>"),
    *_rows("RLY-002", DENIED, "<c@{X}>"),
    *_rows("RLY-003", DENIED, "<c@{X}>", sender="<antispam@{H}>"),
    *_rows("RLY-004", DENIED, "<c@{X}>", sender=_FROM_LITERAL),
    *_rows("RLY-005", DENIED, "<c%{X}@[{IP}]>", sender=_FROM_LITERAL),
    *_rows("RLY-006", DENIED, "<c%{X}@{H}>", sender=_FROM_LITERAL),
    *_rows("RLY-007", SYNTAX, '<"c@{X}">', sender=_FROM_LITERAL),
    *_rows("RLY-008", SYNTAX, '<"c%{X}">', sender=_FROM_LITERAL),
    *_rows("RLY-009", SYNTAX, "<c@{X}@[{IP}]>", sender=_FROM_LITERAL),
    *_rows("RLY-010", DENIED, '<"c@{X}"@[{IP}]>', sender=_FROM_LITERAL),
    *_rows("RLY-011", SYNTAX, "<c@{X}@{H}>", sender=_FROM_LITERAL),
    *_rows("RLY-012", DENIED, "<@[{IP}]:c@{X}>", sender=_FROM_LITERAL),
    *_rows("RLY-013", DENIED, "<@{H}:c@{X}>", sender=_FROM_LITERAL),
    *_rows("RLY-014", SYNTAX, "<{X}!c>", sender=_FROM_LITERAL),
    *_rows("RLY-015", DENIED, "<{X}!c@[{IP}]>", sender=_FROM_LITERAL),
    *_rows("RLY-016", DENIED, "<{X}!c@{H}>", sender=_FROM_LITERAL),
    # Unqualified ones.
    *_rows("RLY-020u", SYNTAX | DENIED, "<c@{X}>", sender="<spamtest>"),
    *_rows("RLY-020v", SYNTAX | DENIED, "<c>"),
    # Senders that sound near.
    *_rows("RLY-021u", SYNTAX | DENIED, "<c@{X}>", sender="<nessus@localhost>"),
    *_rows("RLY-021v", DENIED, "<c@{X}>", sender="<nessus@localhost.localdomain>"),
    *_rows("RLY-021w", DENIED, "<c@{X}>", sender="<nessus@h4x0r.{X}>"),
    *_rows("RLY-022u", DENIED, "<c@{X}>", sender="<postmaster@{H}>"),
    *_rows("RLY-022v", DENIED, "<c@{X}>", sender="<postmaster@[{IP}]>"),
    *_rows("RLY-022w", LOCAL, "<postmaster>"),
    *_rows("RLY-022x", LOCAL, "<Postmaster@{D}>"),
    *_rows("RLY-023", DENIED, "<c@{X}>", sender="<{U}@{D}>"),
    *_rows("RLY-024", DENIED, "<c@{X}>", sender="<>"),
    # More than one @.
    *_rows(
        "RLY-025",
        SYNTAX,
        *("<c@{X}@>", "<c@{X}@{D}>", "<c@{D}@{X}>", "<@{X}>", "<c@@{X}>", "<@>"),
    ),
    *_rows(
        "RLY-026",
        OPAQUE | SYNTAX,
        *("<c%{X}@{D}>", "<c%{X}%{D}@{D}>", "<c%{X}@[{IP}]>", "<c%{X}>"),
        "<c%40{X}@{D}>",
    ),
    *_rows(
        "RLY-027",
        OPAQUE | SYNTAX,
        *("<{X}!c>", "<{X}!c@{D}>", "<{D}!{X}!c>", "<c@{X}!x@{D}>"),
        "<{X}!c%{X}@{D}>",
    ),
    *_rows(
        "RLY-028",
        DENIED | SYNTAX,
        *("<@{D}:c@{X}>", "<@{D},@{H}:c@{X}>", "<@[{IP}]:c@{X}>", "<@:c@{X}>"),
        *("<@{X}:{U}@{D}>", "<@{D}:c%{X}@{D}>"),
    ),
    *_rows(
        "RLY-029",
        OPAQUE | SYNTAX,
        *('<"c@{X}">', '<"c@{X}"@{D}>', '<"c"@{X}>', '<"c\\@{X}"@{D}>'),
        *('<"c%{X}"@{D}>', '<"c@{X} x"@{D}>', '<"">', '<""@{D}>'),
    ),
    # RFC 5321 has no comments and no folding.
    *_rows(
        "RLY-030",
        SYNTAX,
        *("<c@{X}(@{D})>", "<c(@{D})@{X}>", "<c@{D} (x){X}>", "<c@{X} .{D}>"),
        *("<c@{D}>,<c@{X}>", "<c@{D} c@{X}>"),
    ),
    *_rows("RLY-031", SYNTAX, "<g:c@{X};>", "<<c@{X}>>", "<c@{D}> <c@{X}>"),
    *_rows("RLY-031w", SYNTAX | DENIED, "c@{X}"),
    *_rows("RLY-031x", SYNTAX | DENIED, " <c@{X}>"),
    *_rows("RLY-031y", SYNTAX | OPAQUE, "<c@{D}>X=<c@{X}>"),
    # Encodings.
    *_rows("RLY-032", OPAQUE, "<=?utf-8?q?c=40{X}=3e?=@{D}>"),
    *_rows(
        "RLY-032o",
        FOREIGN_SCRIPT | OCTETS | SYNTAX,
        b"<c\xc1\x80{X}@{D}>",
        *("<c\uff20{X}@{D}>", "<c\ufe6b{X}@{D}>", "<c@own\u3002test>"),
        *("<c@own\uff0etest>", "<c@own\u2024test>", "<c\u0140{X}@{D}>", "<c\uff20{X}>"),
    ),
    *_rows("RLY-033", FOREIGN_SCRIPT, "<c@b\u00fccher.example>"),
    *_rows(
        "RLY-033u",
        DENIED | {"550 5.1.1"},
        *("<c@b\u00fccher.example>", "<c@XN--BCHER-KVA.example>"),
        sender="<a@{X}> SMTPUTF8",
    ),
    *_rows(
        "RLY-033w",
        SYNTAX | DENIED | {"553 5.6.7"},
        *("<c@xn--a-.{X}>", "<c@xn--\u00fc.{X}>", "<c@o\u200dwn.test>"),
        "<c@xn--zz--zz.{X}>",
        sender="<a@{X}> SMTPUTF8",
    ),
    # Domains that are nearly ours.
    *_rows(
        "RLY-034",
        SYNTAX | OPAQUE,
        *("<c@{D}.>", "<c@{D}..>", "<c@.{D}>", "<c@OWN.TEST>", "<c@sub.{D}>"),
        *("<c@{D}.{X}>", "<c@{X}.{D}>", "<c@x{D}>", "<c@{D}%00{X}>", "<c@{D}_>"),
        *("<c@{D}/{X}>", "<c@{D}:25>", "<c@{D}\\>"),
    ),
    *_rows("RLY-034n", OCTETS | SYNTAX, b"<c@{D}\0{X}>"),
    *_rows(
        "RLY-035",
        DENIED | SYNTAX,
        *("<c@[{IP}]>", "<c@[127.0.0.1]>", "<c@[IPv6:::1]>", "<c@[192.0.2.9]>"),
        *("<c@[IPv6:::ffff:127.0.0.1]>", "<c@192.0.2.9>", "<c@#2130706433>"),
        *("<c@[0x7f.1]>", "<c@[x-tag:y]>", "<c@[]>", "<c@[{IP}>"),
    ),
    *_rows(
        "RLY-036",
        OPAQUE,
        "<IMCEASMTP-c+40world+2Etest@{D}>",
        "<IMCEAX400-_O=X_OU=Y_CN=c@{D}>",
    ),
    *_rows(
        "RLY-037",
        OPAQUE,
        *("<SRS0=HHH=TT={X}=c@{D}>", "<SRS1=HHH={X}==HHH=TT={X}=c@{D}>"),
        *("<prvs=0123456789=c@{D}>", "<c={X}@{D}>"),
    ),
    *_rows(
        "RLY-038",
        OPAQUE | SYNTAX,
        *("<|/bin/true@{D}>", "</var/x@{D}>", "<:include:/etc/x@{D}>"),
        *("<{U}+..%2f@{D}>", "<-oQ/tmp@{D}>"),
    ),
    *_rows(
        "RLY-039",
        OCTETS | SYNTAX,
        b"<c@{D}\rRCPT TO:<c@{X}>",
        b"<c@{D}>\nRCPT TO:<c@{X}>",
        b'<"a\nRCPT TO:<c@{X}>"@{D}>',
        b"<c@{D}\t>",
    ),
    *_rows("RLY-039u", OCTETS | SYNTAX, "<c@{X}>", sender=b"<a@{D}\x0bb>"),
    # Parameters decide nothing.
    *_rows(
        "RLY-040",
        DENIED | SYNTAX,
        "<c@{X}> ORCPT=rfc822;{U}@{D}",
        "<c@{X}> NOTIFY=NEVER",
        "<c@{X}> RELAY=yes",
    ),
    *_rows("RLY-040u", SYNTAX | DENIED, "<c@{X}>", sender="<a@{X}> BODY=X"),
    *_rows("RLY-040v", SYNTAX | DENIED, "<c@{X}>", sender="<a@{X}> SIZE=-1"),
    *_rows(
        "RLY-040w",
        frozenset({"552 5.3.4"}),
        "<c@{X}>",
        sender="<a@{X}> SIZE=99999999999",
    ),
    *_rows(
        "RLY-040x",
        SYNTAX | DENIED,
        "<c@{X}>",
        sender="<a@{X}> RET=HDRS ENVID=+0D+0A",
    ),
    # Nessus' and other lists' leftovers.
    *_rows(
        "RLY-C2",
        OPAQUE | SYNTAX,
        *("<nobody@{X}>", "<nobody%{X}@{H}>", "<nobody@{X}@{H}>"),
        *('<"nobody@{X}"@[{IP}]>', "<@{H}:nobody@{X}>", "<{X}!nobody@[{IP}]>"),
        *('<"relaytest%{X}">', "<relaytest@{X}@>", "<nobody@localhost>"),
    ),
)
