"""What an audit found: the results of every probe, by port."""

from dataclasses import dataclass
from datetime import datetime

from sekisho.audit.fingerprint import Fingerprint
from sekisho.audit.probe import Probe
from sekisho.audit.target import Target
from sekisho.audit.transcript import Line
from sekisho.audit.verdicts import Judgement
from sekisho.model.text import Text


@dataclass(frozen=True, slots=True)
class Result:
    """One probe at one port.

    Attributes:
        probe: The row.
        judgement: What it found.
        transcript: All that was said.
        notes: What is to be known beside the verdict.
        seconds: How long it took.

    """

    probe: Probe
    judgement: Judgement
    transcript: tuple[Line, ...]
    notes: tuple[Text, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Port:
    """All of one port.

    Attributes:
        target: Which.
        fingerprint: What its banner hints at.
        notes: What is to be known of all results here.
        results: In the order of asking; empty where nothing could be asked, and then a
            note says why. Such a port counts as undecided.

    """

    target: Target
    fingerprint: Fingerprint | None
    notes: tuple[Text, ...]
    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All of one audit.

    Attributes:
        started: UTC.
        seconds: How long it took.
        version: Of Sekisho.
        ports: In the order of asking.
        complete: False where it was stopped before its end.

    """

    started: datetime
    seconds: float
    version: str
    ports: tuple[Port, ...]
    complete: bool
