"""What the client machine is told, and what it tells (`sekisho.session.client`).

A carrier feeds octets and time in, and takes events and octets out. Each event says
what to do next; none carries a boolean for how it went.
"""

from dataclasses import dataclass, field

import msgspec

from sekisho.model.outcome import Deferred, Failed, Outcome
from sekisho.model.reply import Reply
from sekisho.model.route import Credentials, TlsPolicy


@dataclass(frozen=True, slots=True)
class ClientTimeouts:
    """How long each answer may take, in seconds (RFC 5321 §4.5.3.2).

    Attributes:
        greeting: The 220 after the connection (§4.5.3.2.1).
        command: EHLO, STARTTLS, AUTH and RSET; the RFC names none.
        mail: §4.5.3.2.2.
        rcpt: §4.5.3.2.3.
        data: The 354 (§4.5.3.2.4).
        block: Taking one piece of the content (§4.5.3.2.5).
        final: The reply to the content (§4.5.3.2.6). Ending it sooner makes
            duplicates: the next host may have the message already.
        quit: The 221, which changes nothing any more.

    """

    greeting: float = 300.0
    command: float = 300.0
    mail: float = 300.0
    rcpt: float = 300.0
    data: float = 120.0
    block: float = 180.0
    final: float = 600.0
    quit: float = 5.0


@dataclass(frozen=True, slots=True)
class ClientProfile:
    """How to speak to one host.

    Attributes:
        hostname: Ours, for EHLO.
        host: Theirs, as it stands in outcomes.
        tls: Whether STARTTLS is asked for. Under `TlsPolicy.REQUIRED` nothing but
            EHLO is said in plain text.
        lmtp: Whether LMTP (RFC 2033) is spoken.
        credentials: Our login; sent under TLS only.
        nonce: Random printable text without a comma, for SCRAM.
        timeouts: See there.

    """

    hostname: str
    host: str
    tls: TlsPolicy = TlsPolicy.OPPORTUNISTIC
    lmtp: bool = False
    credentials: Credentials | None = None
    nonce: str = field(default="", repr=False)
    timeouts: ClientTimeouts = ClientTimeouts()


class ContentFacts(msgspec.Struct, frozen=True):
    """What is known of a content before it is sent.

    Attributes:
        size: Octets, exactly.
        eight_bit: Whether an octet above 127 may stand in it.
        utf8_header: Whether its header needs SMTPUTF8 (RFC 6532).

    """

    size: int
    eight_bit: bool = False
    utf8_header: bool = False


class TlsWanted(msgspec.Struct, frozen=True):
    """STARTTLS was granted: do the handshake now, then say how it went.

    The carrier stops reading first: what is read before the handshake is not the
    next host's word.
    """


class SessionReady(msgspec.Struct, frozen=True):
    """A transaction or a probe may begin."""


class SessionFailed(msgspec.Struct, frozen=True):
    """No transaction was begun and none can be; the session has ended."""

    failure: Deferred | Failed


class ContentWanted(msgspec.Struct, frozen=True):
    """Give the content now, in pieces, then its end."""


class TransactionDone(msgspec.Struct, frozen=True):
    """What became of each recipient, in the order given."""

    outcomes: tuple[Outcome, ...]


class ProbeDone(msgspec.Struct, frozen=True):
    """What the next host says of a recipient, or why it was not asked."""

    answer: Reply | Deferred | Failed


ClientEvent = (
    TlsWanted
    | SessionReady
    | SessionFailed
    | ContentWanted
    | TransactionDone
    | ProbeDone
)
