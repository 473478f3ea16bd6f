"""Every key that TOML finds has a line, and it is the right one."""

import string
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho.config.lines import Place, Toml, key_lines

EXAMPLE = """\
hostname = "a" # first
"quoted key"."x" = 1
'li.teral' = 2
list = [ # comment ]
  "one", [2,
  3],
  { a = 1, b.c = '}' },
]
text = \"\"\"
[not.a.table]
key = "x" \\\\
\"\"\"\"
raw = '''
a = 'b''''
when = 1979-05-27 07:32:00
[a.b]
c = 1
[[d]]
e = 1
[d.f]
g = 1
[[d]]
e = 2
[d.f]
g = [
  1
]
[a]
x = 1
"""


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("hostname",), 1),
        (("quoted key",), 2),
        (("quoted key", "x"), 2),
        (("li.teral",), 3),
        (("list",), 4),
        (("list", 0), 5),
        (("list", 1, 1), 6),
        (("list", 2, "b", "c"), 7),
        (("text",), 9),
        (("raw",), 13),
        (("when",), 15),
        (("a", "b", "c"), 17),
        (("d",), 18),
        (("d", 0, "f", "g"), 21),
        (("d", 1), 22),
        (("d", 1, "f"), 24),
        (("d", 1, "f", "g", 0), 26),
        (("a",), 28),
    ],
)
def test_a_key_stands_where_it_is_written(place: Place, line: int):
    assert key_lines(EXAMPLE)[place] == line


def places(value: Toml, place: Place = ()) -> Iterator[Place]:
    if place:
        yield place
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*place, key))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*place, index))


def test_nothing_but_what_toml_finds_has_a_line():
    assert set(key_lines(EXAMPLE)) == set(places(tomllib.loads(EXAMPLE)))


# -- random documents, written down in random spellings -------------------------------

BARE = string.ascii_letters + string.digits + "_-"
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=8)
BLANKS = st.sampled_from(["", " ", "\t"])
GAPS = st.sampled_from(["", " ", "\n", " # ] } ' \" [x]\n", "\n\n  "])


def basic(text: str) -> str:
    escaped = "".join(
        f"\\U{ord(c):08x}" if c in '"\\\x7f' or ord(c) < 0x20 else c for c in text
    )
    return f'"{escaped}"'


@st.composite
def keys(draw: st.DrawFn, text: str) -> str:
    spellings = [basic(text)]
    if text and all(c in BARE for c in text):
        spellings.append(text)
    if all(c >= " " and c not in "'\x7f" for c in text):
        spellings.append(f"'{text}'")
    return draw(BLANKS) + draw(st.sampled_from(spellings)) + draw(BLANKS)


def multi_line(text: str) -> str:
    return '"""' + "\n" + basic(text)[1:-1].replace("\\U0000000a", "\n") + '"""'


def multi_line_literal(text: str) -> str:
    plain = "".join(c for c in text if c >= " " and c not in "'\x7f")
    return "'''\n" + plain + "\n'''"


SCALARS = st.one_of(
    st.integers(-(2**40), 2**40).map(str),
    st.booleans().map(lambda b: str(b).lower()),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.dates(min_value=date(1000, 1, 1)).map(str),
    # 2000 is a leap year: the 29th of February is drawn too.
    st.datetimes().map(lambda d: f"{d.replace(microsecond=0, year=2000)}"),
    TEXTS.map(basic),
    TEXTS.map(multi_line),
    TEXTS.map(multi_line_literal),
    st.sampled_from(["''", '""', '"""a""b"""""', "'''a''b'''''", "inf", "0x1F"]),
)


@st.composite
def arrays(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    items = [draw(GAPS) + item + draw(GAPS) for item in draw(st.lists(values))]
    end = "," + draw(GAPS) if items and draw(st.booleans()) else ""
    return "[" + ",".join(items) + end + "]"


@st.composite
def inline_tables(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    names = draw(st.lists(TEXTS, unique=True, max_size=3))
    pairs = [draw(keys(n)) + "=" + draw(BLANKS) + draw(values) for n in names]
    return "{" + ",".join(p + draw(BLANKS) for p in pairs) + "}"


VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(arrays(inner), inline_tables(inner)), max_leaves=6
)


@st.composite
def pairs(draw: st.DrawFn) -> str:
    names = draw(st.lists(TEXTS, unique=True, max_size=4))
    lines = [
        ".".join(draw(keys(part)) for part in [n, *draw(st.lists(TEXTS, max_size=2))])
        + "="
        + draw(BLANKS)
        + draw(VALUES)
        for n in names
    ]
    return "".join(line + draw(BLANKS) + "\n" + draw(GAPS) + "\n" for line in lines)


@st.composite
def documents(draw: st.DrawFn) -> str:
    text = draw(pairs())
    few = st.sampled_from(["a", "b", "c d"])
    for _ in range(draw(st.integers(0, 4))):
        name = ".".join(
            draw(keys(part)) for part in draw(st.lists(few, min_size=1, max_size=3))
        )
        left, right = draw(st.sampled_from([("[", "]"), ("[[", "]]")]))
        text += f"{left}{name}{right}{draw(BLANKS)}\n{draw(pairs())}"
    return text


@settings(max_examples=300, deadline=None)
@given(documents())
def test_every_key_that_toml_finds_has_a_line(text: str):
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return  # tables that contradict each other: not for this reader
    lines = key_lines(text)
    assert set(lines) == set(places(document))
    count = text.count("\n") + 1
    assert all(1 <= line <= count for line in lines.values())


def test_the_lines_of_our_own_bad_files_are_found():
    for file in (Path(__file__).parent.parent / "bad_configs").glob("*/sekisho.toml"):
        try:
            text = file.read_bytes().decode("utf-8-sig")
            document = tomllib.loads(text)
        except ValueError:
            continue
        assert set(key_lines(text)) == set(places(document))
