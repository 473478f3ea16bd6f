"""The commands of a sound server, one function a verb, and the loop around them."""

from collections.abc import Mapping

from sekisho.audit.lab.content import bdat, data
from sekisho.audit.lab.manners import Command
from sekisho.audit.lab.session import ExchangeEndedError, HangUpError, LabSession
from sekisho.audit.lab.sound import DOMAIN

TOO_LONG = b"500 5.5.2 line too long"
OUT_OF_ORDER = b"503 5.5.1 out of order"
UNKNOWN = b"500 5.5.1 unknown command"


async def converse(session: LabSession) -> None:
    """Greet, and answer until one side ends it."""
    try:
        await _greet(session)
        while True:
            line = await session.line()
            reply = TOO_LONG if line is None else await answer(session, line)
            if reply is not None:
                await session.send(reply)
                _count(session, reply)
    except HangUpError as last:
        if last.reply:
            await session.send(last.reply)


async def _greet(session: LabSession) -> None:
    early = await session.spoke_early()
    if early and not session.manners.forgives_early_talkers:
        raise HangUpError(b"554 5.5.1 you spoke before the greeting")
    if early and session.manners.greets_late:
        await session.send(await answer(session, await session.line() or b"") or b"")
    await session.send(b"220 " + session.manners.greeting)


def _count(session: LabSession, reply: bytes) -> None:
    session.errors += reply.startswith(b"5")
    session.failed_logins += reply.startswith(b"535")
    if session.failed_logins >= session.manners.max_failed_logins:
        raise HangUpError(b"421 4.7.0 too many failed logins")
    if session.errors >= session.manners.max_errors:
        raise HangUpError(b"421 4.7.0 too many errors")


async def answer(session: LabSession, line: bytes) -> bytes | None:
    """Carry out one command."""
    verb, _, argument = line.rstrip(b" ").partition(b" ")
    name = verb.upper().decode("latin-1")
    command = session.manners.commands.get(name) or COMMANDS.get(name)
    return UNKNOWN if command is None else await command(session, argument)


async def ehlo(session: LabSession, argument: bytes) -> bytes:
    """EHLO."""
    if not _name_is_sane(argument):
        return b"501 5.5.4 that is no name"
    session.reset()
    session.ehlo, session.extended = argument, True
    lines = [DOMAIN.decode(), *session.manners.keywords]
    if session.manners.starttls and not session.secured:
        lines.append("STARTTLS")
    if session.manners.mechanisms and _may_sign_in(session):
        lines.append(" ".join(["AUTH", *session.manners.mechanisms]))
    last = len(lines) - 1
    text = [f"250{' ' if n == last else '-'}{line}" for n, line in enumerate(lines)]
    return "\r\n".join(text).encode()


async def helo(session: LabSession, argument: bytes) -> bytes:
    """HELO."""
    if not _name_is_sane(argument):
        return b"501 5.5.4 that is no name"
    session.reset()
    session.ehlo, session.extended = argument, False
    return b"250 " + DOMAIN


def _name_is_sane(argument: bytes) -> bool:
    allowed = argument.replace(b"[", b"").replace(b"]", b"").replace(b":", b"")
    bare = allowed.replace(b".", b"").replace(b"-", b"").replace(b"_", b"")
    return 0 < len(argument) <= 255 and bare.isalnum()  # noqa: PLR2004 - RFC 1035


def _may_sign_in(session: LabSession) -> bool:
    return session.secured or session.manners.auth_in_clear


async def starttls(session: LabSession, argument: bytes) -> bytes | None:
    """STARTTLS (RFC 3207)."""
    if not session.manners.starttls:
        return b"502 5.5.1 not done here"
    if argument:
        return b"501 5.5.4 STARTTLS has no argument"
    if session.secured or not session.extended:
        return OUT_OF_ORDER
    await session.send(b"220 2.0.0 go on")
    await session.start_tls()
    return None


async def auth(session: LabSession, argument: bytes) -> bytes:
    """AUTH (RFC 4954)."""
    name, space, initial = argument.partition(b" ")
    if not session.extended or session.identity or session.sender is not None:
        return OUT_OF_ORDER
    if not _may_sign_in(session):
        return b"538 5.7.11 encryption required"
    mechanism = session.manners.mechanisms.get(name.upper().decode("latin-1"))
    if mechanism is None:
        return b"504 5.5.4 unknown mechanism"
    if b" " in initial:
        return b"501 5.5.4 syntax"
    try:
        return await mechanism(session, initial if space else None)
    except ExchangeEndedError as ended:
        return ended.reply


async def mail(session: LabSession, argument: bytes) -> bytes:
    """MAIL."""
    if not session.ehlo or session.sender is not None or session.chunks is not None:
        return OUT_OF_ORDER
    if session.manners.wants_auth and not session.identity:
        return b"530 5.7.0 authentication required"
    prefix, path = argument[:5], argument[5:]
    if prefix.upper() != b"FROM:":
        return b"501 5.5.4 syntax: MAIL FROM:<path>"
    reply = session.manners.takes_sender(session, path)
    if reply.startswith(b"2"):
        session.sender = path
    return reply


async def rcpt(session: LabSession, argument: bytes) -> bytes:
    """RCPT."""
    if session.sender is None or session.chunks is not None:
        return OUT_OF_ORDER
    prefix, path = argument[:3], argument[3:]
    if prefix.upper() != b"TO:":
        return b"501 5.5.4 syntax: RCPT TO:<path>"
    if len(session.recipients) >= session.manners.max_recipients:
        return b"452 4.5.3 too many recipients"
    reply = session.manners.knows(session, path)
    if reply.startswith(b"2"):
        session.recipients.append(path)
    return reply


async def rset(session: LabSession, argument: bytes) -> bytes:
    """RSET keeps who signed in."""
    if argument:
        return b"501 5.5.4 RSET has no argument"
    session.reset()
    return b"250 2.0.0 forgotten"


async def noop(session: LabSession, argument: bytes) -> bytes:
    """NOOP."""
    del session, argument
    return b"250 2.0.0 well"


async def quit_(session: LabSession, argument: bytes) -> bytes:
    """QUIT."""
    del session, argument
    raise HangUpError(b"221 2.0.0 bye")


async def vrfy(session: LabSession, argument: bytes) -> bytes:
    """VRFY tells nothing."""
    del session
    return b"252 2.5.0 try to send" if argument else b"501 5.5.4 syntax: VRFY name"


async def refused(session: LabSession, argument: bytes) -> bytes:
    """Know a verb, and not do it."""
    del session, argument
    return b"502 5.5.1 not done here"


async def no_smtp(session: LabSession, argument: bytes) -> bytes:
    """HTTP is another protocol."""
    del session, argument
    raise HangUpError(b"521 5.5.1 this is no web server")


COMMANDS: Mapping[str, Command] = {
    "EHLO": ehlo,
    "HELO": helo,
    "STARTTLS": starttls,
    "AUTH": auth,
    "MAIL": mail,
    "RCPT": rcpt,
    "DATA": data,
    "BDAT": bdat,
    "RSET": rset,
    "NOOP": noop,
    "QUIT": quit_,
    "VRFY": vrfy,
    **dict.fromkeys(("EXPN", "ETRN", "TURN", "ATRN", "HELP"), refused),
    **dict.fromkeys(("SEND", "SOML", "SAML"), refused),
    **dict.fromkeys(("GET", "POST", "PUT", "HEAD", "CONNECT", "OPTIONS"), no_smtp),
}
