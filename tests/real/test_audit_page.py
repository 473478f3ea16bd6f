"""The audit's HTML report, looked at in a real browser."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from audit.reports.sample import clean, everything, told_by
from audit.reports.test_hostile import NASTY
from peers.browser import chromium
from sekisho.audit.reports.html import html
from sekisho.audit.results import Report
from sekisho.model.text import Language

PHONE = (375, 740)
DESK = (1280, 900)
# Relative luminance contrast of each text against what is behind it (WCAG 2.2, 1.4.3).
CONTRASTS = """() => {
  const part = v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = c => .2126 * part(c[0]) + .7152 * part(c[1]) + .0722 * part(c[2]);
  const colour = s => s.match(/[\\d.]+/g).map(Number);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = colour(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
  };
  const texts = [...document.querySelectorAll('body *')].filter(
    e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
  return texts.map(e => {
    const pair = [colour(getComputedStyle(e).color), behind(e)].map(light);
    const [low, high] = pair.sort((a, b) => a - b);
    return [(high + .05) / (low + .05), e.textContent.slice(0, 40)];
  });
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


class Shown:
    """A report in a browser, and what the browser did for it."""

    def __init__(self, page: Page, file: Path) -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda one: self.requests.append(one.url))
        page.on("console", lambda one: self.complaints.append(one.text))
        page.on("dialog", lambda one: self.complaints.append(one.message))
        page.goto(file.as_uri())

    def text(self) -> str:
        return self.page.inner_text("body")

    def overflows(self) -> bool:
        page = "document.documentElement"
        return self.page.evaluate(f"{page}.scrollWidth > {page}.clientWidth")


Show = Callable[..., Shown]


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Show]:
    contexts: list[BrowserContext] = []

    def shown(
        report: Report,
        language: Language = Language.ENGLISH,
        size: tuple[int, int] = DESK,
        scheme: str = "light",
    ) -> Shown:
        file = tmp_path / "report.html"
        file.write_text(html(report, language), encoding="utf-8")
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        contexts.append(context)
        return Shown(context.new_page(), file)

    yield shown
    for one in contexts:
        one.close()


def test_the_worst_is_seen_first_and_without_a_click(show: Show) -> None:
    page = show(everything()).page
    titles = page.locator("article h3").all_inner_texts()
    assert [one.split()[0] for one in titles] == ["flawed", "suspect", "undecided"]
    assert page.locator("h1").inner_text() == "Flaws were proved"
    assert page.get_by_text("Install the vendor's update").first.is_visible()


def test_a_transcript_is_folded_and_opens_on_a_click(show: Show) -> None:
    page = show(everything()).page
    fold = page.locator("article.flawed details").first
    talk = fold.locator("pre")
    assert not talk.is_visible()
    fold.locator("summary").click()
    assert talk.is_visible()
    lines = talk.inner_text().splitlines()
    assert lines[1] == "S: 220 mail.example.com ESMTP"
    assert lines[-1] == "S: 235 2.7.0 Authentication successful"
    fold.locator("summary").click()
    assert not talk.is_visible()


def test_it_is_opened_by_the_keyboard(show: Show) -> None:
    page = show(everything()).page
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator("article details pre").first.is_visible()


def test_what_is_in_order_is_folded(show: Show) -> None:
    page = show(everything()).page
    listed = page.get_by_text("550 5.7.1 Relaying denied")
    assert not listed.is_visible()
    page.locator("section > details > summary").first.click()
    assert listed.is_visible()
    page.locator("section > details details > summary").first.click()
    assert page.locator("section > details pre").first.is_visible()


def test_it_speaks_japanese(show: Show) -> None:
    shown = show(everything(), Language.JAPANESE)
    text = shown.text()
    for said in (
        "欠陥が実証されました",
        "パスワードなしの認証を受理",
        "対策",
        "通信記録",
    ):
        assert said in text
    assert "What to change" not in text
    assert shown.page.locator("html").get_attribute("lang") == "ja"


@pytest.mark.parametrize("language", Language)
def test_nothing_is_requested_and_nothing_is_complained_of(
    show: Show, language: Language
) -> None:
    shown = show(everything(), language)
    for summary in shown.page.locator("summary").all():
        summary.click()
    assert shown.requests == [shown.page.url]
    assert shown.complaints == []


@pytest.mark.parametrize("said", NASTY)
def test_hostile_text_is_shown_and_does_nothing(show: Show, said: str) -> None:
    shown = show(told_by(said), size=PHONE)
    for summary in shown.page.locator("summary").all():
        summary.click()
    page = shown.page
    assert page.locator("script, img, link, a, testcase").count() == 0
    assert shown.requests == [page.url]
    assert shown.complaints == []
    assert not shown.overflows()
    if said == NASTY[0]:
        assert said in page.locator("article pre").first.inner_text()


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("size", [PHONE, (320, 568), DESK])
def test_nothing_is_wider_than_the_screen(
    show: Show, language: Language, size: tuple[int, int]
) -> None:
    shown = show(everything(), language, size)
    for summary in shown.page.locator("summary").all():
        summary.click()
    assert not shown.overflows()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("of", [everything(), clean()])
def test_everything_can_be_read_by_light_and_by_dark(
    show: Show, scheme: str, of: Report
) -> None:
    page = show(of, scheme=scheme).page
    for summary in page.locator("summary").all():
        summary.click()
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 20
    assert [one for one in contrasts if one[0] < 4.5] == []
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(246, 247, 249)") is (scheme == "light")


def test_on_paper_transcripts_are_unfolded_and_black_on_white(show: Show) -> None:
    shown = show(everything(), scheme="dark")
    page = shown.page
    seen = "document.querySelector('article details pre').checkVisibility()"
    assert page.evaluate(seen) is False
    page.emulate_media(media="print")
    assert page.evaluate(seen) is True
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(255, 255, 255)"
    assert page.pdf(format="A4").startswith(b"%PDF")
