"""Many hosts at once, and none of their verdicts lost."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sekisho.audit.budget import MAX_ATTEMPTS, spent_text
from sekisho.audit.catalogue import PROBES
from sekisho.audit.fleet import Watch, audit_hosts
from sekisho.audit.lab.flaws import FLAWS
from sekisho.audit.lab.manners import SOUND
from sekisho.audit.lab.server import LabServer
from sekisho.audit.names import Wanted
from sekisho.audit.results import Report, Result
from sekisho.audit.runner import Terms
from sekisho.audit.target import Target
from sekisho.audit.targets import Host, Place
from sekisho.audit.verdicts import Verdict

NOW = datetime(2026, 11, 24, tzinfo=UTC)
HOSTS = 50
BASIC = tuple(
    one for one in PROBES if one.id in ("AUTH-001", "AUTH-004", "RLY-001", "RLY-024")
)
TERMS = Terms(wanted=Wanted(domain="lab.test", known="user"), probes=BASIC)


def host_at(address: str, *ports: int) -> Host:
    return Host(Place(address, ports, named=True), (address,))


def audited_fifty(terms: Terms) -> Report:
    """Audit fifty hosts at once, of which each third has MS01-037's flaw."""
    flaw = next(one for one in FLAWS if one.name == "ms01-037")
    planned: list[int] = []
    asked: list[Result] = []

    def count(target: Target, result: Result) -> None:
        assert str(target.port) in str(target)
        asked.append(result)

    async def run() -> Report:
        async with AsyncExitStack() as stack:
            hosts: list[Host] = []
            for n in range(HOSTS):
                address = f"127.77.1.{n + 1}"
                manners = flaw.manners if n % 3 == 0 else flaw.twin
                server = await stack.enter_async_context(
                    LabServer(manners, host=address)
                )
                hosts.append(host_at(address, server.port))
            watch = Watch(planned.append, count)
            return await audit_hosts(hosts, terms, started=NOW, watch=watch)

    report = asyncio.run(run())
    assert report.complete
    assert [one.target.host for one in report.ports] == [
        f"127.77.1.{n + 1}" for n in range(HOSTS)
    ]
    assert sum(planned) == len(asked) == HOSTS * len(terms.runnable)
    return report


def flaws_by_host(report: Report) -> list[set[str]]:
    """Which probes found something, host by host; none may be undecided."""
    clear = (Verdict.SAFE, Verdict.NOT_APPLICABLE)
    for port in report.ports:
        for one in port.results:
            verdict = one.judgement.verdict
            assert verdict in (*clear, Verdict.FLAWED), one
    return [
        {
            one.probe.id
            for one in port.results
            if one.judgement.verdict is Verdict.FLAWED
        }
        for port in report.ports
    ]


def test_fifty_hosts_at_once_lose_no_verdict() -> None:
    found = flaws_by_host(audited_fifty(TERMS))
    assert found == [{"AUTH-001"} if n % 3 == 0 else set() for n in range(HOSTS)]


@pytest.mark.deep
@pytest.mark.timeout(600)
def test_fifty_hosts_at_once_with_every_probe() -> None:
    found = flaws_by_host(audited_fifty(replace(TERMS, probes=PROBES)))
    flawed = {"AUTH-001", "AUTH-003", "AUTH-058"}
    assert found == [flawed if n % 3 == 0 else set() for n in range(HOSTS)]


def test_hosts_that_cannot_be_asked_are_in_the_report() -> None:
    async def run() -> Report:
        async with LabServer(SOUND) as server:
            hosts = [
                Host(Place("nowhere.invalid"), (), "not known"),
                host_at("127.0.0.1", 1),
                host_at("127.0.0.1", server.port),
            ]
            return await audit_hosts(hosts, TERMS, started=NOW)

    report = asyncio.run(run())
    assert report.complete
    nowhere, silent, well = report.ports
    assert (nowhere.results, nowhere.notes[0].en) == ((), "not known")
    assert (silent.results, silent.target.port) == ((), 1)
    assert "nothing answers at port 1" in silent.notes[0].en
    assert len(well.results) == len(BASIC)


def test_all_ports_of_a_host_share_its_attempts_and_stand_in_order() -> None:
    async def run() -> Report:
        async with LabServer(SOUND) as one, LabServer(SOUND) as other:
            hosts = [host_at("127.0.0.1", one.port, other.port)]
            return await audit_hosts(hosts, TERMS, started=NOW)

    report = asyncio.run(run())
    assert len(report.ports) == 2
    assert all(len(one.results) == len(BASIC) for one in report.ports)


def test_who_stops_it_gets_what_was_done() -> None:
    async def run() -> Report:
        async with AsyncExitStack() as stack:
            hosts: list[Host] = []
            for n in range(3):
                address = f"127.77.2.{n + 1}"
                server = await stack.enter_async_context(LabServer(SOUND, host=address))
                hosts.append(host_at(address, server.port))
            stop = asyncio.Event()
            seen: list[Result] = []

            def asked(target: Target, result: Result) -> None:
                del target
                seen.append(result)
                if len(seen) == len(BASIC) + 1:
                    stop.set()

            return await audit_hosts(
                hosts,
                TERMS,
                started=NOW,
                stop=stop,
                watch=Watch(lambda _: None, asked),
                at_once=1,
            )

    report = asyncio.run(run())
    assert not report.complete
    first, second = report.ports
    assert len(first.results) == len(BASIC)
    assert 1 <= len(second.results) < len(BASIC)
    assert any("stopped" in note.en for note in second.notes)


def test_a_host_named_by_several_ports_is_guessed_at_no_more_than_one() -> None:
    """Ten attempts are one host's, by however many words it is named."""
    guesses = tuple(one for one in PROBES if one.attempts and not one.needs)
    assert 2 * sum(one.attempts for one in guesses) > MAX_ATTEMPTS

    async def run() -> Report:
        async with AsyncExitStack() as stack:
            hosts: list[Host] = []
            for address in ("127.77.2.1", "127.77.2.1", "127.77.2.2"):
                server = LabServer(SOUND, host=address)
                await stack.enter_async_context(server)
                hosts.append(host_at(address, server.port))
            terms = replace(TERMS, probes=guesses)
            return await audit_hosts(hosts, terms, started=NOW)

    spent = spent_text(MAX_ATTEMPTS)
    *twice, once = asyncio.run(run()).ports
    assert spent in [one.judgement.evidence for port in twice for one in port.results]
    assert spent not in [one.judgement.evidence for one in once.results]
