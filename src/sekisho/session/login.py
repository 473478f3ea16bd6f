"""AUTH (RFC 4954): the exchange as far as SMTP goes; what is in it is for `auth`.

The order of the checks is part of the promise. Nothing is decoded, and nobody is
asked, before the mechanism is known and the session is under TLS: a password sent in
clear is refused without being looked at.

Within an exchange a line is a response and never a command, whatever it says. A
response that is no base64 ends the exchange, as a token that could not be read must
never reach whoever judges tokens (MS01-037 was a lone "." that did).
"""

from sekisho.model import replies
from sekisho.model.reply import Reply
from sekisho.session.core import Core
from sekisho.session.events import (
    AuthCancelled,
    AuthRequested,
    AuthResponded,
)
from sekisho.session.extensions import TlsState
from sekisho.wire.base64 import Base64Fault, decode, encode
from sekisho.wire.commands import Auth


def auth(core: Core, command: Auth) -> None:
    """AUTH; `misplaced` was looked at before."""
    if core.authenticated:
        core.refuse("AUTH", replies.AUTH_NOT_NOW)
    elif command.mechanism not in core.mechanisms:
        core.refuse("AUTH", replies.AUTH_UNKNOWN_MECHANISM)
    elif core.tls is not TlsState.ACTIVE:
        core.refuse("AUTH", replies.AUTH_NEEDS_TLS)
    elif core.auth_failures >= core.limits.max_auth_failures:
        core.refuse_and_end(
            "AUTH", replies.TOO_MANY_AUTH_FAILURES, "too many failed authentications"
        )
    else:
        _begin(core, command)


def _begin(core: Core, command: Auth) -> None:
    if command.initial is None:
        core.ask(AuthRequested(command.mechanism, None), answered)
        return
    # "=" is how an empty initial response is spelled, and nothing else (§4).
    initial = decode(b"" if command.initial == b"=" else command.initial)
    if isinstance(initial, Base64Fault):
        core.auth_failures += 1
        core.refuse("AUTH", replies.AUTH_BAD_BASE64)
    else:
        core.ask(AuthRequested(command.mechanism, initial), answered)


def answered(core: Core, reply: Reply) -> None:
    """The exchange has come to its end."""
    if reply.is_positive:
        core.authenticated = True
        core.say(reply)
        return
    core.auth_failures += 1
    core.deny(reply)


def challenge(core: Core, data: bytes) -> None:
    """Send a challenge and wait for the response."""
    core.on_answer = None
    core.output.append(b"334 " + encode(data) + b"\r\n")
    core.read = read_response


def read_response(core: Core) -> bool:
    """Read a response."""
    line = core.input.take_line(core.limits.max_auth_line_bytes)
    if not isinstance(line, bytes):
        return core.readers.no_line(core, line)
    core.clock.line = core.clock.now
    core.read = core.readers.command
    if line == b"*":
        cancel(core, replies.AUTH_CANCELLED)
        return True
    response = decode(line)
    if isinstance(response, Base64Fault):
        cancel(core, replies.AUTH_BAD_BASE64)
    else:
        core.ask(AuthResponded(response), answered)
    return True


def cancel(core: Core, reply: Reply) -> None:
    """End an exchange that came to no result."""
    core.auth_failures += 1
    core.events.append(AuthCancelled())
    core.refuse("AUTH", reply)
