"""Which probes: by IDs and patterns of them."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from sekisho.audit.probe import Probe


class PatternError(ValueError):
    """A pattern that fits no probe, so a mistake in typing is no audit of nothing."""

    hint = "the IDs are shown by: sekisho audit --list"


def selected(
    probes: Sequence[Probe], only: Sequence[str], skip: Sequence[str]
) -> tuple[Probe, ...]:
    """Choose probes.

    Args:
        probes: Of these.
        only: IDs or patterns such as ``SMG-*``; none for all.
        skip: What is left out of them.

    Raises:
        PatternError: One of them fits nothing, or nothing is left.

    """
    for pattern in (*only, *skip):
        if not any(_fits(probe, pattern) for probe in probes):
            raise PatternError(f"no probe is called {pattern!r}")
    chosen = tuple(
        probe
        for probe in probes
        if (not only or any(_fits(probe, one) for one in only))
        and not any(_fits(probe, one) for one in skip)
    )
    if not chosen:
        raise PatternError("--only and --skip leave no probe")
    return chosen


def _fits(probe: Probe, pattern: str) -> bool:
    return fnmatchcase(probe.id.upper(), pattern.upper())
