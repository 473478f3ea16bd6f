"""Which grants hold at a client address: the address space, cut into pieces.

The addresses that grants name are ranges; their first addresses and the ones after
their last cut each of the two address spaces into pieces in which the same grants
hold everywhere. One bisection finds the piece, however many grants there are, and
`sekisho.policy.proof` walks the very same pieces.

**Trust is never guessed**: behind a default gateway or on a container bridge stands
whoever found a way there, so inside those a grant holds only if it names the single
address and its operator has written down that he accepts the risk. They are cut out
here, so that no caller can forget it. IPv4-mapped addresses and networks are the IPv4
ones they stand for.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Generic, TypeVar

from sekisho.model.rules import IPAddress, IPNetwork, unmapped

T = TypeVar("T")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Addresses from first to last, both included.

    Attributes:
        version: 4 or 6.
        first: As a number.
        last: As a number.

    """

    version: int
    first: int
    last: int

    @property
    def first_address(self) -> IPAddress:
        """The lowest address."""
        return address_of(self.version, self.first)

    @property
    def last_address(self) -> IPAddress:
        """The highest address."""
        return address_of(self.version, self.last)

    def __str__(self) -> str:
        if self.first == self.last:
            return str(self.first_address)
        return f"{self.first_address} to {self.last_address}"


def address_of(version: int, number: int) -> IPAddress:
    """The address of a number."""
    return IPv4Address(number) if version == 4 else IPv6Address(number)  # noqa: PLR2004 - IP


def span_of(network: IPNetwork) -> Span:
    """The addresses of a network; an IPv4-mapped network is an IPv4 one."""
    first, last = network.network_address, network.broadcast_address
    if isinstance(unmapped(first), IPv4Address):
        # A network that begins with a mapped address ends with one.
        first, last = unmapped(first), unmapped(last)
    return Span(first.version, int(first), int(last))


def span_of_address(address: IPAddress) -> Span:
    """One address, unmapped."""
    plain = unmapped(address)
    return Span(plain.version, int(plain), int(plain))


@dataclass(frozen=True, slots=True)
class Claim(Generic[T]):
    """One range that a grant names.

    Attributes:
        span: The addresses.
        holder: What holds there.
        accepts_risk: Whether the grant says ``accept_risk``.

    """

    span: Span
    holder: T
    accepts_risk: bool = False

    @property
    def reaches_risky(self) -> bool:
        """Whether it holds even at a gateway or on a bridge."""
        return self.accepts_risk and self.span.first == self.span.last


@dataclass(frozen=True, slots=True)
class Piece(Generic[T]):
    """Addresses at which the same holds; `holders` in the order of the claims."""

    span: Span
    holders: tuple[T, ...]


class ClientIndex(Generic[T]):
    """Finds what holds at an address."""

    __slots__ = ("_four", "_six")

    def __init__(self, claims: Sequence[Claim[T]], risky: Sequence[Span] = ()) -> None:
        self._four = _cut(4, claims, risky)
        self._six = _cut(6, claims, risky)

    def at(self, client: IPAddress) -> tuple[T, ...]:
        """What holds at an address, in the order of the claims."""
        if type(client) is IPv4Address:
            starts, holders = self._four
        else:
            if (plain := unmapped(client)) is not client:
                return self.at(plain)
            starts, holders = self._six
        return holders[bisect_right(starts, int(client)) - 1]

    def pieces(self) -> Iterable[Piece[T]]:
        """Every piece at which something holds."""
        for version, (starts, holders) in ((4, self._four), (6, self._six)):
            # What is held ends somewhere, so the last piece of all holds nothing.
            for first, end, held in zip(starts, starts[1:], holders, strict=False):
                if held:
                    yield Piece(Span(version, first, end - 1), held)


def _cut(
    version: int, claims: Sequence[Claim[T]], risky: Sequence[Span]
) -> tuple[list[int], list[tuple[T, ...]]]:
    """The starts of all pieces, and what holds in each."""
    opens: dict[int, list[int]] = {}
    closes: dict[int, list[int]] = {}
    for order, claim in enumerate(claims):
        if claim.span.version == version:
            opens.setdefault(claim.span.first, []).append(order)
            closes.setdefault(claim.span.last + 1, []).append(order)
    walls = [span for span in risky if span.version == version]
    edges = {edge for wall in walls for edge in (wall.first, wall.last + 1)}
    starts = sorted({0, *opens, *closes, *edges})
    danger = _inside(starts, walls)
    held: set[int] = set()
    pieces: list[tuple[T, ...]] = []
    for start, is_risky in zip(starts, danger, strict=True):
        held.difference_update(closes.get(start, ()))
        held.update(opens.get(start, ()))
        here = [claims[order] for order in sorted(held)]
        # A grant may name one address twice; it holds once.
        pieces.append(
            tuple(
                dict.fromkeys(
                    claim.holder
                    for claim in here
                    if not is_risky or claim.reaches_risky
                )
            )
        )
    return starts, pieces


def _inside(starts: Sequence[int], walls: Sequence[Span]) -> list[bool]:
    """For each start whether it lies in a wall."""
    depth, turns = 0, dict.fromkeys(starts, 0)
    for wall in walls:
        turns[wall.first] += 1
        turns[wall.last + 1] -= 1
    inside: list[bool] = []
    for start in starts:
        depth += turns[start]
        inside.append(depth > 0)
    return inside
