"""A quota holds for all workers together, exactly, and over a restart."""

from pathlib import Path

import pytest

from sekisho.model.facts import QuotaKey
from sekisho.server.counters import QuotaCounters
from sekisho.shared.quotas import DAY, HOUR, SharedShelf, Windows
from sekisho.shared.store import SharedStore, StoreUnavailableError
from shared.workers import OtherWorker

NOW = 1_800_000_000.0
KEY = QuotaKey("staff", "alice")
BOUND, WORKERS = 2000, 4
RACE = (
    "import time",
    "from sekisho.shared.store import StoreUnavailableError",
    "quotas = QuotaCounters(SharedShelf(store))",
    "key, tried, passed = QuotaKey('staff', 'alice'), 0, 0",
    "print('ready', flush=True)",
    "while not (folder / 'go').exists(): pass",
    f"while tried < {BOUND}:",
    "    try:",
    f"        with quotas.counting({NOW}) as usage:",
    "            used = usage.get(key)",
    f"            fits = used is None or used.messages_last_hour < {BOUND}",
    "            if fits:",
    "                usage.add(key, 1, 2)",
    "    except StoreUnavailableError:",  # "Not now", on a busy machine: comes again.
    "        time.sleep(0.01)",
    "        continue",
    "    tried, passed = tried + 1, passed + fits",
    "print(passed, flush=True)",
)


@pytest.fixture
def store(tmp_path: Path) -> SharedStore:
    return SharedStore.create(tmp_path / "shared.db")[0]


def test_workers_that_race_pass_exactly_what_may_pass(
    store: SharedStore, tmp_path: Path
) -> None:
    others = [OtherWorker(tmp_path, *RACE) for _ in range(WORKERS)]
    assert {one.said() for one in others} == {"ready"}
    (tmp_path / "go").touch()
    passed = [int(one.said()) for one in others]
    for one in others:
        one.end()
    assert sum(passed) == BOUND
    assert sum(n > 0 for n in passed) > 1, "only one ran: the test shows nothing"
    usage = QuotaCounters(SharedShelf(store)).view(NOW)[KEY]
    assert (usage.messages_last_hour, usage.recipients_last_day) == (BOUND, 2 * BOUND)


def test_what_was_used_today_is_known_after_a_restart(tmp_path: Path) -> None:
    for _ in range(2):
        store, _ = SharedStore.create(tmp_path / "shared.db")
        quotas = QuotaCounters(SharedShelf(store))
        with quotas.counting(NOW) as counting:
            counting.add(KEY, 1, 5)
        store.close()
    quotas = QuotaCounters(SharedShelf(SharedStore(tmp_path / "shared.db")))
    usage = quotas.view(NOW + HOUR + 120)[KEY]
    assert (usage.messages_last_hour, usage.messages_last_day) == (0, 2)
    assert list(quotas.view(NOW)) == [KEY]


def test_nothing_is_counted_where_the_decision_fails(store: SharedStore) -> None:
    quotas = QuotaCounters(SharedShelf(store))

    def fail() -> None:
        with quotas.counting(NOW) as counting:
            counting.add(KEY, 1, 5)
            raise ValueError("a mistake of ours")

    with pytest.raises(ValueError, match="ours"):
        fail()
    assert quotas.view(NOW).get(KEY) is None


def test_a_decision_that_looks_at_no_quota_touches_no_store(
    store: SharedStore, tmp_path: Path
) -> None:
    (tmp_path / "shared.db").unlink()
    quotas = QuotaCounters(SharedShelf(store))
    quotas.view(NOW)
    with quotas.counting(NOW):
        pass
    quotas.give_back([], NOW)
    assert not store.is_lost
    with pytest.raises(StoreUnavailableError):
        quotas.view(NOW).get(KEY)
    with pytest.raises(StoreUnavailableError), quotas.counting(NOW) as counting:
        counting.add(KEY, 1, 1)


@pytest.mark.parametrize(("width", "bucket"), [(HOUR, 60), (DAY, 1440)])
def test_a_window_slides_and_does_not_begin_anew(width: int, bucket: int) -> None:
    windows = Windows([], [])

    def used(now: float) -> int:
        usage = windows.usage(now)
        return usage.messages_last_hour if width == HOUR else usage.messages_last_day

    windows.add(2, 2, NOW - bucket / 2)
    windows.add(3, 3, NOW + bucket / 2)
    assert used(NOW + width - 2 * bucket) == 5
    assert used(NOW + width - bucket / 2) == 3
    assert used(NOW + width + 2 * bucket) == 0


def test_a_window_holds_no_more_than_its_buckets() -> None:
    windows = Windows([], [])
    for second in range(0, 3 * DAY, 20):
        windows.add(1, 1, NOW + second)
    assert (len(windows.hour), len(windows.day)) == (60, 60)
    usage = windows.usage(NOW + 3 * DAY)
    assert abs(usage.messages_last_day - DAY // 20) <= 1440 // 20
    windows.add(1, 1, NOW + 2.5 * DAY)  # The clock was set back.
    assert len(windows.day) == 60


def test_what_is_given_back_is_never_less_than_nothing() -> None:
    windows = Windows([], [])
    windows.add(-1, -5, NOW)
    assert windows.usage(NOW).messages_last_hour == 0


@pytest.mark.parametrize("window", [HOUR, DAY])
def test_a_clock_set_back_keeps_no_account_waiting_for_years(window: int) -> None:
    windows = Windows()
    windows.add(7, 7, NOW)

    def used(now: float) -> int:
        usage = windows.usage(now)
        return usage.messages_last_hour if window == HOUR else usage.messages_last_day

    # Up to a window ahead it counts, further ahead it is another clock's.
    assert used(NOW - window) == 7
    assert used(NOW - window - 2 * window // 60) == 0
    years_before = NOW - 10 * 365 * DAY
    assert used(years_before) == 0
    windows.add(2, 2, years_before)
    assert used(years_before) == 2
    assert used(years_before + window + 2 * window // 60) == 0
