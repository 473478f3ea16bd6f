"""The report for programs: JSON, its shape published as ``audit.schema.json``.

The schema's name carries a version. Keys may be added within one; where one goes, or
comes to mean something else, the version rises.
"""

import json
from importlib.resources import files
from typing import Any

from sekisho.audit.reports.baseline import SCHEMA, Change, Comparison
from sekisho.audit.reports.document import Document, Finding, Place, document
from sekisho.audit.reports.outcome import exit_code
from sekisho.audit.results import Report
from sekisho.model.text import Language


def json_report(
    report: Report, language: Language, *, comparison: Comparison | None = None
) -> str:
    """Write the report as JSON."""
    told = document(report, language)
    value = _whole(told) | {"exit": int(exit_code(report))}
    if comparison is not None:
        value["comparison"] = _comparison(comparison)
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def schema() -> str:
    """The published schema (JSON Schema 2020-12)."""
    return files(__package__ or "").joinpath("audit.schema.json").read_text("utf-8")


def _whole(told: Document) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "version": told.version,
        "language": told.language.value,
        "started": f"{told.started:%Y-%m-%dT%H:%M:%SZ}",
        "seconds": round(told.seconds, 3),
        "complete": told.complete,
        "counts": {verdict.value: count for verdict, count in told.counts.items()},
        "targets": [_target(place) for place in told.places],
    }


def _target(place: Place) -> dict[str, Any]:
    return {
        "host": place.host,
        "address": place.address,
        "port": place.port,
        "implicit_tls": place.implicit_tls,
        "service": place.service,
        "notes": list(place.notes),
        "results": [_result(one) for one in place.findings],
    }


def _result(finding: Finding) -> dict[str, Any]:
    row = finding.row
    return {
        "id": row.id,
        "group": row.group.value,
        "verdict": finding.verdict.value,
        "severity": row.severity.value,
        "title": row.title,
        "evidence": finding.evidence,
        "notes": list(finding.notes),
        "safe": row.safe,
        "advice": row.advice,
        "references": list(row.references),
        "seconds": round(finding.seconds, 3),
        "transcript": [
            {"who": line.who.value, "text": line.text} for line in finding.transcript
        ],
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "new": [_change(one) for one in comparison.new],
        "worse": [_change(one) for one in comparison.worse],
        "mended": [_change(one) for one in comparison.mended],
        "gone": [_change(one) for one in comparison.gone],
        "unchanged": comparison.unchanged,
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "id": change.id,
        "host": change.key.host,
        "port": change.key.port,
        "family": change.key.family,
        "title": change.title,
        "before": change.before and change.before.value,
        "after": change.after and change.after.value,
    }
