"""Exit codes, on which pipelines rest."""

import pytest

from audit.reports.sample import (
    NULL,
    OPEN,
    SMUGGLED,
    clean,
    everything,
    port,
    report,
    result,
)
from sekisho.audit.reports.outcome import exit_code
from sekisho.audit.results import Report
from sekisho.audit.verdicts import Verdict

FLAWED = result(NULL, Verdict.FLAWED)
SUSPECT = result(OPEN, Verdict.SUSPECT)
UNDECIDED = result(SMUGGLED, Verdict.UNDECIDED)
SAFE = result(OPEN, Verdict.SAFE)


@pytest.mark.parametrize(
    ("of", "code"),
    [
        (report(port(SAFE)), 0),
        (clean(), 0),
        (report(port(SAFE), port(SAFE, SUSPECT)), 1),
        (report(port(UNDECIDED, SUSPECT)), 1),
        (report(port(FLAWED), port(SUSPECT, UNDECIDED)), 2),
        (everything(), 2),
        (report(port(SAFE, UNDECIDED)), 3),
        (report(port(SAFE), port()), 3),
        (report(port(SAFE), complete=False), 3),
        (report(port(SUSPECT), complete=False), 1),
        (report(port()), 4),
        (report(), 4),
    ],
)
def test_the_worst_of_all_ports_is_the_exit_code(of: Report, code: int) -> None:
    assert exit_code(of) == code
