"""DNS answers are values, absence is not failure, and nothing is asked twice."""

import asyncio
import contextlib
import gc
from collections.abc import Iterator
from ipaddress import ip_address

import dns.message
import dns.resolver
import dns.rrset
import pytest

from peers.dns import NameServer, Table
from peers.loopback import free_port, fresh_address
from sekisho.net.dns import (
    MAX_RECORDS,
    NO_SUCH_NAME,
    NO_SUCH_RECORDS,
    DnsFailure,
    DnsOptions,
    DnsResolver,
    MailExchanger,
    _negative_ttl,
)

pytestmark = pytest.mark.asyncio

TABLE: Table = {
    ("example.net", "MX"): ["10 MX1.example.net.", "20 mx2.example.net."],
    ("null.example", "MX"): ["0 ."],
    ("mx1.example.net", "A"): ["192.0.2.1", "192.0.2.2"],
    ("mx1.example.net", "AAAA"): ["2001:db8::1"],
    ("mapped.example", "AAAA"): ["::ffff:192.0.2.9"],
    ("alias.example", "MX"): "SERVFAIL",
    ("broken.example", "A"): "SERVFAIL",
    ("half.example", "A"): ["192.0.2.3"],
    ("half.example", "AAAA"): "SERVFAIL",
    ("refused.example", "MX"): "REFUSED",
    ("many.example", "MX"): [f"{n} mx{n}.many.example." for n in range(200)],
}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Iterator[NameServer]:
    with NameServer(dict(TABLE), fresh_address()) as running:
        yield running


def resolver(
    server: NameServer, clock: Clock | None = None, **given: float
) -> DnsResolver:
    options = DnsOptions(((server.address, server.port),), **given)  # type: ignore[arg-type]
    return DnsResolver(options, clock or Clock())


async def test_mail_exchangers(server: NameServer) -> None:
    names = resolver(server)
    found = await names.mail_exchangers("example.net")
    assert isinstance(found, tuple)
    assert set(found) == {
        MailExchanger(10, "mx1.example.net"),
        MailExchanger(20, "mx2.example.net"),
    }
    assert await names.mail_exchangers("null.example") == (MailExchanger(0, ""),)
    assert await names.mail_exchangers("mx1.example.net") == NO_SUCH_RECORDS
    assert await names.mail_exchangers("nowhere.example") == NO_SUCH_NAME


async def test_absence_and_failure_are_told_apart(server: NameServer) -> None:
    names = resolver(server, timeout_seconds=2.0)
    for name in ("alias.example", "refused.example"):
        assert isinstance(await names.mail_exchangers(name), DnsFailure)
    assert isinstance(await names.addresses("broken.example"), DnsFailure)
    assert await names.addresses("nowhere.example") == NO_SUCH_NAME
    assert await names.addresses("example.net") == NO_SUCH_RECORDS
    assert await names.addresses("half.example") == (ip_address("192.0.2.3"),)


async def test_what_is_no_name_is_a_failure_and_no_exception(
    server: NameServer,
) -> None:
    names = resolver(server)
    for name in ("a..b", "x" * 64 + ".example", ""):
        answer = await names.mail_exchangers(name)
        assert answer == NO_SUCH_NAME or isinstance(answer, DnsFailure)


async def test_addresses_ipv6_first_and_unmapped(server: NameServer) -> None:
    names = resolver(server)
    found = await names.addresses("mx1.example.net")
    assert isinstance(found, tuple)
    assert found[0] == ip_address("2001:db8::1")
    assert set(found[1:]) == {ip_address("192.0.2.1"), ip_address("192.0.2.2")}
    assert await names.addresses("mapped.example") == (ip_address("192.0.2.9"),)


async def test_large_answers_come_over_tcp_and_are_cut(server: NameServer) -> None:
    found = await resolver(server).mail_exchangers("many.example")
    assert isinstance(found, tuple)
    assert len(found) == MAX_RECORDS


async def test_silent_server_is_a_failure_in_time() -> None:
    address = fresh_address()
    options = DnsOptions(((address, free_port(address)),), timeout_seconds=0.3)
    names = DnsResolver(options, Clock())
    answer = await asyncio.wait_for(names.mail_exchangers("example.net"), 5)
    assert isinstance(answer, DnsFailure)


