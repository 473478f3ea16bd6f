"""Who comes in by a listener: what MAIL is about, one entrance a role.

| role       | who                    | our own domains | elsewhere                    |
| ---------- | ---------------------- | --------------- | ---------------------------- |
| mx         | anybody                | free            | a grant by address           |
| submission | TLS, verified identity | free, from an   | a grant to identities        |
|            |                        | owned sender    |                              |
| legacy     | addresses in the lane  | within the lane | within the lane              |

A grant by address holds on the mx listeners that it names, a grant to identities on
the submission listeners that it names (all of them where it names none). An mx
listener has no AUTH, and a submission listener always wants an identity, so nothing
else would ever hold.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

import msgspec

from sekisho.model import replies
from sekisho.model.address import NullPath
from sekisho.model.decision import Decision
from sekisho.model.facts import Facts
from sekisho.model.identity import Identity
from sekisho.model.reply import Reply
from sekisho.model.rules import Grant, ListenerRule, OwnDomain, Role, Rules
from sekisho.policy import rules as names
from sekisho.policy.clients import ClientIndex, Span, span_of, span_of_address
from sekisho.policy.patterns import PatternSet
from sekisho.policy.permits import (
    IdentityIndex,
    Permit,
    claims_of,
    is_used_up,
    names_clients,
    names_identities,
    permit_for_clients,
    permit_for_identities,
)
from sekisho.policy.verdicts import refused


@dataclass(frozen=True, slots=True)
class Domain:
    """An own domain, with its patterns ready."""

    own: OwnDomain
    patterns: PatternSet


class Case(msgspec.Struct, frozen=True, eq=False):
    """Facts, and what is known after MAIL.

    Attributes:
        facts: The facts.
        gate: Where they come in.
        held: The permits that the client holds.
        usable: Those of them that have not expired and allow the reverse-path.
        ours_is_free: Whether a recipient of ours needs none of them.

    """

    facts: Facts
    gate: "Gate"
    held: Sequence[Permit]
    usable: Sequence[Permit]
    ours_is_free: bool


@dataclass(frozen=True, slots=True)
class Gate:
    """A listener, ready for decisions.

    Attributes:
        name: The listener's.
        role: What it is for.
        enter: What MAIL is asked: the case, or a refusal.
        clients: Permits by client address.
        identities: Permits by identity.
        domains: Our own, by name.
        sender_reason: Why a reverse-path is accepted, in words.
        ours_reason: Why a recipient of ours is accepted, in words.

    """

    name: str
    role: Role
    enter: Callable[["Gate", Facts], Case | Decision]
    clients: ClientIndex[Permit]
    identities: IdentityIndex
    domains: Mapping[str, Domain]
    sender_reason: str
    ours_reason: str


def build_gates(rules: Rules, domains: Mapping[str, Domain]) -> dict[str, Gate]:
    """Make every listener ready, by name."""
    risky = [
        *(span_of_address(address) for address in rules.gateways),
        *(span_of(network) for network in rules.bridges),
    ]
    return {
        name: _gate(listener, rules.grants, risky, domains)
        for name, listener in rules.listeners.items()
    }


def _gate(
    listener: ListenerRule,
    grants: Sequence[Grant],
    risky: Sequence[Span],
    domains: Mapping[str, Domain],
) -> Gate:
    name = listener.name
    by_client: list[Permit] = []
    by_identity: list[Permit] = []
    match listener.role:
        case Role.MX:
            by_client = [
                permit_for_clients(grant, name)
                for grant in grants
                if name in grant.listeners and names_clients(grant)
            ]
        case Role.SUBMISSION:
            by_identity = [
                permit_for_identities(grant, name)
                for grant in grants
                if (not grant.listeners or name in grant.listeners)
                and names_identities(grant)
            ]
        case Role.LEGACY:
            lanes = () if listener.lane is None else (listener.lane,)
            by_client = [permit_for_clients(lane, name, names.LANE) for lane in lanes]
        case _:
            assert_never(listener.role)
    return Gate(
        name,
        listener.role,
        _ENTRANCES[listener.role],
        ClientIndex([c for permit in by_client for c in claims_of(permit)], risky),
        IdentityIndex(by_identity),
        domains,
        sender_reason=f"listener {name!r}: this client may send from this sender",
        ours_reason=f"listener {name!r}: the recipient is in a domain of ours",
    )


def _usable(held: Sequence[Permit], facts: Facts, *, owned: bool) -> Sequence[Permit]:
    """The permits that have not expired and allow the reverse-path."""
    path, now = facts.reverse_path, facts.now
    if isinstance(path, NullPath):
        return [p for p in held if p.grant.null_sender and now < p.expires_at]
    return [
        permit
        for permit in held
        if now < permit.expires_at
        and (owned if permit.senders is None else permit.senders.holds(path))
    ]


def _enter_mx(gate: Gate, facts: Facts) -> Case | Decision:
    path = facts.reverse_path
    held = gate.clients.at(facts.client)
    usable = _usable(held, facts, owned=False) if held else ()
    if not usable and not isinstance(path, NullPath):
        domain = gate.domains.get(path.domain)
        if domain is not None and not domain.own.accept_own_senders_from_outside:
            reason = (
                f"listener {gate.name!r}: {path.domain} is ours, and "
                + why_no_sender(held, facts)
            )
            return refused(names.SPOOFED_SENDER, replies.SPOOFED_SENDER, reason, path)
    return Case(facts, gate, held, usable, ours_is_free=True)


def _enter_submission(gate: Gate, facts: Facts) -> Case | Decision:
    path, who = facts.reverse_path, facts.who
    if not facts.tls:
        reason = f"listener {gate.name!r}: there is no TLS yet"
        return refused(names.TLS_NEEDED, replies.TLS_NEEDED, reason, path)
    if not isinstance(who, Identity):
        reason = f"listener {gate.name!r}: nobody is verified yet"
        return refused(names.AUTH_NEEDED, replies.AUTH_NEEDED, reason, path)
    if is_used_up(who, facts.usage):
        reason = f"listener {gate.name!r}: the bound of {who.credential!r} is reached"
        return refused(names.QUOTA, replies.QUOTA_EXCEEDED, reason, path)
    held = gate.identities.held_by(who)
    owned = not isinstance(path, NullPath) and who.owns(path)
    usable = _usable(held, facts, owned=owned)
    if not owned and not usable:
        return _sender_refused(gate, held, facts)
    return Case(facts, gate, held, usable, owned)


def _enter_legacy(gate: Gate, facts: Facts) -> Case | Decision:
    held = gate.clients.at(facts.client)
    if not held or held[0].has_expired(facts.now):
        why = "has expired" if held else f"does not hold {facts.client}"
        return refused(
            names.CLIENT_NOT_WELCOME,
            replies.CLIENT_NOT_WELCOME,
            f"listener {gate.name!r}: its lane {why}",
            facts.reverse_path,
        )
    usable = _usable(held, facts, owned=False)
    if not usable:
        return _sender_refused(gate, held, facts)
    if usable[0].room(facts.who, facts.usage) < 1:
        return over_quota(gate, usable[0], facts)
    return Case(facts, gate, held, usable, ours_is_free=False)


_ENTRANCES: Mapping[Role, Callable[[Gate, Facts], Case | Decision]] = {
    Role.MX: _enter_mx,
    Role.SUBMISSION: _enter_submission,
    Role.LEGACY: _enter_legacy,
}


# Refusals. What is said to the client stands in `replies`; these words are for us.


def over_quota(gate: Gate, permit: Permit, facts: Facts) -> Decision:
    """Refuse for now: a quota is used up."""
    name = permit.grant.name
    reason = f"listener {gate.name!r}: the quota of grant {name!r} is used up"
    return refused(
        names.QUOTA, replies.QUOTA_EXCEEDED, reason, facts.reverse_path, name
    )


def _sender_refused(gate: Gate, held: Sequence[Permit], facts: Facts) -> Decision:
    path = facts.reverse_path
    rule, reply = _SENDER_REFUSALS[isinstance(path, NullPath)]
    reason = f"listener {gate.name!r}: {why_no_sender(held, facts)}"
    return refused(rule, reply, reason, path)


_SENDER_REFUSALS: Mapping[bool, tuple[str, Reply]] = {
    True: (names.NULL_SENDER, replies.NULL_SENDER_REFUSED),
    False: (names.SENDER_NOT_OWNED, replies.SENDER_NOT_OWNED),
}


def client_in_words(facts: Facts) -> str:
    """Whom a reason speaks of."""
    who = facts.who
    return (
        f"account {who.account!r}" if isinstance(who, Identity) else str(facts.client)
    )


def why_no_sender(held: Sequence[Permit], facts: Facts) -> str:
    """Why no permit allows the reverse-path."""
    client, sender = client_in_words(facts), f"<{facts.reverse_path}>"
    if not held:
        return f"{client} has no grant to send from {sender}"
    for permit in held:
        if permit.has_expired(facts.now):
            return f"grant {permit.grant.name!r}, which {client} had, has expired"
    listed = ", ".join(repr(permit.grant.name) for permit in held[:3])
    return f"neither {client} nor what it is granted ({listed}) owns {sender}"
