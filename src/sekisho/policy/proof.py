"""The proof: who may relay what, found by walking the decision itself.

`prove` asks the real `Policy.decide`, never a model of it, for one case of every class
that the configuration can tell apart:

- clients: the address space cut at every edge of every grant's and lane's addresses,
  gateways and bridges; strangers of every kind, and just outside each edge;
- identities: nobody, one for each ``who`` of a grant, and one account for each distinct
  set of grants and shape of owned patterns (10,000 accounts are a few classes);
- senders and recipients: own domains, foreign ones, each grant's patterns, and the odd
  forms by which other servers were made to relay (`sekisho.policy.classes`);
- with and without TLS, on each side of each expiry, with all quotas unused.

It asks at RCPT, which asks all that MAIL does. Every accepted relay becomes part of a
`Row`; one by a stranger becomes a finding. What the decision cannot see (how many
addresses are trusted, and which) is judged by `sekisho.policy.closed`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from math import inf, nextafter
from typing import assert_never

from sekisho.model.address import (
    ANY_ADDRESS,
    NULL_PATH,
    Address,
    AddressPattern,
    ReversePath,
)
from sekisho.model.facts import Offered
from sekisho.model.identity import Identity
from sekisho.model.rules import (
    AnyIdentity,
    Clients,
    Grant,
    GrantedTo,
    Group,
    Role,
    User,
)
from sekisho.policy import rules as names
from sekisho.policy.cautions import cautions
from sekisho.policy.classes import is_ours, offered
from sekisho.policy.clients import Claim, ClientIndex, Span
from sekisho.policy.closed import (
    Caution,
    Concern,
    HostFacts,
    address_grants,
    merged,
    spans_of,
    trust_problems,
    walls,
)
from sekisho.policy.decide import Policy
from sekisho.policy.permits import Permit
from sekisho.policy.table import NO_QUOTA, Anyone, Proof, Row
from sekisho.policy.walk import Place, Walk, crossed

_SOMEWHERE = IPv4Address("203.0.113.7")
_PROVER = "prover"
_EVERYBODY = AnyIdentity()


def prove(
    policy: Policy,
    *,
    now: float,
    accounts: Iterable[Identity] = (),
    host: HostFacts | None = None,
) -> Proof:
    """Walk the decision over everything that the rules can tell apart.

    Args:
        policy: Whose decisions.
        now: Unix seconds.
        accounts: All known accounts, as they would be verified.
        host: What was seen on the machine that serves, None where this is another.

    """
    rules, known = policy.rules, list(accounts)
    walk = Walk(policy, now)
    walk.strangers()
    holders = _Holders(walk, known)
    rows = (*holders.own_domains(), *holders.clients(), *holders.identities())
    holders.accounts()
    return Proof(
        rows,
        (*trust_problems(rules, host or HostFacts()), *walk.findings),
        (*cautions(rules, host, now), *_owners(known), *holders.covered()),
        walk.walked,
    )


@dataclass(slots=True)
class _Holders:
    """The walk's second half: those who hold a grant use it.

    Attributes:
        walk: Asks and counts.
        known: All accounts.
        reached: Grants that decided something.
        shadowed: Grant → those that decided in its stead, by name.
        members: Group → how many accounts are in it.
        accounts_named: Account → how many accounts have that name.

    """

    walk: Walk
    known: Sequence[Identity]
    reached: set[str] = field(default_factory=set[str])
    shadowed: dict[str, dict[str, Grant]] = field(
        default_factory=dict[str, dict[str, Grant]]
    )
    members: Counter[str] = field(init=False)
    accounts_named: Counter[str] = field(init=False)

    def __post_init__(self) -> None:
        self.members = Counter(name for who in self.known for name in who.groups)
        self.accounts_named = Counter(who.account for who in self.known)

    # Mail to our own domains

    def own_domains(self) -> Iterator[Row]:
        """Who reaches our own domains without a grant."""
        for listener in self.walk.rules.listeners.values():
            if listener.role is Role.MX:
                at = Place(listener.name, _SOMEWHERE, tls=False)
                sender = Address(self.walk.boxes.local, self.walk.boxes.foreign)
                row = Row(listener.name, Anyone(), (), names.OWN_DOMAIN)
                row = replace(row, senders=(ANY_ADDRESS,), null_sender=True)
            elif listener.role is Role.SUBMISSION:
                at = Place(listener.name, _SOMEWHERE, tls=True, who=self._somebody())
                sender = self._owned()
                row = Row(listener.name, AnyIdentity(), (), names.OWN_DOMAIN)
                row = replace(row, owned=True, tls=True, accounts=len(self.known))
            else:
                continue
            if recipients := tuple(self._own_reached(at, sender)):
                yield replace(row, recipients=recipients)

    def _own_reached(self, at: Place, sender: Address) -> Iterator[AddressPattern]:
        for name in self.walk.rules.domains:
            pattern = AddressPattern("*", name)
            to = offered(self.walk.boxes.known_of(pattern))
            if self.walk.ask(at, sender, to, self.walk.now).rule == names.OWN_DOMAIN:
                yield pattern

    # Grants by address

    def clients(self) -> Iterator[Row]:
        """What the holders of addresses may relay."""
        walk, rules = self.walk, self.walk.rules
        pieces = list(
            ClientIndex(
                [
                    Claim(span, grant, bool(grant.accept_risk))
                    for grant in address_grants(rules)
                    for span in spans_of(grant)
                ],
                walls(rules),
            ).pieces()
        )
        for listener in rules.listeners.values():
            if listener.role is Role.SUBMISSION:
                continue
            classes: dict[tuple[Permit, ...], list[Span]] = {}
            for piece in pieces:
                for end in (piece.span.first_address, piece.span.last_address):
                    held = walk.policy.held_at(listener.name, end)
                    classes.setdefault(held, []).append(piece.span)
            yield from self._client_rows(listener.name, classes)

    def _client_rows(
        self, listener: str, classes: dict[tuple[Permit, ...], list[Span]]
    ) -> Iterator[Row]:
        found: dict[Permit, tuple[Row, list[Span]]] = {}
        for held, spans in classes.items():
            at = Place(listener, spans[0].first_address, tls=False)
            for permit in held:
                who = Clients(
                    tuple(
                        network
                        for entry in permit.grant.who
                        if isinstance(entry, Clients)
                        for network in entry.networks
                    )
                )
                row = self._row(at, who, permit, held)
                if row is not None:
                    found.setdefault(permit, (row, []))[1].extend(spans)
        for row, spans in found.values():
            yield replace(row, spans=tuple(merged(spans)))

    # Grants to identities

    def identities(self) -> Iterator[Row]:
        """What those may relay whom grants name by account or group."""
        for listener in self.walk.rules.listeners.values():
            if listener.role is not Role.SUBMISSION:
                continue
            for grant in self.walk.rules.grants:
                for entry in dict.fromkeys(grant.who):
                    who = self._somebody(entry)
                    held = self.walk.policy.held_by(listener.name, who)
                    at = Place(listener.name, _SOMEWHERE, tls=False, who=who)
                    for permit in held:
                        if permit.grant is grant and not isinstance(entry, Clients):
                            row = self._row(at, entry, permit, held)
                            if row is not None:
                                count = self._count(entry)
                                yield replace(row, accounts=count)

    def _owned(self) -> Address:
        return Address(_PROVER, self.walk.boxes.foreign)

    def _somebody(self, entry: GrantedTo = _EVERYBODY) -> Identity:
        """An account for which one entry of a grant was made."""
        owned = AddressPattern(_PROVER, self.walk.boxes.foreign)
        somebody = Identity("", "proof", "PLAIN", 0, (owned,))
        match entry:
            case Group(name):
                return replace(somebody, groups=frozenset({name}))
            case User(name):
                return replace(somebody, account=name)
            case AnyIdentity() | Clients():
                return somebody
            case _:
                assert_never(entry)

    def _count(self, entry: GrantedTo) -> int:
        match entry:
            case Group(name):
                return self.members[name]
            case User(name):
                return self.accounts_named[name]
            case AnyIdentity() | Clients():
                return len(self.known)
            case _:
                assert_never(entry)

    # One grant

    def _row(
        self, at: Place, who: GrantedTo, permit: Permit, held: Sequence[Permit]
    ) -> Row | None:
        """Use a permit in every way it allows, and tell what passed."""
        passed = list(self._passing(replace(at, tls=True), permit, held))
        if not passed:
            return None
        grant, first = permit.grant, passed[0]
        senders = dict.fromkeys(way.sender for way in passed)
        return Row(
            at.listener,
            who,
            tuple(dict.fromkeys(way.recipient for way in passed)),
            permit.rule,
            tls=not self.walk.ask(at, first.path, first.to, self.walk.now).accepts,
            owned=_OWNED in senders,
            senders=tuple(pattern for pattern in grant.senders if pattern in senders),
            null_sender=_NULL in senders,
            quota=grant.quota,
            expires_at=self._until(replace(at, tls=True), first, permit),
            grant=grant.name,
        )

    def _passing(
        self, at: Place, permit: Permit, held: Sequence[Permit]
    ) -> Iterator["_Way"]:
        """Every way that is let through, but mail to us that needs no permit."""
        walk, grant = self.walk, permit.grant
        senders: list[tuple[_Sender, ReversePath]] = [
            (pattern, walk.boxes.of(pattern)) for pattern in grant.senders
        ]
        if permit.senders is None:
            senders.append((_OWNED, self._owned()))
        if grant.null_sender:
            senders.append((_NULL, NULL_PATH))
        recipients = [(p, offered(walk.boxes.known_of(p))) for p in grant.recipients]
        for (sender, path), (recipient, to) in crossed(senders, recipients):
            if permit.rule == names.GRANT and is_ours(walk.rules, to[0].address):
                continue
            decision = walk.ask(at, path, to, walk.now)
            if decision.accepts:
                self._decided(decision.grant, permit, held)
                yield _Way(sender, path, recipient, to)

    def _until(self, at: Place, way: "_Way", permit: Permit) -> float:
        """When the permit ends, as the decision has it."""
        end = permit.expires_at
        if end == inf:
            return inf
        before = self.walk.ask(at, way.path, way.to, nextafter(end, 0))
        after = self.walk.ask(at, way.path, way.to, end)
        if after.accepts and after.grant == permit.grant.name:
            return inf
        return end if before.accepts else self.walk.now

    def _decided(self, by: str, permit: Permit, held: Sequence[Permit]) -> None:
        """Note which permit it was that let something through."""
        name = permit.grant.name
        if by == name:
            self.reached.add(name)
        else:
            instead = {p.grant.name: p.grant for p in held if p.grant.name == by}
            self.shadowed.setdefault(name, {}).update(instead)

    def covered(self) -> Iterator[Caution]:
        """Grants that never decide anything, since earlier ones always do."""
        for grant in self.walk.rules.grants:
            instead = self.shadowed.get(grant.name)
            if grant.name in self.reached or not instead:
                continue
            if all(
                earlier.quota == NO_QUOTA and earlier.expires_at >= grant.expires_at
                for earlier in instead.values()
            ):
                by = ", ".join(map(repr, sorted(instead)))
                detail = f"{by} already allows what it allows"
                yield Caution(Concern.COVERED, grant.name, detail)

    # Accounts

    def accounts(self) -> None:
        """Let one account of each class relay: only what it holds may let it."""
        policy, rules = self.walk.policy, self.walk.rules
        for listener in rules.listeners.values():
            if listener.role is not Role.SUBMISSION:
                continue
            classes: dict[object, tuple[Identity, tuple[Permit, ...]]] = {}
            for who in self.known:
                held = policy.held_by(listener.name, who)
                shape = frozenset(_shape(pattern) for pattern in who.addresses)
                classes.setdefault((held, shape), (who, held))
            for who, held in classes.values():
                at = Place(listener.name, _SOMEWHERE, tls=True, who=who)
                self._try_account(at, who, held)

    def _try_account(self, at: Place, who: Identity, held: Sequence[Permit]) -> None:
        """From what it owns, and from what it does not."""
        walk = self.walk
        foreign = Address(walk.boxes.local, walk.boxes.foreign)
        owned = [walk.boxes.of(p) for p in who.addresses[:1]]
        names_held = {permit.grant.name for permit in held}
        targets = [offered(foreign)]
        targets += [offered(walk.boxes.of(p)) for h in held for p in h.grant.recipients]
        for path in (*owned, foreign):
            for to in dict.fromkeys(targets):
                decision = walk.ask(at, path, to, walk.now)
                if decision.accepts and decision.grant not in names_held:
                    walk.must_not_relay(at, path, to, walk.now)


_OWNED, _NULL = "owned", "null"
_Sender = AddressPattern | str


@dataclass(frozen=True, slots=True)
class _Way:
    """One pair of sender and recipient that passed, and their classes."""

    sender: _Sender
    path: ReversePath
    recipient: AddressPattern
    to: tuple[Offered]


def _shape(pattern: AddressPattern) -> tuple[bool, str]:
    """What kind of mailboxes a pattern owns."""
    kind = pattern.domain[:2] if pattern.domain.startswith("*") else ""
    return pattern.local_part == "*", kind


def _owners(accounts: Iterable[Identity]) -> Iterator[Caution]:
    for who in accounts:
        if ANY_ADDRESS in who.addresses:
            yield Caution(Concern.OWNS_ALL, who.account, "it may send as anybody")
