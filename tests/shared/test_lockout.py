"""A guesser gains nothing by coming to several workers, and a lock outlives them."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from sekisho.auth.lockout import FREE, Locked, Lockout, LockoutRules
from sekisho.shared.failures import SharedFailures
from sekisho.shared.store import SharedStore, StoreUnavailableError
from shared.workers import OtherWorker

HERE = ip_address("192.0.2.1")
RULES = LockoutRules(pair_failures=5, block_failures=20)


@pytest.fixture
def store(tmp_path: Path) -> SharedStore:
    return SharedStore.create(tmp_path / "shared.db")[0]


def worker(store: SharedStore) -> Lockout:
    return Lockout(RULES, table=SharedFailures(store, 50_000, 20_000))


def other(folder: Path, *lines: str) -> OtherWorker:
    return OtherWorker(
        folder,
        "table = SharedFailures(store, 50_000, 20_000)",
        "lockout = Lockout(LockoutRules(), table=table)",
        "here = ip_address('192.0.2.1')",
        *lines,
    )


def test_failures_of_all_workers_lock(store: SharedStore, tmp_path: Path) -> None:
    lockout = worker(store)
    lockout.failed("alice", HERE, 0.0)
    lockout.failed("alice", HERE, 0.0)
    fail = "lockout.failed('alice', here, 0.0)"
    with other(tmp_path, fail, fail, "print('failed', flush=True)") as one:
        assert one.said() == "failed"
        assert lockout.standing("alice", HERE, 1.0) == FREE
        lockout.failed("alice", HERE, 0.0)
    assert lockout.standing("alice", HERE, 1.0) == Locked("alice", str(HERE), 60.0, 5)
    ask = "print(lockout.standing('alice', here, 1.0).failures, flush=True)"
    with other(tmp_path, ask) as one:
        assert one.said() == "5"


def test_each_failure_of_workers_that_race_is_counted(
    store: SharedStore, tmp_path: Path
) -> None:
    lines = (
        "for n in range(100): lockout.failed(f'u{n}', ip_address(f'10.0.0.{n}'), 0.0)",
        "print('done', flush=True)",
    )
    those = [other(tmp_path, *lines) for _ in range(4)]
    assert {one.said() for one in those} == {"done"}
    for one in those:
        one.end()
    table = SharedFailures(store, 50_000, 20_000)
    assert {table.get((f"u{n}", f"10.0.0.{n}")).failures for n in range(100)} == {4}
    assert table.sizes() == (100, 101)  # and the service as a whole


def test_a_lock_and_its_length_outlive_a_restart(tmp_path: Path) -> None:
    now = 0.0
    for length in (60.0, 120.0, 240.0):
        lockout = worker(SharedStore.create(tmp_path / "shared.db")[0])
        for _ in range(5 if now == 0.0 else 1):
            lockout.failed("alice", HERE, now)
        standing = lockout.standing("alice", HERE, now)
        assert isinstance(standing, Locked)
        assert standing.until == now + length
        now = standing.until


def test_a_failure_that_was_under_way_does_not_lengthen_the_lock(
    store: SharedStore,
) -> None:
    lockout = worker(store)
    for _ in range(7):
        lockout.failed("alice", HERE, 0.0)
    assert lockout.standing("alice", HERE, 0.0) == Locked("alice", str(HERE), 60.0, 5)


def test_a_success_by_one_worker_counts_with_the_others(
    store: SharedStore, tmp_path: Path
) -> None:
    lockout = worker(store)
    for n in range(4):
        lockout.failed("alice", HERE, 0.0)
        lockout.failed(f"guess{n}", HERE, 0.0)
    succeed = "lockout.succeeded('alice', here, 0.0); print('in', flush=True)"
    with other(tmp_path, succeed) as one:
        assert one.said() == "in"
    for n in range(12):
        lockout.failed(f"other{n}", HERE, 0.0)
    assert isinstance(lockout.standing("bob", HERE, 1.0), Locked)
    # Its count began anew, and its neighbours' guesses are not its fault.
    lockout.failed("alice", HERE, 0.0)
    assert lockout.standing("alice", HERE, 1.0) == FREE


def test_an_operator_unlocks_for_all(store: SharedStore, tmp_path: Path) -> None:
    lockout = worker(store)
    for _ in range(5):
        lockout.failed("alice", HERE, 0.0)
    lift = "print(len(lockout.unlock(account='alice', now=1.0)), flush=True)"
    with other(tmp_path, lift) as one:
        assert one.said() == "1"
    assert lockout.standing("alice", HERE, 1.0) == FREE
    assert lockout.locked(1.0) == []


def test_without_the_store_nobody_is_free(store: SharedStore, tmp_path: Path) -> None:
    lockout = worker(store)
    (tmp_path / "shared.db").unlink()
    with pytest.raises(StoreUnavailableError):
        lockout.standing("alice", HERE, 0.0)
    with pytest.raises(StoreUnavailableError):
        lockout.failed("alice", HERE, 0.0)
    with pytest.raises(StoreUnavailableError):
        lockout.succeeded("alice", HERE, 0.0)


def test_failures_of_all_workers_make_strangers_wait(
    store: SharedStore, tmp_path: Path
) -> None:
    lockout = worker(store)
    for n in range(100):
        lockout.failed(f"a{n}", ip_address(f"10.1.0.{n}"), 0.0)
    lines = (
        "for n in range(100): lockout.failed(f'b{n}', ip_address(f'10.2.0.{n}'), 0.0)",
        "print(lockout.delay('alice', here, 0.0), flush=True)",
    )
    assert lockout.delay("alice", HERE, 0.0) == 0.0
    with other(tmp_path, *lines) as one:
        assert one.said() == "1.0"
    assert lockout.delay("alice", HERE, 0.0) == 1.0


def test_without_the_store_nobody_is_calm(store: SharedStore, tmp_path: Path) -> None:
    lockout = worker(store)
    (tmp_path / "shared.db").unlink()
    with pytest.raises(StoreUnavailableError):
        lockout.delay("alice", HERE, 0.0)
    with pytest.raises(StoreUnavailableError):
        lockout.end_delay(0.0)
