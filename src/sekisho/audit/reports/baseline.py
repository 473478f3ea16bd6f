"""What has changed since another run: two JSON reports, compared.

A finding is known again by its probe, host, port and IP version; not by its address
(it changes) nor by its evidence (a reply's wording does). What was a finding and is
now undecided, or was not asked, is not called mended: a ban must not read as a repair.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from sekisho.audit.reports import words
from sekisho.audit.reports.document import WORST_FIRST, Finding, Place, document
from sekisho.audit.reports.harmless import harmless
from sekisho.audit.results import Report
from sekisho.audit.verdicts import Verdict
from sekisho.model.text import Language, Text

SCHEMA = "sekisho.audit/1"
MAX_BASELINE_OCTETS = 256 * 1024 * 1024
_FINDINGS = (Verdict.FLAWED, Verdict.SUSPECT)


class BaselineError(ValueError):
    """The file is no report of ours; `hint` says what to give instead."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.hint = "give a file written by: sekisho audit … --json"


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """By what a finding is known again."""

    id: str
    host: str
    port: int
    family: str

    @property
    def place(self) -> str:
        """Where, for people."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        """Spell it for programs; stable for ever."""
        return f"{self.id}:{self.host}:{self.port}:{self.family}"


def key_of(place: Place, finding: Finding) -> Key:
    """By what this one is known again."""
    return Key(finding.row.id, place.host, place.port, place.family)


@dataclass(frozen=True, slots=True)
class Change:
    """One finding, before and now; None where it was not asked."""

    key: Key
    title: str
    before: Verdict | None
    after: Verdict | None

    @property
    def id(self) -> str:
        """The probe's."""
        return self.key.id

    @property
    def place(self) -> str:
        """Where."""
        return self.key.place


@dataclass(frozen=True, slots=True)
class Comparison:
    """What has changed.

    Attributes:
        new: Flawed or suspect now, and not before.
        worse: Worse than before otherwise: proved now, or undecided now.
        mended: Flawed or suspect before; now asked, and in order.
        gone: Flawed or suspect before; now not asked, or undecided.
        unchanged: How many others were asked in both runs.

    """

    new: tuple[Change, ...] = ()
    worse: tuple[Change, ...] = ()
    mended: tuple[Change, ...] = ()
    gone: tuple[Change, ...] = ()
    unchanged: int = 0
    states: Mapping[Key, str] = field(default_factory=dict[Key, str])

    def sorts(self) -> Iterator[tuple[Text, tuple[Change, ...]]]:
        """Each sort with its name, the worst first."""
        yield words.NEW, self.new
        yield words.WORSE, self.worse
        yield words.GONE, self.gone
        yield words.MENDED, self.mended


class _OldResult(msgspec.Struct):
    id: str
    verdict: Verdict
    title: str = ""


class _OldTarget(msgspec.Struct):
    host: str
    port: int
    results: list[_OldResult]
    address: str = ""


class _OldReport(msgspec.Struct):
    schema: str
    targets: list[_OldTarget]


@dataclass(frozen=True, slots=True)
class Baseline:
    """What another run found, and how it was called there."""

    verdicts: Mapping[Key, Verdict]
    titles: Mapping[Key, str]


def read_baseline(path: Path) -> Baseline:
    """Read a JSON report.

    Raises:
        BaselineError: It cannot be read, or is no report of this version.

    """
    try:
        if path.stat().st_size > MAX_BASELINE_OCTETS:
            raise BaselineError(f"{path} is larger than {MAX_BASELINE_OCTETS} octets")
        old = msgspec.json.decode(path.read_bytes(), type=_OldReport)
    except OSError as error:
        raise BaselineError(f"{path} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BaselineError(f"{path} is no report of an audit: {error}") from error
    if old.schema != SCHEMA:
        raise BaselineError(
            f"{path} is of the schema {harmless(old.schema)!r}, not {SCHEMA!r}"
        )
    verdicts: dict[Key, Verdict] = {}
    titles: dict[Key, str] = {}
    for target in old.targets:
        family = "ipv6" if ":" in target.address else "ipv4"
        for one in target.results:
            key = Key(harmless(one.id), harmless(target.host), target.port, family)
            titles[key] = harmless(one.title)
            verdicts[key] = _worse(verdicts.get(key), one.verdict)
    return Baseline(verdicts, titles)


def _worse(one: Verdict | None, other: Verdict) -> Verdict:
    if one is None:
        return other
    return min(one, other, key=WORST_FIRST.__getitem__)


def compare(baseline: Baseline, report: Report, language: Language) -> Comparison:
    """Say what has changed since."""
    now: dict[Key, Verdict] = {}
    titles = dict(baseline.titles)
    for place, finding in document(report, language).findings:
        key = key_of(place, finding)
        now[key] = _worse(now.get(key), finding.verdict)
        titles[key] = finding.row.title
    sorts: dict[str, list[Change]] = {
        one: [] for one in ("new", "worse", "mended", "gone", "unchanged", "unasked")
    }
    states: dict[Key, str] = {}
    for key in sorted(now.keys() | baseline.verdicts.keys()):
        change = Change(key, titles[key], baseline.verdicts.get(key), now.get(key))
        states[key] = _sort(change.before, change.after)
        sorts[states[key]].append(change)
    return Comparison(
        tuple(sorts["new"]),
        tuple(sorts["worse"]),
        tuple(sorts["mended"]),
        tuple(sorts["gone"]),
        len(sorts["unchanged"]),
        states,
    )


def _sort(before: Verdict | None, after: Verdict | None) -> str:
    was, is_now = before in _FINDINGS, after in _FINDINGS
    if was and not is_now:
        return "gone" if after in (None, Verdict.UNDECIDED) else "mended"
    if is_now and not was:
        return "new"
    if before is None or after is None:
        return "unasked"
    in_order = WORST_FIRST[before] >= WORST_FIRST[Verdict.SAFE]
    lost = in_order and after is Verdict.UNDECIDED
    proved = before is Verdict.SUSPECT and after is Verdict.FLAWED
    return "worse" if lost or proved else "unchanged"
