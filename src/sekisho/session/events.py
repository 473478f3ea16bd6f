"""What a server session tells the room that runs it.

An event either asks or tells. What asks (`Asking`) is outstanding until
`ServerSession.answer` (or `challenge`, where the event says so); no command behind it
is read before, so a session never has two questions open. What tells needs nothing.

The life of one message:

    SenderOffered → RecipientOffered, one or more → ContentStarted →
    ContentReceived, none or more → ContentCompleted

`ContentAborted` may take the place of what follows `ContentStarted`, and
`TransactionReset` of what follows an accepted `SenderOffered`; after either nothing
more of that message comes. So does a negative answer to `ContentCompleted`, or to a
`ContentStarted` of BDAT: the chunks that a client has already sent behind a refused
one must never become the message's first ones.
"""

from dataclasses import dataclass, field

import msgspec

from sekisho.model.envelope import Envelope, Recipient
from sekisho.model.reply import Reply


class SenderOffered(msgspec.Struct, frozen=True):
    """MAIL: may this sender begin a transaction? Asks.

    Attributes:
        envelope: Parsed, without recipients.

    """

    envelope: Envelope


class RecipientOffered(msgspec.Struct, frozen=True):
    """RCPT: is this recipient taken? Asks.

    Attributes:
        recipient: The unqualified ``postmaster`` comes with an empty domain.

    """

    recipient: Recipient


class ContentStarted(msgspec.Struct, frozen=True):
    """DATA or the first BDAT: may content come? Asks.

    A positive answer is only a yes: the session says 354, or nothing for BDAT.

    Attributes:
        envelope: With the recipients that were accepted, in their order.

    """

    envelope: Envelope


class ContentReceived(msgspec.Struct, frozen=True):
    """A piece of the content, without the wire's dot-stuffing. Tells."""

    data: bytes


class ContentCompleted(msgspec.Struct, frozen=True):
    """The content is whole: who takes responsibility? Asks.

    Attributes:
        size: Octets of all pieces together.

    """

    size: int


class ContentAborted(msgspec.Struct, frozen=True):
    """The content broke a rule; what came of it is to be thrown away. Tells.

    Attributes:
        reply: Why. The client gets it once the rest was swallowed, or a graver one
            if the rest breaks a graver rule.

    """

    reply: Reply


class TransactionReset(msgspec.Struct, frozen=True):
    """The open transaction is over without a message. Tells."""


class TlsRequested(msgspec.Struct, frozen=True):
    """STARTTLS was answered 220: flush, do the handshake. Asks.

    Outstanding until `ServerSession.tls_started` or `tls_failed`.
    """


@dataclass(frozen=True, slots=True)
class AuthRequested:
    """AUTH: answer or challenge. Asks.

    Attributes:
        mechanism: Upper case, one of those offered.
        initial: The initial response, None where there was none (RFC 4954 §4 tells
            it from an empty one).

    """

    mechanism: str
    initial: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class AuthResponded:
    """The client's response to a challenge: answer or challenge. Asks."""

    data: bytes = field(repr=False)


class AuthCancelled(msgspec.Struct, frozen=True):
    """The exchange is over without a result; the session has replied. Tells."""


class CommandRefused(msgspec.Struct, frozen=True):
    """The session refused a command by itself. Tells.

    Attributes:
        command: The verb where it is one of ours, never anything of its arguments
            (a password sent out of turn looks like an unknown verb).
        reply: What the client was told.

    """

    command: str
    reply: Reply


class SessionEnded(msgspec.Struct, frozen=True):
    """Nothing comes after this: flush the output and close. Tells.

    Attributes:
        reason: For the log.

    """

    reason: str


Event = (
    SenderOffered
    | RecipientOffered
    | ContentStarted
    | ContentReceived
    | ContentCompleted
    | ContentAborted
    | TransactionReset
    | TlsRequested
    | AuthRequested
    | AuthResponded
    | AuthCancelled
    | CommandRefused
    | SessionEnded
)
