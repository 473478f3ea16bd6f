"""``sekisho lab``: on loopback alone, and telling how to audit it."""

import os
import shlex
import signal
import smtplib
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cli.conftest import Command
from sekisho.audit.lab.flaws import FLAWS


@contextmanager
def lab(*arguments: str) -> Generator[tuple["subprocess.Popen[str]", dict[str, Any]]]:
    """``sekisho lab ARGUMENTS --json``, and the first line it prints."""
    code = "from sekisho.cli.main import main; main()"
    command = [sys.executable, "-c", code, "lab", *arguments, "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ}
    ) as process:
        try:
            assert process.stdout is not None
            yield process, msgspec.json.decode(process.stdout.readline())
        finally:
            process.kill()


def test_lists_every_flaw_in_both_languages(sekisho: Command) -> None:
    listed = sekisho("lab", "list", "--json").json
    assert [row["name"] for row in listed] == [flaw.name for flaw in FLAWS]
    japanese = sekisho("lab", "list", "--lang", "ja").out
    assert all(flaw.title.ja in japanese for flaw in FLAWS)


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.1", "::", "localhost"])
def test_refuses_every_address_but_loopback(sekisho: Command, address: str) -> None:
    ended = sekisho("lab", "open-relay", "--address", address)
    assert ended.code == 2
    assert address in ended.err


def test_an_unknown_flaw_is_a_wrong_call(sekisho: Command) -> None:
    ended = sekisho("lab", "no-such-flaw")
    assert ended.code == 2
    assert "sekisho lab list" in ended.err


@pytest.mark.parametrize(("patched", "code"), [(False, 250), (True, 550)])
def test_serves_a_flaw_or_its_twin_until_interrupted(patched: bool, code: int) -> None:
    with lab("open-relay", *(["--patched"] if patched else [])) as (process, told):
        assert told["patched"] is patched
        assert told["audit"] == f"sekisho audit 127.0.0.1:{told['port']}"
        with smtplib.SMTP("127.0.0.1", told["port"]) as client:
            client.ehlo()
            client.mail("a@outside.test")
            assert client.rcpt("c@world.test")[0] == code
            if not patched:
                client.data("Subject: x\r\n\r\nx\r\n")
                assert process.stdout is not None
                taken = msgspec.json.decode(process.stdout.readline())
                assert taken["mailboxes"] == ["c@world.test"]
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


@pytest.mark.parametrize(("patched", "code"), [(False, 2), (True, 0)])
def test_the_audit_that_it_prints_finds_the_flaw_and_clears_the_twin(
    tmp_path: Path, sekisho: Command, patched: bool, code: int
) -> None:
    """With a canary: what would have been relayed is written where the audit looks."""
    options = ["--maildir", str(tmp_path / "mail"), *(["--patched"] if patched else [])]
    with lab("open-relay", *options) as (_, told):
        words = shlex.split(told["audit"])
        only = [part for probe in told["probes"] for part in ("--only", probe)]
        ended = sekisho(*words[1:], *only, "--canary-seconds", "2", "--brief")
        assert ended.code == code, ended
    assert bool(list((tmp_path / "mail" / "new").iterdir())) is not patched
