"""What Prometheus is shown of counters, gauges and distributions."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector

from sekisho.observe.series import MAX_LABEL_SETS, Counters, Distribution, Gauges


def shown(series: Collector) -> list[str]:
    registry = CollectorRegistry()
    registry.register(series)
    lines = generate_latest(registry).decode().splitlines()
    return [one for one in lines if not one.startswith("#") and "_created" not in one]


@pytest.mark.parametrize(
    ("value", "counts"),
    [
        (0.5, (1, 1, 1)),
        (1, (1, 1, 1)),
        (1.5, (0, 1, 1)),
        (2, (0, 1, 1)),
        (3, (0, 0, 1)),
    ],
)
def test_a_bucket_holds_its_bound_and_what_is_below(
    value: float, counts: tuple[int, int, int]
) -> None:
    sizes = Distribution("size", "Of something.", (1, 2))
    sizes.observe(value)
    buckets = zip(("1.0", "2.0", "+Inf"), counts, strict=True)
    assert shown(sizes) == [
        *(f'sekisho_size_bucket{{le="{le}"}} {count}.0' for le, count in buckets),
        "sekisho_size_count 1.0",
        f"sekisho_size_sum {float(value)}",
    ]


def test_what_has_no_labels_is_there_from_the_start() -> None:
    assert shown(Counters("mails", "All.", ())) == ["sekisho_mails_total 0.0"]


def test_a_gauge_falls() -> None:
    there = Gauges("sessions", "Open.", ("listener",))
    there.add(("mx",), 3)
    there.add(("mx",), -1)
    assert shown(there) == ['sekisho_sessions{listener="mx"} 2.0']


def test_one_set_of_labels_too_many_is_another() -> None:
    kinds = Counters("kinds", "Of things.", ("kind",))
    for number in range(MAX_LABEL_SETS + 2):
        kinds.add((str(number),))
    lines = shown(kinds)
    assert len(lines) == MAX_LABEL_SETS + 1
    assert 'sekisho_kinds_total{kind="other"} 2.0' in lines
