"""Tests of facts, asked: what they say, what they lack, what they ask about.

Each test becomes a function once, and what a definition says of a host is kept with the
host's facts: many conditions share few definitions.
"""

from collections.abc import Callable, Iterator
from typing import assert_never, cast

from sekisho.advisory.conditions import (
    All,
    AnyOf,
    Ask,
    ConditionError,
    Definitions,
    Doubt,
    FactTest,
    Not,
    Shown,
    Test,
    Truth,
    Use,
)
from sekisho.advisory.facts import NO_VERSION, Value, version_numbers

Known = dict[str, "Value | Truth"]
"""Facts, and what definitions said of them so far; one host's, for one advisory."""
Asked = Callable[[Known], Truth]


class Asker:
    """Asks tests of facts; each test is made a function once.

    Args:
        definitions: What `use` means; a definition may use those that stand before it.

    """

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._made: dict[int, tuple[Test, Asked]] = {}

    def asked(self, test: Test) -> Asked:
        """Make a function of a test.

        Raises:
            ConditionError: It uses a definition that is not there.

        """
        found = self._made.get(id(test))
        if found is None:
            found = self._made[id(test)] = (test, self._compiled(test))
        return found[1]

    def _compiled(self, test: Test) -> Asked:  # noqa: PLR0911 - one row a test
        match test:
            case FactTest():
                return _compiled_fact(test)
            case All(tests):
                return _compiled_all([self.asked(one) for one in tests])
            case AnyOf(tests):
                return _compiled_any([self.asked(one) for one in tests])
            case Not(inner):
                return _compiled_map(self.asked(inner), _CONTRARY)
            case Shown(inner):
                return _compiled_map(self.asked(inner), _SHOWN)
            case Doubt(inner):
                return _compiled_map(self.asked(inner), _DOUBT)
            case Use(name):
                return _compiled_use(f"use {name}", self.asked(self._used(name)))
            case _:
                assert_never(test)

    def names(self, test: Test) -> Iterator[str]:
        """Name all facts that a test asks, also by definitions."""
        match test:
            case FactTest(fact):
                yield fact.name
            case All(tests) | AnyOf(tests):
                for one in tests:
                    yield from self.names(one)
            case Not(inner) | Shown(inner) | Doubt(inner):
                yield from self.names(inner)
            case Use(name):
                yield from self.names(self._used(name))
            case _:
                assert_never(test)

    def _used(self, name: str) -> Test:
        if name not in self._definitions:
            raise ConditionError(f"there is no definition: {name}")
        return self._definitions[name]

    def missing(self, test: Test, facts: Known) -> Iterator[str]:  # noqa: C901 - one row a test
        """Name the facts for want of which a test is not known."""
        if self.asked(test)(facts) is not Truth.NOT_KNOWN:
            return
        match test:
            case FactTest(fact):
                yield fact.name
            case All(tests) | AnyOf(tests):
                for one in tests:
                    yield from self.missing(one, facts)
            case Not(inner):
                yield from self.missing(inner, facts)
            case Doubt(about=about):
                yield about
            case Use(name):
                yield from self.missing(self._used(name), facts)
            case Shown():
                return
            case _:
                assert_never(test)


_CONTRARY = {
    Truth.YES: Truth.NO,
    Truth.NO: Truth.YES,
    Truth.NOT_KNOWN: Truth.NOT_KNOWN,
}
_SHOWN = {Truth.YES: Truth.YES, Truth.NO: Truth.NO, Truth.NOT_KNOWN: Truth.NO}
_DOUBT = {Truth.YES: Truth.NOT_KNOWN, Truth.NO: Truth.NO, Truth.NOT_KNOWN: Truth.NO}


def _compiled_map(asked: Asked, answers: dict[Truth, Truth]) -> Asked:
    return lambda facts: answers[asked(facts)]


def _compiled_all(tests: list[Asked]) -> Asked:
    def ask_all(facts: Known) -> Truth:
        found = Truth.YES
        for one in tests:
            said = one(facts)
            if said is Truth.NO:
                return said
            if said is Truth.NOT_KNOWN:
                found = said
        return found

    return ask_all


def _compiled_any(tests: list[Asked]) -> Asked:
    def ask_any(facts: Known) -> Truth:
        found = Truth.NO
        for one in tests:
            said = one(facts)
            if said is Truth.YES:
                return said
            if said is Truth.NOT_KNOWN:
                found = said
        return found

    return ask_any


def _compiled_use(name: str, asked: Asked) -> Asked:
    def ask_once(facts: Known) -> Truth:
        found = facts.get(name)
        if not isinstance(found, Truth):
            found = facts[name] = asked(facts)
        return found

    return ask_once


def _compiled_fact(test: FactTest) -> Asked:
    name = test.fact.name
    holds = _ASKED[test.ask](test.values)

    def ask_fact(facts: Known) -> Truth:
        value = facts.get(name)
        if value is None:
            return Truth.NOT_KNOWN
        return Truth.YES if holds(cast("Value", value)) else Truth.NO

    return ask_fact


_Holds = Callable[[Value], bool]


def _is(values: frozenset[Value]) -> _Holds:
    return lambda value: value in values


def _at_least(values: frozenset[Value]) -> _Holds:
    floor = _comparable(*values)
    return lambda value: _comparable(value) >= floor if value != NO_VERSION else False


def _below(values: frozenset[Value]) -> _Holds:
    ceiling = _comparable(*values)
    return lambda value: _comparable(value) < ceiling if value != NO_VERSION else False


def _comparable(value: Value) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,)
    return version_numbers(cast("str", value)) or ()


def _has(values: frozenset[Value]) -> _Holds:
    return lambda value: values <= cast("frozenset[Value]", value)


def _only(values: frozenset[Value]) -> _Holds:
    return lambda value: values == value


def _other_than(values: frozenset[Value]) -> _Holds:
    return lambda value: bool(cast("frozenset[Value]", value) - values)


_ASKED: dict[Ask, Callable[[frozenset[Value]], _Holds]] = {
    Ask.IS: _is,
    Ask.IN: _is,
    Ask.AT_LEAST: _at_least,
    Ask.BELOW: _below,
    Ask.HAS: _has,
    Ask.ONLY: _only,
    Ask.OTHER_THAN: _other_than,
}
