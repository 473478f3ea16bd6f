"""Reading commands, and what is read instead where a line is none.

A bare CR, a bare LF or a NUL in a line ends the session: another reader may see two
commands where we see one. A line that is too long is refused at its limit, and thrown
away up to its CRLF; the session goes on behind it, unless it has no end.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sekisho.model import replies
from sekisho.model.reply import Reply
from sekisho.session import content, greetings, login, transaction
from sekisho.session.core import Core, Readers
from sekisho.session.states import misplaced
from sekisho.wire.commands import (
    UNKNOWN_VERB,
    Auth,
    Bdat,
    Command,
    Data,
    Ehlo,
    Expn,
    Fatal,
    Helo,
    Help,
    Lhlo,
    Mail,
    Malformed,
    Noop,
    Quit,
    Rcpt,
    Rset,
    StartTls,
    Vrfy,
    is_bdat,
    parse_command,
)
from sekisho.wire.lines import LineFault

_MOST_SKIPPED = 16
"""How many times its limit a line may go on before the session ends."""


def _malformed(core: Core, command: Malformed) -> None:
    core.refuse(command.verb, command.reply)


def _fatal(core: Core, command: Fatal) -> None:
    core.refuse_and_end(command.verb, command.reply, "unreadable command")


# The key is the type of the value's argument, which no annotation can say.
_HANDLERS: Mapping[type[Command], Callable[[Core, Any], None]] = {
    Helo: greetings.helo,
    Ehlo: greetings.ehlo,
    Lhlo: greetings.lhlo,
    Mail: transaction.mail,
    Rcpt: transaction.rcpt,
    Data: content.data,
    Bdat: content.bdat,
    Rset: greetings.rset,
    Noop: greetings.idle,
    Quit: greetings.quit_,
    Vrfy: greetings.idle,
    Expn: greetings.expn,
    Help: greetings.idle,
    Auth: login.auth,
    StartTls: greetings.starttls,
    Malformed: _malformed,
    Fatal: _fatal,
}


def read_command(core: Core) -> bool:
    """Read one command and carry it out."""
    source = core.input
    if source.start == len(source.data):
        return False
    line = source.take_line(core.limits.max_command_bytes)
    if isinstance(line, LineFault):
        if line is LineFault.TOO_LONG and source.peek(5).upper() == b"AUTH ":
            line = source.take_line(core.limits.max_auth_line_bytes)
        if isinstance(line, LineFault):
            return read_no_line(core, line)
    core.clock.line = core.clock.now
    command = parse_command(line)
    kind = type(command)
    reply = misplaced(kind, core.state, esmtp=core.esmtp)
    if kind is Data and source.held:
        content.pipelined(core)
    elif reply is None:
        _HANDLERS[kind](core, command)
    elif isinstance(command, Bdat):
        content.misplaced_bdat(core, command, reply)
    else:
        core.refuse(kind.__name__.upper(), _in_dialect(core, reply))
    return True


def _in_dialect(core: Core, reply: Reply) -> Reply:
    """LMTP has a code of its own for content without recipients (RFC 2033 §4.2)."""
    if core.lmtp and reply is replies.NO_RECIPIENTS:
        return replies.BAD_SEQUENCE
    return reply


def read_no_line(core: Core, fault: LineFault) -> bool:
    """Deal with input that is no line, or not yet."""
    if fault is LineFault.INCOMPLETE:
        return False
    if fault is LineFault.BAD_OCTET:
        core.refuse_and_end(UNKNOWN_VERB, replies.BAD_CHARACTER, "bare newline")
        return True
    head = core.input.peek(5).upper()
    if core.read is login.read_response:
        login.cancel(core, replies.AUTH_LINE_TOO_LONG)
    elif head == b"AUTH ":
        core.refuse("AUTH", replies.AUTH_LINE_TOO_LONG)
    elif is_bdat(head):
        # Where the line ends is known, but not how many octets of no commands follow.
        core.refuse_and_end("BDAT", replies.LINE_TOO_LONG, "unreadable command")
    else:
        core.refuse(UNKNOWN_VERB, replies.LINE_TOO_LONG)
    core.read = _Skipping()
    return True


class _Skipping:
    """Throws the rest of a line away."""

    __slots__ = ("_skipped",)

    def __init__(self) -> None:
        self._skipped = 0

    def __call__(self, core: Core) -> bool:
        before = core.input.held
        done = core.input.skip_line()
        self._skipped += before - core.input.held
        if self._skipped > _MOST_SKIPPED * core.limits.max_command_bytes:
            core.end(replies.TOO_MANY_ERRORS, "endless line")
            return True
        if done:
            core.clock.line = core.clock.now
            core.read = read_command
        return done


READERS = Readers(read_command, read_no_line)
