"""The report for people at a terminal: the worst first.

Brief is one line a finding that is not in order, and the count.
"""

from collections.abc import Mapping

from rich.console import Console
from rich.text import Text as Styled

from sekisho.audit.reports import words
from sekisho.audit.reports.baseline import Change, Comparison
from sekisho.audit.reports.document import (
    Document,
    Finding,
    Place,
    Subject,
    document,
)
from sekisho.audit.reports.folding import breaks
from sekisho.audit.reports.table import (
    STYLES,
    WIDTH,
    Ranked,
    ranked_table,
    terminal,
    written,
)
from sekisho.audit.results import Report
from sekisho.audit.transcript import Direction
from sekisho.audit.verdicts import Verdict
from sekisho.model.text import Language, Text

MAX_TRANSCRIPT_LINES = 40
NOT_IN_ORDER = (Verdict.FLAWED, Verdict.SUSPECT, Verdict.UNDECIDED)
IN_ORDER = (Verdict.SAFE, Verdict.NOT_APPLICABLE)
_PROVED = (Verdict.FLAWED, Verdict.SUSPECT)
_SPOKEN = {Direction.OURS: "cyan", Direction.THEIRS: "", Direction.NOTE: "dim"}


def text(
    report: Report,
    language: Language,
    *,
    brief: bool = False,
    colour: bool = False,
    comparison: Comparison | None = None,
    width: int = WIDTH,
) -> str:
    """Write the report for a terminal of so many columns."""
    page = _Page(document(report, language), terminal(colour=colour, width=width))
    if brief:
        page.brief()
    else:
        page.whole()
    if comparison is not None:
        page.compared(comparison)
    page.summary()
    return written(page.console)


def counted(told: Document, counts: Mapping[Verdict, int]) -> str:
    """How many of each verdict there are, those with none left out."""
    said = {one: told.say(words.VERDICTS[one]) for one in counts}
    return ", ".join(
        told.say(words.COUNT, count=count, verdict=said[verdict])
        for verdict, count in counts.items()
        if count
    )


class _Page:
    def __init__(self, told: Document, console: Console) -> None:
        self.told = told
        self.console = console

    def line(self, text: Styled | str = "", indent: int = 0) -> None:
        """Write one line, folded and indented."""
        styled = Styled(text) if isinstance(text, str) else text
        width = max(self.console.width - indent, 20)
        for folded in styled.divide(breaks(styled.plain, width)):
            self.console.print(Styled(" " * indent) + folded, soft_wrap=True)

    def label(self, label: Text, said: str, indent: int) -> None:
        if said:
            self.line(
                Styled(f"{self.told.say(label)}: ", "bold") + Styled(said), indent
            )

    def whole(self) -> None:
        told = self.told
        self.line(Styled(f"{told.say(words.TITLE)} · {when(told)}", "bold"))
        self.line()
        self.ports()
        for subject in told.subjects(NOT_IN_ORDER):
            self.subject(subject)
        for subject in told.subjects(IN_ORDER):
            self.in_order(subject)
        self.line()

    def ports(self) -> None:
        told = self.told
        heads = (words.VERDICT, words.PORT, words.SERVICE)
        rows = [
            Ranked(one.worst, (where(one), one.service, str(len(one.findings))))
            for one in told.places
        ]
        said = (*(told.say(one) for one in heads), "#")
        self.console.print(ranked_table(said, rows, told.language))
        for place in told.places:
            for note in place.notes:
                self.line(f"{where(place)}: {note}")
        self.line()

    def subject(self, subject: Subject) -> None:
        self.line(self.title(subject))
        for place, finding in subject.seen:
            self.found(place, finding)
        row = subject.row
        if subject.verdict in _PROVED:
            self.label(words.ADVICE, row.advice, 2)
            self.label(words.SOUND, row.safe, 2)
            self.label(words.REFERENCES, ", ".join(row.references), 2)
        self.line()

    def title(self, subject: Subject) -> Styled:
        row, told = subject.row, self.told
        verdict = told.say(words.VERDICTS[subject.verdict]).upper()
        return Styled.assemble(
            (verdict, STYLES[subject.verdict]),
            f"  {row.id}  ",
            (row.title, "bold"),
            (f"  ({told.say(words.SEVERITIES[row.severity])})", "dim"),
        )

    def found(self, place: Place, finding: Finding) -> None:
        self.line(Styled(f"{where(place)}: ", "bold") + Styled(finding.evidence), 2)
        for note in finding.notes:
            self.line(note, 4)
        if finding.verdict not in _PROVED:
            return
        # What decided stands at the end.
        left = len(finding.transcript) - MAX_TRANSCRIPT_LINES
        if left > 0:
            self.line(Styled(self.told.say(words.MORE_LINES, lines=left), "dim"), 6)
        for one in finding.transcript[-MAX_TRANSCRIPT_LINES:]:
            self.line(Styled(f"{one.who.value}: {one.text}", _SPOKEN[one.who]), 6)

    def in_order(self, subject: Subject) -> None:
        told = self.told
        spread = ""
        if len(told.places) > 1:
            ports = told.say(words.ON_PORTS, ports=len(subject.seen))
            spread = f"  ({ports})"
        verdict = told.say(words.VERDICTS[subject.verdict])
        self.line(
            Styled.assemble(
                (verdict, STYLES[subject.verdict]),
                f"  {subject.row.id}  {subject.row.title}",
                (spread, "dim"),
            )
        )

    def brief(self) -> None:
        for subject in self.told.subjects(NOT_IN_ORDER):
            for place, finding in subject.seen:
                told = f"  {where(place)}: {finding.evidence}"
                self.console.print(self.title(subject) + told, soft_wrap=True)

    def compared(self, comparison: Comparison) -> None:
        told = self.told
        self.line(Styled(told.say(words.COMPARED), "bold"))
        for label, changes in comparison.sorts():
            for one in changes:
                self.line(f"{told.say(label)}: {change_text(told, one)}", 2)
        self.line(told.say(words.UNCHANGED, count=comparison.unchanged), 2)
        self.line()

    def summary(self) -> None:
        told = self.told
        for place in told.places:
            if not place.findings:
                self.line(f"{where(place)}: {told.say(words.NOT_ASKED)}")
        if not told.complete:
            self.line(Styled(told.say(words.INCOMPLETE), "bold yellow"))
        style = STYLES[told.worst or Verdict.UNDECIDED]
        counts = f": {counted(told, told.counts)}" if told.worst else ""
        self.line(Styled(f"{told.say(words.HEADLINES[told.worst])}{counts}", style))


def when(told: Document) -> str:
    """When, how long, and by which version."""
    seconds = told.say(words.SECONDS, seconds=f"{told.seconds:.1f}")
    return f"{told.started:%Y-%m-%d %H:%M:%S} UTC · {seconds} · sekisho {told.version}"


def where(place: Place) -> str:
    """A port, with its address where it was named otherwise."""
    if place.address in ("", place.host):
        return place.name
    return f"{place.name} ({place.address})"


def change_text(told: Document, change: Change) -> str:
    """One change, in a line."""
    before, after = (
        told.say(words.VERDICTS[one] if one else words.NEVER_ASKED)
        for one in (change.before, change.after)
    )
    return f"{change.id} {change.title}, {change.place}: {before} → {after}"
