"""On which line each key of a TOML text stands.

`tomllib` gives values without places, and an error without a line helps nobody. This
is a second, smaller reader that keeps places and throws values away.

Promise: for every text that `tomllib` takes, each key and each array item that
`tomllib` finds has a line here, under the same path. It is called with such texts
alone, so it recognises where things end and does not judge them; a property test
compares the two on random documents.
"""

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from datetime import date, time
from typing import TypeAlias

Toml: TypeAlias = str | int | float | date | time | list["Toml"] | dict[str, "Toml"]
"""Whatever TOML can say; booleans are integers, date-times are dates."""

Table: TypeAlias = dict[str, Toml]

Place = tuple[str | int, ...]
"""A path into a document: keys, and indexes of arrays."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRINGS = (
    # A closing triple may have up to two more quotes before it, which are content.
    re.compile(r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}', re.DOTALL),
    re.compile(r"'''(?:[^']|'{1,2}(?!'))*'{3,5}"),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)
# A date and a time may be joined by one space.
_SCALAR = re.compile(r"\d{4}-\d\d-\d\d \d\d:[^\s,\]}#]+|[^\s,\]}#]+")


def key_lines(text: str) -> Mapping[Place, int]:
    """Map each key and array item to its line.

    Args:
        text: A document that `tomllib.loads` takes.

    Returns:
        Lines counted from 1. A table stands where its header is, else where it is
        first mentioned.

    """
    return _Reader(text).read()


class _Reader:
    """Walks the text once; `_at` is the place reached."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._starts = [0, *(m.end() for m in re.finditer("\n", text))]
        self._lines: dict[Place, int] = {}
        self._counts: dict[Place, int] = {}

    def read(self) -> Mapping[Place, int]:
        table: Place = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text.startswith("[[", self._at):
                table = self._header(2)
            elif self._text[self._at] == "[":
                table = self._header(1)
            else:
                self._pair(table)
            self._skip(_BLANK)
        return self._lines

    def _skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:  # pragma: no cover - tomllib took the text
            raise AssertionError(f"no TOML at offset {self._at}")
        self._at = found.end()
        return found[0]

    def _line(self) -> int:
        return bisect_right(self._starts, self._at)

    def _header(self, brackets: int) -> Place:
        """Read ``[a.b]`` or ``[[a.b]]``; give the path of the table it opens."""
        line = self._line()
        self._at += brackets
        *parents, last = self._key()
        self._at += brackets
        table: Place = ()
        for part in parents:
            table = self._current((*table, part), line)
        table = (*table, last)
        if brackets == 1:
            self._lines[table] = line
            return table
        self._lines.setdefault(table, line)
        index = self._counts.get(table, 0)
        self._counts[table] = index + 1
        self._lines[(*table, index)] = line
        return (*table, index)

    def _current(self, table: Place, line: int) -> Place:
        """Enter a table on the way; in an array of tables, its newest one."""
        self._lines.setdefault(table, line)
        if count := self._counts.get(table):
            return (*table, count - 1)
        return table

    def _key(self) -> list[str]:
        """Read a key with its dots, and the space around it."""
        parts: list[str] = []
        while True:
            self._skip(_SPACE)
            if self._text[self._at] in "\"'":
                raw = self._string()
                parts.append(tomllib.loads(f"key = {raw}")["key"])
            else:
                parts.append(self._skip(_BARE_KEY))
            self._skip(_SPACE)
            if self._text[self._at] != ".":
                return parts
            self._at += 1

    def _pair(self, table: Place) -> None:
        line = self._line()
        place = table
        for part in self._key():
            place = (*place, part)
            self._lines.setdefault(place, line)
        self._at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(place)

    def _value(self, place: Place) -> None:
        match self._text[self._at]:
            case "[":
                self._array(place)
            case "{":
                self._inline_table(place)
            case '"' | "'":
                self._string()
            case _:
                self._skip(_SCALAR)

    def _string(self) -> str:
        for pattern in _STRINGS:
            if found := pattern.match(self._text, self._at):
                self._at = found.end()
                return found[0]
        raise AssertionError("no string")  # pragma: no cover - tomllib took the text

    def _array(self, place: Place) -> None:
        self._at += 1
        index = 0
        self._skip(_BLANK)
        while self._text[self._at] != "]":
            item = (*place, index)
            self._lines[item] = self._line()
            self._value(item)
            index += 1
            self._skip(_BLANK)
            if self._text[self._at] == ",":
                self._at += 1
                self._skip(_BLANK)
        self._at += 1

    def _inline_table(self, place: Place) -> None:
        self._at += 1
        self._skip(_BLANK)
        while self._text[self._at] != "}":
            self._pair(place)
            self._skip(_BLANK)
            if self._text[self._at] == ",":
                self._at += 1
                self._skip(_BLANK)
        self._at += 1
