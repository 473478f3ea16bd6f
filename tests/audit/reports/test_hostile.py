"""Whatever a server says stays harmless in every format."""

import json
import re
from html.parser import HTMLParser
from typing import Any, cast
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from audit.reports.sample import told_by
from sekisho.audit.reports.harmless import MAX_CHARACTERS, harmless
from sekisho.audit.reports.html import html
from sekisho.audit.reports.json_report import json_report
from sekisho.audit.reports.junit import junit
from sekisho.audit.reports.sarif import sarif
from sekisho.audit.reports.text import text
from sekisho.model.text import Language

LANGUAGE = Language.ENGLISH
NASTY = [
    "<script>alert(1)</script>",
    "</pre></details><img src=http://example.net/x onerror=alert(1)>",
    "\" onmouseover='alert(1)' style=\"x",
    "]]></failure><testcase name='x'/>",
    "\x1b]0;title\x07\x1b[2J\x1b[31mred\x9b31m",
    "\u202egnp.exe\u2066\u200f\u200b\ufeff",
    "\x00\x08\r\n\v\u2028\u0085\ud800\uffff",
    "[bold red]x[/] [link=http://example.net]y[/link] :smile:",
    "{0} {lines} %s %(x)s ${x} `x` | * _",
    "A" * 10_240,
    "字" * 10_240,
    "\x1b" * 10_240,
    "אבג שלום",
]
hostile = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(), min_size=1, max_size=60),
    st.lists(st.sampled_from(NASTY), min_size=2, max_size=3).map("".join),
)
_SGR = re.compile(r"\x1b\[[0-9;]*m")
# The longest line that a format makes of one harmless text and its own words.
MAX_LINE = MAX_CHARACTERS * 10 + 400


def strings_of(value: Any) -> list[str]:
    match value:
        case str():
            return [value]
        case dict():
            members = cast("dict[str, Any]", value)
            return [*members, *strings_of([*members.values()])]
        case list():
            items = cast("list[Any]", value)
            return [string for one in items for string in strings_of(one)]
        case _:
            return []


class Shape(HTMLParser):
    """Which elements and attributes stand on a page, without its texts."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[object] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, [name for name, _ in attrs]))

    def handle_endtag(self, tag: str) -> None:
        self.seen.append(tag)


def shape(page: str) -> list[object]:
    parser = Shape()
    parser.feed(page)
    parser.close()
    return parser.seen


@given(hostile)
@settings(max_examples=150, deadline=None)
def test_text_is_printable_short_and_the_same_twice(said: str) -> None:
    made = harmless(said)
    assert made.replace("\u3000", " ").isprintable()
    assert len(made) <= MAX_CHARACTERS * 10 + 20


@pytest.mark.parametrize("length", [MAX_CHARACTERS, MAX_CHARACTERS + 1])
def test_one_character_past_the_bound_is_cut_and_told(length: int) -> None:
    made = harmless("a" * length)
    assert made.count("a") == MAX_CHARACTERS
    assert made.endswith("… (+1)") is (length > MAX_CHARACTERS)


@given(hostile, st.booleans(), st.booleans())
@settings(max_examples=40, deadline=None)
@example(NASTY[4], True, True)
def test_a_terminal_is_not_steered(said: str, colour: bool, brief: bool) -> None:
    page = text(told_by(said), LANGUAGE, colour=colour, brief=brief)
    if colour:
        page = _SGR.sub("", page)
    shown = page.replace("\n", "").replace("\u3000", "")
    assert shown.isprintable()


@given(hostile)
@settings(max_examples=40, deadline=None)
def test_json_and_sarif_hold_printable_strings_only(said: str) -> None:
    for made in (json_report(told_by(said), LANGUAGE), sarif(told_by(said), LANGUAGE)):
        made.encode()
        strings = strings_of(json.loads(made))
        lines = {line for one in strings for line in one.split("\n")}
        assert all(one.replace("\u3000", "").isprintable() for one in lines)


@given(hostile)
@settings(max_examples=40, deadline=None)
def test_junit_stays_well_formed_with_the_same_elements(said: str) -> None:
    made = ET.fromstring(junit(told_by(said), LANGUAGE))
    plain = ET.fromstring(junit(told_by("x"), LANGUAGE))
    assert [(one.tag, sorted(one.attrib)) for one in made.iter()] == [
        (one.tag, sorted(one.attrib)) for one in plain.iter()
    ]


@given(hostile)
@settings(max_examples=40, deadline=None)
def test_html_gains_no_element_and_no_attribute(said: str) -> None:
    page = html(told_by(said), LANGUAGE)
    page.encode()
    assert shape(page) == shape(html(told_by("x"), LANGUAGE))


def test_an_element_that_slipped_through_would_be_seen() -> None:
    page = html(told_by("MARK"), LANGUAGE)
    assert shape(page.replace("MARK", NASTY[0])) != shape(page)


@pytest.mark.parametrize("said", NASTY)
def test_no_line_grows_without_bound(said: str) -> None:
    for made in (junit, json_report, html):
        lines = made(told_by(said), LANGUAGE).split("\n")
        # HTML's body is one line of many texts.
        assert max(map(len, lines)) < MAX_LINE * (60 if made is html else 1)
