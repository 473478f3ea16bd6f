"""HELO, EHLO, LHLO, STARTTLS, and the commands that have no effect.

RFC 5321 §4.1.1.1, §4.1.1.5 to §4.1.1.10, RFC 2033 §4.1, RFC 3207.
"""

from collections.abc import Mapping
from functools import lru_cache

from sekisho.model import replies
from sekisho.model.reply import Reply
from sekisho.session.core import Core
from sekisho.session.events import TlsRequested
from sekisho.session.extensions import TlsState, ehlo_reply
from sekisho.session.states import State
from sekisho.wire.commands import (
    Command,
    Ehlo,
    Expn,
    Helo,
    Help,
    Lhlo,
    Noop,
    Quit,
    Rset,
    StartTls,
    Vrfy,
)


@lru_cache(maxsize=64)
def greeting(hostname: str, *, lmtp: bool) -> Reply:
    """Greet the client. No version: it would only tell an attacker what to try."""
    return Reply(220, "", (f"{hostname} {'LMTP' if lmtp else 'ESMTP'} Sekisho",))


@lru_cache(maxsize=64)
def _helo_reply(hostname: str) -> Reply:
    return Reply(250, "", (hostname,))


def helo(core: Core, command: Helo) -> None:
    """HELO: the client knows no extensions."""
    if core.lmtp:
        core.refuse("HELO", replies.UNKNOWN_COMMAND)
        return
    _greeted(core, command.name, esmtp=False)
    core.spend(_helo_reply(core.profile.hostname))


def ehlo(core: Core, command: Ehlo) -> None:
    """EHLO: say what is offered."""
    if core.lmtp:
        core.refuse("EHLO", replies.UNKNOWN_COMMAND)
        return
    _greeted(core, command.name, esmtp=True)
    core.spend(ehlo_reply(core.profile, core.tls, core.mechanisms))


def lhlo(core: Core, command: Lhlo) -> None:
    """LHLO: as EHLO, and spoken by LMTP alone."""
    if not core.lmtp:
        core.refuse("LHLO", replies.UNKNOWN_COMMAND)
        return
    _greeted(core, command.name, esmtp=True)
    core.spend(ehlo_reply(core.profile, core.tls, core.mechanisms))


def _greeted(core: Core, name: str, *, esmtp: bool) -> None:
    core.reset_transaction()
    core.state = State.READY
    core.esmtp = esmtp
    core.greeting_name = name


_NO_TLS: Mapping[TlsState, Reply] = {
    TlsState.UNAVAILABLE: replies.NOT_IMPLEMENTED,
    TlsState.ACTIVE: replies.BAD_SEQUENCE,
}


def starttls(core: Core, command: StartTls) -> None:
    """STARTTLS.

    What came behind it was sent in clear, by whoever could put it there. It must not
    be read as if it had come under TLS (CVE-2011-0411).
    """
    del command
    if core.tls in _NO_TLS:
        core.refuse("STARTTLS", _NO_TLS[core.tls])
        return
    core.reset_transaction()
    core.say(replies.READY_FOR_TLS)
    core.input.clear()
    core.ask(TlsRequested(), tls_failed)


def tls_failed(core: Core, reply: Reply) -> None:
    """Nothing sensible can be said on a connection whose handshake failed."""
    core.end(reply, "TLS handshake failed")


def tls_started(core: Core, now: float) -> None:
    """Begin anew (RFC 3207 §4.2): all that was said in clear is forgotten."""
    core.on_answer = None
    core.input.clear()
    core.tls = TlsState.ACTIVE
    core.state = State.NEW
    core.esmtp = False
    core.greeting_name = ""
    core.authenticated = False
    core.clock.now = core.clock.line = now


def rset(core: Core, command: Rset) -> None:
    """RSET."""
    del command
    core.reset_transaction()
    core.spend(replies.OK)


def quit_(core: Core, command: Quit) -> None:
    """QUIT."""
    del command
    core.end(replies.CLOSING, "quit")


def expn(core: Core, command: Expn) -> None:
    """EXPN: lists are nobody's business."""
    del command
    core.refuse("EXPN", replies.NOT_IMPLEMENTED)


_IDLE: Mapping[type[Command], Reply] = {
    Noop: replies.OK,
    Vrfy: replies.CANNOT_VERIFY,
    Help: replies.HELP,
}


def idle(core: Core, command: Noop | Vrfy | Help) -> None:
    """NOOP, HELP, and VRFY, which tells nobody who has a mailbox here."""
    core.spend(_IDLE[type(command)])
