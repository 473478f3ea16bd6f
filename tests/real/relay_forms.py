"""Every address form by which strangers have made servers relay, and what we reply.

The forms are the audit's (`sekisho.audit.relay_forms`), with the ids of its probes;
here stands which of the replies that refuse them are ours. Behind them come forms that
the audit leaves out, since they name no foreign mailbox; sequences and verbs (RLY-041
to RLY-046) stand in ``test_open_relay.py``. In the texts

``{D}`` is the own domain, ``{H}`` the server's name, ``{IP}`` its address, ``{X}`` the
outside world, ``{U}`` an account's local part, ``{C}`` a stranger's.

What a refusal may be is a set, because several are right; a 2xx is right for the few
rows that say so, and even then nothing may leave for the world.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sekisho.audit import relay_forms as asked

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
    raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    names = {"{D}": OWN, "{H}": HOST, "{IP}": IP, "{X}": WORLD, "{U}": USER}
    names |= {"{C}": "c", "{V}": USER}
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


def _asked(name: str, safe: frozenset[str], forms: Iterable[asked.Form]) -> list[Form]:
    return [
        Form(f"{name}-{n}", _fill(form.sender), _fill(form.recipient), safe)
        for n, form in enumerate(forms, 1)
    ]


_SIZE = frozenset({"552 5.3.4"})
_UNQUALIFIED = {7, 8, 14}
_MANY_ATS = {9, 11}

FORMS: tuple[Form, ...] = (
    # The sixteen pairs that nmap and Metasploit try.
    *(
        form
        for n, forms in enumerate(asked.NMAP, 1)
        for form in _asked(
            f"RLY-{n:03}", SYNTAX if n in _UNQUALIFIED | _MANY_ATS else DENIED, forms
        )
    ),
    # Senders.
    *_asked("RLY-020", SYNTAX | DENIED, asked.UNQUALIFIED_SENDERS),
    *_asked("RLY-021", SYNTAX | DENIED, asked.NEAR_SENDERS),
    *_asked("RLY-022", SYNTAX | DENIED, asked.POSTMASTER_SENDERS),
    *_asked("RLY-023", DENIED, asked.LOCAL_SENDERS),
    *_asked("RLY-024", DENIED, asked.NULL_SENDER),
    # Recipients.
    *_asked("RLY-025", SYNTAX, asked.MANY_ATS),
    *_asked("RLY-026", OPAQUE | SYNTAX, asked.PERCENT),
    *_asked("RLY-027", OPAQUE | SYNTAX, asked.BANG),
    *_asked("RLY-028", DENIED | SYNTAX, asked.ROUTES),
    *_asked("RLY-029", OPAQUE | SYNTAX, asked.QUOTED),
    *_asked("RLY-030", SYNTAX, asked.COMMENTS),
    *_asked("RLY-031", OPAQUE | SYNTAX, asked.ANGLES),
    *_asked("RLY-032", FOREIGN_SCRIPT | OCTETS | OPAQUE | SYNTAX, asked.ENCODED),
    *_asked("RLY-033", FOREIGN_SCRIPT | DENIED | SYNTAX, asked.SCRIPTS),
    *_asked("RLY-034", SYNTAX | DENIED | OCTETS, asked.NEAR_DOMAINS),
    *_asked("RLY-035", DENIED | SYNTAX, asked.LITERALS),
    *_asked("RLY-036", OPAQUE, asked.ENCAPSULATED),
    *_asked("RLY-037", OPAQUE, asked.REWRITTEN),
    *_asked("RLY-038", OPAQUE | SYNTAX, asked.PROGRAMS),
    *_asked("RLY-040", DENIED | SYNTAX | _SIZE, asked.PARAMETERS),
    # No foreign mailbox: ours, or nobody's.
    *_rows("RLY-020v", SYNTAX | DENIED, "<c>"),
    *_rows("RLY-022w", LOCAL, "<postmaster>"),
    *_rows("RLY-022x", LOCAL, "<Postmaster@{D}>"),
    *_rows("RLY-025x", SYNTAX, "<@{X}>", "<@>"),
    *_rows("RLY-028x", DENIED | SYNTAX, "<@{X}:{U}@{D}>"),
    *_rows("RLY-029x", OPAQUE | SYNTAX, '<"">', '<""@{D}>'),
    *_rows(
        "RLY-032x",
        FOREIGN_SCRIPT | OCTETS | SYNTAX,
        *("<c@own\u3002test>", "<c@own\uff0etest>", "<c@own\u2024test>"),
    ),
    *_rows(
        "RLY-033x",
        SYNTAX | DENIED | {"553 5.6.7"},
        *("<c@xn--\u00fc.{X}>", "<c@o\u200dwn.test>", "<c@xn--zz--zz.{X}>"),
        sender="<a@{X}> SMTPUTF8",
    ),
    *_rows(
        "RLY-034x",
        SYNTAX | OPAQUE,
        *("<c@{D}.>", "<c@{D}..>", "<c@.{D}>", "<c@OWN.TEST>", "<c@sub.{D}>"),
        *("<c@{X}.{D}>", "<c@{D}_>", "<c@{D}:25>", "<c@{D}\\>"),
    ),
    *_rows(
        "RLY-035x",
        DENIED | SYNTAX,
        *("<c@[{IP}]>", "<c@[127.0.0.1]>", "<c@[IPv6:::1]>", "<c@[]>", "<c@[{IP}>"),
    ),
    *_rows("RLY-038x", OPAQUE | SYNTAX, "<{U}+..%2f@{D}>"),
    # Octets that no path holds.
    *_rows(
        "RLY-039",
        OCTETS | SYNTAX,
        b"<c@{D}\rRCPT TO:<c@{X}>",
        b"<c@{D}>\nRCPT TO:<c@{X}>",
        b'<"a\nRCPT TO:<c@{X}>"@{D}>',
        b"<c@{D}\t>",
    ),
    *_rows("RLY-039u", OCTETS | SYNTAX, "<c@{X}>", sender=b"<a@{D}\x0bb>"),
    # Nessus' leftovers.
    *_rows("RLY-C2", OPAQUE | SYNTAX, "<nobody@localhost>"),
)
