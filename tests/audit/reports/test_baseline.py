"""What is new, worse, mended and gone; above all: what must not be called mended."""

from pathlib import Path

import pytest

from audit.reports.sample import NULL, everything, port, report, result
from sekisho.audit.reports import baseline as module
from sekisho.audit.reports.baseline import (
    BaselineError,
    Comparison,
    compare,
    read_baseline,
)
from sekisho.audit.reports.html import html
from sekisho.audit.reports.json_report import json_report
from sekisho.audit.reports.text import text
from sekisho.audit.results import Report
from sekisho.audit.verdicts import Verdict
from sekisho.model.text import Language

FLAWED, SUSPECT, UNDECIDED, SAFE, ABSENT = *list(Verdict)[:4], None
NOT_OFFERED = Verdict.NOT_APPLICABLE


def of(verdict: Verdict | None) -> Report:
    results = () if verdict is None else (result(NULL, verdict),)
    return report(port(*results))


def compared(before: Report, after: Report, folder: Path) -> Comparison:
    file = folder / "before.json"
    file.write_text(json_report(before, Language.JAPANESE), encoding="utf-8")
    return compare(read_baseline(file), after, Language.ENGLISH)


def sort_of(comparison: Comparison) -> str:
    for name in ("new", "worse", "mended", "gone"):
        if getattr(comparison, name):
            return name
    return "unchanged" if comparison.unchanged else "none"


@pytest.mark.parametrize(
    ("before", "after", "sort"),
    [
        (SAFE, FLAWED, "new"),
        (NOT_OFFERED, SUSPECT, "new"),
        (UNDECIDED, SUSPECT, "new"),
        (ABSENT, FLAWED, "new"),
        (SUSPECT, FLAWED, "worse"),
        (SAFE, UNDECIDED, "worse"),
        (NOT_OFFERED, UNDECIDED, "worse"),
        (FLAWED, SAFE, "mended"),
        (SUSPECT, NOT_OFFERED, "mended"),
        (FLAWED, UNDECIDED, "gone"),
        (FLAWED, ABSENT, "gone"),
        (FLAWED, SUSPECT, "unchanged"),
        (FLAWED, FLAWED, "unchanged"),
        (UNDECIDED, SAFE, "unchanged"),
        (SAFE, NOT_OFFERED, "unchanged"),
        (SAFE, ABSENT, "none"),
        (ABSENT, SAFE, "none"),
    ],
)
def test_each_change_is_called_by_its_name(
    before: Verdict | None, after: Verdict | None, sort: str, tmp_path: Path
) -> None:
    assert sort_of(compared(of(before), of(after), tmp_path)) == sort


def test_another_address_is_the_same_finding_another_ip_version_is_not(
    tmp_path: Path,
) -> None:
    found = result(NULL, Verdict.FLAWED)
    before = report(port(found, address="192.0.2.1"))
    moved = report(port(found, address="192.0.2.99"))
    other = report(port(found, address="2001:db8::1"))
    assert sort_of(compared(before, moved, tmp_path)) == "unchanged"
    assert len(compared(before, other, tmp_path).new) == 1


def test_of_two_addresses_of_one_name_the_worse_counts(tmp_path: Path) -> None:
    good, bad = result(NULL, Verdict.SAFE), result(NULL, Verdict.FLAWED)
    both = report(port(bad), port(good, address="192.0.2.2"))
    one = report(port(good), port(bad, address="192.0.2.2"))
    assert sort_of(compared(both, one, tmp_path)) == "unchanged"


def test_a_run_compared_with_itself_has_no_changes(tmp_path: Path) -> None:
    comparison = compared(everything(), everything(), tmp_path)
    assert sort_of(comparison) == "unchanged"
    assert comparison.unchanged == 8


def test_people_are_told_of_changes(tmp_path: Path) -> None:
    comparison = compared(of(SAFE), of(FLAWED), tmp_path)
    for said in (
        text(of(FLAWED), Language.ENGLISH, brief=True, comparison=comparison),
        html(of(FLAWED), Language.ENGLISH, comparison=comparison),
    ):
        assert "Sign-in without a password accepted, mail.example.com:25" in said
        assert "safe → flawed" in said


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "no report"),
        ("[]", "no report"),
        ('{"schema": "sekisho.audit/1"}', "no report"),
        ('{"schema": "sekisho.audit/2", "targets": []}', "schema"),
        ('{"schema": "sekisho.audit/1", "targets": [{"host": 1}]}', "no report"),
        ("\udcff", "no report"),
    ],
)
def test_another_file_is_refused_in_one_sentence(
    content: str, sentence: str, tmp_path: Path
) -> None:
    file = tmp_path / "file.json"
    file.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(BaselineError, match=sentence) as caught:
        read_baseline(file)
    assert caught.value.hint


def test_no_file_and_one_past_the_bound_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BaselineError, match="cannot be read"):
        read_baseline(tmp_path / "none.json")
    file = tmp_path / "file.json"
    file.write_text(json_report(of(SAFE), Language.ENGLISH), encoding="utf-8")
    monkeypatch.setattr(module, "MAX_BASELINE_OCTETS", file.stat().st_size)
    read_baseline(file)
    monkeypatch.setattr(module, "MAX_BASELINE_OCTETS", file.stat().st_size - 1)
    with pytest.raises(BaselineError, match="larger than"):
        read_baseline(file)
