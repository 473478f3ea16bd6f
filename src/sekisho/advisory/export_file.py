r"""Reads what the registry editor exports: ``.reg``, in both of its versions.

``REGEDIT4`` is in the code page of the machine that wrote it, so on a Japanese one in
cp932, whose second octets can be a backslash or a bracket: it is decoded before it is
looked at, never searched as octets. ``Windows Registry Editor Version 5.00`` is
UTF-16 with a byte order mark. Strings inside hexadecimal data follow the version.

What the editor writes, and what is therefore read:

- ``[key]`` opens a key; all of a branch's keys are written, even empty ones;
- ``"name"=data`` and ``@=data`` (the default value), backslash and quote escaped;
- ``"text"`` may hold line breaks, ``dword:``, ``hex:`` and ``hex(type):``, the
  latter two wrapped with a backslash at the end of a line;
- ``;`` begins a comment; ``[-key]`` and ``"name"=-`` delete. A file that deletes is
  an order to an editor and no export, so what it lacks is not taken for absent.

Everything is bounded: a file of bytes must not become one of gigabytes in memory.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

from sekisho.advisory.registry import SEPARATOR, Data, Key, RegistryError, folded

_HEADINGS = {
    "REGEDIT4": False,
    "Windows Registry Editor Version 5.00": True,
}
_NAMED = re.compile(r'(?:@|"((?:[^"\\]|\\.)*)")\s*=\s*', re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*\Z', re.DOTALL)
_CLOSED = re.compile(r'(?:[^"\\]|\\.)*"')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_DWORD = re.compile(r"dword:([0-9a-f]{1,8})\s*\Z", re.IGNORECASE)
_HEX = re.compile(
    r"hex(?:\(([0-9a-f]{1,8})\))?:((?:[0-9a-f]{2}(?:,[0-9a-f]{2})*)?),?\Z",
    re.IGNORECASE,
)
_STRINGS, _LIST, _NUMBERS = (1, 2), 7, {4: 4, 5: 4, 11: 8}
_BINARY = 3
_BIG_ENDIAN = 5
HINT = "export the branch again with regedit, or with: reg export"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of it is read before it is refused."""

    file_bytes: int = 128 << 20
    lines: int = 4_000_000
    """A whole HKEY_LOCAL_MACHINE of that time has some hundred thousand."""
    keys: int = 1_000_000
    value_chars: int = 4 << 20
    depth: int = 512
    """As many levels as Windows itself allows."""
    path_chars: int = 32_767


@dataclass(slots=True)
class _Written:
    """A key in the tree; its path is the way to it, so that long ones cost nothing."""

    name: str
    values: dict[str, Data] = field(default_factory=dict[str, Data])
    below: dict[str, "_Written"] = field(default_factory=dict[str, "_Written"])
    is_listed: bool = False


@dataclass(frozen=True, slots=True)
class Export:
    """The keys of one export."""

    root: _Written
    is_whole: bool
    """It deletes nothing, so it can be what an editor wrote."""

    def find(self, path: str) -> Key | None:
        """The key, if it or one below it was written down."""
        found = self.root
        for name in folded(path).split(SEPARATOR):
            below = found.below.get(name)
            if below is None:
                return None
            found = below
        return Key(path, found.values, tuple(one.name for one in found.below.values()))

    def tells_of(self, path: str) -> bool:
        """Whether a key above it was written down itself."""
        found: _Written | None = self.root
        for name in folded(path).split(SEPARATOR)[:-1]:
            found = found.below.get(name)
            if found is None:
                return False
            if found.is_listed:
                return self.is_whole
        return False


def read_export(octets: bytes, bounds: Bounds | None = None) -> Export:
    """Read an export.

    Raises:
        RegistryError: It is none, is damaged, or is larger than is read.

    """
    bounds = bounds or Bounds()
    if len(octets) > bounds.file_bytes:
        raise RegistryError(
            f"it is larger than {bounds.file_bytes >> 20} MiB, which is not read",
            "export only the branches SOFTWARE\\Microsoft and SYSTEM",
        )
    text, code_page = _decoded(octets)
    return _Reader(bounds, code_page).read(text)


def _decoded(octets: bytes) -> tuple[str, str]:
    """The text, and the code page of strings in a REGEDIT4 file."""
    for mark, encoding in (
        (b"\xff\xfe", "utf-16-le"),
        (b"W\0i\0", "utf-16-le"),
        (b"\xef\xbb\xbf", "utf-8"),
    ):
        if octets.startswith(mark):
            try:
                return octets.decode(encoding).lstrip("\ufeff"), "cp932"
            except UnicodeDecodeError:
                raise RegistryError(f"it is not whole {encoding} text", HINT) from None
    saved_anew = octets.startswith(b"Windows")
    for encoding in ("ascii", *(["utf-8"] if saved_anew else []), "cp932", "cp1252"):
        try:
            return octets.decode(encoding), _page(encoding)
        except UnicodeDecodeError:
            continue
    return octets.decode("latin-1"), "latin-1"


def _page(encoding: str) -> str:
    return "cp932" if encoding == "ascii" else encoding


