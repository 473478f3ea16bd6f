"""The JSON is what its published schema says, neither less nor more."""

import json
from pathlib import Path
from typing import Any, cast

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from audit.reports.sample import NULL, clean, everything, port, report, result
from sekisho.audit.probe import Group
from sekisho.audit.reports.baseline import compare, read_baseline
from sekisho.audit.reports.json_report import json_report, schema
from sekisho.audit.results import Report
from sekisho.audit.transcript import Direction
from sekisho.audit.verdicts import Severity, Verdict
from sekisho.model.text import Language


def closed(node: Any) -> Any:
    """The schema without room for keys that it does not name."""
    match node:
        case dict():
            members = cast("dict[str, Any]", node)
            made = {key: closed(value) for key, value in members.items()}
            if made.get("type") == "object":
                made["additionalProperties"] = False
            return made
        case list():
            return [closed(one) for one in cast("list[Any]", node)]
        case _:
            return node


def errors(value: Any) -> list[str]:
    validator: Any = Draft202012Validator(
        closed(json.loads(schema())), format_checker=FormatChecker()
    )
    return [f"{one.json_path}: {one.message}" for one in validator.iter_errors(value)]


def test_the_schema_is_one() -> None:
    checker: Any = Draft202012Validator
    checker.check_schema(json.loads(schema()))


@pytest.mark.parametrize("of", [everything(), clean(), report()])
@pytest.mark.parametrize("language", Language)
def test_a_report_is_valid_and_holds_no_key_that_is_not_published(
    of: Report, language: Language
) -> None:
    assert errors(json.loads(json_report(of, language))) == []


def test_a_report_with_a_comparison_is_valid(tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    old.write_text(json_report(clean(), Language.ENGLISH), encoding="utf-8")
    comparison = compare(read_baseline(old), everything(), Language.ENGLISH)
    value = json.loads(
        json_report(everything(), Language.ENGLISH, comparison=comparison)
    )
    assert errors(value) == []
    assert [one["id"] for one in value["comparison"]["new"]]


def test_a_key_too_many_a_wrong_verdict_and_a_missing_id_are_seen() -> None:
    value = json.loads(json_report(everything(), Language.ENGLISH))
    first = value["targets"][0]["results"][0]
    for change in ({"more": 1}, {"verdict": "fine"}, {"id": "no spaces"}):
        value["targets"][0]["results"][0] = first | change
        assert errors(value), change
    del first["id"]
    value["targets"][0]["results"][0] = first
    assert errors(value)


def test_what_scripts_rest_on_stands_under_its_promised_keys() -> None:
    value = json.loads(json_report(everything(), Language.ENGLISH))
    assert value["schema"] == "sekisho.audit/1"
    assert (value["exit"], value["started"]) == (2, "2026-11-24T09:30:05Z")
    target = value["targets"][0]
    assert (target["host"], target["port"]) == ("mail.example.com", 25)
    found = target["results"][-1]
    promised = ("id", "verdict", "severity", "title", "evidence")
    assert [found[key] for key in promised] == [
        "AUTH-001",
        "flawed",
        "critical",
        "Sign-in without a password accepted",
        "the server answered: 235 2.7.0 Authentication successful",
    ]


def test_the_schema_lists_every_word_that_a_report_can_say() -> None:
    definitions = json.loads(schema())["$defs"]
    words = {
        "verdict": (definitions["verdict"], Verdict),
        "severity": (definitions["severity"], Severity),
        "group": (definitions["result"]["properties"]["group"], Group),
        "who": (definitions["line"]["properties"]["who"], Direction),
    }
    for listed, kind in words.values():
        assert listed["enum"] == [one.value for one in kind]


def test_octets_of_a_transcript_are_kept_in_order() -> None:
    one = report(port(result(NULL, Verdict.FLAWED)))
    value = json.loads(json_report(one, Language.ENGLISH))
    lines = value["targets"][0]["results"][0]["transcript"]
    assert lines[-1] == {"who": "S", "text": "235 2.7.0 Authentication successful"}
    assert len(lines) == 11
