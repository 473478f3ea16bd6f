"""The report as one HTML file: for a phone, for paper, and to be sent to somebody.

No script, nothing loaded. What is not in order stands first and open; transcripts are
folded (``<details>``) and are unfolded on paper.
"""

from collections.abc import Iterable
from importlib.resources import files

from sekisho.audit.reports import words
from sekisho.audit.reports.baseline import Comparison
from sekisho.audit.reports.document import (
    Document,
    Finding,
    Place,
    Subject,
    document,
)
from sekisho.audit.reports.markup import Html, page, tag
from sekisho.audit.reports.text import (
    IN_ORDER,
    NOT_IN_ORDER,
    change_text,
    counted,
    when,
    where,
)
from sekisho.audit.results import Report
from sekisho.audit.verdicts import Verdict
from sekisho.model.text import Language, Text

MAX_WITH_ALL_TRANSCRIPTS = 2000
"""Of so many findings, those in order have theirs too; of more, JSON has them."""


def html(
    report: Report, language: Language, *, comparison: Comparison | None = None
) -> str:
    """Write the report as one HTML file."""
    told = document(report, language)
    css = files(__package__ or "").joinpath("report.css").read_text("utf-8")
    body = [_header(told)]
    if comparison is not None:
        body.append(_compared(told, comparison))
    body += [_ports(told), _findings(told), _in_order(told), _footer(told)]
    hosts = ", ".join(dict.fromkeys(place.host for place in told.places))
    title = f"{told.say(words.TITLE)}: {hosts}"
    return page(language.value, title, css, [tag("main", *body)])


def _header(told: Document) -> Html:
    counts = [
        tag(
            "li",
            tag("b", str(count)),
            " ",
            told.say(words.VERDICTS[verdict]),
            class_=_class(verdict) if count else "none",
            title=told.say(words.MEANINGS[verdict]),
        )
        for verdict, count in told.counts.items()
    ]
    parts = [
        tag("p", told.say(words.TITLE), class_="kicker"),
        tag("h1", told.say(words.HEADLINES[told.worst])),
        tag("p", when(told), class_="meta"),
        tag("ul", *counts, class_="counts"),
    ]
    if not told.complete:
        parts.append(tag("p", told.say(words.INCOMPLETE), class_="warning"))
    return tag("header", *parts, class_=_class(told.worst or Verdict.UNDECIDED))


def _class(verdict: Verdict) -> str:
    return verdict.value.replace("_", "-")


def _badge(told: Document, verdict: Verdict) -> Html:
    said = told.say(words.VERDICTS[verdict])
    return tag("span", said, class_=f"badge {_class(verdict)}")


def _section(told: Document, title: Text, *parts: Html) -> Html:
    return tag("section", tag("h2", told.say(title)), *parts)


def _items(items: Iterable[str]) -> list[Html]:
    listed = [tag("li", one) for one in items]
    return [tag("ul", *listed, class_="notes")] if listed else []


def _compared(told: Document, comparison: Comparison) -> Html:
    rows = [
        tag("li", tag("b", told.say(label)), ": ", change_text(told, one))
        for label, changes in comparison.sorts()
        for one in changes
    ]
    rows.append(tag("li", told.say(words.UNCHANGED, count=comparison.unchanged)))
    return _section(told, words.COMPARED, tag("ul", *rows, class_="changes"))


def _ports(told: Document) -> Html:
    return _section(told, words.PORTS, *(_port(told, place) for place in told.places))


def _port(told: Document, place: Place) -> Html:
    counts = counted(told, place.counts)
    parts = [
        tag("h3", _badge(told, place.worst), " ", tag("bdi", where(place))),
        tag("p", counts or told.say(words.NOT_ASKED), class_="meta"),
    ]
    if place.service:
        service = tag("bdi", place.service)
        said = f"{told.say(words.SERVICE)}: "
        parts.append(tag("p", said, service, class_="meta"))
    return tag("div", *parts, *_items(place.notes), class_="port")


def _findings(told: Document) -> Html:
    subjects = told.subjects(NOT_IN_ORDER)
    if not subjects:
        nothing = tag("p", told.say(words.NO_FINDINGS))
        return _section(told, words.FINDINGS, nothing)
    return _section(told, words.FINDINGS, *(_subject(told, one) for one in subjects))


def _subject(told: Document, subject: Subject) -> Html:
    row = subject.row
    group = told.say(words.GROUPS[row.group])
    severity = told.say(words.SEVERITIES[row.severity])
    meta = f"{row.id} · {told.say(words.SEVERITY)}: {severity} · {group}"
    seen = [_found(told, place, finding) for place, finding in subject.seen]
    # What is undecided gives no reason to change anything.
    proved = subject.verdict is not Verdict.UNDECIDED
    return tag(
        "article",
        tag("h3", _badge(told, subject.verdict), " ", row.title),
        tag("p", meta, class_="meta"),
        *seen,
        *([_explained(told, subject)] if proved else []),
        class_=_class(subject.verdict),
        id=f"{row.id}-{subject.verdict.value}",
    )


def _found(told: Document, place: Place, finding: Finding) -> Html:
    parts = [
        tag("h4", tag("bdi", where(place))),
        tag("p", tag("bdi", finding.evidence), class_="evidence"),
        *_items(finding.notes),
    ]
    if finding.transcript:
        lines = [
            tag("span", f"{one.who.value}: {one.text}\n", class_=one.who.name.lower())
            for one in finding.transcript
        ]
        said = told.say(words.TRANSCRIPT, lines=len(lines))
        fold = tag("details", tag("summary", said), tag("pre", *lines))
        parts.append(fold)
    return tag("div", *parts, class_="found")


def _explained(told: Document, subject: Subject) -> Html:
    row = subject.row
    parts: list[Html] = []
    for label, said in (
        (words.ADVICE, row.advice),
        (words.SOUND, row.safe),
        (words.REFERENCES, ", ".join(row.references)),
    ):
        if said:
            parts += [tag("dt", told.say(label)), tag("dd", said)]
    if row.wire:
        wire = tag("pre", "\n".join(row.wire))
        parts += [tag("dt", told.say(words.WIRE)), tag("dd", wire)]
    return tag("dl", *parts)


def _in_order(told: Document) -> Html:
    folds: list[Html] = []
    for verdict in IN_ORDER:
        subjects = told.subjects((verdict,))
        if subjects:
            meaning = told.say(words.MEANINGS[verdict])
            said = f" {len(subjects)} · {meaning}"
            summary = tag("summary", _badge(told, verdict), said)
            rows = [_line(told, one) for one in subjects]
            folds.append(tag("details", summary, tag("ul", *rows, class_="lines")))
    return _section(told, words.OTHERS, *folds) if folds else tag("section")


def _line(told: Document, subject: Subject) -> Html:
    """One that is in order: what it rests on, and its transcripts if few are asked."""
    few = sum(told.counts.values()) <= MAX_WITH_ALL_TRANSCRIPTS
    head = (tag("b", subject.row.id), f" {subject.row.title}")
    if few:
        seen = [_found(told, place, finding) for place, finding in subject.seen]
        return tag("li", *head, *seen)
    ports = told.say(words.ON_PORTS, ports=len(subject.seen))
    return tag("li", *head, tag("p", ports, class_="meta"))


def _footer(told: Document) -> Html:
    return tag("footer", tag("p", told.say(words.MADE_BY, version=told.version)))
