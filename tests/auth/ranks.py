"""Whether two ways take as long: a rank test that a loaded machine does not upset."""

from collections.abc import Callable, Sequence

ALPHA_Z = 3.29
"""One in a thousand, two-sided."""

ATTEMPTS = 3
"""A difference that is there shows each time; another program's load does not."""


def rank_z(left: Sequence[float], right: Sequence[float]) -> float:
    """Mann and Whitney's U of two samples, as a standard score; times do not tie."""
    ranked = sorted([(t, 0) for t in left] + [(t, 1) for t in right])
    n, m = len(left), len(right)
    rank_sum = sum(n for n, (_, side) in enumerate(ranked, 1) if side == 0)
    u = rank_sum - n * (n + 1) / 2
    return (u - n * m / 2) / (n * m * (n + m + 1) / 12) ** 0.5


def assert_alike(measure: Callable[[], Sequence[Sequence[float]]], what: str) -> None:
    """Measure two samples; they must not differ, at the third time at the latest."""
    seen: list[float] = []
    for _ in range(ATTEMPTS):
        seen.append(rank_z(*measure()))
        if abs(seen[-1]) < ALPHA_Z:
            return
    raise AssertionError(f"{what}: the times differ, z = {seen}")
