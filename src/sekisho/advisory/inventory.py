"""A host as it is described to the procedure, and inventories of them in JSON.

An inventory is one host, a list of hosts, or ``{"hosts": […]}``. Whatever is missing is
not known. What we do not know by name is told (`Inventory.strange`) and changes
nothing; a value that a fact cannot have is an error, since guessing what was meant
could make an answer safer than the host is.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

from sekisho.advisory.facts import FACTS, MAX_TEXT, Fact, FactError, Value, read_fact

MAX_INVENTORY_BYTES = 64 * 1024 * 1024
MAX_HOSTS = 100_000
MAX_DEPTH = 16
MAX_STRANGE = 20
_LIST = "hosts"
_TOP: dict[str, Fact] = {}
_GROUPS: dict[str, dict[str, Fact]] = {}
for _fact in FACTS:
    if _fact.given:
        _group, _, _name = _fact.name.rpartition(".")
        (_GROUPS.setdefault(_group, {}) if _group else _TOP)[_name] = _fact


class InventoryError(Exception):
    """An inventory that cannot be read; one sentence, with the place."""

    def __init__(self, sentence: str, hint: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Host:
    """One host.

    Attributes:
        id: Its name in the inventory.
        facts: What is known of it, by the names in `facts.FACTS`; the rest is not.

    """

    id: str
    facts: Mapping[str, Value]

    def with_facts(self, facts: Mapping[str, Value]) -> "Host":
        """Add to what is known; what is known already and differs is replaced."""
        return Host(self.id, {**self.facts, **facts})


@dataclass(slots=True)
class Inventory:
    """All hosts in order, and the names in it that mean nothing to us."""

    hosts: list[Host]
    strange: dict[str, str] = field(default_factory=dict[str, str])
    """Name → the first host where it stands; at most `MAX_STRANGE`."""


def read_inventory(octets: bytes) -> Inventory:
    """Read an inventory: JSON in UTF-8, -16 or -32.

    Raises:
        InventoryError: It cannot be read, or has no host in it.

    """
    if len(octets) > MAX_INVENTORY_BYTES:
        raise InventoryError(
            f"the inventory is larger than {MAX_INVENTORY_BYTES} octets",
            "split it, and judge the parts one by one",
        )
    raw = _decoded(octets)
    inventory = Inventory([])
    for number, one in enumerate(_described(raw), start=1):
        inventory.hosts.append(_host(one, number, inventory.strange))
    return inventory


def _decoded(octets: bytes) -> object:
    try:
        text = octets.decode(json.detect_encoding(octets))
        if not text.strip():
            raise InventoryError("the inventory is empty")
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        sentence = f"the inventory is not JSON: {where}: {error.msg}"
        raise InventoryError(sentence) from None
    except UnicodeDecodeError as error:
        sentence = f"the inventory is not text: octet {error.start}: {error.reason}"
        raise InventoryError(sentence, "write it in UTF-8") from None
    except RecursionError:
        raise InventoryError(
            f"the inventory is nested deeper than {MAX_DEPTH}"
        ) from None
    except ValueError as error:
        raise InventoryError(f"the inventory is not JSON: {error}") from None


def _no_constant(name: str) -> NoReturn:
    raise InventoryError(f"the inventory is not JSON: {name} is no value")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InventoryError(
            f"the inventory says {twice[:MAX_TEXT]!r} twice in one object",
            "which of the two is meant cannot be known",
        )
    return made


def _described(raw: object) -> list[object]:
    if isinstance(raw, dict):
        table = cast("dict[str, object]", raw)
        raw = table[_LIST] if _LIST in table else _one(table)
    if not isinstance(raw, list):
        raise InventoryError(
            "the inventory is neither a host, a list of hosts nor an object with hosts"
        )
    hosts = cast("list[object]", raw)
    if not hosts:
        raise InventoryError("the inventory has no host in it")
    if len(hosts) > MAX_HOSTS:
        raise InventoryError(
            f"the inventory has more than {MAX_HOSTS} hosts",
            "split it, and judge the parts one by one",
        )
    return hosts


def _one(table: dict[str, object]) -> list[object]:
    if not table.keys() & (_TOP.keys() | _GROUPS.keys() | {"id"}):
        raise InventoryError("the inventory has no host in it")
    return [table]


def _host(raw: object, number: int, strange: dict[str, str]) -> Host:
    if not isinstance(raw, dict):
        raise InventoryError(f"host {number} of the inventory is not an object")
    table = cast("dict[str, object]", raw)
    name = _id(table.get("id"), number)
    known: dict[str, Value] = {}
    for fact, value in _facts(table, name, strange):
        try:
            found = read_fact(fact, value)
        except FactError as error:
            raise InventoryError(
                f"host {_at(name, number)}: {fact.name} {error}"
            ) from None
        if found is not None:
            known[fact.name] = found
    return Host(name, known)


def _id(raw: object, number: int) -> str:
    if raw is None:
        return f"#{number}"
    if isinstance(raw, int) and not isinstance(raw, bool):
        raw = str(raw)
    is_name = isinstance(raw, str) and raw.strip() and len(raw) <= MAX_TEXT
    if not is_name or not _is_encodable(str(raw)):
        raise InventoryError(
            f"host {number} of the inventory: id is not a text of 1 to {MAX_TEXT} "
            "characters"
        )
    return str(raw)


def _is_encodable(text: str) -> bool:
    """JSON can spell halves of characters, which no answer can spell again."""
    return not any("\ud800" <= one <= "\udfff" for one in text)


def _at(name: str, number: int) -> str:
    return f"{number} ({printable(name)})"


def printable(text: str) -> str:
    """Show text from outside so that it cannot steer a terminal."""
    return "".join(
        one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text
    )


def _facts(
    table: dict[str, object], name: str, strange: dict[str, str]
) -> Iterator[tuple[Fact, object]]:
    for key, value in table.items():
        if key in _TOP:
            yield _TOP[key], value
        elif key in _GROUPS and value is not None:
            yield from _grouped(key, value, name, strange)
        elif key not in ("id", *_GROUPS):
            _note(key, value, name, strange)


def _grouped(
    group: str, raw: object, name: str, strange: dict[str, str]
) -> Iterator[tuple[Fact, object]]:
    if not isinstance(raw, dict):
        raise InventoryError(f"host {printable(name)}: {group} is not an object")
    for key, value in cast("dict[str, object]", raw).items():
        if key in _GROUPS[group]:
            yield _GROUPS[group][key], value
        else:
            _note(f"{group}.{key}", value, name, strange)


def _note(key: str, value: object, name: str, strange: dict[str, str]) -> None:
    _check_depth(value, name)
    if len(strange) < MAX_STRANGE:
        strange.setdefault(key[:MAX_TEXT], name)


def _check_depth(value: object, name: str) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return
    raise InventoryError(
        f"host {printable(name)}: the inventory is nested deeper than {MAX_DEPTH}"
    )


def _inside(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(cast("dict[str, object]", value).values())
    return cast("list[object]", value) if isinstance(value, list) else []
