"""What every report says: one language, harmless strings, the worst first.

Formats differ in how they put it; what there is to say is settled here, once.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sekisho.audit.probe import Group, Probe
from sekisho.audit.reports.harmless import harmless
from sekisho.audit.results import Port, Report, Result
from sekisho.audit.transcript import Line
from sekisho.audit.verdicts import Severity, Verdict
from sekisho.model.text import Language, Text

WORST_FIRST: Mapping[Verdict, int] = {one: n for n, one in enumerate(Verdict)}
GRAVEST_FIRST: Mapping[Severity, int] = {one: n for n, one in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Row:
    """A probe, as a report tells of it."""

    id: str
    group: Group
    severity: Severity
    title: str
    safe: str
    advice: str
    wire: tuple[str, ...]
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one probe found at one port."""

    row: Row
    verdict: Verdict
    evidence: str
    notes: tuple[str, ...]
    transcript: tuple[Line, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Place:
    """One port of one address.

    Attributes:
        name: For people: ``mail.example.com:25``.
        host: As the administrator named it.
        address: That was dialled.
        port: TCP.
        implicit_tls: TLS before the greeting.
        service: What the banner hints at, or empty.
        notes: What is to be known of all findings here.
        findings: In the order in which they were asked.

    """

    name: str
    host: str
    address: str
    port: int
    implicit_tls: bool
    service: str
    notes: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def family(self) -> str:
        """Over which protocol it was reached; addresses change, this does not."""
        return "ipv6" if ":" in self.address else "ipv4"

    @property
    def uri(self) -> str:
        """Where it is, for programs."""
        return f"smtp://{self.name}"

    @property
    def worst(self) -> Verdict:
        """The worst of it; undecided where nothing could be asked."""
        return worst(one.verdict for one in self.findings) or Verdict.UNDECIDED

    @property
    def counts(self) -> Mapping[Verdict, int]:
        """How many of each verdict, the worst first, zeros too."""
        return _counts(one.verdict for one in self.findings)


@dataclass(frozen=True, slots=True)
class Subject:
    """One probe with one verdict, and all places where it was found so."""

    row: Row
    verdict: Verdict
    seen: tuple[tuple[Place, Finding], ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report, ready to be put into a format."""

    language: Language
    started: datetime
    seconds: float
    version: str
    complete: bool
    places: tuple[Place, ...]

    def say(self, text: Text, **values: object) -> str:
        """Give words of the report itself, its placeholders filled."""
        said = text.said_in(self.language)
        return said.format(**values) if values else said

    @property
    def findings(self) -> Iterator[tuple[Place, Finding]]:
        """All of them, with where."""
        for place in self.places:
            for finding in place.findings:
                yield place, finding

    @property
    def counts(self) -> Mapping[Verdict, int]:
        """How many of each verdict, the worst first, zeros too."""
        return _counts(finding.verdict for _, finding in self.findings)

    @property
    def worst(self) -> Verdict | None:
        """The worst of all; None where nothing could be asked."""
        return worst(finding.verdict for _, finding in self.findings)

    def subjects(self, verdicts: Collection[Verdict]) -> tuple[Subject, ...]:
        """Group by probe and verdict: the worst first, then the gravest."""
        groups: dict[tuple[str, Verdict], list[tuple[Place, Finding]]] = {}
        for place, finding in self.findings:
            if finding.verdict in verdicts:
                key = (finding.row.id, finding.verdict)
                groups.setdefault(key, []).append((place, finding))
        subjects = [
            Subject(seen[0][1].row, verdict, tuple(seen))
            for (_, verdict), seen in groups.items()
        ]
        return tuple(sorted(subjects, key=_badness))


def _counts(verdicts: Iterable[Verdict]) -> Mapping[Verdict, int]:
    counted = Counter(verdicts)
    return {verdict: counted[verdict] for verdict in Verdict}


def _badness(subject: Subject) -> tuple[int, int, str]:
    row = subject.row
    return WORST_FIRST[subject.verdict], GRAVEST_FIRST[row.severity], row.id


def worst(verdicts: Iterable[Verdict]) -> Verdict | None:
    """The worst of them, or None of none."""
    return min(verdicts, key=WORST_FIRST.__getitem__, default=None)


def document(report: Report, language: Language) -> Document:
    """Make a report's document."""
    places = tuple(_place(port, language) for port in report.ports)
    return Document(
        language,
        report.started,
        report.seconds,
        harmless(report.version),
        report.complete,
        places,
    )


def row(probe: Probe, language: Language) -> Row:
    """Tell of a probe in one language."""
    return Row(
        probe.id,
        probe.group,
        probe.severity,
        harmless(probe.title.said_in(language)),
        harmless(probe.safe.said_in(language)),
        harmless(probe.advice.said_in(language)),
        tuple(map(harmless, probe.wire)),
        tuple(map(harmless, probe.references)),
    )


def _place(port: Port, language: Language) -> Place:
    target = port.target
    return Place(
        harmless(str(target)),
        harmless(target.host),
        harmless(target.address),
        target.port,
        target.implicit_tls,
        _service(port, language),
        _said(port.notes, language),
        tuple(_finding(one, language) for one in port.results),
    )


def _said(texts: tuple[Text, ...], language: Language) -> tuple[str, ...]:
    return tuple(harmless(one.said_in(language)) for one in texts)


def _finding(result: Result, language: Language) -> Finding:
    return Finding(
        row(result.probe, language),
        result.judgement.verdict,
        harmless(result.judgement.evidence.said_in(language)),
        _said(result.notes, language),
        tuple(Line(one.who, harmless(one.text)) for one in result.transcript),
        result.seconds,
    )


def _service(port: Port, language: Language) -> str:
    hint = port.fingerprint
    if hint is None:
        return ""
    note = f" ({hint.note.said_in(language)})" if hint.note else ""
    return harmless(f"{hint.service} {hint.version}".strip() + note)
