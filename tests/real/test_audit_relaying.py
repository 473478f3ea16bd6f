"""The audit's relay probes against Debian's mail servers, from where nothing trusts us.

As Debian sets them up they must come out without an alarm, whatever the form; opened on
purpose, each is suspected without a canary and proved with one.
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from peers.apart import Apart
from peers.debian import DebianExim, DebianOpenSmtpd, DebianPostfix
from peers.mail_server import HOSTNAME, MailServer
from peers.service import OWN, Service, plain_settings
from peers.sink import RecordingSink
from sekisho.audit.probe import Probe
from sekisho.audit.relay_probes import RELAY
from sekisho.audit.target import Target
from sekisho.audit.verdicts import Judgement, Verdict
from sekisho.audit.visit import Names, Visit

SERVERS = {"postfix": DebianPostfix, "exim": DebianExim, "opensmtpd": DebianOpenSmtpd}
UNWATCHED = [probe for probe in RELAY if not probe.needs]
PLAIN = next(probe for probe in RELAY if probe.id == "RLY-002")
NAMES = Names(
    domain=HOSTNAME,
    server=HOSTNAME,
    foreign="canary.test",
    canary="watch@canary.test",
    known="root",
    unknown="nobody-q7x",
    other="daemon",
)
ARRIVAL_SECONDS = 15.0


@pytest.fixture(scope="module")
def apart() -> Iterator[Apart]:
    with Apart() as wire:
        yield wire


def visit_to(server: MailServer) -> Visit:
    target = Target(host=server.address, address=server.address, port=server.port)
    return Visit(target=target, names=NAMES, token="t0ken")


async def asked(probe: Probe, visit: Visit) -> Judgement:
    return await probe.run(visit)


def said(visit: Visit) -> str:
    return "\n".join(f"{line.who.value} {line.text}" for line in visit.transcript.lines)


@pytest.mark.parametrize("name", SERVERS)
def test_servers_as_debian_sets_them_up_raise_no_alarm(
    apart: Apart, tmp_path: Path, name: str
) -> None:
    async def ask(server: MailServer) -> dict[str, Judgement]:
        judgements: dict[str, Judgement] = {}
        for probe in UNWATCHED:
            visit = visit_to(server)
            judgements[probe.id] = await probe.run(visit)
            sys.stdout.write(f"--- {probe.id}\n{said(visit)}\n")
        return judgements

    with SERVERS[name](tmp_path / "server", address=apart.here) as server:
        found = apart.run(lambda: ask(server))
    clear = {Verdict.SAFE, Verdict.NOT_APPLICABLE}
    assert {i: j for i, j in found.items() if j.verdict not in clear} == {}


@pytest.mark.parametrize("name", SERVERS)
def test_open_relay_is_suspected_and_then_proved(
    apart: Apart, tmp_path: Path, name: str
) -> None:
    with ExitStack() as stack:
        world = stack.enter_context(RecordingSink())
        onward = world.url.removeprefix("smtp://")
        server = SERVERS[name](tmp_path / "server", address=apart.here, onward=onward)
        stack.enter_context(server)

        async def arrived(token: str) -> bool:
            until = time.monotonic() + ARRIVAL_SECONDS
            while time.monotonic() < until:
                if any(token.encode() in m.content for m in world.messages):
                    return True
                await asyncio.sleep(0.1)
            return False

        visit = visit_to(server)
        unwatched = apart.run(lambda: PLAIN.run(visit))
        assert unwatched.verdict is Verdict.SUSPECT, said(visit)
        visit = visit_to(server)
        visit.arrived = arrived
        watched = apart.run(lambda: PLAIN.run(visit))
        assert watched.verdict is Verdict.FLAWED, said(visit)


@pytest.mark.parametrize("listener", ["mx", "submission"])
def test_our_own_service_comes_out_all_safe(
    tmp_path: Path, stranger: str, listener: str
) -> None:
    with RecordingSink() as inner, RecordingSink() as world:
        service = Service(
            tmp_path / "service", plain_settings(world.url, own=inner.url)
        )
        service.add_user()
        with service:
            host, port = service.address(listener)
            target = Target(host=host, address=host, port=port, source=(stranger, 0))
            names = replace(NAMES, domain=OWN, server="relay.test", known="known")
            found = {
                probe.id: asyncio.run(
                    asked(probe, Visit(target=target, names=names, token="t0ken"))
                )
                for probe in UNWATCHED
            }
    assert {i: j for i, j in found.items() if j.verdict is not Verdict.SAFE} == {}
