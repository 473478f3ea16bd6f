"""A probe's visit to a lab server, with all that an administrator could give."""

import asyncio
import sys

from sekisho.audit.lab.manners import Manners
from sekisho.audit.lab.server import LabServer
from sekisho.audit.lab.sound import DOMAIN, OTHER, PASSWORD, USER
from sekisho.audit.probe import Need, Probe
from sekisho.audit.target import Target
from sekisho.audit.verdicts import Judgement
from sekisho.audit.visit import Account, Names, Visit

NAMES = Names(
    domain=DOMAIN.decode(),
    server=DOMAIN.decode(),
    foreign="canary.test",
    canary="watch@canary.test",
    known=USER.decode(),
    unknown="nobody-q7x",
    other=OTHER.decode(),
)
ACCOUNT = Account(USER.decode(), PASSWORD.decode())


def visit_to(
    server: LabServer, probe: Probe | None = None, *, canary: bool = False
) -> Visit:
    """Prepare one; account and canary as the probe needs them, or as told."""
    needs = probe.needs if probe else frozenset(Need)
    watched = canary or Need.CANARY in needs
    return Visit(
        target=Target(host="127.0.0.1", address="127.0.0.1", port=server.port),
        names=NAMES,
        token="t0ken",
        account=ACCOUNT if Need.ACCOUNT in needs else None,
        arrived=server.arrived if watched else None,
        fetched=server.fetched if watched else None,
    )


def judged(probe: Probe, manners: Manners, *, canary: bool = False) -> Judgement:
    """Run one probe against a lab server with these manners.

    The transcript is shown where the test then fails.
    """

    async def run() -> Judgement:
        async with LabServer(manners) as server:
            visit = visit_to(server, probe, canary=canary)
            try:
                return await probe.run(visit)
            finally:
                said = (
                    f"{line.who.value} {line.text}" for line in visit.transcript.lines
                )
                sys.stdout.write("\n".join(said))

    return asyncio.run(run())
