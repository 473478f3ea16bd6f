"""Probes of section D against the lab: each flaw is found, no twin is blamed."""

from collections.abc import Callable

import pytest

from sekisho.audit.catalogue import PROBES
from sekisho.audit.lab.content_flaws import CONTENT_FLAWS
from sekisho.audit.lab.flaw import Flaw
from sekisho.audit.lab.load_flaws import LOAD_FLAWS
from sekisho.audit.lab.wire_flaws import WIRE_FLAWS
from sekisho.audit.probe import Probe
from sekisho.audit.verdicts import Judgement, Verdict

Judge = Callable[..., Judgement]
BY_ID = {probe.id: probe for probe in PROBES}
PAIRS = [
    pytest.param(flaw, BY_ID[number], id=f"{number}-{flaw.name}")
    for flaw in (*WIRE_FLAWS, *CONTENT_FLAWS, *LOAD_FLAWS)
    for number in flaw.probes
]


@pytest.mark.parametrize(("flaw", "probe"), PAIRS)
def test_the_flaw_is_found(judge: Judge, flaw: Flaw, probe: Probe) -> None:
    found = judge(probe, flaw.manners)
    assert found.verdict is Verdict.FLAWED, found.evidence.en


@pytest.mark.parametrize(("flaw", "probe"), PAIRS)
def test_the_twin_is_not_blamed(judge: Judge, flaw: Flaw, probe: Probe) -> None:
    found = judge(probe, flaw.twin)
    assert found.verdict is Verdict.SAFE, found.evidence.en
