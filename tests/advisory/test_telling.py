"""Answers and advisories keep to the columns of a terminal."""

import pytest

from advisory.described import answer_for, changed
from sekisho.advisory.telling import MAX_HOST_COLUMNS, columns, table, told
from sekisho.cli.advisory_show import wrapped
from sekisho.model.text import Language


def test_columns_are_those_of_a_terminal() -> None:
    assert columns("abc") == 3
    assert columns("受付a") == 5
    assert columns("e\N{COMBINING ACUTE ACCENT}") == 1


def test_columns_of_japanese_stand_below_each_other() -> None:
    lines = list(table([["ホスト", "x"], ["a", "y"]]))
    assert lines == ["ホスト  x", "a       y"]


@pytest.mark.parametrize("name", ["h" * 200, "受" * 100])
def test_a_long_name_is_cut_in_the_table_and_whole_below(name: str) -> None:
    lines = list(told([answer_for(changed(id=name))], Language.ENGLISH))
    assert columns(lines[1].split("  ")[0]) <= MAX_HOST_COLUMNS
    assert lines[1].split("  ")[0].endswith("…")
    assert any(line.startswith(name) for line in lines[2:])


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one two three", ["- one two", "  three"]),
        ("unbreakableword x", ["- unbreakableword", "  x"]),
        ("受付受付受付", ["- 受付受付", "  受付"]),
        ("受付受付。受", ["- 受付受付。", "  受"]),
        ("受 Windows 2000", ["- 受", "  Windows", "  2000"]),
    ],
)
def test_latin_breaks_between_words_and_japanese_anywhere(
    text: str, lines: list[str]
) -> None:
    assert list(wrapped(text, 10, "- ", "  ")) == lines
