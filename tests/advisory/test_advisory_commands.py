"""``sekisho advisory`` as an administrator calls it."""

import json
import os
import pty
import resource
import subprocess
from pathlib import Path
from typing import Any

import pytest

from advisory.described import KEY, WEB_01, changed
from peers.service import COMMAND

CPU_SECONDS = 5.0
BULLETINS = ["MS01-037", "MS02-011"]


def _called(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, "advisory", *words],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "COLUMNS": "80"},
    )


def _assessed(described: Any, *words: str) -> subprocess.CompletedProcess[str]:
    return _called("assess", "-", *words, stdin=json.dumps(described))


def test_answers_come_in_the_order_of_the_inventory() -> None:
    fleet = [changed(id="b", os__service_pack=3), changed(id="a"), WEB_01]
    done = _assessed(fleet, "--json")
    answers = json.loads(done.stdout)
    wanted = [(host, name) for host in ("b", "a", "web-01") for name in BULLETINS]
    assert [(one["id"], one["advisory"]) for one in answers] == wanted
    assert done.stderr == ""


def test_an_answer_has_its_codes_and_their_texts_beside() -> None:
    done = _assessed(WEB_01, "--json", "--advisory", "MS01-037", "--lang", "ja")
    (answer,) = json.loads(done.stdout)
    texts = answer.pop("texts")
    assert answer == {
        "id": "web-01",
        "advisory": "MS01-037",
        "verdict": "affected",
        "scope": None,
        "reasons": ["R-AFFECTED"],
        "actions": ["A-HOTFIX-PCAT", "A-REBOOT", "A-VERIFY", "alt:A-SP3"],
        "missing": [],
        "warnings": [],
        "priority": "P1",
    }
    assert [one["code"] for one in texts["actions"]] == answer["actions"]
    assert "スタンドアロン" in texts["reasons"][0]["text"]
    assert "よく寄せられる質問" in texts["reasons"][0]["section"]


@pytest.mark.parametrize(
    ("fleet", "code"),
    [
        ([changed(), changed(domain_role=None)], 1),
        ([changed(domain_role=None), changed(firewall_internet_25="blocked")], 3),
        ([changed(firewall_internet_25="blocked"), changed(os__service_pack=3)], 2),
        ([changed(os__service_pack=3), changed(domain_role="member")], 0),
        ([], 4),
        ({"hosts": []}, 4),
        ([changed(domain_role="workgroup")], 4),
    ],
)
def test_exit_code_tells_the_worst(
    fleet: list[dict[str, Any]] | dict[str, Any], code: int
) -> None:
    for number, one in enumerate(fleet if isinstance(fleet, list) else []):
        one["id"] = f"h{number}"
    done = _assessed(fleet, "--advisory", "MS01-037")
    assert done.returncode == code
    assert len(done.stderr.splitlines()) == (1 if code == 4 else 0)


@pytest.mark.parametrize(
    "words",
    [
        ("assess",),
        ("assess", "-", "--colour"),
        ("assess", "-", "--lang", "de"),
        ("assess", "-", "--advisory", "MS99-999"),
        ("assess", "-", "--advisory", "SEKISHO"),
        ("assess", "/nowhere/hosts.json"),
        ("assess", "/"),
    ],
)
def test_a_wrong_call_is_4_and_no_traceback(words: tuple[str, ...]) -> None:
    done = _called(*words, stdin=json.dumps(WEB_01))
    assert done.returncode == 4
    assert done.stdout == ""
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_the_table_has_the_worst_first_and_web_servers_before_others() -> None:
    fleet = [
        changed(id="fixed", os__service_pack=3),
        changed(id="member", domain_role="member"),
        changed(id="off", smtp__state="stopped"),
        changed(id="walled", firewall_internet_25="blocked"),
        changed(id="who", domain_role=None),
        changed(id="plain"),
        changed(id="web", web_server=True),
    ]
    lines = _assessed(fleet, "--advisory", "MS01-037").stdout.splitlines()
    order = [line.split()[0] for line in lines[1:8]]
    assert order == ["web", "plain", "who", "walled", "off", "member", "fixed"]
    assert lines[8] == ""
    assert lines[-1].startswith("7 answers: affected 2, unknown 1, mitigated 2")


