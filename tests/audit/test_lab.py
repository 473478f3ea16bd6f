"""THE table: each probe finds its flawed lab server, and clears the patched twin.

No probe is without both, so none can be one that never finds anything, and none that
finds everything.
"""

import asyncio

import pytest

from audit.lab_visits import visit_to
from sekisho.audit.catalogue import PROBES
from sekisho.audit.conversation import HindranceError
from sekisho.audit.lab.flaw import Flaw
from sekisho.audit.lab.flaws import FLAWS
from sekisho.audit.lab.manners import Manners
from sekisho.audit.lab.server import LabServer
from sekisho.audit.probe import Group, Need, Probe
from sekisho.audit.verdicts import Judgement, Verdict, undecided

BY_ID = {probe.id: probe for probe in PROBES}
PAIRS = [(BY_ID[id_], flaw) for flaw in FLAWS for id_ in flaw.probes if id_ in BY_ID]
UNWATCHED = [pair for pair in PAIRS if Need.CANARY not in pair[0].needs]
"""Those that are run without a canary too."""
DELIVERING = [
    pair
    for pair in PAIRS
    if pair[0].group in {Group.RELAY, Group.SMUGGLING, Group.CHUNKING, Group.INJECTION}
    or Need.CANARY in pair[0].needs
]
"""Those for which it matters whether a canary watches."""
CLEARED = {Verdict.SAFE, Verdict.NOT_APPLICABLE}
ALARMS = {Verdict.FLAWED, Verdict.SUSPECT}


def id_of(row: Probe | Flaw) -> str:
    return row.id if isinstance(row, Probe) else row.name


def judged(probe: Probe, manners: Manners, *, canary: bool) -> tuple[Judgement, str]:
    """Run one probe against one lab server; its judgement, and what was said."""

    async def run() -> tuple[Judgement, str]:
        async with LabServer(manners) as server:
            visit = visit_to(server, probe, canary=canary)
            try:
                judgement = await probe.run(visit)
            except HindranceError as error:
                judgement = undecided(str(error), str(error))
            lines = (f"{line.who.value} {line.text}" for line in visit.transcript.lines)
            return judgement, "\n".join([str(judgement), *lines])

    return asyncio.run(run())


def test_every_probe_has_a_flaw_and_every_flaw_its_probes() -> None:
    named = {id_ for flaw in FLAWS for id_ in flaw.probes}
    assert named == set(BY_ID)
    assert all(flaw.probes for flaw in FLAWS)
    assert len({flaw.name for flaw in FLAWS}) == len(FLAWS)


@pytest.mark.parametrize(("probe", "flaw"), PAIRS, ids=id_of)
def test_flawed_server_is_found(probe: Probe, flaw: Flaw) -> None:
    """With a canary it is proved, whatever the probe can show without one."""
    judgement, said = judged(probe, flaw.manners, canary=True)
    assert judgement.verdict is Verdict.FLAWED, said


@pytest.mark.parametrize(
    ("probe", "flaw"), [pair for pair in DELIVERING if pair in UNWATCHED], ids=id_of
)
def test_without_a_canary_it_is_at_least_not_called_safe(
    probe: Probe, flaw: Flaw
) -> None:
    judgement, said = judged(probe, flaw.manners, canary=False)
    assert judgement.verdict in ALARMS | {Verdict.UNDECIDED}, said


@pytest.mark.parametrize(("probe", "flaw"), UNWATCHED, ids=id_of)
def test_patched_twin_is_cleared(probe: Probe, flaw: Flaw) -> None:
    judgement, said = judged(probe, flaw.twin, canary=False)
    assert judgement.verdict in CLEARED, said


@pytest.mark.parametrize(("probe", "flaw"), DELIVERING, ids=id_of)
def test_patched_twin_is_cleared_where_a_canary_watches(
    probe: Probe, flaw: Flaw
) -> None:
    judgement, said = judged(probe, flaw.twin, canary=True)
    assert judgement.verdict in CLEARED, said
