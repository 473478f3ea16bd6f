"""The command's own reports of a server with MS01-037's flaw, as pipelines get them."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from audit.reports.test_json_report import errors as json_errors
from audit.reports.test_junit import loaded
from audit.reports.test_sarif import errors as sarif_errors
from peers.browser import chromium
from peers.service import COMMAND

PROBES = ("--only", "AUTH-00*", "--only", "RLY-00*")


@dataclass
class Lab:
    """A flawed server, or its patched twin."""

    address: str
    folder: Path

    def audit(self, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, "audit", self.address, *PROBES, *options],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def lab(folder: Path, *options: str) -> Iterator[Lab]:
    command = [COMMAND, "lab", "ms01-037", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = [process.stdout.readline() for _ in range(4)]
            line = next(one for one in told if one.startswith("audit it:"))
            yield Lab(line.split()[-1], folder)
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def flawed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    yield from lab(tmp_path_factory.mktemp("flawed"))


@pytest.fixture(scope="module")
def patched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    yield from lab(tmp_path_factory.mktemp("patched"), "--patched")


def everything(of: Lab, *options: str) -> tuple[int, Any, Any, Any]:
    """Exit code, JSON, SARIF and JUnit of one call."""
    files = ("--sarif", "a.sarif", "--junit", "a.xml", "--html", "a.html")
    done = of.audit(*files, "--json", *options)
    assert done.stderr == ""
    return (
        done.returncode,
        json.loads(done.stdout),
        json.loads((of.folder / "a.sarif").read_text("utf-8")),
        loaded((of.folder / "a.xml").read_text("utf-8")),
    )


def test_a_flawed_server_fails_in_every_format(flawed: Lab) -> None:
    code, value, sarif, junit = everything(flawed)
    assert (code, value["exit"]) == (2, 2)
    assert json_errors(value) == []
    assert sarif_errors(sarif) == []
    found = {one["id"]: one["verdict"] for one in value["targets"][0]["results"]}
    assert found["AUTH-001"] == "flawed"
    results = sarif["runs"][0]["results"]
    assert {one["ruleId"] for one in results} == {
        name for name, verdict in found.items() if verdict in ("flawed", "suspect")
    }
    assert junit.failures == len(results)
    assert junit.tests == len(found)


def test_its_patched_twin_passes_in_every_format(patched: Lab) -> None:
    code, value, sarif, junit = everything(patched)
    assert (code, value["exit"]) == (0, 0)
    assert json_errors(value) == []
    assert sarif_errors(sarif) == []
    assert sarif["runs"][0]["results"] == []
    assert (junit.failures, junit.errors) == (0, 0)


def test_a_baseline_tells_new_from_old(flawed: Lab) -> None:
    first = flawed.folder / "first.json"
    first.write_text(flawed.audit("--json").stdout, encoding="utf-8")
    _, value, _, _ = everything(flawed, "--baseline", str(first))
    assert value["comparison"]["new"] == value["comparison"]["mended"] == []
    old = json.loads(first.read_text("utf-8"))
    for one in old["targets"][0]["results"]:
        one["verdict"] = "safe"
    first.write_text(json.dumps(old), encoding="utf-8")
    _, value, _, _ = everything(flawed, "--baseline", str(first))
    assert "AUTH-001" in {one["id"] for one in value["comparison"]["new"]}


def test_text_names_the_flaw_and_its_bulletin_in_both_languages(flawed: Lab) -> None:
    done = flawed.audit("--lang", "en")
    assert "FLAWED  AUTH-001" in done.stdout
    assert "CVE-2001-0504" in done.stdout
    assert "235" in done.stdout
    brief = flawed.audit("--brief", "--lang", "ja")
    assert brief.stdout.startswith("欠陥あり")
    assert "\x1b" not in done.stdout + brief.stdout


def test_the_page_shows_the_exchange_when_unfolded(flawed: Lab) -> None:
    assert flawed.audit("--html", "page.html", "--lang", "ja").returncode == 2
    with chromium() as browser:
        page = browser.new_page()
        requests: list[str] = []
        page.on("request", lambda one: requests.append(one.url))
        page.goto((flawed.folder / "page.html").as_uri())
        article = page.locator("#AUTH-001-flawed")
        assert "MS01-037" in article.locator("h3").inner_text()
        assert not article.locator("details pre").is_visible()
        article.locator("summary").click()
        talk = article.locator("details pre").inner_text().splitlines()
        assert "C: AUTH GSSAPI" in talk
        assert [one for one in talk if one.startswith("S: 235")]
        assert requests == [page.url]
