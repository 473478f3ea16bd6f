"""So many connections to a destination, of all workers; and one who tries it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sekisho.model.outcome import Cause, Deferred
from sekisho.model.reply import reply
from sekisho.shared.destinations import (
    UNSHARED,
    Down,
    Entry,
    SharedDestinations,
)
from sekisho.shared.store import SharedStore
from shared.workers import OtherWorker

NAME, MOST = "mx:example.net", 3
OUTCOME = Deferred(Cause.UNREACHABLE, reply(451, "4.4.1", "Refused"), "mx.example.net")
NOW = 1_800_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> SharedStore:
    return SharedStore.create(tmp_path / "shared.db")[0]


@pytest.fixture
def here(store: SharedStore, tmp_path: Path) -> Iterator[SharedDestinations]:
    made = SharedDestinations(tmp_path / "shared.locks", store, MOST, 2)
    yield made
    made.close()


@pytest.fixture
def there(tmp_path: Path) -> Iterator[SharedDestinations]:
    own = SharedStore(tmp_path / "shared.db")
    made = SharedDestinations(tmp_path / "shared.locks", own, MOST, 2)
    yield made
    made.close()


def test_no_more_than_there_may_be_and_a_dead_worker_holds_none(
    here: SharedDestinations, tmp_path: Path
) -> None:
    lines = (
        f"there = SharedDestinations(folder / 'shared.locks', store, {MOST}, 2)",
        f"print([there.take({NAME!r}) for _ in range(2)], flush=True)",
    )
    with OtherWorker(tmp_path, *lines) as other:
        assert other.said() == "[0, 1]"
        assert here.take(NAME) == 2
        assert here.take(NAME) is None
        assert here.take("mx:example.org") == 0
        other.kill()
    assert sorted([here.take(NAME), here.take(NAME)], key=str) == [0, 1]
    assert here.take(NAME) is None


def test_what_is_given_back_is_the_others(
    here: SharedDestinations, there: SharedDestinations
) -> None:
    slots = [here.take(NAME) for _ in range(MOST)]
    assert slots == [0, 1, 2]
    assert there.take(NAME) is None
    assert here.others_wait(NAME)
    here.give_back(NAME, 1)
    assert there.take(NAME) == 1
    assert not here.others_wait(NAME)
    assert there.take(NAME) is None
    there.stop_waiting(NAME)
    assert not here.others_wait(NAME)


def test_one_worker_tries_and_the_others_wait_for_what_comes_of_it(
    here: SharedDestinations, there: SharedDestinations
) -> None:
    assert here.enter(NAME, proven=False, now=NOW) is Entry.FREE
    assert there.enter(NAME, proven=False, now=NOW) is Entry.BUSY
    down = Down(OUTCOME, NOW + 300, 1)
    here.went_down(NAME, down)
    assert there.enter(NAME, proven=False, now=NOW + 299) == down
    assert there.enter(NAME, proven=True, now=NOW + 299) == down
    # Its next step: one tries again, and knows how often it failed.
    assert there.enter(NAME, proven=False, now=NOW + 300) == down
    assert here.enter(NAME, proven=False, now=NOW + 300) is Entry.BUSY
    there.came_up(NAME)
    assert here.enter(NAME, proven=False, now=NOW + 300) is Entry.FREE


def test_a_host_that_is_up_is_entered_by_all_at_once(
    here: SharedDestinations, there: SharedDestinations
) -> None:
    assert here.enter(NAME, proven=False, now=NOW) is Entry.FREE
    here.came_up(NAME)
    assert there.enter(NAME, proven=False, now=NOW) is Entry.FREE
    there.came_up(NAME)
    here.left(NAME)
    there.left(NAME)
    assert here.enter(NAME, proven=False, now=NOW) is Entry.FREE
    assert there.enter(NAME, proven=False, now=NOW) is Entry.BUSY


def test_an_operator_has_all_tried_anew(
    here: SharedDestinations, there: SharedDestinations
) -> None:
    here.went_down(NAME, Down(OUTCOME, NOW + 300, 1))
    there.forget_down()
    assert here.enter(NAME, proven=False, now=NOW) is Entry.FREE
    there.forget_down()


def test_without_the_store_delivery_goes_on(
    here: SharedDestinations, tmp_path: Path
) -> None:
    (tmp_path / "shared.db").unlink()
    assert here.enter(NAME, proven=False, now=NOW) is Entry.FREE
    here.came_up(NAME)
    here.went_down(NAME, Down(OUTCOME, NOW + 300, 1))
    here.forget_down()
    assert here.take(NAME) == 0


def test_without_locks_a_worker_goes_by_its_own_share(
    store: SharedStore, tmp_path: Path
) -> None:
    alone = SharedDestinations(tmp_path / "shared.locks", store, MOST, 2)
    alone.close()
    slots = [alone.take(NAME) for _ in range(MOST + 1)]
    assert slots == [UNSHARED] * (MOST + 1)
    alone.give_back(NAME, UNSHARED)
    assert not alone.others_wait(NAME)
    assert alone.enter(NAME, proven=False, now=NOW) is Entry.FREE
