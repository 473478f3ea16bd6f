"""Answers as people and programs read them.

For people: a table, the worst first, then each answer with its reasons and its steps,
and a line that counts. For programs: the codes, and beside them the same texts. Columns
are counted as terminals show them, where a Japanese character takes two.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from unicodedata import combining, east_asian_width

from sekisho.advisory.facts import MISSING_TEXTS
from sekisho.advisory.inventory import printable
from sekisho.advisory.verdicts import (
    ALTERNATIVE,
    PRIORITY_TEXTS,
    SCOPE_TEXTS,
    VERDICT_TEXTS,
    Answer,
    Priority,
    Said,
    Verdict,
)
from sekisho.model.text import Language, Text

MAX_HOST_COLUMNS = 40
_HEADINGS = (
    Text("host", "ホスト"),
    Text("advisory", "情報"),
    Text("verdict", "判定"),
    Text("priority", "優先度"),
    Text("first step", "最初の手順"),
)
_BECAUSE = Text("why", "理由")
_MISSING = Text("not known", "不足している事実")
_MIND = Text("mind", "注意")
_DO = Text("do", "手順")
_OR = Text("or", "または")
_ANSWERS = Text("{count} answers", "判定 {count} 件")


def columns(text: str) -> int:
    """Count the columns that a text takes in a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if combining(one) else 2 if east_asian_width(one) in "WF" else 1
        for one in text
    )


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lay out rows in columns that are as wide as they need to be."""
    widths = [max(map(columns, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = [
            cell + " " * (width - columns(cell))
            for cell, width in zip(row, widths, strict=True)
        ]
        yield "  ".join(padded).rstrip()


def told(answers: Sequence[Answer], language: Language) -> Iterator[str]:
    """Tell answers to people, line by line, in the order in which they come."""
    heading = [one.said_in(language) for one in _HEADINGS]
    yield from table([heading, *(_row(one, language) for one in answers)])
    for one in answers:
        yield ""
        yield from _detail(one, language)
    yield ""
    yield _counted(answers, language)


def _row(answer: Answer, language: Language) -> list[str]:
    return [
        _cut(printable(answer.host)),
        answer.advisory,
        _verdict(answer, language),
        _priority(answer),
        answer.actions[0].code if answer.actions else "-",
    ]


def _cut(text: str) -> str:
    if columns(text) <= MAX_HOST_COLUMNS:
        return text
    while columns(text) > MAX_HOST_COLUMNS - 1:
        text = text[:-1]
    return text + "…"


def _verdict(answer: Answer, language: Language) -> str:
    said = VERDICT_TEXTS[answer.verdict].said_in(language)
    return f"{said} ({answer.scope.value})" if answer.scope else said


def _priority(answer: Answer) -> str:
    return "-" if answer.priority is Priority.NONE else answer.priority.value


def _detail(answer: Answer, language: Language) -> Iterator[str]:
    verdict = VERDICT_TEXTS[answer.verdict].said_in(language)
    if answer.scope:
        verdict += f", {SCOPE_TEXTS[answer.scope].said_in(language)}"
    how_soon = PRIORITY_TEXTS[answer.priority].said_in(language)
    name = printable(answer.host)
    yield f"{name}  {answer.advisory}: {verdict}  [{_priority(answer)}: {how_soon}]"
    yield from _lines(_BECAUSE, answer.reasons, language)
    if answer.missing:
        yield f"  {_MISSING.said_in(language)}:"
        for fact in answer.missing:
            yield f"    {fact}: {MISSING_TEXTS[fact].said_in(language)}"
    yield from _lines(_MIND, answer.warnings, language)
    yield f"  {_DO.said_in(language)}:"
    yield from _steps(answer.actions, language)


def _lines(title: Text, said: Iterable[Said], language: Language) -> Iterator[str]:
    for number, one in enumerate(said):
        if number == 0:
            yield f"  {title.said_in(language)}:"
        where = f"  [{one.section.said_in(language)}]" if one.section else ""
        yield f"    {one.code}: {one.text.said_in(language)}{where}"


def _steps(actions: Iterable[Said], language: Language) -> Iterator[str]:
    number = 0
    for one in actions:
        if one.code.startswith(ALTERNATIVE):
            mark = f"{_OR.said_in(language)}:"
        else:
            number += 1
            mark = f"{number}."
        code = one.code.removeprefix(ALTERNATIVE)
        yield f"    {mark} {code}: {one.text.said_in(language)}"


def _counted(answers: Sequence[Answer], language: Language) -> str:
    found = Counter(one.verdict for one in answers)
    parts = [
        f"{VERDICT_TEXTS[one].said_in(language)} {found[one]}"
        for one in Verdict
        if found[one]
    ]
    counted = _ANSWERS.filled(count=str(len(answers))).said_in(language)
    return f"{counted}: {', '.join(parts)}"


def as_map(answer: Answer, language: Language) -> dict[str, object]:
    """Give an answer to programs: its codes, and their texts in one language."""
    return {
        "id": answer.host,
        "advisory": answer.advisory,
        "verdict": answer.verdict.value,
        "scope": answer.scope.value if answer.scope else None,
        "reasons": [one.code for one in answer.reasons],
        "actions": [one.code for one in answer.actions],
        "missing": list(answer.missing),
        "warnings": [one.code for one in answer.warnings],
        "priority": answer.priority.value,
        "texts": _texts(answer, language),
    }


def _texts(answer: Answer, language: Language) -> dict[str, object]:
    scope = SCOPE_TEXTS[answer.scope].said_in(language) if answer.scope else None
    missing = {one: MISSING_TEXTS[one].said_in(language) for one in answer.missing}
    return {
        "language": language.value,
        "verdict": VERDICT_TEXTS[answer.verdict].said_in(language),
        "scope": scope,
        "reasons": [_said(one, language) for one in answer.reasons],
        "actions": [_said(one, language) for one in answer.actions],
        "missing": missing,
        "warnings": [_said(one, language) for one in answer.warnings],
        "priority": PRIORITY_TEXTS[answer.priority].said_in(language),
    }


def _said(one: Said, language: Language) -> dict[str, str]:
    said = {"code": one.code, "text": one.text.said_in(language)}
    if one.section:
        said["section"] = one.section.said_in(language)
    return said
