"""MAIL and RCPT (RFC 5321 §4.1.1.2 and §4.1.1.3)."""

from sekisho.model import replies
from sekisho.model.reply import Reply
from sekisho.session.core import CLOSES, Core
from sekisho.session.events import CommandRefused, RecipientOffered, SenderOffered
from sekisho.session.states import State
from sekisho.wire.commands import Mail, Rcpt

_PATIENCE = 2
"""How many times `max_recipients` may be offered, refused ones included.

A client that goes past the limit by mistake is told 452 for each recipient, which is
no error of its (RFC 5321 §4.5.3.1.10: it sends the rest in another transaction)."""


def mail(core: Core, command: Mail) -> None:
    """MAIL."""
    limits = core.limits
    envelope = command.envelope
    if core.messages >= limits.max_messages_per_session:
        core.end(replies.TOO_MANY_MESSAGES, "too many messages")
    elif command.extended and not core.esmtp:
        core.refuse("MAIL", replies.UNKNOWN_PARAMETER)
    elif envelope.declared_bytes > limits.max_message_bytes:
        core.refuse("MAIL", replies.TOO_BIG)
    else:
        core.envelope = envelope
        core.ask(SenderOffered(envelope), _sender_answered)


def _sender_answered(core: Core, reply: Reply) -> None:
    if reply.is_positive:
        core.state = State.SENDER
        core.say(reply)
    else:
        core.deny(reply)


def rcpt(core: Core, command: Rcpt) -> None:
    """RCPT."""
    most = core.limits.max_recipients
    core.offered += 1
    if core.offered > _PATIENCE * most:
        core.end(replies.TOO_MANY_COMMANDS, "too many recipients")
    elif command.extended and not core.esmtp:
        core.refuse("RCPT", replies.UNKNOWN_PARAMETER)
    elif command.utf8 and not core.envelope.smtputf8:
        core.refuse("RCPT", replies.NEEDS_SMTPUTF8)
    elif len(core.recipients) >= most:
        core.events.append(CommandRefused("RCPT", replies.TOO_MANY_RECIPIENTS))
        core.say(replies.TOO_MANY_RECIPIENTS)
    else:
        recipient = command.recipient

        def answered(core: Core, reply: Reply) -> None:
            if reply.is_positive:
                core.recipients.append(recipient)
                core.state = State.RECIPIENTS
                core.say(reply)
            elif reply.is_transient and reply.code != CLOSES:
                # Counted above: a transaction whose recipients cannot all be checked
                # now must not end for that alone.
                core.say(reply)
            else:
                core.deny(reply)

        core.ask(RecipientOffered(recipient), answered)
