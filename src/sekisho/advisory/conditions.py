"""A small language of tests over facts, with three values.

An advisory's conditions are data, so that adding one is adding a file. In TOML a test
is an inline table:

    { fact = "os.product", is = "Windows 2000" }   one fact; the tests are in `Ask`
    { all = [ … ] }    no if one says no; else not known if one is not known; else yes
    { any = [ … ] }    yes if one says yes; else not known if one is not known; else no
    { not = … }        not known stays not known
    { shown = … }      yes or no: what is not known counts as not shown
    { doubt = …, about = "patch.state" }   not known, where the test inside says yes:
                       evidence that excludes itself; else no
    { use = "name" }   the advisory's definition of that name

One *no* in `all` beats any number of *not known*, as in OVAL's AND (Kleene's logic).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import assert_never, cast

from sekisho.advisory.facts import (
    BY_NAME,
    PATCH_STATE,
    Fact,
    FactError,
    Kind,
    Value,
    read_fact,
)

Facts = Mapping[str, Value]
ANSWER = "answer."
"""Begins the names of the facts that only warnings and actions may ask for."""
MAX_NESTING = 16


class Truth(Enum):
    """What a test says of a host."""

    YES = "yes"
    NO = "no"
    NOT_KNOWN = "not known"


class Ask(Enum):
    """What is asked of one fact; the value is its spelling."""

    IS = "is"
    """It is this value."""
    IN = "in"
    """It is one of these."""
    AT_LEAST = "at_least"
    """A number or version, this or greater."""
    BELOW = "below"
    """A number or version smaller than this; "none" is no version."""
    HAS = "has"
    """A set in which this is."""
    ONLY = "only"
    """A set with this in it and nothing else."""
    OTHER_THAN = "other_than"
    """A set with something else in it."""


_ASKABLE = {
    Kind.WORD: {Ask.IS, Ask.IN},
    Kind.NAME: {Ask.IS, Ask.IN},
    Kind.PRODUCT: {Ask.IS, Ask.IN},
    Kind.VERSION: {Ask.IS, Ask.IN, Ask.AT_LEAST, Ask.BELOW},
    Kind.EXCHANGE: {Ask.IS, Ask.IN, Ask.AT_LEAST, Ask.BELOW},
    Kind.NUMBER: {Ask.IS, Ask.IN, Ask.AT_LEAST, Ask.BELOW},
    Kind.YES_NO: {Ask.IS},
    Kind.KEYS: {Ask.HAS},
    Kind.CODES: {Ask.HAS, Ask.OTHER_THAN, Ask.ONLY},
    Kind.PORTS: {Ask.HAS, Ask.OTHER_THAN, Ask.ONLY},
}
_SETS = {Kind.KEYS, Kind.CODES, Kind.PORTS}


@dataclass(frozen=True, slots=True)
class FactTest:
    """Asks one fact."""

    fact: Fact
    ask: Ask
    values: frozenset[Value]


@dataclass(frozen=True, slots=True)
class All:
    """Yes where each says yes; without any, yes."""

    tests: tuple["Test", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Yes where one says yes; without any, no."""

    tests: tuple["Test", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The contrary."""

    test: "Test"


@dataclass(frozen=True, slots=True)
class Shown:
    """What is not known counts as no."""

    test: "Test"


@dataclass(frozen=True, slots=True)
class Doubt:
    """Not known where the test says yes: the evidence excludes itself."""

    test: "Test"
    about: str


@dataclass(frozen=True, slots=True)
class Use:
    """What the advisory defines under a name."""

    name: str


Test = FactTest | All | AnyOf | Not | Shown | Doubt | Use
Definitions = Mapping[str, Test]


class ConditionError(ValueError):
    """A condition that is written wrongly; says how."""


def parse_test(raw: object, depth: int = 0) -> Test:
    """Read a test as TOML gives it.

    Raises:
        ConditionError: It is none.

    """
    if depth > MAX_NESTING:
        raise ConditionError(f"tests are nested deeper than {MAX_NESTING}")
    if not isinstance(raw, dict):
        raise ConditionError("a test is a table")
    table = cast("dict[str, object]", raw)
    for name, build in _BUILDERS.items():
        if name in table:
            return build(table, depth)
    raise ConditionError(f"no test is spelled: {', '.join(table) or '{}'}")


def _alone(table: dict[str, object], *names: str) -> None:
    if more := set(table) - set(names):
        raise ConditionError(f"{names[0]} does not go with: {', '.join(sorted(more))}")


def _tests(raw: object, depth: int) -> tuple[Test, ...]:
    if not isinstance(raw, list):
        raise ConditionError("all and any take a list of tests")
    return tuple(parse_test(one, depth + 1) for one in cast("list[object]", raw))


def _parse_all(table: dict[str, object], depth: int) -> Test:
    _alone(table, "all")
    return All(_tests(table["all"], depth))


def _parse_any(table: dict[str, object], depth: int) -> Test:
    _alone(table, "any")
    return AnyOf(_tests(table["any"], depth))


def _parse_not(table: dict[str, object], depth: int) -> Test:
    _alone(table, "not")
    return Not(parse_test(table["not"], depth + 1))


def _parse_shown(table: dict[str, object], depth: int) -> Test:
    _alone(table, "shown")
    return Shown(parse_test(table["shown"], depth + 1))


def _parse_doubt(table: dict[str, object], depth: int) -> Test:
    _alone(table, "doubt", "about")
    about = table.get("about")
    if about != PATCH_STATE and about not in BY_NAME:
        raise ConditionError(f"a doubt is about no fact: {about}")
    return Doubt(parse_test(table["doubt"], depth + 1), str(about))


def _parse_use(table: dict[str, object], depth: int) -> Test:
    del depth
    _alone(table, "use")
    return Use(str(table["use"]))


def _parse_fact(table: dict[str, object], depth: int) -> Test:
    del depth
    fact = BY_NAME.get(str(table["fact"]))
    if fact is None:
        raise ConditionError(f"there is no such fact: {table['fact']}")
    asks = [ask for ask in Ask if ask.value in table]
    if len(asks) != 1:
        raise ConditionError(f"ask one thing of {fact.name}")
    ask = asks[0]
    _alone(table, "fact", ask.value)
    if ask not in _ASKABLE[fact.kind]:
        raise ConditionError(f"{fact.name} cannot be asked {ask.value}")
    raw = table[ask.value]
    raws = cast("list[object]", raw) if ask is Ask.IN else [raw]
    return FactTest(fact, ask, frozenset(_operand(fact, one) for one in raws))


def _operand(fact: Fact, raw: object) -> Value:
    try:
        value = read_fact(fact, [raw] if fact.kind in _SETS else raw)
    except FactError as error:
        raise ConditionError(f"{fact.name}: {raw!r} {error}") from None
    if value is None:
        raise ConditionError(f"{fact.name}: {raw!r} says nothing")
    return next(iter(value)) if isinstance(value, frozenset) else value


_BUILDERS: dict[str, Callable[[dict[str, object], int], Test]] = {
    "fact": _parse_fact,
    "all": _parse_all,
    "any": _parse_any,
    "not": _parse_not,
    "shown": _parse_shown,
    "doubt": _parse_doubt,
    "use": _parse_use,
}


def plain_test(test: Test) -> dict[str, object]:  # noqa: PLR0911 - one row a test
    """Spell a test as an advisory file does."""
    match test:
        case FactTest(fact, ask, values):
            spelled = sorted(values, key=str)
            value: object = spelled if ask is Ask.IN else spelled[0]
            return {"fact": fact.name, ask.value: value}
        case All(tests):
            return {"all": [plain_test(one) for one in tests]}
        case AnyOf(tests):
            return {"any": [plain_test(one) for one in tests]}
        case Not(inner):
            return {"not": plain_test(inner)}
        case Shown(inner):
            return {"shown": plain_test(inner)}
        case Doubt(inner, about):
            return {"doubt": plain_test(inner), "about": about}
        case Use(name):
            return {"use": name}
        case _:
            assert_never(test)
