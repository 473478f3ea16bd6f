"""Exported advisories are valid CSAF 2.0, as the checker that we did not write sees it.

The mandatory tests all pass. Of the recommended and informative ones those fail that
ask for what no bulletin of that time says: a score, a weakness number, a platform
identifier; they are listed, so that no other one can hide behind them.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sekisho.advisory.bulletin import Bulletin
from sekisho.advisory.csaf import (
    Publisher,
    csaf_document,
    csaf_file_name,
)
from sekisho.advisory.shelf import shipped
from sekisho.model.text import Language

pytestmark = pytest.mark.real
UNSAID = {"6.2.3", "6.2.16", "6.3.4", "6.3.9"}
_FAILED = re.compile(r"\[(?:FAIL|WARN|INFO)\] (schema|\d+(?:\.\d+)+)")
BULLETINS = [pytest.param(one, id=one.id) for one in shipped()]


def failed(path: Path, preset: str) -> tuple[int, set[str]]:
    """The checker's exit code, and which of its tests failed."""
    checker = Path(sys.executable).with_name("csaf")
    options = ["--spec-version", "v20", "--no-network", "--preset", preset, "--quiet"]
    ended = subprocess.run(
        [checker, "validate", *options, path],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Overall:" in ended.stdout, ended.stderr
    return ended.returncode, set(_FAILED.findall(ended.stdout))


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("bulletin", BULLETINS)
def test_each_exported_document_is_valid(
    bulletin: Bulletin, language: Language, tmp_path: Path
) -> None:
    path = tmp_path / csaf_file_name(bulletin, language)
    path.write_bytes(csaf_document(bulletin, language))
    assert failed(path, "basic") == (0, set())
    assert failed(path, "full")[1] <= UNSAID


def drop_product(value: dict[str, Any]) -> None:
    value["vulnerabilities"][0]["product_status"]["known_affected"].append("nobody")


def turn_history(value: dict[str, Any]) -> None:
    value["document"]["tracking"]["version"] = "99"


def contradict(value: dict[str, Any]) -> None:
    status = value["vulnerabilities"][0]["product_status"]
    status["fixed"] = [*status["fixed"], *status["known_affected"]]


def forget_products(value: dict[str, Any]) -> None:
    del value["product_tree"]


def break_date(value: dict[str, Any]) -> None:
    value["document"]["tracking"]["current_release_date"] = "13 July 2001"


def forget_notes(value: dict[str, Any]) -> None:
    del value["vulnerabilities"][0]["notes"]


def name_product_twice(value: dict[str, Any]) -> None:
    products = value["product_tree"]["branches"][0]["branches"]
    products.append(products[0])


def translate_from_itself(value: dict[str, Any]) -> None:
    value["document"]["source_lang"] = value["document"]["lang"]


MUTATIONS = [
    drop_product,
    turn_history,
    contradict,
    forget_products,
    break_date,
    forget_notes,
    name_product_twice,
    translate_from_itself,
]


@pytest.mark.parametrize("mutate", MUTATIONS)
@pytest.mark.parametrize(
    "bulletin", [one for one in BULLETINS if "ms01-037" in str(one.id).lower()]
)
def test_the_checker_finds_what_we_break(
    bulletin: Bulletin, mutate: Callable[[dict[str, Any]], None], tmp_path: Path
) -> None:
    value = json.loads(csaf_document(bulletin))
    mutate(value)
    path = tmp_path / csaf_file_name(bulletin)
    path.write_text(json.dumps(value))
    code, tests = failed(path, "basic")
    assert code != 0
    assert tests


@pytest.mark.parametrize("bulletin", BULLETINS)
def test_a_translation_is_marked_as_one_and_leads_to_its_original(
    bulletin: Bulletin,
) -> None:
    original = json.loads(csaf_document(bulletin))["document"]
    translated = json.loads(csaf_document(bulletin, Language.JAPANESE))["document"]
    assert (original["lang"], original.get("source_lang")) == ("en", None)
    assert (translated["lang"], translated["source_lang"]) == ("ja", "en")
    assert translated["publisher"]["category"] == "translator"
    assert translated["tracking"]["id"] == original["tracking"]["id"] + "-ja"
    own = next(one for one in original["references"] if one["category"] == "self")
    assert own["url"] in {one["url"] for one in translated["references"]}


@pytest.mark.parametrize("bulletin", BULLETINS)
def test_the_same_advisory_gives_the_same_octets(bulletin: Bulletin) -> None:
    first = csaf_document(bulletin)
    assert first == csaf_document(bulletin)
    assert first.endswith(b"}\n")


def test_the_publisher_is_whoever_issues_the_document() -> None:
    ours = Publisher("Example KK", "https://psirt.example.jp/")
    document = json.loads(csaf_document(shipped()[0], publisher=ours))["document"]
    assert document["publisher"]["name"] == "Example KK"
    own = next(one for one in document["references"] if one["category"] == "self")
    assert own["url"].startswith("https://psirt.example.jp/white/")


def test_what_a_bulletin_says_of_each_product_is_its_status() -> None:
    bulletin = next(one for one in shipped() if one.id == "MS01-037")
    found = json.loads(csaf_document(bulletin))["vulnerabilities"][0]
    status = found["product_status"]
    assert status["known_affected"] == ["windows-2000"]
    assert "windows-nt-4.0" in status["known_not_affected"]
    assert "windows-2000-with-Q302755" in status["fixed"]
    assert found["cve"] == "CVE-2001-0504"
    fix = next(one for one in found["remediations"] if "Q302755" in one["details"])
    assert fix["category"] == "vendor_fix"
    assert fix["restart_required"]["category"] == "system"
    kinds = {one["category"] for one in found["remediations"]}
    assert "mitigation" in kinds
