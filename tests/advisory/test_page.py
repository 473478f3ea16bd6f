"""A bulletin as HTML: whole, escaped, and with nothing in it that loads or runs."""

import dataclasses
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest

from sekisho.advisory.bulletin import Bulletin, Reference
from sekisho.advisory.page import bulletin_page
from sekisho.advisory.sections import Section, sections
from sekisho.advisory.shelf import shipped
from sekisho.model.text import Language, Text

BULLETINS = [pytest.param(one, id=one.id) for one in shipped()]
HOSTILE = "</style><script>alert(1)</script>\"'><img src=x onerror=a()>&amp;"
VOID = {"meta", "br", "hr"}


class Page(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(source)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("bulletin", BULLETINS)
def test_a_page_holds_every_section_and_nothing_that_runs(
    bulletin: Bulletin, language: Language
) -> None:
    page = Page(bulletin_page(bulletin, language))
    for section in sections(bulletin):
        assert page.text.count(section.title.said_in(language)) >= 2
        for text in _texts(section):
            assert text.said_in(language) in page.text
    kinds = {tag for tag, _ in page.elements}
    assert not kinds & {"script", "img", "link", "iframe", "form", "object"}
    assert ("html", {"lang": language.value}) in page.elements
    loaded = [one for _, one in page.elements if one.keys() & {"src", "style"}]
    assert loaded == []
    assert any("default-src 'none'" in str(one) for _, one in page.elements)


def _texts(section: Section) -> Iterator[Text]:
    for block in section.blocks:
        for field in dataclasses.fields(block):
            value: Any = getattr(block, field.name)
            yield from (one for one in [value] if isinstance(one, Text))


def test_whatever_a_bulletin_says_stays_text() -> None:
    bulletin = msgspec.structs.replace(
        shipped()[0],
        title=Text(HOSTILE, HOSTILE),
        caveats=[Text(HOSTILE, HOSTILE)],
        references=[
            Reference(title=Text(HOSTILE, HOSTILE), address="javascript:alert(1)"),
            Reference(title=Text("x", "x"), address='https://a.example/"><script>'),
        ],
    )
    page = Page(bulletin_page(bulletin, Language.ENGLISH))
    kinds = [tag for tag, _ in page.elements]
    assert "script" not in kinds
    assert "img" not in kinds
    assert kinds.count("style") == 1
    assert page.text.count(HOSTILE) >= 3
    links = [str(one["href"]) for tag, one in page.elements if tag == "a"]
    assert all(one.startswith(("#", "http://", "https://")) for one in links)


def test_the_sections_stand_in_the_order_of_a_bulletin() -> None:
    found = [one.title.en for one in sections(shipped()[0])]
    wanted = [
        "Identity",
        "Summary",
        "Affected software",
        "Details",
        "Mitigating factors",
        "Severity",
        "Tested versions",
        "Questions and answers",
        "Updates",
        "Restart",
        "How to verify the installation",
        "Caveats",
        "References",
        "History of the source",
    ]
    assert [one for one in found if one in wanted] == wanted


@pytest.mark.parametrize("bulletin", BULLETINS)
def test_no_section_is_empty(bulletin: Bulletin) -> None:
    assert all(one.blocks for one in sections(bulletin))
