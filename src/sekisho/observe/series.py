"""Counters, gauges and histograms that cost a message next to nothing.

The library's own take a lock and check each value, for every one of a dozen counts a
message; these are a look-up and an addition, and the library sees them when metrics
are read. Each is written by one thread alone.

Promise: one metric has at most `MAX_LABEL_SETS` series. Beyond that the rest is counted
under the label ``other``.
"""

import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from math import inf

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString  # pyright: ignore[reportUnknownVariableType] - untyped there

MAX_LABEL_SETS = 500
"""Series of one metric."""

Labels = tuple[str, ...]


class _Labelled(Collector):
    """What a value is kept for, by its labels."""

    def __init__(self, name: str, says: str, labels: Sequence[str]) -> None:
        self._name = f"sekisho_{name}"
        self._says = says
        self._labels = labels
        self._values: dict[Labels, float] = {}
        self._begun: dict[Labels, float] = {}
        if not labels:
            self._begin(())

    def add(self, labels: Labels = (), by: float = 1) -> None:
        """Add to one of them."""
        try:
            self._values[labels] += by
        except KeyError:
            self._values[self._begin(labels)] += by

    def _begin(self, labels: Labels) -> Labels:
        if len(self._values) >= MAX_LABEL_SETS:
            labels = ("other",) * len(self._labels)
        if labels not in self._values:
            self._values[labels] = 0.0
            self._begun[labels] = time.time()  # noqa: TID251 - outside the core
        return labels


class Counters(_Labelled):
    """What only grows."""

    def collect(self) -> Iterator[Metric]:
        """Give the library all of them."""
        family = CounterMetricFamily(self._name, self._says, labels=self._labels)
        for labels, value in list(self._values.items()):
            family.add_metric(labels, value, created=self._begun[labels])
        yield family


class Gauges(_Labelled):
    """What goes up and down."""

    def set(self, labels: tuple[str, ...], value: float) -> None:
        """Let one have this value."""
        self.add(labels, value - self._values.get(labels, 0))

    def collect(self) -> Iterator[Metric]:
        """Give the library all of them."""
        family = GaugeMetricFamily(self._name, self._says, labels=self._labels)
        for labels, value in list(self._values.items()):
            family.add_metric(labels, value)
        yield family


class Distribution(Collector):
    """How large something was, how often."""

    def __init__(self, name: str, says: str, buckets: Sequence[float]) -> None:
        """Begin with nothing.

        Args:
            name: Without ``sekisho_``.
            says: For people.
            buckets: Upper bounds, ascending; one without a bound is behind them.

        """
        self._name = f"sekisho_{name}"
        self._says = says
        self._buckets = tuple(buckets)
        self._counts = [0] * (len(self._buckets) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one."""
        self._counts[bisect_left(self._buckets, value)] += 1
        self._sum += value

    def collect(self) -> Iterator[Metric]:
        """Give the library all of it; each bucket holds those below it, too."""
        counts, total = list(self._counts), self._sum
        so_far, buckets = 0, list[tuple[str, float]]()
        for bound, count in zip((*self._buckets, inf), counts, strict=True):
            so_far += count
            buckets.append((floatToGoString(bound), so_far))
        family = HistogramMetricFamily(self._name, self._says)
        family.add_metric([], buckets, total)
        yield family
