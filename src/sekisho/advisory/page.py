"""A bulletin as one HTML file, in one language, that loads and runs nothing.

Every text is escaped where it is placed; an address becomes a link only if it is one
of the web. The policy in the file allows its own style sheet, by its digest, and
nothing else.
"""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from html import escape
from typing import assert_never
from urllib.parse import urlsplit

from sekisho.advisory.bulletin import Bulletin
from sekisho.advisory.sections import (
    Block,
    Item,
    Link,
    Named,
    Paragraph,
    Section,
    Verbatim,
    sections,
)
from sekisho.model.text import Language, Text

_CSS = """
:root { color-scheme: light dark; }
body { font: 1rem/1.6 system-ui, "Noto Sans CJK JP", "Hiragino Sans", sans-serif;
  max-width: 46rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.3; }
h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid #8888; }
nav ul { columns: 2; padding-left: 1.2rem; }
dt { font-weight: 600; margin-top: .6rem; }
dd { margin-left: 1.2rem; }
code { display: block; font-family: ui-monospace, monospace; }
@media print { nav { display: none; } }
"""
_CONTENTS = Text("Contents", "目次")


def bulletin_page(bulletin: Bulletin, language: Language) -> str:
    """Write the page."""
    title = f"{bulletin.id}: {bulletin.title.said_in(language)}"
    told = sections(bulletin)
    digest = b64encode(sha256(_CSS.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    lines = [
        "<!DOCTYPE html>",
        f'<html lang="{language.value}">',
        '<head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{escape(title)}</title>",
        f"<style>{_CSS}</style></head>",
        f"<body><main><h1>{escape(title)}</h1>",
        *_contents(told, language),
        *(
            line
            for number, one in enumerate(told)
            for line in _told(number, one, language)
        ),
        "</main></body></html>",
    ]
    return "\n".join(lines) + "\n"


def _contents(told: Sequence[Section], language: Language) -> Iterator[str]:
    yield f'<nav aria-label="{escape(_CONTENTS.said_in(language))}"><ul>'
    for number, one in enumerate(told):
        title = escape(one.title.said_in(language))
        yield f'<li><a href="#s{number}">{title}</a></li>'
    yield "</ul></nav>"


def _told(number: int, section: Section, language: Language) -> Iterator[str]:
    yield f'<section id="s{number}"><h2>{escape(section.title.said_in(language))}</h2>'
    around = ""
    for block in section.blocks:
        wanted = _AROUND.get(type(block), "")
        if wanted != around:
            yield _closed(around) + (f"<{wanted}>" if wanted else "")
            around = wanted
        yield _block(block, language)
    yield _closed(around) + "</section>"


_AROUND: dict[type[Block], str] = {Item: "ul", Named: "dl"}


def _closed(around: str) -> str:
    return f"</{around}>" if around else ""


def _block(block: Block, language: Language) -> str:
    match block:
        case Paragraph(text):
            return f"<p>{escape(text.said_in(language))}</p>"
        case Item(text):
            return f"<li>{escape(text.said_in(language))}</li>"
        case Named(name, texts):
            told = "".join(f"<dd>{escape(one.said_in(language))}</dd>" for one in texts)
            return f"<dt>{escape(name.said_in(language))}</dt>{told}"
        case Verbatim(text):
            return f"<p><code>{escape(text)}</code></p>"
        case Link(title, address):
            return f"<p>{escape(title.said_in(language))}: {_link(address)}</p>"
        case _:
            assert_never(block)


def _link(address: str) -> str:
    shown = escape(address)
    if urlsplit(address).scheme not in {"http", "https"}:
        return shown
    return f'<a href="{shown}" rel="noreferrer">{shown}</a>'
