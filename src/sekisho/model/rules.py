"""What the configuration says about who may do what, as values for `policy`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from sekisho.model.address import Address, AddressPattern

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network


def unmapped(address: IPAddress) -> IPAddress:
    """Take an IPv4-mapped IPv6 address for the IPv4 address it is."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


class Role(Enum):
    """What a listener is for."""

    MX = "mx"
    SUBMISSION = "submission"
    LEGACY = "legacy"


class BareNewline(Enum):
    """What a listener does with a CR or an LF that stands alone in content."""

    REFUSE = "refuse"
    NORMALISE = "normalise"


class TlsMode(Enum):
    """How a listener comes to TLS."""

    STARTTLS = "starttls"
    IMPLICIT = "implicit"
    OFF = "off"


class SenderBinding(Enum):
    """What becomes of a ``From`` or ``Sender`` that the client does not own."""

    REFUSE = "refuse"
    REWRITE = "rewrite"
    LOG = "log"


@dataclass(frozen=True, slots=True)
class AnyIdentity:
    """Whoever was verified: ``who = "authenticated"``."""


@dataclass(frozen=True, slots=True)
class Group:
    """Members of a group: ``who = "group:NAME"``."""

    name: str


@dataclass(frozen=True, slots=True)
class User:
    """One account: ``who = "user:NAME"``."""

    name: str


@dataclass(frozen=True, slots=True)
class Clients:
    """Client addresses: ``who = ["10.1.2.3", "2001:db8::/64"]``."""

    networks: tuple[IPNetwork, ...]


GrantedTo = AnyIdentity | Group | User | Clients


@dataclass(frozen=True, slots=True)
class Quota:
    """How much; 0 means no bound of its own."""

    messages_per_hour: int = 0
    messages_per_day: int = 0
    recipients_per_hour: int = 0
    recipients_per_day: int = 0


@dataclass(frozen=True, slots=True)
class Brake:
    """When an account sends so much that it must have been stolen.

    Its mail is then taken and held, for an operator to look at.

    Attributes:
        bound: Messages and recipients that an account sends, whatever lets it; 0 is no
            bound.
        refused_recipients_per_hour: Recipients that were refused to it; 0 is no bound.

    """

    bound: Quota = Quota()
    refused_recipients_per_hour: int = 0

    @property
    def is_on(self) -> bool:
        """Whether there is anything to count."""
        return bool(self.refused_recipients_per_hour) or self.bound != Quota()


@dataclass(frozen=True, slots=True)
class Grant:
    """A named rule by which a class of senders may relay.

    Attributes:
        name: Shown in every decision.
        who: Any of these matches.
        listeners: On which; empty means every submission listener (for identities;
            a grant by address always names its listeners).
        senders: Reverse-paths allowed. Empty means: what the identity owns.
        recipients: Forward-paths allowed.
        quota: How much. Counted by account for identities, by grant for addresses.
        expires_at: Unix seconds from which on it is void, or infinity.
        null_sender: Whether ``<>`` may be sent.
        sender_binding: For ``From`` and ``Sender``.
        accept_risk: Why the operator trusts more addresses than is wise, in his own
            words; empty where he does not (`sekisho.policy.closed`).

    """

    name: str
    who: tuple[GrantedTo, ...]
    listeners: frozenset[str] = frozenset()
    senders: tuple[AddressPattern, ...] = ()
    recipients: tuple[AddressPattern, ...] = (AddressPattern("*", "*"),)
    quota: Quota = Quota()
    expires_at: float = float("inf")
    null_sender: bool = False
    sender_binding: SenderBinding = SenderBinding.REFUSE
    accept_risk: str = ""


@dataclass(frozen=True, slots=True)
class ListenerRule:
    """What `policy` needs to know of a listener.

    Attributes:
        name: As configured.
        role: What it is for.
        tls: How it comes to TLS.
        lane: The grant that a legacy listener is, named ``listener:NAME``; None for
            the other roles.

    """

    name: str
    role: Role
    tls: TlsMode = TlsMode.STARTTLS
    lane: Grant | None = None


class RecipientCheck(Enum):
    """How the recipients of an own domain are known."""

    CALLOUT = "callout"
    LISTED = "listed"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class OwnDomain:
    """A domain that is ours: accepted from outside, routed inside.

    Attributes:
        name: Normal form.
        check: How its recipients are known.
        recipients: With `RecipientCheck.LISTED`: keys (`Address.key`) of single
            mailboxes, for a look-up that does not grow with their number.
        patterns: With `RecipientCheck.LISTED`: the rest.
        accept_own_senders_from_outside: Whether mail that claims to come from this
            domain is taken from clients without papers (for plain forwarders).

    """

    name: str
    check: RecipientCheck = RecipientCheck.CALLOUT
    recipients: frozenset[tuple[str, str]] = frozenset()
    patterns: tuple[AddressPattern, ...] = ()
    accept_own_senders_from_outside: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything that decides who may send what to whom.

    Attributes:
        hostname: Ours, normal form.
        postmaster: Where mail for the unqualified ``postmaster`` goes; always taken.
            (``postmaster`` of an own domain is always taken too, and goes where that
            domain's mail goes.)
        listeners: By name.
        domains: Own domains, by normal name.
        grants: In the order of the file.
        max_hops: More ``Received`` fields than this are a loop.
        gateways: Addresses behind which others hide: default gateways, and our own
            addresses on container bridges. Grants by address match them only by an
            exact entry with `Grant.accept_risk`.
        bridges: Networks of container bridges, whose addresses are handed out by the
            container engine to whatever it runs; the same holds for them.
        brake: For accounts that were stolen.
        relaying_closed: Whether nothing passes by a grant or a lane now: the service's
            audit of itself has found a flaw.

    """

    hostname: str
    postmaster: Address
    listeners: Mapping[str, ListenerRule] = field(
        default_factory=dict[str, ListenerRule]
    )
    domains: Mapping[str, OwnDomain] = field(default_factory=dict[str, OwnDomain])
    grants: tuple[Grant, ...] = ()
    max_hops: int = 100
    gateways: frozenset[IPAddress] = frozenset()
    bridges: tuple[IPNetwork, ...] = ()
    brake: Brake = Brake()
    relaying_closed: bool = False
