"""Lines are broken where a reader of their language would break them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from sekisho.audit.reports.folding import breaks


def folded(text: str, width: int) -> list[str]:
    edges = [0, *breaks(text, width), len(text)]
    pairs = pairwise(edges)
    return [text[start:end].rstrip() for start, end in pairs]


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("one two three", 7, ["one two", "three"]),
        ("one two three", 8, ["one two", "three"]),
        ("abcdefgh", 3, ["abc", "def", "gh"]),
        ("a bcdefgh", 4, ["a", "bcde", "fgh"]),
        ("対策を行う", 4, ["対策", "を行", "う"]),
        ("対策: 中継を拒否する。", 12, ["対策: 中継を", "拒否する。"]),
        ("中継する。次", 8, ["中継す", "る。次"]),
        ("これ「引用」", 6, ["これ", "「引", "用」"]),
        ("これ\uff08引\uff09", 6, ["これ", "\uff08引\uff09"]),
        ("AUTH が必要", 5, ["AUTH", "が必", "要"]),
        ("「aa「、", 3, ["「a", "a", "「", "、"]),
        ("", 5, [""]),
    ],
)
def test_english_breaks_at_blanks_and_japanese_between_characters(
    text: str, width: int, lines: list[str]
) -> None:
    assert folded(text, width) == lines


@given(
    st.text(st.sampled_from("ab cd字、。「」(か ー"), max_size=80),
    st.integers(2, 20),
)
def test_nothing_is_lost_and_nothing_is_too_wide(text: str, width: int) -> None:
    edges = [0, *breaks(text, width), len(text)]
    assert edges == sorted(edges)
    assert len(set(edges[:-1])) == len(edges) - 1
    assert max(map(cell_len, folded(text, width))) <= width
