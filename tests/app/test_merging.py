"""Answers and metrics of several workers become those of one service."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from sekisho.app import operations
from sekisho.app.control import Answer, Refusal
from sekisho.app.inside import INSIDE
from sekisho.app.merge import MERGES, merged, row
from sekisho.app.summing import Family, Sums, taken
from sekisho.observe.events import Alarm
from sekisho.observe.metrics import Metrics


def answers(*values: object) -> list[Answer]:
    return [Answer(ok=one) for one in values]


def test_every_operation_has_a_row() -> None:
    assert set(operations._OPERATIONS) <= set(MERGES)


def test_operators_cannot_do_what_is_for_the_supervisor() -> None:
    for name in INSIDE:
        with pytest.raises(Refusal, match="no operation"):
            row(name)


def test_a_list_is_in_order_and_no_longer_than_asked_for() -> None:
    lists = answers([{"id": "a"}, {"id": "d"}], [{"id": "b"}, {"id": "c"}])
    found = merged("queue.list", {"limit": 3}, lists)
    assert [one["id"] for one in found] == ["a", "b", "c"]


def test_amounts_are_added_and_ages_are_not() -> None:
    stats = answers(
        {"messages": 2, "by_state": {"held": 1}, "oldest_age_seconds": 5.0},
        {"messages": 3, "by_state": {"held": 1, "dead": 4}, "oldest_age_seconds": 9.0},
    )
    assert merged("queue.stats", {}, stats) == {
        "messages": 5,
        "by_state": {"held": 2, "dead": 4},
        "oldest_age_seconds": 9.0,
    }


def test_the_same_alarm_of_two_workers_is_told_once() -> None:
    pings = answers(
        {"hostname": "a.test", "alarms": ["disk", "x"]},
        {"hostname": "a.test", "alarms": ["disk", "y"]},
    )
    assert merged("ping", {}, pings) == {
        "hostname": "a.test",
        "alarms": ["disk", "x", "y"],
    }


def test_who_has_the_message_answers_for_all() -> None:
    not_here = Answer(error="a is not in the queue", hint="sekisho trace a")
    found = merged("queue.show", {}, [not_here, Answer(ok={"id": "a"}), not_here])
    assert found == {"id": "a"}
    with pytest.raises(Refusal, match="not in the queue") as caught:
        merged("queue.show", {}, [not_here, not_here])
    assert caught.value.hint == "sekisho trace a"


def test_what_one_worker_cannot_do_is_not_called_done() -> None:
    with pytest.raises(Refusal, match="has ended"):
        merged(
            "queue.hold", {}, [Answer(ok={"recipients": 1}), Answer(error="has ended")]
        )


def test_destinations_are_one_row_a_name() -> None:
    def told(name: str, count: int, until: str | None) -> dict[str, object]:
        return {"destination": name, "recipients": count, "down_until": until}

    found = merged(
        "queue.destinations",
        {},
        answers([told("a", 1, None), told("b", 1, None)], [told("b", 2, "2026")]),
    )
    assert found == [told("b", 3, "2026"), told("a", 1, None)]


def test_a_timeline_is_by_message_and_time() -> None:
    def event(message: str, time: str) -> dict[str, str]:
        return {"message": message, "time": time}

    found = merged(
        "trace",
        {},
        answers([event("b", "2"), event("a", "4")], [event("a", "1"), event("b", "3")]),
    )
    assert found == [event("a", "1"), event("a", "4"), event("b", "2"), event("b", "3")]


def test_metrics_are_summed_and_a_dead_worker_s_count_stays() -> None:
    workers = [Metrics(), Metrics()]
    for count, metrics in enumerate(workers, 1):
        for _ in range(count):
            metrics.count(Alarm("disk", ""))
    sums, registry = Sums(), CollectorRegistry()
    registry.register(sums)

    def total() -> float | None:
        return registry.get_sample_value("sekisho_alarms_total", {"about": "disk"})

    sums.note("1", taken(workers[0].registry))
    sums.note("2", taken(workers[1].registry))
    assert total() == 3
    assert b"sekisho_queue_oldest_age_seconds 0.0" in generate_latest(registry)
    sums.ended("2")
    assert total() == 3
    sums.note("3", taken(Metrics().registry))
    assert total() == 3


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("sekisho_queue_oldest_age_seconds", 9.0),
        ("process_start_time_seconds", 4.0),
        ("sekisho_alarms_created", 4.0),
        ("sekisho_sessions_open", 13.0),
    ],
)
def test_what_is_no_amount_is_not_added(name: str, result: float) -> None:
    sums, registry = Sums(), CollectorRegistry()
    registry.register(sums)
    for whose, value in (("1", 4.0), ("2", 9.0)):
        sums.note(whose, [Family(name, "", "gauge", [(name, {}, value)])])
    assert registry.get_sample_value(name) == result
    sums.ended("1")  # A gauge is of those that live.
    assert registry.get_sample_value(name) == 9.0
