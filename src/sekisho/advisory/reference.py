"""The reference page of facts and codes, made from the advisory files.

python -m sekisho.advisory.reference docs/reference/advisories.md
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from sekisho.advisory.bulletin import Bulletin
from sekisho.advisory.facts import FACTS, Fact
from sekisho.advisory.shelf import shipped

_PREFACE = """\
# Advisories: facts and codes

What `sekisho advisory assess` takes and gives. A fact that is missing, null or
`"unknown"` is not known, and never a no. Codes are for ever; texts may be worded anew.

Made from `sekisho.advisory`; `make docs` writes it anew.

## Facts

One host is an object; a dot is one level: `"os": {"product": "Windows 2000"}`. Beside
these it has an `id`.

| fact | value | says |
| --- | --- | --- |
"""
_PRIORITIES = """
## Priorities

| code | of which verdicts |
| --- | --- |
| P1 | affected |
| P2 | mitigated against the internet only; unknown, if it is there by default |
| P3 | mitigated against everybody; any other unknown |
| P4 | not affected by how it is set up: judge again when that changes |
| none | fixed; not affected by what it is |
"""


def page() -> str:
    """Write the page."""
    facts = "".join(_fact(one) for one in FACTS if one.given)
    return _PREFACE + facts + _PRIORITIES + "".join(map(_advisory, shipped()))


def _fact(fact: Fact) -> str:
    words = ", ".join(f"`{one}`" for one in fact.words)
    return f"| `{fact.name}` | {words or fact.kind.value} | {fact.says.en} |\n"


def _advisory(bulletin: Bulletin) -> str:
    rows = (
        ("reason", _reasons(bulletin)),
        ("warning", ((one.code, one.text.en) for one in bulletin.warnings)),
        ("action", ((one.spelled, one.text.en) for one in bulletin.actions)),
    )
    tables = "".join(_table(name, row) for name, row in rows)
    return f"\n## {bulletin.id}\n\n{bulletin.title.en}.\n{tables}"


def _reasons(bulletin: Bulletin) -> Iterator[tuple[str, str]]:
    for one in bulletin.conditions:
        scope = f" ({one.scope.value})" if one.scope else ""
        verdict = f"**{one.verdict.value}**{scope}: "
        yield one.code, f"{verdict}{one.reason.en} [{one.section.en}]"
    for one in bulletin.remarks:
        yield one.code, f"{one.reason.en} [{one.section.en}]"


def _table(name: str, rows: Iterable[tuple[str, str]]) -> str:
    lines = [f"| `{code}` | {_cell(text)} |" for code, text in rows]
    if not lines:
        return ""
    return "\n" + "\n".join([f"| {name} | says |", "| --- | --- |", *lines]) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
