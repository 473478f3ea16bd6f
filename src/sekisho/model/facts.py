"""All that a decision may look at."""

from collections.abc import Mapping
from enum import Enum

import msgspec

from sekisho.model.address import Address, ReversePath
from sekisho.model.identity import NOBODY, Who
from sekisho.model.rules import IPAddress


class Standing(Enum):
    """What is known of a recipient in an own domain whose host is asked."""

    NOT_ASKED = "not asked"
    EXISTS = "exists"
    UNKNOWN = "unknown"
    UNAVAILABLE = "unavailable"


class Offered(msgspec.Struct, frozen=True):
    """One forward-path, with what is known of it."""

    address: Address
    standing: Standing = Standing.NOT_ASKED


class Usage(msgspec.Struct, frozen=True):
    """What was sent under a quota so far, this one not counted."""

    messages_last_hour: int = 0
    messages_last_day: int = 0
    recipients_last_hour: int = 0
    recipients_last_day: int = 0


class QuotaKey(msgspec.Struct, frozen=True):
    """Whom a quota counts: a grant, and the account for grants to identities."""

    grant: str
    account: str = ""


class Malformation(Enum):
    """What can be wrong with the fields that say who wrote a message."""

    NONE = ""
    NO_FROM = "there is no From field"
    MANY_FROM = "there is more than one From field"
    MANY_MAILBOXES = "From names more than one mailbox"
    GROUP = "From holds a group"
    BROKEN = "From or Sender cannot be read"
    MANY_SENDER = "there is more than one Sender field"


class HeaderFacts(msgspec.Struct, frozen=True):
    """What the header says, as far as decisions go.

    Attributes:
        author: The mailbox of ``From``, None where `malformation` says why not.
        sender: The mailbox of ``Sender``, None where there is none.
        malformation: What is wrong with them.
        hops: How many ``Received`` fields there are.

    """

    author: Address | None
    sender: Address | None
    malformation: Malformation
    hops: int


class Facts(msgspec.Struct, frozen=True):
    """A case to be decided, at one of three moments.

    At MAIL `recipients` is empty; at RCPT it holds the one offered; at the end of the
    content it holds all that were accepted, and `header` is there.

    Attributes:
        listener: The listener's name.
        client: The client's address, unmapped (`sekisho.model.rules.unmapped`).
        tls: Whether the session is under TLS.
        who: The identity, or `NOBODY`.
        reverse_path: Of MAIL.
        recipients: See above.
        header: See above.
        usage: What was used of quotas; a key that is missing was not used.
        now: Unix seconds.

    """

    listener: str
    client: IPAddress
    tls: bool
    reverse_path: ReversePath
    now: float
    who: Who = NOBODY
    recipients: tuple[Offered, ...] = ()
    header: HeaderFacts | None = None
    usage: Mapping[QuotaKey, Usage] = msgspec.field(
        default_factory=dict[QuotaKey, Usage]
    )
