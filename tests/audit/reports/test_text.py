"""What is shown at a terminal."""

import re

import pytest
from rich.cells import cell_len

from audit.reports.sample import (
    NULL,
    OPEN,
    TALK,
    clean,
    everything,
    port,
    report,
    result,
)
from sekisho.audit.reports.table import WIDTH, Ranked, table_text
from sekisho.audit.reports.text import MAX_TRANSCRIPT_LINES, text
from sekisho.audit.verdicts import Verdict
from sekisho.model.text import Language

_SGR = re.compile(r"\x1b\[[0-9;]*m")


def told(*, brief: bool = False, colour: bool = False, width: int = WIDTH) -> str:
    return text(everything(), Language.ENGLISH, brief=brief, colour=colour, width=width)


def test_the_worst_stands_first_and_what_is_in_order_last() -> None:
    said = told()
    heads = ("FLAWED  AUTH-001", "SUSPECT  REL-001", "UNDECIDED  SMG-003")
    tails = ("safe  REL-001", "not applicable  TLS-001", "Flaws were proved: 2 flawed")
    places = [said.index(one) for one in (*heads, *tails)]
    assert places == sorted(places)


def test_a_flaw_is_told_with_where_why_what_was_said_and_what_to_do() -> None:
    said = told(width=160)
    for one in TALK:
        assert f"{one.who.value}: {one.text}".rstrip() in said
    for expected in (
        "mail.example.com:25 (192.0.2.1): the server answered: 235",
        "mail.example.com:465 (2001:db8::1): the server answered: 235",
        "What to change: Install the vendor's update",
        "A sound server: Answers 535 5.7.8.",
        "CVE-2001-0504",
        "asked from loopback, which servers commonly trust",
        "Microsoft ESMTP MAIL Service 5.0.2195.1600 (Windows 2000 SP1)",
        "mail.example.com:2525 (192.0.2.1): no connection: refused",
        "nothing could be asked of this port",
    ):
        assert expected in re.sub(r"\s+", " ", said), expected


def test_brief_is_one_line_a_finding_and_the_count() -> None:
    lines = told(brief=True).splitlines()
    assert [line.split()[:2] for line in lines[:4]] == [
        ["FLAWED", "AUTH-001"],
        ["FLAWED", "AUTH-001"],
        ["SUSPECT", "REL-001"],
        ["UNDECIDED", "SMG-003"],
    ]
    assert lines[-1].startswith("Flaws were proved: 2 flawed, 1 suspect, 1 undecided")
    assert len(lines) == 6


def test_colour_changes_nothing_else() -> None:
    coloured = told(colour=True)
    assert "\x1b[1;31mFLAWED" in coloured
    plain = [line.rstrip() for line in _SGR.sub("", coloured).splitlines()]
    assert plain == told().splitlines()


@pytest.mark.parametrize("variable", ["NO_COLOR", "FORCE_COLOR", "COLUMNS"])
def test_the_environment_changes_nothing(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = told(), told(colour=True)
    monkeypatch.setenv(variable, "30")
    assert (told(), told(colour=True)) == before


def test_no_line_is_wider_than_the_terminal_but_in_brief() -> None:
    for language in Language:
        said = text(everything(), language, width=60)
        assert max(map(cell_len, said.splitlines())) <= 60


def test_a_long_transcript_says_how_much_is_left_out() -> None:
    long = (TALK[0], *TALK[1:5] * 20, TALK[-1])
    one = report(port(result(NULL, Verdict.FLAWED, transcript=long)))
    left = len(long) - MAX_TRANSCRIPT_LINES
    said = text(one, Language.ENGLISH)
    assert f"{left} lines before these" in said
    assert "connection to" not in said
    assert "S: 235 2.7.0" in said


def test_it_speaks_japanese() -> None:
    said = text(everything(), Language.JAPANESE)
    for expected in ("欠陥あり", "パスワードなしの認証を受理", "対策: ", "緊急"):
        assert expected in said
    assert "What to change" not in said


def test_a_clean_report_and_one_that_was_stopped_say_so() -> None:
    assert "Nothing wrong was found: 1 safe, 1 not applicable" in text(
        clean(), Language.ENGLISH
    )
    stopped = report(port(result(OPEN, Verdict.SAFE)), complete=False)
    assert "Stopped before the end" in text(stopped, Language.ENGLISH)
    assert "Nothing could be asked" in text(report(port()), Language.ENGLISH)


def test_a_table_for_others_puts_the_worst_first() -> None:
    rows = [
        Ranked(Verdict.SAFE, ("mx",)),
        Ranked(Verdict.FLAWED, ("submission\x1b[2J",)),
        Ranked(Verdict.SAFE, ("alpha",)),
    ]
    said = table_text(("verdict", "listener"), rows, Language.ENGLISH)
    assert [line.split() for line in said.splitlines()[2:]] == [
        ["flawed", "submission\\x1b[2J"],
        ["safe", "mx"],
        ["safe", "alpha"],
    ]
