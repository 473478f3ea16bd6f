"""An advisory file: one bulletin, in our own words, and how a host is judged by it.

The files lie in ``bulletins/``, one a bulletin, in TOML; `shelf` reads and checks them.
What a file says may change only with a new revision: ``reviewed.txt`` beside them holds
the digest of each (`ledger`).

`subject` says what is judged: a ``host`` of an inventory, or ``sekisho`` itself.
"""

from datetime import date
from typing import Literal

import msgspec

from sekisho.advisory.conditions import Definitions, Test
from sekisho.advisory.verdicts import ALTERNATIVE, Basis, Scope, Verdict
from sekisho.model.text import Text


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
