"""Who a client proved to be, and the four answers an authenticator can give.

Promise: there is no boolean on the path from a credential to a 235. Only `Verified`
leads there; every other answer, and every exception, is a refusal (MS01-037 took a
status that was not success for success).
"""

from dataclasses import dataclass

from sekisho.model.address import Address, AddressPattern
from sekisho.model.rules import IPAddress, IPNetwork


@dataclass(frozen=True, slots=True)
class Identity:
    """An account whose credential was verified.

    Attributes:
        account: The account's name in its normal form (RFC 8265 UsernameCaseMapped).
        authenticator: Which authenticator verified it, by its configured name.
        mechanism: SASL mechanism, as registered.
        generation: The account's generation when it was verified; an account that was
            changed, disabled or locked out since has another one, and this identity
            is stale.
        addresses: The mailboxes it may send from.
        groups: For grants to ``group:NAME``.
        credential: Which of the account's credentials, where it has several: the label
            of an app password; empty for its own password.
        networks: From where this credential may be used; from anywhere if empty.
        max_messages_per_day: By this credential; 0 is no bound.

    """

    account: str
    authenticator: str
    mechanism: str
    generation: int
    addresses: tuple[AddressPattern, ...] = ()
    groups: frozenset[str] = frozenset()
    credential: str = ""
    networks: tuple[IPNetwork, ...] = ()
    max_messages_per_day: int = 0

    def may_come_from(self, client: IPAddress) -> bool:
        """Whether this credential may be used from there."""
        return not self.networks or any(client in one for one in self.networks)

    def owns(self, address: Address) -> bool:
        """Whether the account may send from this mailbox."""
        for pattern in self.addresses:  # noqa: SIM110 - any() costs twice as much
            if pattern.matches(address):
                return True
        return False


@dataclass(frozen=True, slots=True)
class Nobody:
    """A client without a verified identity."""


NOBODY = Nobody()
Who = Identity | Nobody


@dataclass(frozen=True, slots=True)
class Verified:
    """The credential is right."""

    identity: Identity


@dataclass(frozen=True, slots=True)
class Rejected:
    """The credential is wrong, or the account may not be used; 535 5.7.8.

    Attributes:
        reason: For the log alone; the client learns nothing of it.
        account: Whom the client claimed to be, where that was readable.

    """

    reason: str
    account: str = ""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """It could not be found out; 454 4.7.0, and the search ends.

    Attributes:
        reason: For the log alone.

    """

    reason: str


@dataclass(frozen=True, slots=True)
class NotMine:
    """Inside a chain only: this authenticator knows no such account."""


Answer = Verified | Rejected | Unavailable
ChainAnswer = Answer | NotMine
