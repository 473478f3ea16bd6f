"""Which hosts take a domain's mail, and that it is never ourselves."""

from ipaddress import ip_address
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.equipment import Names, at, unshuffled
from sekisho.delivery.mx import (
    LOOK_UP_FAILED,
    LOOPS,
    MAX_HOSTS,
    NO_ADDRESS,
    NO_HOST,
    NO_SUCH_DOMAIN,
    NULL_MX,
    MailHost,
    MailHosts,
    OwnHost,
    mail_hosts,
)
from sekisho.model.outcome import Cause, Deferred, Failed
from sekisho.net.dns import (
    NO_SUCH_RECORDS,
    DnsFailure,
    MailExchanger,
)

pytestmark = pytest.mark.asyncio

D = "example.net"
DOWN = DnsFailure("SERVFAIL")
ADDRESSES = {f"mx{n}": at(f"192.0.2.{n}") for n in range(1, 30)}


def mx(*pairs: tuple[int, str]) -> tuple[MailExchanger, ...]:
    return tuple(MailExchanger(preference, host) for preference, host in pairs)


def hosts(found: MailHosts) -> list[str]:
    assert isinstance(found, tuple), found
    return [host.name for host in found]


async def find(names: Names, own: OwnHost | None = None, domain: str = D) -> MailHosts:
    return await mail_hosts(domain, names, own or OwnHost(), unshuffled)


async def test_best_preference_first_and_equals_shuffled() -> None:
    records = mx((20, "mx3"), (10, "mx1"), (10, "mx2"))
    names = Names({D: records}, ADDRESSES)
    assert hosts(await find(names)) == ["mx1", "mx2", "mx3"]
    found = await mail_hosts(D, names, OwnHost(), lambda records: records.reverse())
    assert hosts(found) == ["mx2", "mx1", "mx3"]


async def test_domain_without_mx_is_its_own_host() -> None:
    names = Names({D: NO_SUCH_RECORDS}, {D: at("2001:db8::1", "192.0.2.1")})
    expected = MailHost(D, (ip_address("2001:db8::1"), ip_address("192.0.2.1")))
    assert await find(names) == (expected,)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (Names(), Failed(Cause.DNS, NO_SUCH_DOMAIN)),
        (Names({D: DOWN}), Deferred(Cause.DNS, LOOK_UP_FAILED)),
        (Names({D: mx((0, ""))}), Failed(Cause.NULL_MX, NULL_MX)),
        (Names({D: NO_SUCH_RECORDS}), Failed(Cause.DNS, NO_HOST)),
        (Names({D: NO_SUCH_RECORDS}, {D: DOWN}), Deferred(Cause.DNS, LOOK_UP_FAILED)),
        (Names({D: mx((1, "mx1"))}), Failed(Cause.DNS, NO_ADDRESS)),
        (
            Names({D: mx((1, "mx1"), (2, "mx2"))}, {"mx2": DOWN}),
            Deferred(Cause.DNS, LOOK_UP_FAILED),
        ),
        (
            Names({D: mx((1, "mx1"))}, {"mx1": at("0.0.0.0", "224.0.0.1", "::")}),
            Failed(Cause.DNS, NO_ADDRESS),
        ),
    ],
)
async def test_no_host(names: Names, expected: Deferred | Failed) -> None:
    assert await find(names) == expected


async def test_null_mx_beside_others_is_no_host_and_no_refusal() -> None:
    names = Names({D: mx((0, ""), (10, "mx1"))}, ADDRESSES)
    assert hosts(await find(names)) == ["mx1"]


async def test_host_that_cannot_be_looked_up_leaves_the_others() -> None:
    names = Names({D: mx((1, "mx1"), (2, "mx2"))}, {**ADDRESSES, "mx1": DOWN})
    assert hosts(await find(names)) == ["mx2"]


@pytest.mark.parametrize(
    "own",
    [
        OwnHost(names=frozenset({"mx2"})),
        OwnHost(addresses=frozenset({ip_address("192.0.2.2")})),
    ],
)
async def test_never_to_ourselves_or_to_equals_and_worse(own: OwnHost) -> None:
    records = mx((10, "mx1"), (20, "mx2"), (20, "mx3"), (30, "mx4"))
    assert hosts(await find(Names({D: records}, ADDRESSES), own)) == ["mx1"]
    alone = mx((20, "mx2"), (20, "mx3"))
    answer = await find(Names({D: alone}, ADDRESSES), own)
    assert answer == Failed(Cause.LOOP, LOOPS)


async def test_domain_whose_address_is_ours_is_a_loop() -> None:
    own = OwnHost(addresses=frozenset({ip_address("192.0.2.1")}))
    names = Names({D: NO_SUCH_RECORDS}, {D: at("192.0.2.1", "192.0.2.2")})
    assert await find(names, own) == Failed(Cause.LOOP, LOOPS)


async def test_literals() -> None:
    own = OwnHost(addresses=frozenset({ip_address("192.0.2.1")}))
    for domain, expected in (
        ("[192.0.2.9]", "192.0.2.9"),
        ("[IPv6:2001:db8::9]", "2001:db8::9"),
    ):
        address = ip_address(expected)
        found = await find(Names(), own, domain)
        assert found == (MailHost(expected, (address,)),)
    loop = await find(Names(), own, "[192.0.2.1]")
    assert loop == Failed(Cause.LOOP, LOOPS)
    assert await find(Names(), own, "[0.0.0.0]") == Failed(Cause.DNS, NO_ADDRESS)


async def test_number_of_hosts_looked_at_is_bounded() -> None:
    names = Names({D: mx(*((n, f"mx{n}") for n in range(1, 30)))}, ADDRESSES)
    assert hosts(await find(names)) == [f"mx{n}" for n in range(1, MAX_HOSTS + 1)]
    assert len(names.asked) == MAX_HOSTS


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), min_size=1, max_size=9),
    st.sets(st.integers(1, 9), max_size=3),
    st.randoms(use_true_random=False),
)
async def test_what_remains_is_sorted_and_better_than_ourselves(
    pairs: list[tuple[int, int]], ours: set[int], random: Random
) -> None:
    records = tuple({h: MailExchanger(p, f"mx{h}") for p, h in pairs}.values())
    own = OwnHost(addresses=frozenset(ip_address(f"192.0.2.{n}") for n in ours))
    names = Names({D: records}, ADDRESSES)
    found = await mail_hosts(D, names, own, random.shuffle)
    preference = {record.host: record.preference for record in records}
    bound = min((preference.get(f"mx{n}", 9) for n in ours), default=9)
    better = {host for host, p in preference.items() if p < bound}
    if isinstance(found, tuple):
        order = [preference[host.name] for host in found]
        assert order == sorted(order)
        assert {host.name for host in found} == better
    else:
        assert found == Failed(Cause.LOOP, LOOPS)
        assert not better
