"""A store that is lost is said to be lost, soon, once, and is used again by itself."""

import sqlite3
import time
from pathlib import Path

import apsw
import pytest

from sekisho.shared.schema import BUSY_MILLISECONDS, VERSION, SharedStoreError
from sekisho.shared.store import RETRY_SECONDS, SharedStore, StoreUnavailableError
from shared.workers import OtherWorker


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "shared.db"
    store, told = SharedStore.create(path)
    assert told == ""
    store.close()
    return path


def count(store: SharedStore) -> None:
    with store.transaction() as file:
        file.execute("UPDATE tally SET entries = entries + 1 WHERE kind = 'pair'")


def counted(store: SharedStore) -> int:
    return store.read("SELECT entries FROM tally WHERE kind = 'pair'")[0][0]


def test_the_file_is_ours_alone(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_was_counted_is_there_after_a_restart(path: Path) -> None:
    first = SharedStore(path)
    count(first)
    first.close()
    SharedStore.create(path)
    assert counted(SharedStore(path)) == 1


def test_a_transaction_that_fails_changes_nothing(path: Path) -> None:
    store = SharedStore(path)

    def fail() -> None:
        with store.transaction() as file:
            file.execute("UPDATE tally SET entries = 9")
            raise KeyError("a mistake of ours")

    with pytest.raises(KeyError):
        fail()
    assert counted(store) == 0
    count(store)
    assert counted(store) == 1


def test_a_file_that_is_gone_is_not_made_anew_and_is_used_when_it_is_back(
    path: Path,
) -> None:
    told, clock = list[str](), Clock()
    store = SharedStore(path, told.append, clock)
    count(store)
    away = path.with_name("away")
    path.rename(away)
    for use in (lambda: count(store), lambda: counted(store), store.look):
        with pytest.raises(StoreUnavailableError):
            use()
    assert store.is_lost
    assert not path.exists()
    away.rename(path)
    with pytest.raises(StoreUnavailableError):
        count(store)  # Not looked at again so soon.
    clock.now += RETRY_SECONDS
    count(store)
    assert not store.is_lost
    assert counted(store) == 2
    assert [bool(why) for why in told] == [True, False]


def test_a_file_in_its_place_is_opened(path: Path) -> None:
    store = SharedStore(path)
    count(store)
    for end in ("", "-wal", "-shm"):
        path.with_name(path.name + end).unlink()
    SharedStore.create(path)
    assert counted(store) == 0


def test_a_lock_that_another_keeps_is_not_waited_for_long(path: Path) -> None:
    clock = Clock()
    store = SharedStore(path, clock=clock)
    count(store)
    lock = "file = store.transaction(); file.__enter__(); print('locked', flush=True)"
    other = OtherWorker(path.parent, lock)
    assert other.said() == "locked"
    begun = time.monotonic()
    with pytest.raises(StoreUnavailableError):
        count(store)
    assert time.monotonic() - begun < 3 * BUSY_MILLISECONDS / 1000
    begun = time.monotonic()
    for _ in range(1000):
        with pytest.raises(StoreUnavailableError):
            count(store)
    assert time.monotonic() - begun < 0.1, "each use waits again"
    other.kill()
    clock.now += RETRY_SECONDS
    count(store)
    assert counted(store) == 2


def test_a_newer_file_is_refused_with_a_hint(path: Path) -> None:
    file = sqlite3.connect(path)
    file.execute(f"PRAGMA user_version = {VERSION + 1}")
    file.close()
    with pytest.raises(SharedStoreError, match="newer") as refused:
        SharedStore.create(path)
    assert refused.value.hint
    with pytest.raises(StoreUnavailableError):
        SharedStore(path).look()


def test_anothers_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "shared.db"
    file = sqlite3.connect(path)
    file.execute("CREATE TABLE theirs(x)")
    file.close()
    with pytest.raises(SharedStoreError, match="none of Sekisho's"):
        SharedStore.create(path)


def test_a_folder_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "shared.db").mkdir()
    with pytest.raises(SharedStoreError, match="cannot be used"):
        SharedStore.create(tmp_path / "shared.db")


def test_a_damaged_file_is_set_aside_and_named(path: Path) -> None:
    path.write_bytes(b"garbage " * 1024)
    store, told = SharedStore.create(path)
    assert "shared.db.damaged" in told
    assert counted(store) == 0
    assert path.with_name("shared.db.damaged").read_bytes().startswith(b"garbage")


def test_damage_met_while_running_is_not_now(path: Path) -> None:
    store = SharedStore(path)
    count(store)
    store.close()
    path.write_bytes(b"garbage " * 1024)
    with pytest.raises(StoreUnavailableError):
        count(store)


def test_the_wal_is_copied_and_old_quotas_are_forgotten(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sekisho.shared.store.WAL_BYTES", 0)
    store = SharedStore(path)
    with store.transaction() as file:
        for touched in (1000.0, 1e9):
            row = ("grant", str(touched), touched, b"")
            file.execute("INSERT INTO quota VALUES (?, ?, ?, ?)", row)
    before = path.stat().st_mtime_ns
    store.upkeep(1e9)
    assert store.read("SELECT account FROM quota") == [("1000000000.0",)]
    assert path.stat().st_mtime_ns > before
    path.unlink()
    store.upkeep(1e9)  # Tried again next time; nobody is told.


def test_no_commit_waits_for_the_disk(path: Path) -> None:
    file = apsw.Connection(str(path))
    store = SharedStore(path)
    count(store)
    assert store.read("PRAGMA synchronous") == [(1,)]  # NORMAL: checkpoints alone
    assert store.read("PRAGMA wal_autocheckpoint") == [(0,)]
    file.close()
