"""A table for terminals whose worst rows stand first.

Not of the reports alone: whatever gives rows with a verdict (the service's audit of
itself, a fleet's overview) is shown by it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import StringIO

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text as Styled

from sekisho.audit.reports.document import WORST_FIRST
from sekisho.audit.reports.harmless import harmless
from sekisho.audit.reports.words import VERDICTS
from sekisho.audit.verdicts import Verdict
from sekisho.model.text import Language

WIDTH = 100
STYLES: Mapping[Verdict, str] = {
    Verdict.FLAWED: "bold red",
    Verdict.SUSPECT: "bold yellow",
    Verdict.UNDECIDED: "magenta",
    Verdict.SAFE: "green",
    Verdict.NOT_APPLICABLE: "dim",
}


@dataclass(frozen=True, slots=True)
class Ranked:
    """A row: its verdict, which is shown first, and what follows."""

    verdict: Verdict
    cells: tuple[str, ...]


def terminal(*, colour: bool, width: int = WIDTH) -> Console:
    """A page for a terminal, in memory; nothing of the environment changes it."""
    return Console(
        file=StringIO(),
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=not colour,
        width=width,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
        _environ={},
    )


def written(console: Console) -> str:
    """What stands on it, without blanks at line ends."""
    page = console.file
    assert isinstance(page, StringIO)  # noqa: S101 - `terminal` made it
    return "".join(f"{line.rstrip()}\n" for line in page.getvalue().splitlines())


def worst_first(rows: Iterable[Ranked]) -> list[Ranked]:
    """Sort by verdict; rows of one verdict keep their order."""
    return sorted(rows, key=lambda one: WORST_FIRST[one.verdict])


def ranked_table(
    heads: tuple[str, ...], rows: Iterable[Ranked], language: Language
) -> Table:
    """Lay out rows, the worst first; `heads` are those of the verdict and the cells."""
    table = Table(*heads, box=SIMPLE, pad_edge=False, show_edge=False)
    for one in worst_first(rows):
        verdict = Styled(VERDICTS[one.verdict].said_in(language), STYLES[one.verdict])
        cells = (Styled(harmless(cell), overflow="fold") for cell in one.cells)
        table.add_row(verdict, *cells)
    return table


def table_text(
    heads: tuple[str, ...],
    rows: Iterable[Ranked],
    language: Language,
    *,
    colour: bool = False,
    width: int = WIDTH,
) -> str:
    """The same as text."""
    console = terminal(colour=colour, width=width)
    console.print(ranked_table(heads, rows, language))
    return written(console)
