"""The timeline: found by id and by address, bounded, mended, and never waited for."""

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from observe.happenings import ID, NOW, OTHER, accepted, finished, names, refused
from sekisho.observe import events
from sekisho.observe.line import json_line
from sekisho.observe.timeline import Timeline, TimelineOptions, trace
from sekisho.observe.timeline_store import SCHEMA_VERSION, TimelineStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "timeline.db"


def lines(*happened: events.Event) -> list[bytes]:
    return [json_line(event, NOW) for event in happened]


def test_a_message_is_found_by_id_and_by_its_addresses(path: Path) -> None:
    timeline = Timeline(path)
    timeline.start()
    for line in lines(accepted(), finished(), accepted(OTHER, "carol@example.net")):
        timeline.add(line)
    timeline.flush()
    timeline.close()
    assert names(trace(path, ID.upper())) == ["mail.accepted", "message.finished"]
    assert names(trace(path, " BOB@example.net")) == [
        "mail.accepted",
        "message.finished",
    ]
    assert len(trace(path, "alice@example.com")) == 3
    assert len(trace(path, "alice@example.com", limit=1)) == 1
    assert trace(path, "nobody@example.net") == []
    assert trace(path.with_name("none"), ID) == []


def test_the_oldest_goes_when_bytes_or_days_are_used_up(path: Path) -> None:
    store = TimelineStore(path, TimelineOptions(max_bytes=400_000, max_days=16))
    for number in range(60):
        id_ = f"{number:026d}"
        store.write(lines(*[accepted(id_)] * 50), NOW + number)
    assert trace(path, f"{0:026d}") == []
    assert trace(path, f"{59:026d}")
    store.write(lines(finished()), NOW + 40 * 86_400)
    assert trace(path, f"{59:026d}") == []
    store.close()


def test_a_damaged_file_is_set_aside(path: Path) -> None:
    path.write_bytes(b"no database at all, but long enough to be looked at" * 100)
    store = TimelineStore(path, TimelineOptions())
    store.write(lines(accepted()), NOW)
    store.close()
    assert trace(path, ID)
    assert path.with_name("timeline.db.damaged").exists()


FIRST_VERSION = """
CREATE TABLE segment (
    number INTEGER PRIMARY KEY, first_at INTEGER, last_at INTEGER,
    last_event INTEGER, bytes INTEGER
);
CREATE TABLE event_{n} (
    message TEXT, number INTEGER, line TEXT, PRIMARY KEY (message, number)
) WITHOUT ROWID;
CREATE TABLE address_{n} (
    address TEXT, number INTEGER, message TEXT, PRIMARY KEY (address, number)
) WITHOUT ROWID;
INSERT INTO segment VALUES ({n}, {at}, {at}, {last}, 1000);
PRAGMA user_version = 1;
"""


def old_file(path: Path, *written: bytes) -> None:
    """As it was before a batch was a row: segment 7, whose first event is the 40th."""
    with closing(sqlite3.connect(path)) as connection:
        script = FIRST_VERSION.format(n=7, at=int(NOW), last=40 + len(written))
        connection.executescript(script)
        for number, line in enumerate(written, 40):
            message = msgspec.json.decode(line).get("message", "")
            row = (message, number, line.decode())
            connection.execute("INSERT INTO event_7 VALUES (?, ?, ?)", row)
        connection.commit()


def test_a_file_of_the_first_version_is_read_and_goes_on(path: Path) -> None:
    many = [accepted(OTHER, "carol@example.net")] * 1200
    old_file(path, *lines(accepted(), refused(), *many))
    assert names(trace(path, ID)) == ["mail.accepted"]
    assert names(trace(path, "eve@example.com")) == ["mail.refused"]
    store = TimelineStore(path, TimelineOptions())
    store.write(lines(finished()), NOW)
    store.close()
    assert names(trace(path, ID)) == ["mail.accepted", "message.finished"]
    assert len(trace(path, OTHER)) == 1200
    assert names(trace(path, "bob@example.net"))[-1] == "message.finished"
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    assert (version, tables) == (SCHEMA_VERSION, 3)


def test_a_message_is_found_in_all_batches_it_is_spread_over(path: Path) -> None:
    store = TimelineStore(path, TimelineOptions(max_bytes=400_000))
    store.write(lines(accepted()), NOW)
    for number in range(20):
        store.write(lines(*[accepted(f"{number:026d}")] * 30), NOW)
    store.write(lines(accepted(OTHER), refused(), finished()), NOW)
    store.close()
    assert names(trace(path, ID)) == ["mail.accepted", "message.finished"]
    assert names(trace(path, "eve@example.com")) == ["mail.refused"]
    found = trace(path, "bob@example.net", limit=2)
    assert {event["message"] for event in found} == {OTHER, f"{19:026d}"}


def test_a_newer_file_is_not_touched_and_events_are_counted_as_lost(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    alarms: list[events.Alarm] = []
    timeline = Timeline(path, alarm=alarms.append)
    timeline.start()
    timeline.add(lines(accepted())[0])
    timeline.flush()
    timeline.add(lines(accepted())[0])
    timeline.flush()
    timeline.close()
    assert timeline.dropped == 2
    assert [alarm.about for alarm in alarms] == ["timeline"]


def test_what_does_not_fit_into_memory_is_dropped_and_counted(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sekisho.observe.timeline.MAX_PENDING_EVENTS", 2)
    timeline = Timeline(path)
    for line in lines(accepted(), accepted(), accepted()):
        timeline.add(line)
    assert timeline.dropped == 1
    timeline.close()