async def test_answers_are_remembered_for_their_ttl(server: NameServer) -> None:
    clock = Clock()
    names = resolver(server, clock)
    key = ("example.net", "MX")
    for now, asked in ((100.0, 1), (159.0, 1), (160.5, 2)):
        clock.now = now
        assert isinstance(await names.mail_exchangers("example.net"), tuple)
        assert server.asked[key] == asked


@pytest.mark.parametrize(
    ("name", "seconds"), [("nowhere.example", 5), ("half.example", 5)]
)
async def test_negative_answers_are_remembered_for_a_short_time(
    server: NameServer, name: str, seconds: float
) -> None:
    clock = Clock()
    names = resolver(server, clock)
    for now, asked in ((0.0, 1), (seconds - 0.1, 1), (seconds + 0.1, 2)):
        clock.now = 100 + now
        assert not isinstance(await names.mail_exchangers(name), tuple)
        assert server.asked[name, "MX"] == asked


async def test_negative_answers_are_remembered_as_their_soa_says() -> None:
    """RFC 2308 §5: the lesser of the SOA's own TTL and its last field."""
    response = dns.message.make_response(dns.message.make_query("x.example", "MX"))
    assert _negative_ttl(response) == 0
    assert _negative_ttl(None) == 0
    soa = "example. root.example. 1 2 3 4 45"
    response.authority.append(dns.rrset.from_text("example.", 60, "IN", "NS", "ns."))
    response.authority.append(dns.rrset.from_text("example.", 60, "IN", "SOA", soa))
    assert _negative_ttl(response) == 45


async def test_machine_without_resolv_conf_is_a_failure_and_no_crash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(*_: object) -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.resolver.BaseResolver, "read_resolv_conf", missing)
    names = DnsResolver(DnsOptions(), Clock())
    assert isinstance(await names.mail_exchangers("example.net"), DnsFailure)


async def test_failures_are_remembered_for_some_seconds(server: NameServer) -> None:
    clock = Clock()
    names = resolver(server, clock)
    await names.mail_exchangers("alias.example")
    asked = server.asked["alias.example", "MX"]
    await names.mail_exchangers("alias.example")
    assert server.asked["alias.example", "MX"] == asked
    clock.now += 11
    server.table["alias.example", "MX"] = ["1 mx."]
    assert await names.mail_exchangers("alias.example") == (MailExchanger(1, "mx"),)


async def test_memory_is_bounded(server: NameServer) -> None:
    names = resolver(server, max_entries=2)
    for name in ("example.net", "null.example", "nowhere.example", "example.net"):
        await names.mail_exchangers(name)
    assert server.asked["example.net", "MX"] == 2


async def test_concurrent_questions_are_one_and_outlive_whoever_gives_up(
    server: NameServer,
) -> None:
    names = resolver(server)
    first = asyncio.ensure_future(names.mail_exchangers("example.net"))
    others = [
        asyncio.ensure_future(names.mail_exchangers("example.net")) for _ in "abc"
    ]
    await asyncio.sleep(0)
    first.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await first
    answers = await asyncio.gather(*others)
    assert all(isinstance(answer, tuple) for answer in answers)
    assert server.asked["example.net", "MX"] == 1


async def test_named_hosts_are_asked_of_the_system(server: NameServer) -> None:
    names = resolver(server)
    found = await names.system_addresses("localhost")
    assert isinstance(found, tuple)
    assert ip_address("127.0.0.1") in found
    assert len(set(found)) == len(found)
    assert isinstance(await names.system_addresses("a..b"), DnsFailure)
    assert server.asked.total() == 0


async def test_failures_leave_no_circles_behind() -> None:
    """They would lie in memory until a collection, which is rare in a worker."""
    names = DnsResolver(
        DnsOptions((("127.0.0.1", free_port()),), timeout_seconds=0.3), Clock()
    )
    gc.collect()
    gc.disable()
    try:
        asked = (names.mail_exchangers(f"d{n}.example") for n in range(20))
        answers = await asyncio.gather(*asked)
        assert all(isinstance(answer, DnsFailure) for answer in answers)
        await asyncio.sleep(0.1)
        assert gc.collect() < 20
    finally:
        gc.enable()


async def test_absent_names_leave_no_circles_behind(server: NameServer) -> None:
    names = resolver(server)
    await names.mail_exchangers("before.nowhere.example")
    gc.collect()
    gc.disable()
    try:
        for n in range(20):
            answer = await names.mail_exchangers(f"d{n}.nowhere.example")
            assert answer is NO_SUCH_NAME
        await asyncio.sleep(0.1)
        assert gc.collect() < 20
    finally:
        gc.enable()
