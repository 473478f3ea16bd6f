"""With which code the command ends, so that a pipeline need not read a report."""

from enum import IntEnum

from sekisho.audit.reports.document import worst
from sekisho.audit.results import Report
from sekisho.audit.verdicts import Verdict


class ExitCode(IntEnum):
    """The codes of ``sekisho audit``."""

    CLEAN = 0
    SUSPECT = 1
    FLAWED = 2
    UNDECIDED = 3
    NOT_RUN = 4


_CODES = {
    Verdict.FLAWED: ExitCode.FLAWED,
    Verdict.SUSPECT: ExitCode.SUSPECT,
    Verdict.UNDECIDED: ExitCode.UNDECIDED,
}


def exit_code(report: Report) -> ExitCode:
    """The worst of all ports.

    A port of which nothing could be asked, and an audit that was stopped, are
    undecided: a ban must not read as safe. Where nothing was asked at all, the audit
    could not run.
    """
    found = worst(
        one.judgement.verdict for port in report.ports for one in port.results
    )
    if found is None:
        return ExitCode.NOT_RUN
    code = _CODES.get(found, ExitCode.CLEAN)
    unseen = not report.complete or any(not port.results for port in report.ports)
    return ExitCode.UNDECIDED if unseen and code is ExitCode.CLEAN else code
