"""SARIF 2.1.0 (OASIS): findings for code scanning.

- A result is what is flawed or suspect, so that a clean audit has none. What could not
  be decided is a notification of the invocation: no finding, yet not silence.
- A rule is a probe that was run; its level is the severity's, and a suspect's is one
  step lower. The kind is always ``fail``: others allow no level (§3.27.10).
- The logical location is ``smtp://host:port``. GitHub refuses a file whose results have
  no physical one, so there is a path of the same meaning, of a file that is not there.
- A finding is known again by its probe, host, port and IP version. GitHub looks at
  ``primaryLocationLineHash`` only; others look at ours.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from sekisho.audit.reports import words
from sekisho.audit.reports.baseline import Comparison, Key, key_of
from sekisho.audit.reports.document import Document, Finding, Place, Row, document
from sekisho.audit.reports.outcome import exit_code
from sekisho.audit.results import Report
from sekisho.audit.verdicts import Severity, Verdict
from sekisho.model.text import Language

SCHEMA_URI = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT = "sekishoAudit/v1"
LEVELS: Mapping[Severity, str] = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
}
_ONE_LOWER = {"error": "warning", "warning": "note", "note": "note"}
# The middle of what GitHub calls critical, high, medium and low.
_SCORES: Mapping[Severity, str] = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.5",
}
_STATES = {"new": "new", "worse": "updated"}


def sarif(
    report: Report, language: Language, *, comparison: Comparison | None = None
) -> str:
    """Write the report as SARIF."""
    told = document(report, language)
    rules = {finding.row.id: finding.row for _, finding in told.findings}
    index = {one: n for n, one in enumerate(rules)}
    states = None if comparison is None else comparison.states
    run = {
        "tool": {"driver": _driver(told, rules)},
        "automationDetails": {"id": "sekisho-audit/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(told, index, int(exit_code(report)))],
        "results": [
            _result(told, place, finding, index[finding.row.id], states)
            for place, finding in told.findings
            if finding.verdict in (Verdict.FLAWED, Verdict.SUSPECT)
        ],
    }
    log = {"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, ensure_ascii=False, indent=2) + "\n"


def _driver(told: Document, rules: Mapping[str, Row]) -> dict[str, Any]:
    return {
        "name": "sekisho audit",
        "version": told.version,
        "language": told.language.value,
        "rules": [_rule(told, one) for one in rules.values()],
    }


def _rule(told: Document, row: Row) -> dict[str, Any]:
    advice, sound = told.say(words.ADVICE), told.say(words.SOUND)
    references = f"{told.say(words.REFERENCES)}: {', '.join(row.references)}"
    return {
        "id": row.id,
        "shortDescription": {"text": row.title},
        "fullDescription": {"text": f"{row.title}. {sound}: {row.safe}"},
        "help": {
            "text": f"{advice}: {row.advice}\n{sound}: {row.safe}\n{references}",
        },
        "defaultConfiguration": {"level": LEVELS[row.severity]},
        "properties": {
            "tags": ["security", "smtp", row.group.value],
            "security-severity": _SCORES[row.severity],
            "references": list(row.references),
        },
    }


def _invocation(told: Document, index: Mapping[str, int], code: int) -> dict[str, Any]:
    ended = told.started + timedelta(seconds=told.seconds)
    return {
        "executionSuccessful": told.complete and told.worst is not None,
        "exitCode": code,
        "startTimeUtc": f"{told.started:%Y-%m-%dT%H:%M:%SZ}",
        "endTimeUtc": f"{ended:%Y-%m-%dT%H:%M:%SZ}",
        "toolExecutionNotifications": _notifications(told, index),
    }


def _notifications(told: Document, index: Mapping[str, int]) -> list[dict[str, Any]]:
    notifications: list[dict[str, Any]] = []
    if not told.complete:
        notifications.append(_notification(told.say(words.INCOMPLETE), []))
    for place in told.places:
        at, level = [_location(place)], "note" if place.findings else "warning"
        notifications += [_notification(one, at, level) for one in place.notes]
        if not place.findings:
            notifications.append(_notification(told.say(words.NOT_ASKED), at))
    for place, finding in told.findings:
        if finding.verdict is Verdict.UNDECIDED:
            one = _notification(_message(told, place, finding), [_location(place)])
            rule = {"id": finding.row.id, "index": index[finding.row.id]}
            notifications.append(one | {"associatedRule": rule})
    return notifications


def _notification(
    text: str, locations: list[dict[str, Any]], level: str = "warning"
) -> dict[str, Any]:
    return {"level": level, "message": {"text": text}, "locations": locations}


def _message(told: Document, place: Place, finding: Finding) -> str:
    verdict = told.say(words.VERDICTS[finding.verdict])
    said = f"{place.name}: {finding.row.title} ({verdict}): {finding.evidence}"
    return " ".join((said, *finding.notes))


def _location(place: Place) -> dict[str, Any]:
    path = f"smtp/{quote(place.host, safe='')}/{place.port}"
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": path},
            "region": {"startLine": 1},
        },
        "logicalLocations": [
            {"name": place.name, "fullyQualifiedName": place.uri, "kind": "resource"}
        ],
    }


def _result(
    told: Document,
    place: Place,
    finding: Finding,
    index: int,
    states: Mapping[Key, str] | None,
) -> dict[str, Any]:
    level = LEVELS[finding.row.severity]
    if finding.verdict is Verdict.SUSPECT:
        level = _ONE_LOWER[level]
    key = key_of(place, finding)
    result: dict[str, Any] = {
        "ruleId": finding.row.id,
        "ruleIndex": index,
        "kind": "fail",
        "level": level,
        "message": {"text": _message(told, place, finding)},
        "locations": [_location(place)],
        "partialFingerprints": {
            FINGERPRINT: str(key),
            "primaryLocationLineHash": sha256(str(key).encode()).hexdigest()[:16]
            + ":1",
        },
        "properties": {
            "verdict": finding.verdict.value,
            "severity": finding.row.severity.value,
            "address": place.address,
            "transcript": [
                f"{one.who.value}: {one.text}" for one in finding.transcript
            ],
        },
    }
    if states is not None:
        result["baselineState"] = _STATES.get(states.get(key, "new"), "unchanged")
    return result
