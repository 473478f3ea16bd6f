"""The audit's probes of section D against Sekisho: all safe, on every listener.

Loads too: what the service bounds, it bounds whoever asks.
"""

import asyncio
import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from peers.service import OWN, Service, plain_settings
from peers.sink import RecordingSink
from sekisho.audit.chunking_probes import CHUNKING
from sekisho.audit.injection_probes import INJECTION
from sekisho.audit.load_probes import LOAD
from sekisho.audit.probe import Need, Probe
from sekisho.audit.smuggling_probes import SMUGGLING
from sekisho.audit.starttls_probes import STARTTLS
from sekisho.audit.target import Target
from sekisho.audit.verdicts import Judgement, Verdict
from sekisho.audit.visit import Account, Names, Visit

TOO_LONG = {"DOS-007"}
"""Five minutes; `test_bounds` asks the same of us in seconds."""
WIRE = [
    probe
    for probe in (*SMUGGLING, *CHUNKING, *STARTTLS, *INJECTION, *LOAD)
    if probe.id not in TOO_LONG
]
WELL = {Verdict.SAFE, Verdict.NOT_APPLICABLE}


@dataclass(frozen=True)
class House:
    """The service, and where its mail goes."""

    service: Service
    world: RecordingSink

    def fetch(self, token: str) -> bytes | None:
        """Give what the world got."""
        for message in self.world.messages:
            if token.encode() in message.content.partition(b"\r\n\r\n")[0]:
                return message.content
        return None

    async def fetched(self, token: str) -> bytes | None:
        """Wait for it."""
        for _ in range(50):
            if (content := self.fetch(token)) is not None:
                return content
            await asyncio.sleep(0.1)
        return None

    async def arrived(self, token: str) -> bool:
        """Wait for it."""
        return await self.fetched(token) is not None


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Serve for all probes."""
    folder = tmp_path_factory.mktemp("wire")
    with RecordingSink() as world:
        service = Service(folder / "service", plain_settings(world.url))
        service.add_user()
        with service:
            yield House(service, world)


def judged(house: House, probe: Probe, listener: str, source: str) -> Judgement:
    """Run one probe; the transcript is shown where the test then fails."""
    host, port = house.service.address(listener)
    signs_in = Need.CANARY in probe.needs
    visit = Visit(
        target=Target(host=host, address=host, port=port, source=(source, 0)),
        names=Names(
            domain=OWN,
            server="relay.test",
            foreign="canary.test",
            canary="watch@canary.test",
            known="known",
            unknown="nobody-q7x",
            other="user",
        ),
        token=secrets.token_hex(6),
        account=Account(Service.USER, Service.PASSWORD) if signs_in else None,
        arrived=house.arrived,
        fetched=house.fetched,
    )

    async def run() -> Judgement:
        return await probe.run(visit)

    try:
        return asyncio.run(run())
    finally:
        for line in visit.transcript.lines[:200]:
            sys.stdout.write(f"{line.who.value} {line.text}\n")


@pytest.mark.parametrize("probe", WIRE, ids=lambda probe: probe.id)
def test_all_is_safe_for_strangers(house: House, probe: Probe, stranger: str) -> None:
    """What is about sending on does not apply where nobody signs in."""
    found = judged(house, probe, "mx", stranger)
    assert found.verdict in WELL, found.evidence.en


@pytest.mark.parametrize("probe", WIRE, ids=lambda probe: probe.id)
def test_all_is_safe_where_users_sign_in(
    house: House, probe: Probe, stranger: str
) -> None:
    found = judged(house, probe, "submission", stranger)
    assert found.verdict in WELL, found.evidence.en
