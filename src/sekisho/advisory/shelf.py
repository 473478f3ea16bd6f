"""The advisory files that are shipped: read, and checked whole.

Reading one refuses names that are not in the shape, texts that lack a language, tests
that ask what a fact cannot have, definitions, codes and products that are not there or
stand twice, and reasons that ask for the answer that rests on them.
"""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from sekisho.advisory.asking import Asker
from sekisho.advisory.bulletin import Bulletin, When
from sekisho.advisory.conditions import ANSWER, ConditionError, Test, parse_test
from sekisho.advisory.verdicts import Verdict
from sekisho.model.text import Text


class BulletinError(Exception):
    """An advisory file that is wrong; names the file and the place."""


def _hook(kind: type, raw: object) -> object:
    if kind is not When:
        raise NotImplementedError
    return When(parse_test(raw))


def read_bulletin(name: str, text: str) -> Bulletin:
    """Read an advisory file.

    Raises:
        BulletinError: It is wrong.

    """
    try:
        bulletin = msgspec.convert(tomllib.loads(text), Bulletin, dec_hook=_hook)
        _check(bulletin)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, ConditionError) as error:
        raise BulletinError(f"{name}: {error}") from None
    return bulletin


def _check(bulletin: Bulletin) -> None:
    definitions = bulletin.tests
    whens = [*bulletin.conditions, *bulletin.remarks, *bulletin.warnings]
    tests = [one.when.test for one in [*whens, *bulletin.actions]]
    tests += [bulletin.installed_by_default.test, bulletin.goes_first.test]
    before: dict[str, Test] = {}
    for name, test in definitions.items():
        Asker(before).asked(test)
        before[name] = test
    asker = Asker(definitions)
    for test in tests:
        asker.asked(test)
    for one in [*bulletin.conditions, *bulletin.remarks]:
        if any(name.startswith(ANSWER) for name in asker.names(one.when.test)):
            raise ConditionError(f"{one.code}: a reason cannot ask for the answer")
    _check_codes(bulletin)
    _check_scopes(bulletin)
    _check_revisions(bulletin)
    _check_texts(bulletin, bulletin.id)


def _check_codes(bulletin: Bulletin) -> None:
    reasons = [one.code for one in [*bulletin.conditions, *bulletin.remarks]]
    rows = (("R-", reasons), ("W-", [one.code for one in bulletin.warnings]))
    for prefix, codes in rows:
        if twice := {one for one in codes if codes.count(one) > 1}:
            raise ConditionError(f"stands twice: {', '.join(sorted(twice))}")
        if wrong := [one for one in codes if not one.startswith(prefix)]:
            raise ConditionError(f"does not begin with {prefix}: {wrong[0]}")
    actions = {one.code for one in bulletin.actions}
    if wrong := [one for one in actions if not one.startswith("A-")]:
        raise ConditionError(f"does not begin with A-: {wrong[0]}")
    if lost := [one.action for one in bulletin.updates if one.action not in actions]:
        raise ConditionError(f"no action is called {lost[0]}")
    products = {one.id for one in [*bulletin.affected, *bulletin.unaffected]}
    named = [one for update in bulletin.updates for one in update.products]
    named += [one.product for one in bulletin.verification]
    if lost := [one for one in named if one not in products]:
        raise ConditionError(f"no product is called {lost[0]}")


def _check_scopes(bulletin: Bulletin) -> None:
    for one in bulletin.conditions:
        if (one.scope is not None) is not (one.verdict is Verdict.MITIGATED):
            raise ConditionError(f"{one.code}: a mitigation, and it alone, has a scope")
        if (one.basis is not None) is not (one.verdict is Verdict.NOT_AFFECTED):
            raise ConditionError(f"{one.code}: not affected, and it alone, has a basis")


def _check_revisions(bulletin: Bulletin) -> None:
    numbers = [one.number for one in bulletin.revisions]
    if not numbers or numbers != list(range(1, len(numbers) + 1)):
        raise ConditionError("revisions are numbered 1, 2, 3 …, oldest first")
    for dates in (
        [one.date for one in bulletin.revisions],
        [one.date for one in bulletin.history],
    ):
        if dates != sorted(dates):
            raise ConditionError("a history has its oldest line first")


def _check_texts(value: object, place: str) -> None:
    match value:
        case Text(en, ja):
            if not en.strip() or not ja.strip():
                raise ConditionError(f"{place}: says nothing in one language")
        case msgspec.Struct():
            for name in value.__struct_fields__:
                _check_texts(getattr(value, name), f"{place}.{name}")
        case list():
            items: list[Any] = value  # pyright: ignore[reportUnknownVariableType]
            for number, one in enumerate(items):
                _check_texts(one, f"{place}[{number}]")
        case _:
            return


def texts_of_files() -> dict[str, str]:
    """All advisory files that are shipped: name → text."""
    folder = files("sekisho.advisory") / "bulletins"
    found = {
        one.name: one.read_text("utf-8")
        for one in folder.iterdir()
        if one.name.endswith(".toml")
    }
    return dict(sorted(found.items()))


@cache
def shipped() -> tuple[Bulletin, ...]:
    """All advisories that are shipped, by id.

    Raises:
        BulletinError: One is wrong.

    """
    found = [read_bulletin(name, text) for name, text in texts_of_files().items()]
    return tuple(sorted(found, key=lambda one: one.id))


def find(name: str) -> Bulletin | None:
    """Find an advisory by its id, in any case, or by one of its CVE numbers."""
    wanted = name.strip().upper()
    for one in shipped():
        if wanted == one.id.upper() or wanted in one.cve:
            return one
    return None
