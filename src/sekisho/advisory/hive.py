"""Reads offline hives (`SOFTWARE`, `SYSTEM`, `SECURITY`) with regipy.

A hive does not say where it was mounted, so that is told by what its root holds. The
library walks offsets that a file gives, and a file can be made to lead it astray: what
it raises on damage is of many kinds, and counts in a hive are bounded here before
they are followed. A hive that was copied while it was written to has two different
numbers at its head: the rest lies in a log, and what it lacks is not taken for absent.
The library's own log is silenced: a reader's mistake is told in one sentence.
"""

import logging
from itertools import islice
from pathlib import Path
from struct import error as StructError  # noqa: N812 - a class, named as one
from typing import TYPE_CHECKING, Any, cast

from sekisho.advisory.registry import SEPARATOR, Data, Key, RegistryError, folded

if TYPE_CHECKING:
    from regipy.registry import NKRecord

SIGNATURE = b"regf"
MAX_FILE_BYTES = 256 << 20
MAX_SUBKEYS = 100_000
MAX_VALUES = 10_000
MAX_VALUE_BYTES = 1 << 20
_ROOTS = (
    ("SYSTEM", ("Select", "ControlSet001")),
    ("SOFTWARE", ("Microsoft",)),
    ("SECURITY", ("Policy",)),
)
_HINT = "copy it anew from a stopped system: WINNT\\system32\\config"


class Hive:
    """The keys of one hive, read when they are asked for."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            RegistryError: It is no hive that is known, or damaged, or too large.

        """
        if path.stat().st_size > MAX_FILE_BYTES:
            raise RegistryError(f"it is larger than {MAX_FILE_BYTES >> 20} MiB", _HINT)
        self._root: Any
        self._root, self._is_whole = _guarded(_opened, path)
        names = {name.casefold() for name in _guarded(_names, self._root)}
        self._mounted = next(
            (
                folded(f"HKLM{SEPARATOR}{where}")
                for where, held in _ROOTS
                if any(one.casefold() in names for one in held)
            ),
            None,
        )
        if self._mounted is None:
            raise RegistryError(
                "it is a hive, but neither SOFTWARE, SYSTEM nor SECURITY",
                "name the files of these names in WINNT\\system32\\config",
            )

    def find(self, path: str) -> Key | None:
        """The key at a path, or nothing."""
        if not self._holds(path):
            return None
        assert self._mounted is not None  # noqa: S101 - else it was not made
        below = path.split(SEPARATOR)[self._mounted.count(SEPARATOR) + 1 :]
        return _guarded(_found, self._root, path, below)

    def tells_of(self, path: str) -> bool:
        """A hive tells of all below it, if it was written out before it was copied."""
        return self._is_whole and self._holds(path)

    def _holds(self, path: str) -> bool:
        return (folded(path) + SEPARATOR).startswith(f"{self._mounted}{SEPARATOR}")


def _opened(path: Path) -> tuple["NKRecord", bool]:
    """Its root, and whether nothing of it lies in its log still."""
    from regipy.registry import RegistryHive  # noqa: PLC0415 - slow to import

    logging.getLogger("regipy").setLevel(logging.CRITICAL + 1)
    hive: Any = RegistryHive(str(path))
    head = hive.header
    return hive.root, head.primary_sequence_num == head.secondary_sequence_num


def _found(root: "NKRecord", path: str, below: list[str]) -> Key | None:
    key = root
    for name in below:
        found = next(
            (one for one in _subkeys(key) if _name(one).casefold() == name.casefold()),
            None,
        )
        if found is None:
            return None
        key = found
    return Key(path, _values(key), tuple(_names(key)))


def _subkeys(key: "NKRecord") -> list["NKRecord"]:
    return list(islice(cast("Any", key).iter_subkeys(), MAX_SUBKEYS))


def _names(key: "NKRecord") -> list[str]:
    return [_name(one) for one in _subkeys(key)]


def _name(key: "NKRecord") -> str:
    return cast("str", cast("Any", key).name)


def _values(key: "NKRecord") -> dict[str, Data]:
    read: dict[str, Data] = {}
    if int(cast("Any", key).values_count) > MAX_VALUES:
        raise RegistryError(f"a key of it has more than {MAX_VALUES} values", _HINT)
    for one in cast("Any", key).iter_values(trim_values=False):
        name = "" if one.name == "(default)" else cast("str", one.name)
        data = _typed(one.value)
        if data is not None:
            read[name.casefold()] = data
    return read


def _typed(value: object) -> Data | None:
    match value:
        case bool():
            return None
        case str() | bytes() if len(value) <= MAX_VALUE_BYTES:
            return value
        case int():
            return value
        case list():
            return tuple(str(one) for one in cast("list[object]", value))
        case _:
            return None


def _guarded(function: Any, *arguments: Any) -> Any:  # noqa: ANN401 - its own types
    """Call into the library; damage of whatever kind becomes one sentence."""
    from construct import (  # pyright: ignore[reportMissingTypeStubs]  # noqa: PLC0415
        ConstructError,
    )
    from regipy.exceptions import RegipyException  # noqa: PLC0415 - slow to import

    damage = (
        ConstructError,
        RegipyException,
        StructError,
        ValueError,
        TypeError,
        LookupError,
        ArithmeticError,
        AttributeError,
        StopIteration,
        MemoryError,
        RecursionError,
    )
    try:
        return function(*arguments)
    except RegistryError:
        raise
    except damage as error:
        raise RegistryError("the hive is damaged", _HINT) from error
