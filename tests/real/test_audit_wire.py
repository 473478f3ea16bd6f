"""The audit's probes of section D against Debian's mail servers, as they truly are.

Postfix 3.7 and OpenSMTPD 6.8 end data at a bare LF in their default configuration
(Postfix's cure is switched off there), so the finding is right; Debian's Exim is cured.
OpenSMTPD keeps a bare CR in what it hands on.
Exim keeps 32 bits of a chunk's size, and under TLS takes content before its 354.
Everything else must not be blamed.
"""

import asyncio
import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from peers.exim import EximNextHost
from peers.mail_server import HOSTNAME, MailServer
from peers.opensmtpd import OpenSmtpdNextHost
from peers.postfix import PostfixNextHost
from sekisho.audit.chunking_probes import CHUNKING
from sekisho.audit.conversation import HindranceError
from sekisho.audit.injection_probes import INJECTION
from sekisho.audit.load_probes import LOAD
from sekisho.audit.probe import Need, Probe
from sekisho.audit.smuggling_probes import SMUGGLING
from sekisho.audit.starttls_probes import STARTTLS
from sekisho.audit.target import Target
from sekisho.audit.verdicts import Judgement, Verdict
from sekisho.audit.visit import Names, Visit

WIRE = (*SMUGGLING, *CHUNKING, *STARTTLS, *INJECTION, *LOAD)
ASKED = [probe for probe in WIRE if Need.STRESS not in probe.needs]
STRESSED = [
    probe for probe in WIRE if Need.STRESS in probe.needs and probe.id != "DOS-007"
]
LEADING_ASTRAY = {"SMG-001", "SMG-002", "SMG-007"}
TRULY_FLAWED = {
    "postfix": LEADING_ASTRAY | {"SMG-011", "SMG-012", "SMG-021"},
    "exim": {"BDT-002", "SMG-021"},
    "opensmtpd": LEADING_ASTRAY | {"SMG-010", "SMG-020"},
}
ONLY_WHERE_SENT_ON = {("exim", "DOS-011")}
"""Exim counts hops when it sends on, and here it delivers into a mailbox."""
SERVERS: dict[str, Callable[[Path], MailServer]] = {
    "postfix": PostfixNextHost,
    "exim": EximNextHost,
    "opensmtpd": OpenSmtpdNextHost,
}


class PostfixThatNormalises(PostfixNextHost):
    """With the cure that Postfix 3.9 has switched on, for loopback as well."""

    def _settings(self) -> str:
        return f"""{super()._settings()}
mynetworks = 192.0.2.0/24
smtpd_forbid_bare_newline = yes
smtpd_forbid_unauth_pipelining = yes
"""


@pytest.fixture(scope="module", params=SERVERS)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, MailServer]]:
    """Serve one of them for all probes."""
    name = str(request.param)
    with SERVERS[name](tmp_path_factory.mktemp(name) / "server") as server:
        yield name, server


class Mailbox:
    """The server's one mailbox, as the canary's: there everything arrives."""

    def __init__(self, server: MailServer) -> None:
        self._server = server

    def _find(self, token: str) -> bytes | None:
        for content in self._server.messages():
            if token.encode() in content.partition(b"\n\n")[0]:
                return content
        return None

    async def fetched(self, token: str) -> bytes | None:
        """Wait for it, and give it."""
        for _ in range(30):
            if content := await asyncio.to_thread(self._find, token):
                return content
            await asyncio.sleep(0.1)
        return None

    async def arrived(self, token: str) -> bool:
        """Wait for it."""
        return await self.fetched(token) is not None


def verdict(server: MailServer, probe: Probe) -> Verdict:
    """Run one probe; the transcript is shown where the test then fails."""
    names = Names(
        domain=HOSTNAME,
        server=HOSTNAME,
        foreign="canary.test",
        canary="watch@canary.test",
        known="known",
        unknown="nobody-q7x",
        other="other",
    )
    mailbox = Mailbox(server)
    visit = Visit(
        target=Target(host=server.address, address=server.address, port=server.port),
        names=names,
        token=secrets.token_hex(6),
        arrived=mailbox.arrived,
        fetched=mailbox.fetched,
    )

    async def run() -> Judgement:
        return await probe.run(visit)

    try:
        judgement = asyncio.run(run())
    except HindranceError as hindrance:
        sys.stdout.write(f"hindered: {hindrance}\n")
        return Verdict.UNDECIDED
    finally:
        for line in visit.transcript.lines:
            sys.stdout.write(f"{line.who.value} {line.text}\n")
    sys.stdout.write(judgement.evidence.en)
    return judgement.verdict


@pytest.mark.parametrize("probe", ASKED, ids=lambda probe: probe.id)
def test_servers_of_others_are_judged_as_they_are(
    served: tuple[str, MailServer], probe: Probe
) -> None:
    name, server = served
    if (name, probe.id) in ONLY_WHERE_SENT_ON:
        pytest.skip("asked of a server that delivers, it says nothing")
    found = verdict(server, probe)
    if probe.id in TRULY_FLAWED[name]:
        assert found is Verdict.FLAWED
    else:
        assert found in {Verdict.SAFE, Verdict.NOT_APPLICABLE}


@pytest.mark.deep
@pytest.mark.parametrize("probe", STRESSED, ids=lambda probe: probe.id)
def test_loads_blame_for_what_has_no_bound(
    served: tuple[str, MailServer], probe: Probe
) -> None:
    """OpenSMTPD answers errors without end; Exim takes 50 000 recipients."""
    name, server = served
    found = verdict(server, probe)
    if (name, probe.id) == ("opensmtpd", "DOS-006"):
        assert found is Verdict.FLAWED
    elif (name, probe.id) == ("exim", "DOS-005"):
        assert found is Verdict.UNDECIDED
    else:
        assert found in {Verdict.SAFE, Verdict.NOT_APPLICABLE}


def test_postfix_with_its_cure_is_not_blamed(tmp_path: Path) -> None:
    with PostfixThatNormalises(tmp_path / "server") as server:
        for probe in ASKED:
            if probe.id in TRULY_FLAWED["postfix"]:
                assert verdict(server, probe) is Verdict.SAFE, probe.id
