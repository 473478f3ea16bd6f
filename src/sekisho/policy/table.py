"""What the proof says: the table of who may relay what, and the findings."""

from dataclasses import dataclass
from math import inf
from typing import assert_never

from sekisho.model.address import Address, AddressPattern
from sekisho.model.facts import Facts
from sekisho.model.identity import Identity
from sekisho.model.rules import AnyIdentity, Clients, Group, Quota, User
from sekisho.policy.clients import Span, span_of_address
from sekisho.policy.closed import Caution, TrustProblem

NO_QUOTA = Quota()


@dataclass(frozen=True, slots=True)
class Anyone:
    """Every client, with papers or without."""


Holder = Anyone | Clients | AnyIdentity | Group | User


@dataclass(frozen=True, slots=True)
class Row:
    """Who may send what to whom: one line of the table.

    Attributes:
        listener: On which listener.
        who: Anyone, or whom the grant names.
        spans: With `Clients`: the addresses at which it holds.
        accounts: With an identity: how many known accounts that is.
        tls: Whether only under TLS.
        owned: Whether from the mailboxes that the account owns.
        senders: From which others.
        null_sender: Whether from ``<>``.
        recipients: To whom.
        quota: How much.
        expires_at: Until when, Unix seconds, or infinity.
        grant: By which grant or lane; empty for mail to our own domains.
        rule: By which rule.

    """

    listener: str
    who: Holder
    recipients: tuple[AddressPattern, ...]
    rule: str
    spans: tuple[Span, ...] = ()
    accounts: int = 0
    tls: bool = False
    owned: bool = False
    senders: tuple[AddressPattern, ...] = ()
    null_sender: bool = False
    quota: Quota = NO_QUOTA
    expires_at: float = inf
    grant: str = ""

    def covers(self, facts: Facts, recipient: Address) -> bool:
        """Whether the table says that this may pass."""
        return (
            facts.listener == self.listener
            and facts.now < self.expires_at
            and (facts.tls or not self.tls)
            and self._holds_client(facts)
            and self._holds_sender(facts)
            and any(pattern.matches(recipient) for pattern in self.recipients)
        )

    def _holds_client(self, facts: Facts) -> bool:
        who = facts.who
        match self.who:
            case Anyone():
                return True
            case Clients():
                here = span_of_address(facts.client)
                return any(
                    span.version == here.version
                    and span.first <= here.first <= span.last
                    for span in self.spans
                )
            case AnyIdentity():
                return isinstance(who, Identity)
            case Group(name):
                return isinstance(who, Identity) and name in who.groups
            case User(name):
                return isinstance(who, Identity) and name == who.account
            case _:
                assert_never(self.who)

    def _holds_sender(self, facts: Facts) -> bool:
        path, who = facts.reverse_path, facts.who
        if not isinstance(path, Address):
            return self.null_sender
        if self.owned and isinstance(who, Identity) and who.owns(path):
            return True
        return any(pattern.matches(path) for pattern in self.senders)


@dataclass(frozen=True, slots=True)
class StrangerRelays:
    """Somebody without papers can relay: the service does not start.

    Attributes:
        listener: Where.
        client: Who: an address, or an account that the grant does not name.
        sender: From whom.
        recipient: To whom.
        grant: The grant that the decision named, or empty.
        reason: The decision's.

    """

    listener: str
    client: str
    sender: str
    recipient: str
    grant: str
    reason: str


Finding = StrangerRelays | TrustProblem


@dataclass(frozen=True, slots=True)
class Proof:
    """What `prove` found.

    Attributes:
        rows: The table.
        findings: Reasons not to serve.
        cautions: What deserves a look.
        walked: How many decisions were asked.

    """

    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]
    cautions: tuple[Caution, ...]
    walked: int

    @property
    def is_closed(self) -> bool:
        """Whether nobody relays without papers."""
        return not self.findings
