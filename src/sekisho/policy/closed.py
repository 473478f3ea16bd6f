"""Whom the rules trust by address: what is refused, and what deserves a look.

A grant by address relays for whoever has that address, so no proof over the decision
can say whether it is closed: the decision does what it is told. These rules can. Each
`TrustProblem` is a reason not to serve:

- The union of all grants and lanes by address covers the internet: refused always.
- It holds more than `MAX_TRUSTED_ADDRESSES` (an IPv6 /64 counts as one, since whoever
  has one of its addresses has them all): refused unless the grants that say
  ``accept_risk`` leave no more than that.
- A default gateway or an address on a container bridge stands for whoever is behind
  it. A range never matches one (`sekisho.policy.clients` sees to it, and a `Caution`
  says so); a single entry that names one needs ``accept_risk``.
- A grant by address names its listeners and its senders, a lane its senders.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from sekisho.model.rules import Clients, Grant, IPAddress, IPNetwork, Role, Rules
from sekisho.policy.clients import Span, span_of, span_of_address

MAX_TRUSTED_ADDRESSES = 256
_MUCH_OF_IPV4 = 2**28
_GLOBAL_IPV6 = Span(6, 0x2 << 124, (0x4 << 124) - 1)
"""2000::/3, all that is routed."""
_MUCH_OF_IPV6 = 2**121
"""A sixteenth of all addresses, as many as sixteen of the largest networks that anybody
was given: whoever trusts that many trusts the internet, with holes or without."""
_SHOWN = 3


class Trust(Enum):
    """Why a trust in addresses is refused."""

    INTERNET = "grants by address cover the internet"
    TOO_MANY = "grants by address cover too many addresses"
    GATEWAY = "a grant names an address behind which others hide"
    NO_SENDERS = "a grant by address names no senders"
    NO_LISTENERS = "a grant by address names no listeners"


@dataclass(frozen=True, slots=True)
class TrustProblem:
    """A reason not to serve.

    Attributes:
        kind: Which rule is broken.
        grant: The grant's or lane's name; several are joined by commas.
        detail: What is wrong, and what to do.

    """

    kind: Trust
    grant: str
    detail: str


class Concern(Enum):
    """What deserves a look, and does not keep the service from starting."""

    RANGE = "a grant trusts a whole range of addresses"
    HOLE = "a range holds addresses that it does not match"
    RISK = "a grant accepts a risk"
    ANY_RECIPIENT = "all recipients of a domain are taken"
    POSTMASTER = "mail for the postmaster goes elsewhere"
    EXPIRED = "a grant has expired"
    NEVER = "a grant can never match"
    COVERED = "a grant is covered by an earlier one"
    NEEDLESS = "a grant reaches our own domains only"
    OWNS_ALL = "an account may send from every address"
    NOT_SEEN = "this machine's gateways were not looked at"


@dataclass(frozen=True, slots=True)
class Caution:
    """Something that deserves a look: what it is about, and the detail."""

    kind: Concern
    about: str
    detail: str


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What was seen on the machine that serves.

    Attributes:
        gateways: Default gateways, and own addresses on container bridges.
        bridges: Networks of container bridges.

    """

    gateways: frozenset[IPAddress] = frozenset()
    bridges: tuple[IPNetwork, ...] = ()


def address_grants(rules: Rules) -> Iterator[Grant]:
    """Every grant that names client addresses, lanes included."""
    for grant in (*rules.grants, *lanes(rules)):
        if any(isinstance(entry, Clients) for entry in grant.who):
            yield grant


def lanes(rules: Rules) -> Iterator[Grant]:
    """The lanes of the legacy listeners."""
    for listener in rules.listeners.values():
        if listener.role is Role.LEGACY and listener.lane is not None:
            yield listener.lane