def test_text_tells_why_with_the_section_and_what_to_do_in_order() -> None:
    out = _assessed(WEB_01, "--advisory", "MS01-037").stdout
    assert "web-01  MS01-037: affected  [P1: act now]" in out
    assert "R-AFFECTED: Windows 2000 without the correction" in out
    assert "[Technical details; questions and answers]" in out
    steps = [out.index(mark) for mark in ("1. A-HOTFIX", "2. A-REBOOT", "3. A-VERIFY")]
    assert steps == sorted(steps)
    assert out.index("or: A-SP3") > steps[-1]


def test_text_names_what_is_missing() -> None:
    out = _assessed(changed(domain_role=None), "--lang", "ja").stdout
    assert "不足している事実:\n    domain_role: スタンドアロンか" in out


def test_strange_names_and_doubled_ids_are_told_beside_the_answer() -> None:
    done = _assessed([changed(os__servicepack=3), WEB_01], "--json")
    assert json.loads(done.stdout)
    assert "ignored: os.servicepack (first of web-01)" in done.stderr
    assert "several hosts have one id: web-01" in done.stderr


def test_an_id_cannot_steer_the_terminal() -> None:
    done = _assessed({**WEB_01, "id": "a\x1b[2Jb\nc"})
    assert "\x1b" not in done.stdout
    assert "a\N{REPLACEMENT CHARACTER}[2Jb\N{REPLACEMENT CHARACTER}c" in done.stdout


def test_whoever_stops_reading_ends_it_without_a_traceback(tmp_path: Path) -> None:
    file = tmp_path / "fleet.json"
    file.write_text(json.dumps([changed(id=f"h{one}") for one in range(2000)]))
    command = f"{COMMAND} advisory assess {file} --json | head -c 1"
    done = subprocess.run(
        ["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    # Some kernels take all of a large write after the reader has gone.
    assert done.returncode in {1, 4}
    assert done.stderr == ""


def _fleet(count: int) -> list[dict[str, Any]]:
    """Hosts no two of which have the same facts."""
    keys = [[], [KEY]]
    return [
        changed(
            id=f"h{one}",
            os__service_pack=one % 5,
            smtp__ports=[25, 1024 + one],
            domain_role=("standalone", "member", None)[one % 3],
            patch__registry_keys=[*keys[one % 2], rf"HKLM\SOFTWARE\{one}"],
        )
        for one in range(count)
    ]


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_ten_thousand_hosts_take_at_most_five_seconds(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    file = tmp_path / "fleet.json"
    file.write_text(json.dumps(_fleet(10_000)))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = _called("assess", str(file), *words)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 1
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert used <= CPU_SECONDS
    if words:
        assert len(json.loads(done.stdout)) == 20_000


def test_progress_is_shown_on_a_terminal_alone(tmp_path: Path) -> None:
    file = tmp_path / "fleet.json"
    file.write_text(json.dumps(_fleet(1200)))
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [COMMAND, "advisory", "assess", file],
        stdout=subprocess.PIPE,
        stderr=theirs,
        check=False,
    )
    os.close(theirs)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    assert "judged 500 of 1200 hosts" in shown
    assert shown.endswith("\x1b[K")
    assert b"judged" not in done.stdout


def test_list_names_all_advisories() -> None:
    lines = _called("list").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [*BULLETINS, "SEKISHO"]
    listed = json.loads(_called("list", "--json", "--lang", "ja").stdout)
    assert [one["id"] for one in listed] == [*BULLETINS, "SEKISHO"]
    assert listed[0]["severity"].startswith("緊急")


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("name", BULLETINS)
def test_show_fits_the_terminal_and_has_everything(name: str, language: str) -> None:
    out = _called("show", name, "--lang", language).stdout
    lines = [line for line in out.splitlines() if "http" not in line]
    marks = 2  # A mark of Japanese punctuation may hang over.
    assert max(map(len, lines)) <= 80 + marks
    for part in ("CVE-200", "Service Pack 3", "R-AFFECTED", "A-REBOOT"):
        assert part in out


def test_show_in_json_has_both_languages_and_the_tests() -> None:
    shown = json.loads(_called("show", "ms01-037", "--json").stdout)
    assert set(shown["title"]) == {"en", "ja"}
    by_code = {one["code"]: one for one in shown["conditions"]}
    assert by_code["R-AFFECTED"]["when"] == {"use": "exposed"}


def test_show_of_an_unknown_advisory_is_wrong_use() -> None:
    done = _called("show", "MS99-999")
    assert done.returncode == 2
    assert "there are: MS01-037, MS02-011, SEKISHO" in done.stderr
