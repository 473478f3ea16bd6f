"""The metrics of all workers as one page.

Values of the same name and labels are added up; `_LARGEST` and `_SMALLEST` are not
amounts. A counter must not fall because a worker died: what it had counted when it was
last asked stays in the sum.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

_LARGEST = frozenset({"sekisho_queue_oldest_age_seconds"})
_SMALLEST = frozenset({"process_start_time_seconds", "process_max_fds"})
_FALLING = frozenset({"gauge", "info", "unknown"})

Labels = tuple[tuple[str, str], ...]


class Family(msgspec.Struct):
    """One metric of one process: its samples by name and labels."""

    name: str
    says: str
    kind: str
    samples: list[tuple[str, dict[str, str], float]]


def taken(registry: CollectorRegistry) -> list[Family]:
    """Take the values as they are."""
    return [
        Family(
            one.name,
            one.documentation,
            one.type,
            [(sample.name, sample.labels, sample.value) for sample in one.samples],
        )
        for one in registry.collect()
    ]


class Sums(Collector):
    """The sum over processes, as a collector."""

    def __init__(self) -> None:
        self._ended: list[Family] = []
        self._latest: dict[str, list[Family]] = {}

    def note(self, whose: str, families: list[Family]) -> None:
        """Remember what a process says."""
        self._latest[whose] = families

    def ended(self, whose: str) -> None:
        """Keep what a process has counted, now that it is gone."""
        last = self._latest.pop(whose, [])
        counted = [one for one in last if one.kind not in _FALLING]
        self._ended = [*_added([*self._ended, *counted]).values()]

    def collect(self) -> Iterator[Metric]:
        """Add up."""
        every = [one for families in self._latest.values() for one in families]
        for family in _added([*self._ended, *every]).values():
            metric = Metric(family.name, family.says, family.kind)
            for name, labels, value in family.samples:
                metric.add_sample(name, labels, value)
            yield metric


def _added(families: Iterable[Family]) -> Mapping[str, Family]:
    sums: dict[str, dict[tuple[str, Labels], float]] = {}
    found: dict[str, Family] = {}
    for family in families:
        found.setdefault(family.name, family)
        amounts = sums.setdefault(family.name, {})
        for name, labels, value in family.samples:
            key = (name, tuple(labels.items()))
            amounts[key] = _joined(name, amounts.get(key), value)
    return {
        name: Family(
            name,
            family.says,
            family.kind,
            [(one, dict(labels), value) for (one, labels), value in sums[name].items()],
        )
        for name, family in found.items()
    }


def _joined(name: str, one: float | None, other: float) -> float:
    if one is None:
        return other
    if name in _LARGEST:
        return max(one, other)
    if name in _SMALLEST or name.endswith("_created"):
        return min(one, other)
    return one + other
