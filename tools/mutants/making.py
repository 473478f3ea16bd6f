"""Copies the tree, and puts the mutants into the copy."""

import difflib
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mutmut.mutation import file_mutation, mutators

_REFUSALS = {
    "AccountError",
    "AuthUnavailableError",
    "ClaimsError",
    "DocumentError",
    "Failed",
    "NotBound",
    "NotMine",
    "NtlmError",
    "OtherIssuerError",
    "PasswordHopeless",
    "PreparationError",
    "Refusal",
    "Rejected",
    "StoreUnavailableError",
    "TrustProblem",
    "Unavailable",
    "ValueError",
    "over_quota",
    "refused",
}
"""What these make is a refusal, whatever their arguments are: they are not mutated."""

_WORDS = re.compile(
    r"(reason|why|detail|what) = "
    r"|(case _: )?assert_never\("
    r"|.* => .*\bcast\((None|\"XX)"
)
"""Changes of lines that say why, or are never reached; and of what a cast says."""

_COPIED = ("src", "tests", "docs")


@dataclass(frozen=True)
class Mutant:
    """One mutant.

    Attributes:
        name: As the switch knows it.
        function: Where it is, as Python names it.
        change: The line that differs, before and after.

    """

    name: str
    function: str
    change: str

    @property
    def key(self) -> str:
        """What the switch's statistics call its function."""
        return self.name.partition("__mutmut_")[0]


def make(root: Path, copy: Path, modules: Sequence[str]) -> list[Mutant]:
    """Copy the tree, and write the mutants into it.

    Args:
        root: The tree.
        copy: Where to; what was there is removed.
        modules: Files, relative to `src/sekisho`.

    """
    shutil.rmtree(copy, ignore_errors=True)
    for name in _COPIED:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(root / name, copy / name, ignore=ignored)
    shutil.copy(root / "pyproject.toml", copy)
    file_mutation.NEVER_MUTATE_FUNCTION_CALLS |= _REFUSALS
    file_mutation.mutation_operators[:] = [
        (kind, _one_string if operator is mutators.operator_string else operator)
        for kind, operator in mutators.mutation_operators
    ]
    found: list[Mutant] = []
    for relative in modules:
        found.extend(_mutate(copy / "src" / "sekisho" / relative, relative))
    listed = [[one.name, one.function, one.change] for one in found]
    (copy / "mutants.json").write_text(json.dumps(listed))
    return found


def _one_string(node):  # noqa: ANN001, ANN202 - mutmut's types
    """Another text is another text: lower and upper case are not tried as well."""
    return list(mutators.operator_string(node))[:1]


def _mutate(path: Path, relative: str) -> Iterator[Mutant]:
    made = file_mutation.mutate_file_contents(str(path), path.read_text())
    path.write_text(made.code)
    lines = made.code.splitlines()
    module = "sekisho." + relative.removesuffix(".py").replace("/", ".")

    def body(name: str) -> list[str]:
        span = made.line_span_by_function_name[name]
        text = lines[span.start - 1 : span.end]
        return [line.strip().replace(name, "", 1) for line in text if line.strip()]

    for name in made.mutant_names:
        stem = name.partition("__mutmut_")[0]
        function = stem.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
        change = _change(body(f"{stem}__mutmut_orig"), body(name))
        if not _WORDS.match(change):
            yield Mutant(f"{module}.{name}", f"{module}.{function}", change)


def _change(before: Sequence[str], after: Sequence[str]) -> str:
    gone, come = list[str](), list[str]()
    for line in difflib.ndiff(before, after):
        if line.startswith("- "):
            gone.append(line[2:])
        elif line.startswith("+ "):
            come.append(line[2:])
    return f"{' '.join(gone)} => {' '.join(come)}"
