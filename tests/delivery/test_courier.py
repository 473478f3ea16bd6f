"""From a domain to a host: real DNS packets, real ports, next hosts in order."""

from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from delivery.equipment import Names, at, courier, message, recipient, to_host
from delivery.scripted import Host, Talk
from peers.dns import NameServer
from peers.loopback import free_port, fresh_address
from sekisho.delivery.carrier import SmtpCarrier
from sekisho.delivery.mx import OwnHost
from sekisho.model.outcome import Cause, Deferred, Delivered, Failed
from sekisho.model.route import Destination, DropRoute, MxRoute, TlsPolicy
from sekisho.net.dns import DnsOptions, DnsResolver, MailExchanger

pytestmark = pytest.mark.asyncio

DOMAIN = Destination(MxRoute(), "example.net")


@pytest.fixture
def names() -> Iterator[NameServer]:
    with NameServer({}, fresh_address()) as running:
        yield running


def resolver(names: NameServer) -> DnsResolver:
    options = DnsOptions(((names.address, names.port),), timeout_seconds=2.0)
    return DnsResolver(options, lambda: 0.0)


async def taking(talk: Talk) -> None:
    await talk.greet("PIPELINING")
    await talk.take()
    await talk.leave()


async def busy(talk: Talk) -> None:
    talk.say("421 4.3.2 later")


async def test_mail_goes_to_port_25_of_the_best_host(names: NameServer) -> None:
    address = fresh_address()
    names.table.update(
        {
            ("example.net", "MX"): ["20 mx2.example.net.", "10 mx1.example.net."],
            ("mx1.example.net", "A"): [address],
        }
    )
    async with Host(taking).running(address, 25):
        carrier = await courier(resolver=resolver(names)).connect(DOMAIN)
        assert isinstance(carrier, SmtpCarrier)
        (outcome,) = await carrier.deliver(message(), [recipient()])
        assert isinstance(outcome, Delivered)
        assert outcome.host == "mx1.example.net"
        await carrier.close()


async def test_next_host_after_one_that_is_busy_and_one_that_is_down(
    names: NameServer,
) -> None:
    down, first, second = fresh_address(), fresh_address(), fresh_address()
    names.table.update(
        {
            ("example.net", "MX"): ["1 mx0.example.net.", "2 mx1.example.net."],
            ("mx0.example.net", "A"): [down],
            ("mx1.example.net", "A"): [first, second],
        }
    )
    async with Host(busy).running(first, 25), Host(taking).running(second, 25):
        carrier = await courier(resolver=resolver(names)).connect(DOMAIN)
        assert isinstance(carrier, SmtpCarrier)
        (outcome,) = await carrier.deliver(message(), [recipient()])
        assert isinstance(outcome, Delivered)
        await carrier.close()


async def test_all_hosts_down_is_a_deferral_with_a_reason(names: NameServer) -> None:
    names.table.update(
        {
            ("example.net", "MX"): ["1 mx1.example.net."],
            ("mx1.example.net", "A"): [fresh_address()],
        }
    )
    answer = await courier(resolver=resolver(names)).connect(DOMAIN)
    assert isinstance(answer, Deferred)
    assert answer.cause is Cause.UNREACHABLE
    assert answer.host == "mx1.example.net"
    assert answer.reply.enhanced == "4.4.1"


@pytest.mark.parametrize(
    ("records", "kind", "cause", "enhanced"),
    [
        ({}, Failed, Cause.DNS, "5.1.2"),
        ({("example.net", "MX"): ["0 ."]}, Failed, Cause.NULL_MX, "5.1.10"),
        ({("example.net", "MX"): "SERVFAIL"}, Deferred, Cause.DNS, "4.4.3"),
        (
            {
                ("example.net", "MX"): ["5 mx1.example.net."],
                ("mx1.example.net", "A"): ["192.0.2.1"],
            },
            Failed,
            Cause.LOOP,
            "5.4.6",
        ),
    ],
)
async def test_domains_that_take_no_mail(
    names: NameServer,
    records: dict[tuple[str, str], list[str] | str],
    kind: type,
    cause: Cause,
    enhanced: str,
) -> None:
    names.table.update(records)
    own = OwnHost(addresses=frozenset({ip_address("192.0.2.1")}))
    answer = await courier(resolver=resolver(names), own=own).connect(DOMAIN)
    assert isinstance(answer, kind)
    assert isinstance(answer, Deferred | Failed)
    assert (answer.cause, answer.reply.enhanced) == (cause, enhanced)


async def test_literal_domain_needs_no_dns() -> None:
    address = fresh_address()
    async with Host(taking).running(address, 25):
        carrier = await courier().connect(Destination(MxRoute(), f"[{address}]"))
        assert isinstance(carrier, SmtpCarrier)
        (outcome,) = await carrier.deliver(message(), [recipient()])
        assert isinstance(outcome, Delivered)
        await carrier.close()


async def test_required_tls_by_mx_never_falls_back() -> None:
    async def script(talk: Talk) -> None:
        await talk.greet()
        await talk.ended()

    async with Host(script).running() as host:
        of = courier(mx_port=host.port)
        route = MxRoute(TlsPolicy.REQUIRED)
        answer = await of.connect(Destination(route, "[127.0.0.1]"))
    assert isinstance(answer, Deferred)
    assert answer.cause is Cause.TLS


async def test_number_of_attempts_is_bounded() -> None:
    addresses = at(*(fresh_address() for _ in range(9)))
    assert isinstance(addresses, tuple)
    tables = Names(
        {"example.net": (MailExchanger(1, "mx"), MailExchanger(2, "mx2"))},
        {"mx": addresses, "mx2": at("127.0.0.1")},
    )
    async with Host().running() as host:
        of = courier(resolver=tables, mx_port=host.port, max_attempts=3)
        assert isinstance(await of.connect(DOMAIN), Deferred)
        assert host.talks == []


async def test_named_host_that_cannot_be_looked_up_never_bounces_mail() -> None:
    answer = await courier().connect(to_host(25, host="smarthost.invalid"))
    assert isinstance(answer, Deferred)
    assert answer.cause is Cause.DNS


async def test_one_refusal_for_now_among_refusals_for_good_is_a_deferral() -> None:
    async def no(talk: Talk) -> None:
        talk.say("554 5.7.1 no")

    async with Host(busy).running() as first, Host(no, no).running() as second:
        answer = await courier().connect(to_host(first.port, second.port))
        assert isinstance(answer, Deferred)
        answer = await courier().connect(to_host(second.port))
        assert isinstance(answer, Failed)


async def test_port_where_nobody_listens() -> None:
    answer = await courier().connect(to_host(free_port()))
    assert isinstance(answer, Deferred)
    assert answer.cause is Cause.UNREACHABLE


async def test_folder_has_no_connection_to_open() -> None:
    with pytest.raises(TypeError):
        await courier().open(Destination(DropRoute("/x")))
