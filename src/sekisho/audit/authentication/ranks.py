"""Whether two rows of times differ: the Mann-Whitney rank test."""

import math
from collections.abc import Sequence
from statistics import median

ALPHA = 0.01
LEAST_SECONDS = 0.010
"""A smaller difference of medians is noise of the way, whatever the test says."""


def p_value(one: Sequence[float], two: Sequence[float]) -> float:
    """Give the two-sided probability that equal distributions differ so much."""
    ordered = sorted(
        (value, side) for side, row in enumerate((one, two)) for value in row
    )
    ranks = 0.0
    at = 0
    while at < len(ordered):
        end = at
        while end < len(ordered) and ordered[end][0] == ordered[at][0]:
            end += 1
        shared = (at + end + 1) / 2
        ranks += shared * sum(side == 0 for _, side in ordered[at:end])
        at = end
    first, second = len(one), len(two)
    mean = first * (first + second + 1) / 2
    deviation = math.sqrt(first * second * (first + second + 1) / 12)
    return math.erfc(abs(ranks - mean) / deviation / math.sqrt(2))


def differ(one: Sequence[float], two: Sequence[float]) -> bool:
    """Whether the difference is there and is large enough to be used."""
    apart = abs(median(one) - median(two))
    return apart > LEAST_SECONDS and p_value(one, two) < ALPHA
