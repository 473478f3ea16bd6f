"""``sekisho advisory show``: an advisory as people read it."""

import re
from collections.abc import Iterator
from pathlib import Path
from shutil import get_terminal_size
from typing import assert_never

import click
import msgspec

from sekisho.advisory.bulletin import Bulletin, When
from sekisho.advisory.conditions import plain_test
from sekisho.advisory.page import bulletin_page
from sekisho.advisory.sections import (
    Block,
    Item,
    Link,
    Named,
    Paragraph,
    Verbatim,
    sections,
)
from sekisho.advisory.telling import columns
from sekisho.cli.advisory_options import advisory_named, language_option
from sekisho.cli.options import json_option, print_json
from sekisho.model.text import Language

_MOST_COLUMNS = 100
_FEWEST_COLUMNS = 40
_PIECES = re.compile(r"[!-~]+|.", re.DOTALL)
_ENDINGS = ("?", "。")
_NEVER_FIRST = frozenset("。、)」』:;!?")


@click.command("show")
@click.argument("advisory", metavar="ID")
@json_option
@click.option("--html", "page", metavar="FILE", help="as one HTML file; - prints it")
@language_option
def show_command(
    advisory: str, as_json: bool, page: str | None, language: Language
) -> None:
    """Show an advisory, in the order of a bulletin's sections."""
    bulletin = advisory_named(advisory)
    if as_json:
        print_json(msgspec.to_builtins(bulletin, enc_hook=_plain))
    elif page == "-":
        click.echo(bulletin_page(bulletin, language), nl=False)
    elif page is not None:
        Path(page).write_text(bulletin_page(bulletin, language), "utf-8", newline="\n")
    else:
        for line in _shown(bulletin, language):
            click.echo(line)


def _plain(value: object) -> object:
    if isinstance(value, When):
        return plain_test(value.test)
    raise NotImplementedError


def _shown(bulletin: Bulletin, language: Language) -> Iterator[str]:
    width = max(min(get_terminal_size().columns, _MOST_COLUMNS), _FEWEST_COLUMNS)
    title = f"{bulletin.id}: {bulletin.title.said_in(language)}"
    yield from wrapped(title, width, "", "")
    for section in sections(bulletin):
        yield ""
        yield click.style(section.title.said_in(language), bold=True)
        for block in section.blocks:
            yield from _block(block, language, width)


def _block(block: Block, language: Language, width: int) -> Iterator[str]:
    match block:
        case Paragraph(text):
            yield from wrapped(text.said_in(language), width, "  ", "  ")
        case Item(text):
            yield from wrapped(text.said_in(language), width, "  - ", "    ")
        case Named(name, texts):
            said = " ".join(one.said_in(language) for one in texts)
            called = name.said_in(language)
            mark = "" if called.endswith(_ENDINGS) else ":"
            yield from wrapped(f"{called}{mark} {said}", width, "  ", "    ")
        case Link(title, address):
            yield f"  {title.said_in(language)}: {address}"
        case Verbatim(text):
            yield f"    {text}"
        case _:
            assert_never(block)


def wrapped(text: str, width: int, lead: str, next_lead: str) -> Iterator[str]:
    """Break a text into lines: Latin between words, Japanese anywhere but before marks.

    Args:
        text: One paragraph.
        width: Columns of a terminal, where a Japanese character takes two.
        lead: Begins the first line.
        next_lead: Begins the others.

    Yields:
        The lines.

    """
    line, taken = lead, columns(lead)
    begun = taken
    for piece in _PIECES.findall(text):
        room = columns(piece)
        fits = taken + room <= width or piece in _NEVER_FIRST
        if not fits and taken > begun:
            yield line.rstrip()
            line = next_lead
            taken = begun = columns(next_lead)
            if piece.isspace():
                continue
        line, taken = line + piece, taken + room
    yield line.rstrip()
