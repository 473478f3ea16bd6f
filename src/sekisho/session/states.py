"""Which command may stand where (RFC 5321 §4.1.4): all of it, in one table.

    NEW ──EHLO──▶ READY ──MAIL──▶ SENDER ──RCPT──▶ RECIPIENTS ──DATA──▶ READY
                    ▲                                  │
                    └───────────BDAT LAST── CHUNKS ◀──BDAT

A command that is in no row may stand anywhere. RSET, EHLO and whatever ends a
transaction lead back to READY; a TLS handshake leads back to NEW (RFC 3207 §4.2).
Commands of extensions want EHLO rather than HELO (RFC 5321 §4.1.1.1).
"""

from collections.abc import Mapping
from enum import Enum

from sekisho.model import replies
from sekisho.model.reply import Reply
from sekisho.wire.commands import Auth, Bdat, Command, Data, Mail, Rcpt, StartTls


class State(Enum):
    """How far a session has come."""

    NEW = "no greeting of the client's yet"
    READY = "no transaction"
    SENDER = "a sender, no recipient"
    RECIPIENTS = "a sender and recipients"
    CHUNKS = "between two chunks"

    __hash__ = object.__hash__  # By identity: looked up for every command.


_OUT_OF_PLACE: Mapping[type[Command], Mapping[State, Reply]] = {
    Mail: {
        State.NEW: replies.NEEDS_HELLO,
        State.SENDER: replies.BAD_SEQUENCE,
        State.RECIPIENTS: replies.BAD_SEQUENCE,
        State.CHUNKS: replies.BAD_SEQUENCE,
    },
    Rcpt: {
        State.NEW: replies.NEEDS_HELLO,
        State.READY: replies.BAD_SEQUENCE,
        State.CHUNKS: replies.BAD_SEQUENCE,
    },
    Data: {
        State.NEW: replies.NEEDS_HELLO,
        State.READY: replies.BAD_SEQUENCE,
        State.SENDER: replies.NO_RECIPIENTS,
        State.CHUNKS: replies.BAD_SEQUENCE,
    },
    Bdat: {
        State.NEW: replies.NEEDS_HELLO,
        State.READY: replies.BAD_SEQUENCE,
        State.SENDER: replies.NO_RECIPIENTS,
    },
    StartTls: {State.NEW: replies.NEEDS_HELLO},
    Auth: {
        State.NEW: replies.NEEDS_HELLO,
        State.SENDER: replies.AUTH_NOT_NOW,
        State.RECIPIENTS: replies.AUTH_NOT_NOW,
        State.CHUNKS: replies.AUTH_NOT_NOW,
    },
}
_OF_EXTENSIONS = frozenset({Bdat, StartTls, Auth})


def misplaced(command: type[Command], state: State, *, esmtp: bool) -> Reply | None:
    """Find the reply for a command in the wrong place; None where it is right."""
    if command not in _OUT_OF_PLACE:
        return None
    reply = _OUT_OF_PLACE[command].get(state)
    if reply is None and not esmtp and command in _OF_EXTENSIONS:
        return replies.BAD_SEQUENCE
    return reply
