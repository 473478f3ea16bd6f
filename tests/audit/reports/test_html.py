"""The HTML file on its own; what a browser makes of it is seen in tests/real."""

import re

import pytest

from audit.reports.sample import NULL, clean, everything, port, report, result
from sekisho.audit.reports import html as module
from sekisho.audit.reports.html import html
from sekisho.audit.reports.markup import Html, joined, tag
from sekisho.audit.verdicts import Verdict
from sekisho.model.text import Language


@pytest.mark.parametrize("language", Language)
def test_it_loads_nothing_and_runs_nothing(language: Language) -> None:
    page = html(everything(), language)
    assert not re.search(r"<(script|img|link|iframe|object|form|base)\b", page)
    assert not re.search(r"\s(src|href|action|on\w+|style)=", page)
    assert "@import" not in page
    assert "url(" not in page
    assert f'<html lang="{language.value}">' in page
    assert "default-src &#x27;none&#x27;" in page


def test_text_is_escaped_wherever_it_is_placed() -> None:
    made = tag("p", '<b>&"', tag("b", "<"), title="\"><script>'")
    assert made == Html(
        '<p title="&quot;&gt;&lt;script&gt;&#x27;">&lt;b&gt;&amp;&quot;<b>&lt;</b></p>'
    )
    assert joined(["<", Html("<br>")]).source == "&lt;<br>"


def test_a_clean_audit_says_so() -> None:
    page = html(clean(), Language.ENGLISH)
    assert "<h1>Nothing wrong was found</h1>" in page
    assert "There are none." in page


def test_it_is_the_same_for_the_same_report() -> None:
    assert html(everything(), Language.JAPANESE) == html(
        everything(), Language.JAPANESE
    )


@pytest.mark.parametrize("findings", [3, 4])
def test_of_many_findings_those_in_order_have_no_transcripts(
    findings: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WITH_ALL_TRANSCRIPTS", 3)
    safe = [port(result(NULL, Verdict.SAFE), number=one) for one in range(1, findings)]
    page = html(report(port(result(NULL, Verdict.FLAWED)), *safe), Language.ENGLISH)
    assert page.count("<pre><span") == (3 if findings == 3 else 1)
