"""What a registry tells: keys, their values, and where a missing key means absence.

Two kinds of file are read, exports (`export_file`) and offline hives (`hive`). Both
answer the same two questions, and the second one is the one that safety hangs on:

1. Which key stands at this path, with which values and subkeys?
2. If none does, is there none, or was it merely not written down? A fragment of a
   registry says nothing of what it lacks. An export holds everything below the key
   that it was made from, so absence is told of a key only where one above it was
   written down; a hive is whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

Data = str | int | bytes | tuple[str, ...]
"""REG_SZ and REG_EXPAND_SZ, REG_DWORD and REG_QWORD, REG_BINARY, REG_MULTI_SZ."""

SEPARATOR = "\\"
_ROOTS = {"hklm": "hkey_local_machine"}


class RegistryError(Exception):
    """A file that cannot be read as a registry, said in one sentence with a hint."""

    def __init__(self, sentence: str, hint: str = "", *, line: int = 0) -> None:
        super().__init__(f"line {line}: {sentence}" if line else sentence)
        self.sentence = str(self)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its path as written, its values by their folded names, its subkeys."""

    path: str
    values: Mapping[str, Data] = field(default_factory=dict[str, Data])
    subkeys: Sequence[str] = ()

    def text(self, name: str) -> str | None:
        """A string value, or nothing where there is none or it is of another type."""
        data = self.values.get(name.casefold())
        return data if isinstance(data, str) else None

    def number(self, name: str) -> int | None:
        """A number, or nothing where there is none or it is of another type."""
        data = self.values.get(name.casefold())
        return data if isinstance(data, int) else None

    def texts(self, name: str) -> tuple[str, ...] | None:
        """A list of strings, or nothing where there is none or it is another type."""
        data = self.values.get(name.casefold())
        return data if isinstance(data, tuple) else None


class Registry(Protocol):
    """A registry, or a part of one."""

    def find(self, path: str) -> Key | None:
        """The key at a path that begins with ``HKLM``; letter case does not matter."""
        ...

    def tells_of(self, path: str) -> bool:
        """Whether no key at this path means that the host has none."""
        ...


@dataclass(frozen=True, slots=True)
class Together:
    """Several files of one host, for example its SOFTWARE and its SYSTEM hive."""

    parts: Sequence[Registry]

    def find(self, path: str) -> Key | None:
        """The key from the first part that has it."""
        found = (part.find(path) for part in self.parts)
        return next((key for key in found if key is not None), None)

    def tells_of(self, path: str) -> bool:
        """Whether any part would have it."""
        return any(part.tells_of(path) for part in self.parts)


def folded(path: str) -> str:
    """A path as it is compared: the root spelt out, letter case removed."""
    root, separator, rest = path.partition(SEPARATOR)
    root = _ROOTS.get(root.casefold(), root.casefold())
    return root + separator + rest.casefold()
