"""``sekisho audit``: exit codes for pipelines, and no report lost."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.conftest import Command
from cli.test_lab import lab

PROGRAM = [sys.executable, "-c", "from sekisho.cli.main import main; main()", "audit"]
ONE = ("--only", "AUTH-001", "--domain", "lab.test", "--known-user", "user")


@contextmanager
def served(flaw: str, *more: str) -> Generator[str]:
    """Serve a flaw in a process of its own; give its target."""
    with lab(flaw, *more) as (_, told):
        yield f"127.0.0.1:{told['port']}"


def test_a_flaw_ends_with_2_and_stands_in_every_report(
    sekisho: Command, tmp_path: Path
) -> None:
    files = {one: tmp_path / f"report.{one}" for one in ("sarif", "junit", "html")}
    options = [part for name, file in files.items() for part in (f"--{name}", file)]
    with served("ms01-037") as target:
        ended = sekisho("audit", target, *ONE, "--json", *options)
    assert ended.code == 2, ended.err
    (port,) = ended.json["targets"]
    (result,) = port["results"]
    assert (result["id"], result["verdict"]) == ("AUTH-001", "flawed")
    assert any("loopback" in note for note in result["notes"])
    assert ended.json["complete"] is True
    for file in files.values():
        assert "AUTH-001" in file.read_text("utf-8")


def test_a_patched_server_ends_with_0_and_a_repair_is_seen(
    sekisho: Command, tmp_path: Path
) -> None:
    before = tmp_path / "before.json"
    with served("ms01-037") as target:
        before.write_text(sekisho("audit", target, *ONE, "--json").out)
    port = target.rpartition(":")[2]
    with served("ms01-037", "--patched", "--port", port) as target:
        ended = sekisho("audit", target, *ONE, "--baseline", before, "--json")
    assert ended.code == 0, ended.out
    assert [one["id"] for one in ended.json["comparison"]["mended"]] == ["AUTH-001"]


def test_a_recipient_that_is_taken_is_suspect_and_ends_with_1(sekisho: Command) -> None:
    with served("open-relay") as target:
        ended = sekisho("audit", target, "--only", "RLY-001", "--brief", "--lang", "ja")
    assert ended.code == 1, ended.err
    assert "RLY-001" in ended.out
    assert "受理" in ended.out


def test_the_whole_default_audit_takes_no_more_than_20_seconds(
    sekisho: Command,
) -> None:
    with served("ms01-037", "--patched") as target:
        began = time.monotonic()
        ended = sekisho("audit", target, "--json", *ONE[2:])
        took = time.monotonic() - began
    assert ended.code == 0, ended.out
    assert len(ended.json["targets"][0]["results"]) >= 80
    assert took < 20.0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name a target"),
        (("192.0.2.1",), "is not this machine"),
        (("127.0.0.1", "192.0.2.1:25"), "is not this machine"),
        (("a b",), "names no host"),
        (("--targets", "/nowhere"), "/nowhere"),
        (("127.0.0.1", "--only", "NO-*"), "no probe is called"),
        (("127.0.0.1", "--what"), "--what"),
        (("127.0.0.1", "--lang", "fr"), "fr"),
        (("127.0.0.1", "--canary", "nobody"), "no mail address"),
        (("127.0.0.1", "--canary", "a@b.test"), "one way to see"),
        (("127.0.0.1", "--canary-maildir", "/tmp"), "want --canary"),
        (
            ("127.0.0.1", "--canary", "a@b.test", "--canary-maildir", "/nowhere"),
            "no Maildir",
        ),
        (("127.0.0.1", "--canary", "a@b.test", "--canary-listen", "x"), "ADDRESS:PORT"),
        (("127.0.0.1", "--password-file", "-"), "for --user"),
        (("127.0.0.1", "--user", "u", "--password-file", "/nowhere"), "/nowhere"),
        (("127.0.0.1", "--proxy-protocol", "me"), "no IP address"),
        (("127.0.0.1", "--baseline", "/nowhere"), "/nowhere"),
        (("127.0.0.1:1",), ""),
    ],
)
def test_what_could_not_run_ends_with_4(
    sekisho: Command, arguments: tuple[str, ...], said: str
) -> None:
    ended = sekisho("audit", *arguments)
    assert ended.code == 4
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_authorized_is_asked_before_anybody_is(sekisho: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as here:
        here.settimeout(0.2)
        port = here.getsockname()[1]
        ended = sekisho("audit", f"127.0.0.1:{port}", "192.0.2.1")
        assert ended.code == 4
        assert "hint: say --authorized" in ended.err
        with pytest.raises(TimeoutError):
            here.accept()


def test_the_list_is_in_both_languages_and_asks_nobody(sekisho: Command) -> None:
    listed = sekisho("audit", "--list", "--json", "--only", "AUTH-001").json
    assert listed[0]["id"] == "AUTH-001"
    assert listed[0]["severity"] == "critical"
    japanese = sekisho("audit", "--list", "--lang", "ja").out
    english = sekisho("audit", "--list").out
    assert len(japanese.splitlines()) == len(english.splitlines()) > 100
    assert japanese != english


def test_a_password_stands_in_no_report(sekisho: Command, tmp_path: Path) -> None:
    with lab("ms01-037", "--patched") as (_, told):
        target = f"127.0.0.1:{told['port']}"
        ended = sekisho(
            *("audit", target, "--user", told["user"], "--password-file", "-"),
            *("--json", "--only", "AUTH-01*", "--html", tmp_path / "page.html"),
            given=told["password"] + "\n",
        )
    assert ended.code in (0, 3), ended.err
    said = ended.out + (tmp_path / "page.html").read_text("utf-8")
    assert told["password"] not in said
    assert "positive control" not in said


def test_ctrl_c_leaves_a_report_of_what_was_done(tmp_path: Path) -> None:
    with (
        served("ms01-037") as target,
        socket.create_server(("127.0.0.1", 0)) as mute,
    ):
        mute.settimeout(10)
        silent = f"127.0.0.1:{mute.getsockname()[1]}"
        command = [*PROGRAM, target, silent, *ONE, "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as audit:
            mute.accept()[0].close()  # It knocked only.
            with mute.accept()[0]:
                time.sleep(1.5)
                audit.send_signal(signal.SIGINT)
                out, _ = audit.communicate(timeout=10)
    report = json.loads(out)
    assert report["complete"] is False
    found = [one for port in report["targets"] for one in port["results"]]
    assert [(one["id"], one["verdict"]) for one in found] == [("AUTH-001", "flawed")]
    assert audit.returncode == 2


def test_a_terminal_sees_a_bar_and_the_finding_at_once() -> None:
    with served("ms01-037") as target:
        ours, theirs = pty.openpty()
        variables = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
        try:
            ended = subprocess.run(
                [*PROGRAM, target, *ONE, "--json"],
                stdout=subprocess.PIPE,
                stderr=theirs,
                env=variables,
                check=False,
            )
            seen = os.read(ours, 65536).decode()
        finally:
            os.close(ours)
            os.close(theirs)
    assert ended.returncode == 2
    assert "flawed: AUTH-001" in seen
    assert json.loads(ended.stdout)["exit"] == 2


def test_targets_are_read_from_a_file(sekisho: Command, tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    with served("ms01-037") as one, served("ms01-037", "--patched") as other:
        file.write_text(f"# two\n{one}\n{other} # patched\n")
        ended = sekisho("audit", "--targets", file, *ONE, "--json")
    assert ended.code == 2
    verdicts = [port["results"][0]["verdict"] for port in ended.json["targets"]]
    assert verdicts == ["flawed", "safe"]