def spans_of(grant: Grant) -> Iterator[Span]:
    """The addresses that a grant names."""
    for entry in grant.who:
        if isinstance(entry, Clients):
            yield from map(span_of, entry.networks)


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same addresses in as few spans as they need, sorted."""
    result: list[Span] = []
    for span in sorted(spans):
        last = result[-1] if result else None
        if last and last.version == span.version and span.first <= last.last + 1:
            result[-1] = Span(last.version, last.first, max(last.last, span.last))
        else:
            result.append(span)
    return result


def walls(rules: Rules, host: HostFacts = HostFacts()) -> list[Span]:
    """Gateways and bridges: where a range never matches."""
    return merged(
        [
            *map(span_of_address, rules.gateways | host.gateways),
            *map(span_of, (*rules.bridges, *host.bridges)),
        ]
    )


class SpanSet:
    """Whether an address lies in one of many spans."""

    __slots__ = ("_firsts", "_spans")

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans = merged(spans)
        self._firsts = [(span.version, span.first) for span in self._spans]

    def holds(self, address: IPAddress) -> bool:
        """Whether it does."""
        return self.hit(span_of_address(address)) is not None

    def hit(self, span: Span) -> Span | None:
        """The last merged span that the given one touches."""
        place = bisect_right(self._firsts, (span.version, span.last))
        found = self._spans[place - 1] if place else None
        if found and found.version == span.version and found.last >= span.first:
            return found
        return None


def trusted(rules: Rules) -> tuple[SpanSet, SpanSet]:
    """All addresses that grants and lanes name, and those named in spite of walls.

    Made apart from `sekisho.policy.clients`, so that the proof and the decision do
    not share a mistake.
    """
    everywhere = SpanSet(s for grant in address_grants(rules) for s in spans_of(grant))
    at_risk = SpanSet(
        span
        for grant in address_grants(rules)
        if grant.accept_risk
        for span in spans_of(grant)
        if span.first == span.last
    )
    return everywhere, at_risk


class Strangers:
    """Tells strangers by their address (design §8)."""

    __slots__ = ("_at_risk", "_everywhere", "_walls")

    def __init__(self, rules: Rules) -> None:
        self._everywhere, self._at_risk = trusted(rules)
        self._walls = SpanSet(walls(rules))

    def holds(self, client: IPAddress) -> bool:
        """Whether no grant and no lane holds this address."""
        if self._walls.holds(client):
            return not self._at_risk.holds(client)
        return not self._everywhere.holds(client)


def trust_problems(rules: Rules, host: HostFacts) -> list[TrustProblem]:
    """Every reason not to serve that lies in whom the rules trust by address."""
    grants = list(address_grants(rules))
    return [
        *_internet(grants),
        *_too_many(grants),
        *_gateways(grants, SpanSet(walls(rules, host))),
        *_incomplete(grants, {lane.name for lane in lanes(rules)}),
    ]


def count_addresses(spans: Iterable[Span]) -> int:
    """How many addresses: of IPv6, how many /64."""
    blocks = (
        span if span.version == 4 else Span(6, span.first >> 64, span.last >> 64)  # noqa: PLR2004 - IP
        for span in spans
    )
    return sum(span.last - span.first + 1 for span in merged(blocks))


def _internet(grants: Sequence[Grant]) -> Iterator[TrustProblem]:
    union = merged(span for grant in grants for span in spans_of(grant))
    four = sum(s.last - s.first + 1 for s in union if s.version == 4)  # noqa: PLR2004
    six = sum(
        max(0, min(s.last, _GLOBAL_IPV6.last) - max(s.first, _GLOBAL_IPV6.first) + 1)
        for s in union
        if s.version == 6  # noqa: PLR2004
    )
    if four >= _MUCH_OF_IPV4 or six >= _MUCH_OF_IPV6:
        yield TrustProblem(
            Trust.INTERNET,
            _largest(grants, _MUCH_OF_IPV4),
            "a sixteenth of the internet and more may relay by its address; there is "
            "no accept_risk for this: name the clients",
        )


def _too_many(grants: Sequence[Grant]) -> Iterator[TrustProblem]:
    careless = [grant for grant in grants if not grant.accept_risk]
    count = count_addresses(span for grant in careless for span in spans_of(grant))
    if count > MAX_TRUSTED_ADDRESSES:
        yield TrustProblem(
            Trust.TOO_MANY,
            _largest(careless, MAX_TRUSTED_ADDRESSES),
            f"{count} addresses may relay (an IPv6 /64 counts as one), more than "
            f"{MAX_TRUSTED_ADDRESSES}: name the clients one by one, or say "
            'accept_risk = "why" in the grant',
        )


def _gateways(grants: Sequence[Grant], risky: SpanSet) -> Iterator[TrustProblem]:
    for grant in grants:
        if grant.accept_risk:
            continue
        for span in spans_of(grant):
            if span.first == span.last and risky.hit(span):
                yield TrustProblem(
                    Trust.GATEWAY,
                    grant.name,
                    f"{span} is a default gateway or lies on a container bridge: "
                    "whoever comes through it would relay. Name another address, or "
                    'say accept_risk = "why" in the grant',
                )


def _incomplete(
    grants: Sequence[Grant], lane_names: set[str]
) -> Iterator[TrustProblem]:
    for grant in grants:
        if not grant.senders:
            yield TrustProblem(
                Trust.NO_SENDERS,
                grant.name,
                "an address owns no mailbox: say which senders = [...] it may use",
            )
        if not grant.listeners and grant.name not in lane_names:
            yield TrustProblem(
                Trust.NO_LISTENERS,
                grant.name,
                "say on which mx listeners = [...] these addresses may relay",
            )


def _largest(grants: Sequence[Grant], bound: int) -> str:
    """The grants without which the bound would be kept, by name."""
    sizes = {grant.name: count_addresses(spans_of(grant)) for grant in grants}
    left, named = sum(sizes.values()), list[str]()
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        if left <= bound or len(named) == _SHOWN:
            break
        named.append(name)
        left -= sizes[name]
    return ", ".join(named)
