"""Sessions and messages by client, of all workers, and none of the dead."""

from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from sekisho.server.counters import ClientCounters
from sekisho.shared.counts import SharedCounts
from shared.workers import OtherWorker

ONE, OTHER = ip_address("192.0.2.1"), ip_address("192.0.2.2")
NOW, HOUR = 1_800_000_000.0, 3600.0
OPEN_THREE = (
    "clients = ClientCounters(SharedCounts(folder / 'shared.counts'))",
    "client = ip_address('192.0.2.1')",
    "[clients.opened(client) for _ in range(3)]",
    "clients.sent(client, 1_800_000_000.0)",
    "print(clients.opened(client), flush=True)",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shared.counts"


@pytest.fixture
def counts(path: Path) -> Iterator[SharedCounts]:
    made = SharedCounts(path)
    yield made
    made.close()


def test_all_workers_sessions_are_counted(counts: SharedCounts, tmp_path: Path) -> None:
    clients = ClientCounters(counts)
    assert clients.opened(ONE) == 1
    with OtherWorker(tmp_path, *OPEN_THREE) as other:
        assert other.said() == "5"
        assert clients.opened(ONE) == 6
        assert clients.opened(OTHER) == 1
        assert (clients.sessions, clients.sessions_of(ONE)) == (7, 6)
        clients.closed(ONE)
        assert clients.sessions_of(ONE) == 5
        assert clients.messages_last_hour(ONE, NOW) == 1


def test_who_takes_a_dead_workers_place_clears_its_count(
    counts: SharedCounts, path: Path, tmp_path: Path
) -> None:
    clients = ClientCounters(counts)
    clients.opened(ONE)
    with OtherWorker(tmp_path, *OPEN_THREE) as other:
        assert other.said() == "5"
        other.kill()
    assert clients.sessions == 5, "nobody has cleared yet: the test shows nothing"
    replaced = SharedCounts(path)
    assert not replaced.is_first
    assert (clients.sessions, clients.sessions_of(ONE)) == (1, 1)
    assert ClientCounters(replaced).opened(ONE) == 2
    replaced.close()


def test_nothing_is_left_of_an_earlier_service(path: Path) -> None:
    first = SharedCounts(path)
    assert first.is_first
    ClientCounters(first).opened(ONE)
    first.close()
    second = SharedCounts(path)
    assert second.is_first
    assert second.sessions == 0
    second.close()


def test_a_file_of_another_kind_is_made_anew(path: Path) -> None:
    path.write_bytes(b"something else")
    counts = SharedCounts(path)
    assert counts.opened("192.0.2.1") == 1
    counts.close()


def test_a_file_of_another_layout_is_left_to_those_who_map_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = SharedCounts(path)
    monkeypatch.setattr("sekisho.shared.counts.MAX_WORKERS", 10)
    newer = SharedCounts(path)
    assert newer.opened("192.0.2.1") == 1
    assert older.opened("192.0.2.1") == 1  # Cut off, it would have died here.
    older.close()
    newer.close()


def test_one_worker_too_many_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sekisho.shared.counts.MAX_WORKERS", 10)
    those = [SharedCounts(path) for _ in range(10)]
    with pytest.raises(OSError, match="slots"):
        SharedCounts(path)
    those.pop(7).close()
    those.append(SharedCounts(path))
    for one in those:
        one.close()


def test_no_client_is_counted_too_low_among_many(counts: SharedCounts) -> None:
    blocks = [f"10.{n >> 8}.{n & 255}.1" for n in range(10_000)]
    for block in blocks:
        counts.opened(block)
    found = [counts.sessions_of(block) for block in blocks]
    assert min(found) == 1
    # Ten thousand clients at once, and hardly one is taken for two or three.
    assert sum(found) / len(found) < 1.5
    for block in blocks:
        counts.closed(block)
    assert {counts.sessions_of(block) for block in blocks} == {0}


def test_where_a_client_falls_cannot_be_foretold(tmp_path: Path) -> None:
    one, two = SharedCounts(tmp_path / "one"), SharedCounts(tmp_path / "two")
    blocks = [f"192.0.2.{n}" for n in range(20)]
    assert [one._cells(b) for b in blocks] != [two._cells(b) for b in blocks]
    one.close()
    two.close()


@pytest.mark.parametrize("form", ["shared", "in memory"])
def test_messages_are_forgotten_after_an_hour(path: Path, form: str) -> None:
    counts = SharedCounts(path if form == "shared" else None)
    clients = ClientCounters(counts)
    clients.sent(OTHER, NOW)
    for second in range(0, 3600, 60):
        clients.sent(ONE, NOW + second)
    assert clients.messages_last_hour(ONE, NOW + HOUR - 120) == 60
    assert clients.messages_last_hour(ONE, NOW + 1.5 * HOUR) in range(28, 33)
    assert clients.messages_last_hour(OTHER, NOW + HOUR + 120) == 0
    counts.tidy(NOW + 3 * HOUR)
    assert clients.messages_last_hour(ONE, NOW) == 0
    assert not counts._planes
    counts.close()


def test_a_clock_set_back_forgets_nothing(counts: SharedCounts) -> None:
    counts.sent("192.0.2.1", NOW)
    counts.sent("192.0.2.1", NOW - HOUR)
    assert counts.messages_of("192.0.2.1", NOW) == 2
    assert len(counts._planes) == 1
