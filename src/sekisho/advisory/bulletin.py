"""An advisory file: one bulletin, in our own words, and how a host is judged by it.

The files lie in ``bulletins/``, one a bulletin, in TOML. Reading one checks all of it:
names that are not in the shape, texts that lack a language, tests that ask what a fact
cannot have, codes that stand twice. What a file says may change only with a new
revision: ``reviewed.txt`` beside them holds the digest of each (`ledger`).

`subject` says what is judged: a ``host`` of an inventory, or ``sekisho`` itself.
"""

import tomllib
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import msgspec

from sekisho.advisory.conditions import (
    ConditionError,
    Definitions,
    Test,
    compile_test,
    parse_test,
)
from sekisho.advisory.verdicts import ALTERNATIVE, Basis, Scope, Verdict
from sekisho.model.text import Text


class BulletinError(Exception):
    """An advisory file that is wrong; names the file and the place."""


class When:
    """A test, as a member of an advisory file."""

    __slots__ = ("test",)

    def __init__(self, test: Test) -> None:
        self.test = test


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all parts of an advisory file have in common: no name that is not known."""


class Source(Part, frozen=True, kw_only=True):
    """The document that the file restates.

    Attributes:
        publisher: Who published it.
        language: Of the text that was worked from (RFC 5646).
        addresses: Where it stands or stood.

    """

    publisher: str
    language: str
    addresses: list[str] = []


class Rating(Part, frozen=True, kw_only=True):
    """A row of a table of severities."""

    product: str
    words: Text


class Severity(Part, frozen=True, kw_only=True):
    """How bad it is, as the source words it.

    Attributes:
        words: The source's own word, and where it stands.
        ratings: By product, where the source has such a table.

    """

    words: Text
    ratings: list[Rating] = []


class Product(Part, frozen=True, kw_only=True):
    """A product that the bulletin speaks of.

    Attributes:
        id: For references within the file, and for product trees.
        vendor: Who makes it.
        name: As its maker calls it.
        version: Where the name does not say it all.
        why: What the bulletin says of it.

    """

    id: str
    vendor: str
    name: str
    version: str = ""
    why: Text


class Question(Part, frozen=True, kw_only=True):
    """A question and its answer."""

    question: Text
    answer: Text


class Update(Part, frozen=True, kw_only=True):
    """An update, for some products on some hardware.

    Attributes:
        id: Its number or name, such as ``Q302755``.
        action: The code of the action that installs it.
        products: Ids of products.
        editions: All, where none is named.
        hardware: ``pcat``, ``pc98``, or empty for any.
        language: Of the package; empty for any.
        package: Name of its file, where the source gives one.
        address: Where it is or was offered.
        requires: On what it can be installed.
        text: What people have to know of it.

    """

    id: str
    action: str
    products: list[str]
    editions: list[str] = []
    hardware: str = ""
    language: str = ""
    package: str = ""
    address: str = ""
    requires: Text
    text: Text


class Restart(Part, frozen=True, kw_only=True):
    """Whether a restart is needed after the update."""

    required: bool
    text: Text


class Verification(Part, frozen=True, kw_only=True):
    """How to see that an update is in.

    Attributes:
        product: Id of a product.
        update: Id of an update.
        key: The registry key that the update makes.
        files: Where its list of files stands, or which file has which version.
        text: In words.

    """

    product: str
    update: str
    key: str
    files: str = ""
    text: Text


class Reference(Part, frozen=True, kw_only=True):
    """Another document."""

    title: Text
    address: str


class Entry(Part, frozen=True, kw_only=True):
    """A line of the source's own history."""

    date: date
    text: Text


class Revision(Part, frozen=True, kw_only=True):
    """A line of this file's history."""

    number: int
    date: date
    text: Text


class Condition(Part, frozen=True, kw_only=True):
    """A rule of the procedure; the first that says yes settles the verdict.

    Attributes:
        code: Of its reason.
        verdict: What it settles.
        scope: Of a mitigation.
        basis: Of *not affected*: the product, or how it is set up.
        vex: Of *not affected*: the justification, as OpenVEX and CSAF spell it.
        open: Whether its being not known leaves the verdict open. A mitigation that
            merely may hold does not: it must be shown.
        when: The test.
        section: Where the bulletin says so.
        reason: In our words.

    """

    code: str
    verdict: Verdict
    scope: Scope | None = None
    basis: Basis | None = None
    vex: str = ""
    open: bool = True
    when: When
    section: Text
    reason: Text


class Remark(Part, frozen=True, kw_only=True):
    """A reason that settles nothing and stands beside the one that does."""

    code: str
    when: When
    section: Text
    reason: Text


class Warn(Part, frozen=True, kw_only=True):
    """What to think of besides; may ask for the answer (`answer.verdict` …)."""

    code: str
    when: When
    text: Text


class Action(Part, frozen=True, kw_only=True):
    """A step; those whose test says yes are given in the order of the file.

    Attributes:
        code: Names it.
        alternative: Whether it is taken instead of the steps above it.
        when: Asks for the answer (`answer.verdict` …) and for facts.
        text: In our words.

    """

    code: str
    alternative: bool = False
    when: When
    text: Text

    @property
    def spelled(self) -> str:
        """The code as answers give it."""
        return ALTERNATIVE + self.code if self.alternative else self.code


class Bulletin(Part, frozen=True, kw_only=True):
    """An advisory file; the order is that of a bulletin's sections.

    Attributes:
        id: Such as ``MS01-037``.
        subject: What is judged by it.
        definitions: Tests by name, for `use`.
        installed_by_default: Where the flawed part is there unless somebody removed it.
        goes_first: Among those equally urgent.
        unsettled: What the source leaves open, and how we decide it.

    """

    id: str
    subject: Literal["host", "sekisho"]
    title: Text
    source: Source
    published: date
    updated: date
    audience: Text
    impact: Text
    severity: Severity
    recommendation: Text
    affected: list[Product]
    details: list[Text]
    mitigations: list[Text]
    cve: list[str]
    kb: list[str]
    tested: Text
    unaffected: list[Product]
    questions: list[Question]
    updates: list[Update]
    platforms: list[Text]
    included_in: list[Text]
    restart: Restart
    contains: list[str]
    contains_text: Text
    superseded_by: list[str]
    superseded_text: Text
    verification: list[Verification]
    caveats: list[Text]
    acknowledgements: list[Text] = []
    references: list[Reference]
    history: list[Entry]
    unsettled: list[Text]
    definitions: dict[str, When]
    conditions: list[Condition]
    remarks: list[Remark]
    warnings: list[Warn]
    actions: list[Action]
    installed_by_default: When
    goes_first: When
    revisions: list[Revision]

    @property
    def tests(self) -> Definitions:
        """The definitions as tests."""
        return {name: one.test for name, one in self.definitions.items()}


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
        compile_test(test, before)
        before[name] = test
    for test in tests:
        compile_test(test, definitions)
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
