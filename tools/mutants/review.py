"""Holds survivors against what somebody has read."""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mutants.making import Mutant
from mutants.trial import Coverage


@dataclass(frozen=True)
class Reviewed:
    """What has been read.

    Attributes:
        words: Functions that only say why, or how it looks; none of their mutants is
            tried.
        changes: Single survivors, by function.

    """

    words: dict[str, str]
    changes: dict[str, dict[str, str]]

    @classmethod
    def read(cls, path: Path) -> "Reviewed":
        """Read the list; each entry without a reason is an error."""
        words: dict[str, str] = {}
        changes: dict[str, dict[str, str]] = {}
        for entry in tomllib.loads(path.read_text())["reviewed"]:
            why = entry["why"]
            if not why.strip():
                raise ValueError(f"{path}: an entry says no why: {entry}")
            words |= dict.fromkeys(entry.get("words", ()), why)
            if "function" in entry:
                found = dict.fromkeys(entry["changes"], why)
                changes.setdefault(entry["function"], {}).update(found)
        return cls(words, changes)

    def holds(self, mutant: Mutant) -> bool:
        """Whether it is listed."""
        return mutant.change in self.changes.get(mutant.function, {})

    def stale(self, mutants: Iterable[Mutant]) -> list[str]:
        """What is listed of the modules of these mutants, and is none of them."""
        there: dict[str, set[str]] = {}
        for one in mutants:
            there.setdefault(one.function, set()).add(one.change)
        modules = tuple(f"{one.rpartition('.')[0]}." for one in there)
        return [
            *(
                one
                for one in self.words
                if one.startswith(modules) and one not in there
            ),
            *(
                f"{function}: {change}"
                for function, changes in self.changes.items()
                if function.startswith(modules)
                for change in changes
                if change not in there.get(function, ())
            ),
        ]


def report(
    room: str,
    mutants: Sequence[Mutant],
    coverage: Coverage,
    survivors: Sequence[Mutant],
    reviewed: Reviewed,
) -> int:
    """Say how it went; 1 if a survivor was not reviewed."""
    unread = [one for one in survivors if not reviewed.holds(one)]
    words = sum(one.function in reviewed.words for one in mutants)
    through = coverage.tests.keys() | coverage.at_import.keys()
    untested = sum(one.key not in through for one in survivors)
    print(
        f"{room}: {len(mutants)} mutants, {words} of words not tried, "
        f"{len(mutants) - words - len(survivors)} killed, {len(survivors)} survived "
        f"({untested} of them without a test), "
        f"{len(survivors) - len(unread)} of those reviewed"
    )
    for one in unread:
        print(f"SURVIVED {one.function}\n  {one.change}")
    return 1 if unread else 0