class _Reader:
    """One pass over the lines."""

    def __init__(self, bounds: Bounds, code_page: str) -> None:
        self._bounds = bounds
        self._encoding = code_page
        self._line = 0
        self._root = _Written("")
        self._count = 0
        self._is_whole = True
        self._current: _Written | None = None

    def read(self, text: str) -> Export:
        lines = self._lines(text)
        heading = next((line.strip() for line in lines if line.strip()), "")
        if heading not in _HEADINGS:
            self._refuse("it does not begin as a registry export does")
        if _HEADINGS[heading]:
            self._encoding = "utf-16-le"
        for line in lines:
            stripped = line.strip()
            if not stripped or stripped.startswith(";"):
                continue
            if stripped.startswith("["):
                self._take_key(stripped)
            else:
                self._take_value(line.lstrip(), lines)
        return Export(self._root, self._is_whole)

    def _lines(self, text: str) -> Iterator[str]:
        """Each line without its end, found as it is wanted: no list of millions."""
        position = 0
        while position < len(text):
            end = text.find("\n", position)
            end = len(text) if end < 0 else end
            self._line += 1
            if self._line > self._bounds.lines:
                self._refuse(f"it has more than {self._bounds.lines} lines")
            if end - position > self._bounds.value_chars:
                self._refuse(f"it is longer than {self._bounds.value_chars} characters")
            yield text[position:end].removesuffix("\r")
            position = end + 1

    def _refuse(self, why: str) -> NoReturn:
        raise RegistryError(why, HINT, line=self._line)

    def _take_key(self, line: str) -> None:
        if not line.endswith("]"):
            self._refuse("a key has no closing bracket")
        path = line[1:-1]
        is_deleted = path.startswith("-")
        path = path.removeprefix("-")
        if not path or len(path) > self._bounds.path_chars:
            self._refuse("a key's path is empty or too long")
        if path.count(SEPARATOR) > self._bounds.depth:
            self._refuse(f"a key lies deeper than {self._bounds.depth} levels")
        if is_deleted:
            self._delete(path)
            return
        key = self._root
        for name, written in _names(path):
            below = key.below.get(name)
            key = self._added(key, name, written) if below is None else below
        key.is_listed = True
        self._current = key

    def _added(self, above: _Written, name: str, written: str) -> _Written:
        self._count += 1
        if self._count > self._bounds.keys:
            self._refuse(f"it has more than {self._bounds.keys} keys")
        above.below[name] = added = _Written(written)
        return added

    def _delete(self, path: str) -> None:
        self._is_whole = False
        self._current = None
        above = self._root
        *names, last = (name for name, _ in _names(path))
        for name in names:
            below = above.below.get(name)
            if below is None:
                return
            above = below
        above.below.pop(last, None)

    def _take_value(self, line: str, lines: Iterator[str]) -> None:
        named = _NAMED.match(line)
        if named is None:
            self._refuse("it is neither a key, a value nor a comment")
        if self._current is None:
            self._refuse("a value stands before the first key, or below a deleted one")
        name = _unescaped(named.group(1) or "").casefold()
        data = self._data(line[named.end() :], lines)
        if data is None:
            self._is_whole = False
            self._current.values.pop(name, None)
        else:
            self._current.values[name] = data

    def _more(self, line: str, lines: Iterator[str]) -> str:
        following = next(lines, None)
        if following is None:
            self._refuse("the file ends in the middle of a value")
        if len(line) + len(following) > self._bounds.value_chars:
            self._refuse(f"a value has over {self._bounds.value_chars} characters")
        return line + following

    def _data(self, text: str, lines: Iterator[str]) -> Data | None:
        """What follows the equals sign; nothing for a deletion."""
        if text.startswith('"'):
            return self._string(text, lines)
        if text[:3].casefold() == "hex":
            return self._hexadecimal(text, lines)
        if (number := _DWORD.match(text)) is not None:
            return int(number.group(1), 16)
        if text.strip() == "-":
            return None
        return self._refuse("the data is of no known form")

    def _string(self, text: str, lines: Iterator[str]) -> str:
        pieces = [text]
        held = len(text)
        while not _CLOSED.match(pieces[-1], 1 if len(pieces) == 1 else 0):
            piece = self._more("", lines)
            held += len(piece) + 1
            if held > self._bounds.value_chars:
                self._refuse(f"a value has over {self._bounds.value_chars} characters")
            pieces.append(piece)
        quoted = _QUOTED.match("\n".join(pieces))
        if quoted is None:
            self._refuse("a string is not closed, or something follows it")
        return _unescaped(quoted.group(1))

    def _hexadecimal(self, text: str, lines: Iterator[str]) -> Data:
        pieces = [text.strip()]
        held = len(text)
        while pieces[-1].endswith("\\"):
            pieces[-1] = pieces[-1][:-1]
            piece = self._more("", lines).strip()
            held += len(piece)
            if held > self._bounds.value_chars:
                self._refuse(f"a value has over {self._bounds.value_chars} characters")
            pieces.append(piece)
        written = _HEX.match("".join(pieces))
        if written is None:
            self._refuse("hexadecimal data is damaged")
        kind = int(written.group(1), 16) if written.group(1) else _BINARY
        octets = bytes.fromhex(written.group(2).replace(",", ""))
        return self._typed(kind, octets)

    def _typed(self, kind: int, octets: bytes) -> Data:
        if kind in _STRINGS:
            return self._text(octets).split("\0", 1)[0]
        if kind == _LIST:
            return tuple(one for one in self._text(octets).split("\0") if one)
        if kind in _NUMBERS and len(octets) == _NUMBERS[kind]:
            order = "big" if kind == _BIG_ENDIAN else "little"
            return int.from_bytes(octets, order)
        return octets

    def _text(self, octets: bytes) -> str:
        return octets.decode(self._encoding, "replace")


def _names(path: str) -> list[tuple[str, str]]:
    """The names on the way to a key, as they are compared and as they are written."""
    compared = folded(path).split(SEPARATOR)
    return list(zip(compared, path.split(SEPARATOR), strict=True))


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text
