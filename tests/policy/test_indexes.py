"""The fast indexes say exactly what the slow rules say."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.cases import SHOP, facts, grant, house, ip, network
from sekisho.model.address import Address, AddressPattern
from sekisho.policy.clients import Claim, ClientIndex, Span, span_of, span_of_address
from sekisho.policy.closed import SpanSet, merged
from sekisho.policy.decide import compile_rules
from sekisho.policy.patterns import PatternSet

if TYPE_CHECKING:
    from sekisho.model.rules import IPNetwork

LOCALS = st.sampled_from(["a", "b", "*"])
DOMAINS = st.sampled_from(["x.example", "y.x.example", "*.x.example", "*.example", "*"])
MAILBOXES = st.builds(
    Address,
    st.sampled_from(["a", "A", "b", "c"]),
    st.sampled_from(
        ["x.example", "y.x.example", "z.y.x.example", "evil-x.example", ""]
    ),
)


@given(st.lists(st.builds(AddressPattern, LOCALS, DOMAINS)), MAILBOXES)
def test_a_set_of_patterns_holds_what_any_of_them_matches(
    some: list[AddressPattern], mailbox: Address
) -> None:
    assert PatternSet(some).holds(mailbox) == any(p.matches(mailbox) for p in some)


# Small spaces at both ends, so that spans touch, overlap and reach the last address.
NUMBERS = st.one_of(st.integers(0, 20), st.integers(2**32 - 20, 2**32 - 1))


@st.composite
def spans(draw: st.DrawFn) -> Span:
    one, other = draw(NUMBERS), draw(NUMBERS)
    version = draw(st.sampled_from([4, 6]))
    shift = 0 if version == 4 else draw(st.sampled_from([0, 2**128 - 2**32]))
    return Span(version, min(one, other) + shift, max(one, other) + shift)


def holds(span: Span, version: int, number: int) -> bool:
    return span.version == version and span.first <= number <= span.last


@given(
    st.lists(st.tuples(spans(), st.booleans()), max_size=6),
    st.lists(spans(), max_size=3),
    NUMBERS,
)
def test_at_each_address_exactly_the_claims_hold_that_name_it(
    named: list[tuple[Span, bool]], walls: list[Span], number: int
) -> None:
    claims = [Claim(span, n, risk) for n, (span, risk) in enumerate(named)]
    index = ClientIndex(claims, walls)
    for client in (IPv4Address(number), IPv6Address(2**128 - 2**32 + number)):
        here = (client.version, int(client))
        risky = any(holds(wall, *here) for wall in walls)
        expected = tuple(
            claim.holder
            for claim in claims
            if holds(claim.span, *here) and (claim.reaches_risky or not risky)
        )
        assert index.at(client) == expected
        found = [p.holders for p in index.pieces() if holds(p.span, *here)]
        assert found == ([expected] if expected else [])


@given(st.lists(spans(), max_size=6), spans())
def test_merged_spans_hold_the_same_addresses(some: list[Span], probe: Span) -> None:
    united = merged(some)
    for number in (probe.first, probe.last):
        assert any(holds(s, probe.version, number) for s in united) == any(
            holds(s, probe.version, number) for s in some
        )
    touches = any(
        s.version == probe.version and s.first <= probe.last and probe.first <= s.last
        for s in some
    )
    assert (SpanSet(some).hit(probe) is not None) == touches


def test_an_address_between_two_spans_is_in_neither() -> None:
    apart = [Span(4, 0, 1), Span(4, 3, 4)]
    assert merged(apart) == apart
    assert SpanSet(apart).hit(Span(4, 2, 2)) is None


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("10.0.0.0/30", Span(4, 0x0A000000, 0x0A000003)),
        ("::ffff:10.0.0.0/126", Span(4, 0x0A000000, 0x0A000003)),
        ("::/0", Span(6, 0, 2**128 - 1)),
        ("::fffe:0:0/95", Span(6, 0xFFFE_0000_0000, 0xFFFF_FFFF_FFFF)),
        ("2001:db8::/127", Span(6, 0x20010DB8 << 96, (0x20010DB8 << 96) + 1)),
    ],
)
def test_a_mapped_network_is_the_ipv4_network(text: str, span: Span) -> None:
    assert span_of(network(text)) == span


def test_spans_are_shown_as_people_write_addresses() -> None:
    assert str(span_of(network("10.0.0.0/30"))) == "10.0.0.0 to 10.0.0.3"
    assert str(span_of_address(ip("::1"))) == "::1"
    assert str(span_of_address(ip("::ffff:10.0.0.1"))) == "10.0.0.1"


def test_an_address_named_twice_by_a_grant_is_held_once() -> None:
    box = grant("box", SHOP, "10.1.2.0/24", listeners=["mx"], senders=["*"])
    assert len(compile_rules(house(box)).held_at("mx", ip(SHOP))) == 1


GATEWAY, BRIDGE = "10.1.2.1", "172.17.0.0/16"


@pytest.mark.parametrize(
    ("client", "who", "risk", "relays"),
    [
        ("10.1.2.2", "10.1.2.0/24", "", True),
        (GATEWAY, "10.1.2.0/24", "", False),
        (GATEWAY, "10.1.2.0/24", "I know", False),
        (GATEWAY, GATEWAY, "", False),
        (GATEWAY, GATEWAY, "only our router", True),
        (f"::ffff:{GATEWAY}", "10.1.2.0/24", "", False),
        ("172.17.0.5", "172.17.0.0/24", "all mine", False),
        ("172.17.0.5", "172.17.0.5", "", False),
        ("172.17.0.5", "172.17.0.5", "fixed by compose", True),
        ("fe80::1", "fe80::/64", "", False),
    ],
)
def test_a_range_never_matches_a_gateway_or_a_bridge(
    client: str, who: str, risk: str, *, relays: bool
) -> None:
    box = grant("box", who, listeners=["mx"], senders=["*"], accept_risk=risk)
    rules = house(box, gateways=[GATEWAY, "fe80::1"], bridges=[BRIDGE])
    case = facts("mx", "a@y.example", "b@x.example", client=client)
    assert compile_rules(rules).decide(case).accepts is relays


def test_a_gateway_at_the_edge_of_a_bridge_does_not_open_the_rest_of_it() -> None:
    """Walls that begin or end together: where one ends, the other goes on."""
    box = grant("box", "172.17.0.0/16", listeners=["mx"], senders=["*"])
    for edge in ("172.17.0.0", "172.17.255.255"):
        policy = compile_rules(house(box, gateways=[edge], bridges=[BRIDGE]))
        for client in ("172.17.0.0", "172.17.0.1", "172.17.9.9", "172.17.255.255"):
            assert policy.held_at("mx", ip(client)) == ()


@pytest.mark.parametrize("text", ["0.0.0.0/0", "10.0.0.0/8", "::/0", "2001:db8::/32"])
def test_networks_reach_to_their_last_address(text: str) -> None:
    whole: IPNetwork = ip_network(text)
    index = ClientIndex([Claim(span_of(whole), "here")])
    for client in (whole.network_address, whole.broadcast_address):
        assert index.at(ip_address(client)) == ("here",)
