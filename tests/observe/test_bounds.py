"""What observing may cost, and what it survives: disks, floods, slow readers."""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

from sekisho.observe import events, metrics_server
from sekisho.observe.line import json_line, text_line
from sekisho.observe.log import Log
from sekisho.observe.metrics import Metrics
from sekisho.observe.metrics_server import MAX_CONNECTIONS, MetricsServer
from sekisho.observe.observer import Observer
from sekisho.observe.series import MAX_LABEL_SETS
from sekisho.observe.timeline import BATCH_EVENTS, Timeline, trace

NOW = 1_795_500_000.0


async def nothing_to_gather() -> None: ...


def finished(number: int) -> events.Finished:
    return events.Finished(message=f"{number:026d}", delivered=1, failed=0, seconds=0.5)


def line(number: int) -> bytes:
    return json_line(finished(number), NOW)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_loses_events_alarms_once_and_is_survived(tiny_disk: Path) -> None:
    alarms: list[events.Alarm] = []
    timeline = Timeline(tiny_disk / "timeline.db", alarm=alarms.append)
    timeline.start()
    timeline.add(line(1))
    timeline.flush()
    ballast = tiny_disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    for number in range(2, 2 + 20 * BATCH_EVENTS):
        timeline.add(line(number))
        if number % BATCH_EVENTS == 0:
            timeline.flush()
    assert timeline.dropped > 0
    assert [alarm.about for alarm in alarms] == ["timeline"]
    ballast.unlink()
    timeline.add(line(1_000_000))
    timeline.flush()
    timeline.close()
    assert trace(tiny_disk / "timeline.db", f"{1:026d}")
    assert trace(tiny_disk / "timeline.db", f"{1_000_000:026d}")


# Of 4096 octets each: the list of segments from page 2, events from page 3.
@pytest.mark.parametrize(("page", "lost"), [(2, 0), (3, 1)])
def test_a_file_damaged_in_the_middle_costs_a_batch_at_most(
    tmp_path: Path, page: int, lost: int
) -> None:
    path = tmp_path / "timeline.db"
    alarms: list[events.Alarm] = []
    timeline = Timeline(path, alarm=alarms.append)
    timeline.start()
    for number in range(BATCH_EVENTS):
        timeline.add(line(number))
    timeline.flush()
    timeline.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        start = (page - 1) * 4096
        file.seek(start)
        file.write(b"\xff" * (size - start))
    timeline = Timeline(path, alarm=alarms.append)
    timeline.start()
    timeline.add(line(BATCH_EVENTS))
    timeline.flush()
    timeline.add(line(BATCH_EVENTS + 1))
    timeline.flush()
    timeline.close()
    assert trace(path, f"{BATCH_EVENTS + 1:026d}")
    assert path.with_name("timeline.db.damaged").exists()
    assert timeline.dropped == len(alarms) == lost


def test_others_may_look_up_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "timeline.db"
    timeline = Timeline(path)
    timeline.start()
    for number in range(4 * BATCH_EVENTS):
        timeline.add(line(number))
        if number % BATCH_EVENTS == 0:
            timeline.flush()
            assert trace(path, f"{number:026d}")
    timeline.close()
    assert timeline.dropped == 0


def test_series_are_bounded_whatever_labels_come() -> None:
    metrics = Metrics()
    for number in range(MAX_LABEL_SETS + 50):
        metrics.count(events.Alarm(about=f"about {number}", detail=""))
    value = metrics.registry.get_sample_value
    assert value("sekisho_alarms_total", {"about": f"about {MAX_LABEL_SETS - 1}"}) == 1
    assert value("sekisho_alarms_total", {"about": f"about {MAX_LABEL_SETS}"}) is None
    assert value("sekisho_alarms_total", {"about": "other"}) == 50


def test_a_surrogate_deep_inside_does_not_raise() -> None:
    ready = events.ServiceReady({"mx": ["a\udcff:25"]}, 1, "1\udcff")
    assert json.loads(json_line(ready, NOW))["listeners"] == {"mx": ["a?:25"]}
    assert b"version=1?" in text_line(ready, NOW)


def test_terminal_controls_are_escaped_in_both_forms() -> None:
    event = events.Alarm(about="\x9b31m", detail='\x1b[2J\u2028a b="c"\x7f')
    for written in (json_line(event, NOW), text_line(event, NOW)):
        assert not set("\x9b\x1b\u2028\x7f\n") & set(written.decode())


def test_an_event_costs_the_loop_little(tmp_path: Path) -> None:
    # Some 3 µs on the machine it was written on; the bound is there for mistakes.
    timeline = Timeline(tmp_path / "timeline.db")
    log = Log(lambda _: None, later=lambda _, __: None)
    observer = Observer(log, Metrics(), timeline, lambda: NOW)
    began = time.process_time()
    for number in range(3000):
        observer.emit(finished(number))
    assert (time.process_time() - began) / 3000 < 100e-6
    assert observer.lost == 0
    timeline.close()


@pytest.mark.asyncio
async def test_slow_and_many_scrapers_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metrics_server, "REQUEST_SECONDS", 0.3)
    server = MetricsServer(Metrics().registry, nothing_to_gather)
    port = await server.start("127.0.0.1", 0)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(server.stop)
        readers: list[asyncio.StreamReader] = []
        for _ in range(MAX_CONNECTIONS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.close)
            writer.write(b"GET /met")
            readers.append(reader)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        stack.push_async_callback(writer.wait_closed)
        stack.callback(writer.close)
        assert await asyncio.wait_for(reader.read(), 0.2) == b""
        for slow in readers:
            assert await asyncio.wait_for(slow.read(), 2) == b""
