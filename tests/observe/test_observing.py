"""Log, metrics, timeline: one event, one line, and mail never waits for any of it."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from observe.happenings import ID, NOW, OTHER, accepted, finished, names, refused
from sekisho.observe import events
from sekisho.observe.line import json_line, text_line
from sekisho.observe.log import (
    GATHER_SECONDS,
    MAX_BUFFERED_LINES,
    Log,
    LogFormat,
    to_descriptor,
)
from sekisho.observe.metrics import Metrics, OwnLosses, QueueFigures
from sekisho.observe.metrics_server import MAX_REQUEST_BYTES, MetricsServer
from sekisho.observe.observer import Observer
from sekisho.observe.reference import event_types, events_page, metrics_page
from sekisho.observe.timeline import Timeline

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


async def nothing_to_gather() -> None: ...


# Lines


def test_a_line_begins_with_time_and_name() -> None:
    line = json_line(accepted(), NOW)
    assert line.startswith(b'{"time":"2026-11-24T')
    assert re.match(
        rb'\{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","event":"mail.accepted",',
        line,
    )


@given(st.text())
def test_whatever_a_text_holds_it_is_one_line(text: str) -> None:
    event = events.Alarm(about="x", detail=text)
    for line in (json_line(event, NOW), text_line(event, NOW)):
        decoded = line.decode()
        assert decoded.isprintable() or not re.search(
            r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", decoded
        )
    assert json.loads(json_line(event, NOW))["detail"] == text


def test_a_lone_surrogate_does_not_raise() -> None:
    line = json_line(events.Alarm(about="x", detail="a\udcffb"), NOW)
    assert json.loads(line)["detail"] == "a?b"


def test_the_text_form_is_for_people() -> None:
    line = text_line(finished(), NOW).decode()
    assert re.match(r"\S+Z message\.finished message=01m8", line)
    assert "delivered=1" in line


# The log


class Timer:
    """What is to happen later: when, and what."""

    def __init__(self) -> None:
        self.set: list[tuple[float, Callable[[], None]]] = []

    def __call__(self, seconds: float, do: Callable[[], None]) -> None:
        self.set.append((seconds, do))

    def ring(self) -> None:
        self.set.pop()[1]()


def test_lines_of_some_milliseconds_are_one_write() -> None:
    written: list[bytes] = []
    timer = Timer()
    log = Log(written.append, later=timer)
    log.emit(accepted(), NOW)
    log.emit(finished(), NOW)
    assert written == []
    assert [seconds for seconds, _ in timer.set] == [GATHER_SECONDS]
    timer.ring()
    assert len(written) == 1
    assert written[0].count(b"\n") == 2
    log.emit(finished(), NOW)
    assert len(timer.set) == 1
    log.flush()
    assert len(written) == 2
    timer.ring()
    assert len(written) == 2


def test_one_line_too_many_is_written_at_once() -> None:
    written: list[bytes] = []
    log = Log(written.append, later=Timer())
    for _ in range(MAX_BUFFERED_LINES - 1):
        log.emit(finished(), NOW)
    assert written == []
    log.emit(finished(), NOW)
    assert len(written) == 1


def test_what_an_operator_must_see_waits_for_nothing_and_keeps_the_order(
    path: Path,
) -> None:
    written: list[bytes] = []
    log = Log(written.append, later=Timer())
    observer = Observer(log, Metrics(), Timeline(path), lambda: NOW)
    observer.emit(accepted())
    observer.emit(events.SessionClosed("s", "mx", "c", "quit"))
    assert written == []
    observer.emit(events.Alarm("storage", "the disk fails"))
    (text,) = written
    assert names([msgspec.json.decode(line) for line in text.splitlines()]) == [
        "mail.accepted",
        "session.closed",
        "alarm",
    ]


def test_a_log_that_cannot_be_written_loses_lines_and_counts_them() -> None:
    def full(_: bytes) -> None:
        raise OSError(28, "No space left on device")

    log = Log(full)
    log.emit(finished(), NOW)
    log.emit(finished(), NOW)
    assert log.lost_lines == 2


def test_a_descriptor_gets_everything(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        Log(to_descriptor(file.fileno()), LogFormat.TEXT).emit(finished(), NOW)
    assert b"message.finished" in (tmp_path / "log").read_bytes()


# Metrics


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_every_event_is_counted_where_a_metric_is_about_it() -> None:
    metrics = Metrics()
    for event in (
        events.SessionOpened("s", "mx", "c"),
        accepted(),
        refused(),
        events.Delivered(
            message=ID,
            recipient="r",
            destination="d",
            host="h",
            reply="250",
            attempt=1,
            seconds=0.1,
        ),
        events.Deferred(
            message=ID,
            recipient="r",
            destination="d",
            host="h",
            reply="450",
            cause="DNS",
            attempt=1,
            next_attempt=1,
        ),
        events.Failed(
            message=ID,
            recipient="r",
            destination="d",
            host="h",
            reply="550",
            cause="DNS",
            attempt=1,
        ),
        events.AuthSucceeded("s", "submission", "c", "a", "PLAIN", "local"),
        events.AuthFailed("s", "submission", "c", "a", "PLAIN", "535 x", "wrong"),
        events.TlsStarted("s", "TLSv1.3", "x"),
        events.TlsFailed("s", "c", "x"),
        events.CommandRefused("s", "c", "MAIL", "503 5.5.1 x"),
        events.Reported(message=ID, kind="failed", report=OTHER, to="a"),
        events.Alarm("storage", "x"),
        finished(),
        events.SessionClosed("s", "mx", "c", "quit"),
        events.ServiceStopping("SIGTERM"),
    ):
        metrics.count(event)
    assert value(metrics, "sekisho_sessions_total", listener="mx") == 1
    assert value(metrics, "sekisho_sessions_open", listener="mx") == 0
    assert (
        value(
            metrics, "sekisho_mail_accepted_total", listener="submission", rule="grant"
        )
        == 1
    )
    assert (
        value(metrics, "sekisho_mail_refused_total", listener="mx", rule="relay-denied")
        == 1
    )
    assert value(metrics, "sekisho_recipients_accepted_total") == 1
    assert value(metrics, "sekisho_alarms_total", about="storage") == 1


def test_the_queue_and_losses_are_asked_when_metrics_are_read() -> None:
    metrics = Metrics()
    metrics.show_queue(lambda: QueueFigures({"held": 3}, 7.5))
    metrics.show_losses(lambda: OwnLosses(log_lines=2))
    metrics.committed(5, 0.01)
    assert value(metrics, "sekisho_queue_messages", state="held") == 3
    assert value(metrics, "sekisho_queue_oldest_age_seconds") == 7.5
    assert value(metrics, "sekisho_observe_lost_total", what="log lines") == 2
    assert value(metrics, "sekisho_commit_group_size_count") == 1


# The server of metrics


async def asked(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("request_", "status", "part"),
    [
        (b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", b"200", b"sekisho_sessions"),
        (b"GET /metrics?x=1 HTTP/1.0\r\n\r\n", b"200", b"sekisho_sessions"),
        (b"GET /healthz HTTP/1.1\r\n\r\n", b"200", b"well"),
        (b"GET / HTTP/1.1\r\n\r\n", b"404", b"/metrics"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405", b"GET"),
        (b"EHLO x\r\n\r\n", b"400", b""),
    ],
)
async def test_only_scrapers_are_answered(
    request_: bytes, status: bytes, part: bytes
) -> None:
    server = MetricsServer(Metrics().registry, nothing_to_gather)
    port = await server.start("127.0.0.1", 0)
    try:
        answer = await asked(port, request_)
        assert answer.split(b" ", 2)[1] == status
        assert part in answer
    finally:
        await server.stop()


@pytest.mark.asyncio
async def test_an_endless_or_broken_request_gets_nothing() -> None:
    server = MetricsServer(Metrics().registry, nothing_to_gather)
    port = await server.start("127.0.0.1", 0)
    try:
        assert await asked(port, b"x" * (MAX_REQUEST_BYTES + 100)) == b""
        assert await asked(port, b"GET /metrics") == b""
    finally:
        await server.stop()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "timeline.db"


# All together


def test_mail_goes_on_whatever_observing_does(path: Path) -> None:
    def broken(event: events.Event) -> None:
        raise RuntimeError(event)

    written: list[bytes] = []
    also = {events.MailAccepted: broken}
    log, timeline = Log(written.append), Timeline(path)
    observer = Observer(log, Metrics(), timeline, lambda: NOW, also)
    observer.emit(accepted())
    assert observer.lost == 1


def test_the_timeline_gets_what_is_somebody_s(path: Path) -> None:
    added: list[bytes] = []

    class Listening(Timeline):
        def add(self, line: bytes) -> None:
            added.append(line)

    written: list[bytes] = []
    log = Log(written.append, LogFormat.TEXT)
    observer = Observer(log, Metrics(), Listening(path), lambda: NOW)
    for event in (accepted(), events.Alarm("x", "y"), finished()):
        observer.emit(event)
    assert len(added) == 2
    assert len(written) == 3
    assert all(msgspec.json.decode(line)["message"] == ID for line in added)


def test_the_reference_pages_have_not_drifted() -> None:
    again = "python -m sekisho.observe.reference docs/reference"
    assert (REFERENCE / "events.md").read_text("utf-8") == events_page(), again
    assert (REFERENCE / "metrics.md").read_text("utf-8") == metrics_page(), again


def test_no_event_has_a_field_for_a_secret() -> None:
    for kind in event_types():
        fields = " ".join(kind.__struct_fields__)
        assert not re.search("password|secret|credential|token|initial", fields)
