"""The walk's first half: everybody who may not relay tries to."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import inf, nextafter
from typing import TypeVar

from sekisho.model.address import Address, ReversePath
from sekisho.model.decision import Decision
from sekisho.model.facts import Facts, Offered
from sekisho.model.identity import NOBODY, Identity, Who
from sekisho.model.rules import Grant, IPAddress, Rules
from sekisho.policy.classes import (
    Mailboxes,
    is_ours,
    offered,
    stranger_clients,
    strangers_at_edges,
)
from sekisho.policy.closed import Strangers, address_grants, lanes
from sekisho.policy.decide import Policy
from sekisho.policy.table import StrangerRelays

S = TypeVar("S")
R = TypeVar("R")

_MANY_PAIRS = 64
"""Up to so many pairs of sender and recipient are walked one by one; where a grant has
more, each sender with one recipient and each recipient with one sender."""


def crossed(senders: Sequence[S], recipients: Sequence[R]) -> Iterable[tuple[S, R]]:
    """The pairs to walk."""
    if len(senders) * len(recipients) <= _MANY_PAIRS:
        return product(senders, recipients)
    return [
        *((sender, recipients[0]) for sender in senders),
        *((senders[0], recipient) for recipient in recipients[1:]),
    ]


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody stands who tries."""

    listener: str
    client: IPAddress
    tls: bool
    who: Who = NOBODY


@dataclass(slots=True)
class Walk:
    """One walk over a policy, and what it has found so far.

    Attributes:
        policy: Whose decisions.
        now: Unix seconds.
        walked: How many decisions were asked.
        findings: Who relayed and may not.

    """

    policy: Policy
    now: float
    walked: int = 0
    findings: list[StrangerRelays] = field(default_factory=list[StrangerRelays])
    boxes: Mailboxes = field(init=False)

    def __post_init__(self) -> None:
        self.boxes = Mailboxes(self.rules)

    @property
    def rules(self) -> Rules:
        """What the policy was compiled from."""
        return self.policy.rules

    def ask(
        self, at: Place, sender: ReversePath, to: tuple[Offered], now: float
    ) -> Decision:
        """Ask the decision itself."""
        self.walked += 1
        return self.policy.decide(
            Facts(at.listener, at.client, at.tls, sender, now, at.who, to)
        )

    def must_not_relay(
        self, at: Place, sender: ReversePath, to: tuple[Offered], now: float
    ) -> None:
        """Ask for somebody who may not relay; relaying is a finding."""
        decision = self.ask(at, sender, to, now)
        if decision.accepts and not is_ours(self.rules, to[0].address):
            who = at.who
            self.findings.append(
                StrangerRelays(
                    at.listener,
                    who.account if isinstance(who, Identity) else str(at.client),
                    str(sender),
                    str(to[0].address),
                    decision.grant,
                    decision.reason,
                )
            )

    def strangers(self) -> None:
        """Let strangers of every kind try everything."""
        clients = stranger_clients(self.rules)
        tries = [
            (sender, offered(recipient))
            for sender in self.boxes.senders()
            for recipient in self.boxes.recipients()
        ]
        for at in self._places(clients):
            for sender, to in tries:
                self.must_not_relay(at, sender, to, self.now)
        # One stranger of each family tries what each grant lets others do, and so do
        # its neighbours: those just outside of each range, and those in its holes.
        families = {client.version: client for client in clients}
        for grant in (*self.rules.grants, *lanes(self.rules)):
            tries = self._allowed_by(grant)
            for at in self._places(families.values()):
                self._impostor(at, tries, grant)
        strangers = Strangers(self.rules)
        for grant in address_grants(self.rules):
            tries = self._allowed_by(grant)[:1]
            for at in self._places(strangers_at_edges(grant, strangers), tls=(False,)):
                self._impostor(at, tries, grant)

    def _places(
        self, clients: Iterable[IPAddress], tls: Sequence[bool] = (False, True)
    ) -> Iterator[Place]:
        for client in clients:
            for listener in self.rules.listeners:
                for under_tls in tls:
                    yield Place(listener, client, under_tls)

    def _allowed_by(self, grant: Grant) -> list[tuple[ReversePath, tuple[Offered]]]:
        """What a grant allows those whom it names."""
        senders = [self.boxes.of(pattern) for pattern in grant.senders]
        recipients = [offered(self.boxes.of(p)) for p in grant.recipients]
        senders = senders or [Address(self.boxes.local, self.boxes.foreign)]
        return list(crossed(senders, recipients))

    def _impostor(
        self,
        at: Place,
        tries: Iterable[tuple[ReversePath, tuple[Offered]]],
        grant: Grant,
    ) -> None:
        """Try what a grant allows others, on both sides of its expiry."""
        moments = {self.now}
        if grant.expires_at < inf:
            moments |= {nextafter(grant.expires_at, 0), grant.expires_at}
        for sender, to in tries:
            for moment in moments:
                self.must_not_relay(at, sender, to, moment)
