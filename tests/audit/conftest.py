"""Fixtures of the audit's tests."""

from collections.abc import Callable

import pytest

from audit.lab_visits import judged
from sekisho.audit.verdicts import Judgement


@pytest.fixture
def judge() -> Callable[..., Judgement]:
    """Run one probe against a lab server: ``judge(probe, manners, canary=False)``."""
    return judged
