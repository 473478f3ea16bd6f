"""Fixtures of the audit's tests."""

from collections.abc import Callable

import pytest

from audit.lab_visits import judged
from sekisho.audit import counting, load_probes, smuggling_probes
from sekisho.audit.lab import session
from sekisho.audit.lab.manners import SOUND
from sekisho.audit.verdicts import Judgement


@pytest.fixture
def judge() -> Callable[..., Judgement]:
    """Run one probe against a lab server: ``judge(probe, manners, canary=False)``."""
    return judged


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take slow clients and silence in less time than servers of others need."""
    monkeypatch.setattr(load_probes, "SLOW_SECONDS", 2.5)
    monkeypatch.setattr(session, "PATIENCE", 2 / SOUND.command_seconds)
    monkeypatch.setattr(load_probes, "SLOW_GAP_SECONDS", 0.05)
    monkeypatch.setattr(load_probes, "ABORTED", 20)
    monkeypatch.setattr(load_probes, "CONNECTIONS", 110)
    monkeypatch.setattr(load_probes, "RECOVERY_SECONDS", 0.05)
    for module in (counting, smuggling_probes):
        monkeypatch.setattr(module, "QUIET_SECONDS", 0.2)
