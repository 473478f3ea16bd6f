"""What in the rules deserves a look: seen from the rules alone, without deciding."""

from collections.abc import Iterator

from sekisho.model.rules import (
    Clients,
    Grant,
    GrantedTo,
    RecipientCheck,
    Role,
    Rules,
)
from sekisho.policy.closed import (
    Caution,
    Concern,
    HostFacts,
    SpanSet,
    address_grants,
    count_addresses,
    lanes,
    spans_of,
    walls,
)


def cautions(rules: Rules, host: HostFacts | None, now: float) -> list[Caution]:
    """Every caution; with `host` None it is said that nobody looked at it."""
    return [
        *_not_seen(host),
        *_addresses(rules, host or HostFacts()),
        *_domains(rules),
        *_grants(rules, now),
    ]


def _not_seen(host: HostFacts | None) -> Iterator[Caution]:
    if host is None:
        yield Caution(
            Concern.NOT_SEEN,
            "host",
            "default gateways and container bridges can be seen only on the machine "
            "that serves: run the check there too",
        )


def _addresses(rules: Rules, host: HostFacts) -> Iterator[Caution]:
    risky = SpanSet(walls(rules, host))
    for grant in address_grants(rules):
        ranges = [span for span in spans_of(grant) if span.first != span.last]
        if ranges:
            count = count_addresses(ranges)
            what = f"{ranges[0]}" + (" and others" if len(ranges) > 1 else "")
            yield Caution(Concern.RANGE, grant.name, f"{what}: {count} addresses")
        for span in ranges:
            if wall := risky.hit(span):
                yield Caution(
                    Concern.HOLE,
                    grant.name,
                    f"{span} holds {wall}, a default gateway or container bridge, "
                    "and does not match there",
                )
        if grant.accept_risk:
            yield Caution(Concern.RISK, grant.name, grant.accept_risk)


def _domains(rules: Rules) -> Iterator[Caution]:
    for own in rules.domains.values():
        if own.check is RecipientCheck.ANY:
            yield Caution(
                Concern.ANY_RECIPIENT,
                own.name,
                "unknown recipients are bounced later, to senders that may be forged; "
                'use recipients = "callout" or a list',
            )
    if rules.postmaster.domain not in rules.domains:
        yield Caution(
            Concern.POSTMASTER,
            str(rules.postmaster),
            "this mailbox is not in a domain of ours, and anybody may write to it",
        )


def _grants(rules: Rules, now: float) -> Iterator[Caution]:
    for grant in (*rules.grants, *lanes(rules)):
        if now >= grant.expires_at:
            yield Caution(Concern.EXPIRED, grant.name, "renew it or take it out")
    for grant in rules.grants:
        if why := _never(grant, rules):
            yield Caution(Concern.NEVER, grant.name, why)
        elif all(pattern.domain in rules.domains for pattern in grant.recipients):
            yield Caution(
                Concern.NEEDLESS,
                grant.name,
                "mail to our own domains needs no grant",
            )


_HOLDS_ON = {
    True: (Role.MX, "a grant by address holds on mx listeners only"),
    False: (
        Role.SUBMISSION,
        "a grant to identities holds on submission listeners only",
    ),
}


def _never(grant: Grant, rules: Rules) -> str:
    """Why a grant can never match, or nothing."""
    if not grant.who or not grant.recipients:
        return "it names nobody, or no recipients"
    if grant.recipients and any(_finds(entry, grant, rules) for entry in grant.who):
        return ""
    return _HOLDS_ON[isinstance(grant.who[0], Clients)][1]


def _finds(entry: GrantedTo, grant: Grant, rules: Rules) -> bool:
    """Whether one entry of a grant holds on some listener."""
    by_address = isinstance(entry, Clients)
    role = _HOLDS_ON[by_address][0]
    named = grant.listeners
    if not named and not by_address:
        named = frozenset(rules.listeners)
    return any(
        listener.role is role and name in named
        for name, listener in rules.listeners.items()
    )
