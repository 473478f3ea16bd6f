"""Supervisor and workers: who dies is replaced, and nothing is lost."""

import json
import os
import re
import signal
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peers.process import wait_for
from peers.service import Service, Settings
from peers.sink import RecordingSink
from real.messages import token
from real.test_durability import (
    Serve,
    hand_in,
    refusing,
    settings_for,
    states,
    taking,
)
from real.test_kills import Load

TWO = {"workers": 2}


def two_workers(sink: RecordingSink, **more: Any) -> Settings:
    return {**settings_for(sink), **TWO, **more}


def is_there(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for yet does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def gone(pids: list[int]) -> Callable[[], bool]:
    return lambda: not any(is_there(pid) for pid in pids)


def hand_in_until(service: Service, done: Callable[[], bool], mark: str) -> int:
    """Hand messages in until something holds; how many it took."""
    for count in range(200):
        hand_in(service, f"{mark}-{count}")
        if done():
            return count + 1
    raise AssertionError("it never came about")


def test_ready_is_said_once_and_names_every_listener(
    serve: Serve, sink: RecordingSink
) -> None:
    service = serve(two_workers(sink), users=False)
    (ready,) = service.events("service.ready")
    assert set(ready["listeners"]) == {"mx", "submission", "sendmail"}
    assert ready["pid"] == service.process.running.pid
    assert sorted(service.workers()) == [0, 1]
    command = f"/proc/{ready['pid']}/task/{ready['pid']}/children"
    children = {int(pid) for pid in Path(command).read_text().split()}
    assert children == set(service.workers().values())


def test_a_dead_worker_is_replaced_and_its_mail_delivered(
    serve: Serve, sink: RecordingSink
) -> None:
    sink.answer = refusing(b"MAIL", reply=b"451 4.3.0 later")
    service = serve(two_workers(sink, queue={"retry_minutes": [10]}), users=False)

    def each_has_some() -> bool:
        owners = {
            one["session"].split("-")[0] for one in service.events("mail.accepted")
        }
        return len(owners) == 2

    count = hand_in_until(service, each_has_some, token())
    wait_for("all deferred", lambda: len(service.events("delivery.deferred")) >= count)
    before = service.workers()
    for number, pid in before.items():
        service.kill_worker(number)
        service.wait_for_worker(number, after=pid)
    ended = service.events("worker.ended")
    assert [one["how"] for one in ended] == ["was ended by SIGKILL"] * 2
    assert len(service.events("service.ready")) == 1
    assert len(states(service)) == count
    sink.answer = taking
    service.run("queue", "retry", "--all").well()
    sink.wait_for_messages(count)
    wait_for("an empty queue", lambda: service.queue() == [])
    # It is well again, though an alarm tells of what was.
    with service.dial("mx") as client:
        client.ehlo()


def test_connections_that_wait_go_to_the_replacement(
    serve: Serve, sink: RecordingSink
) -> None:
    service = serve({**settings_for(sink), "workers": 1}, users=False)
    pid = service.workers()[0]
    os.kill(pid, signal.SIGSTOP)
    waiting = service.dial("mx", greeting=False)
    os.kill(pid, signal.SIGKILL)
    with waiting as client:
        assert client.reply().code == 220
        client.ehlo()
    service.wait_for_worker(0, after=pid)


def test_session_names_never_repeat(serve: Serve, sink: RecordingSink) -> None:
    service = serve(two_workers(sink), users=False)

    def names() -> list[str]:
        return [one["session"] for one in service.events("session.opened")]

    def open_some() -> None:
        before = len(names())
        for _ in range(10):
            with service.dial("mx") as client:
                client.ehlo()
        # A killed worker takes with it what it has not written yet.
        wait_for("their lines", lambda: len(names()) == before + 10)

    open_some()
    before = service.workers()[0]
    service.kill_worker(0)
    service.wait_for_worker(0, after=before)
    open_some()
    service.kill()
    service.start()
    open_some()
    assert len(names()) == len(set(names())) == 30


def test_the_supervisor_killed_workers_drain_and_the_next_service_starts(
    serve: Serve, sink: RecordingSink
) -> None:
    service = serve(two_workers(sink), users=False)
    workers = list(service.workers().values())
    hand_in(service, token())
    with service.dial("mx") as client:
        client.ehlo()
        os.kill(service.process.running.pid, signal.SIGKILL)
        assert client.replies_until_closed()[-1].code == 421
    service.process.running.wait(10)
    wait_for("no worker left", gone(workers))
    service.start()
    mark = token()
    hand_in(service, mark)
    sink.wait_for_content(mark.encode())
    assert len(sink.wait_for_messages(2)) == 2


def test_sigterm_ends_all_of_them(serve: Serve, sink: RecordingSink) -> None:
    service = serve(two_workers(sink), users=False)
    workers = list(service.workers().values())
    service.stop()
    assert gone(workers)()
    assert not (service.folder / "data" / "control.sock").exists()
    assert [one["reason"] for one in service.events("service.stopped")] == ["SIGTERM"]


@pytest.mark.timeout(120)
def test_killed_workers_under_load_lose_nothing(
    serve: Serve, sink: RecordingSink
) -> None:
    service = serve(two_workers(sink), users=False)
    acknowledged: set[str] = set()
    for number in range(4):
        load = Load(service, f"worker{number}", "x" * 70 + "\r\n")
        load.start()
        wait_for("some mail", lambda load=load: len(load.acknowledged) > 20)
        before = service.workers()
        for worker in before:
            service.kill_worker(worker)
        load.join()
        acknowledged.update(load.acknowledged)
        for worker, pid in before.items():
            service.wait_for_worker(worker, after=pid)
    wait_for("an empty queue", lambda: service.queue() == [], seconds=60)
    arrived = {
        line.removeprefix(b"Subject: ").decode()
        for message in sink.messages
        for line in message.content.split(b"\r\n\r\n", 1)[0].split(b"\r\n")
        if line.startswith(b"Subject: ")
    }
    assert acknowledged
    assert acknowledged - arrived == set()


def test_workers_lowered_and_their_mail_is_adopted(
    serve: Serve, sink: RecordingSink
) -> None:
    sink.answer = refusing(b"MAIL", reply=b"451 4.3.0 later")
    slow = {**settings_for(sink), "queue": {"retry_minutes": [10]}}
    service = serve({**slow, "workers": 3}, users=False)

    def all_have_some() -> bool:
        owners = {
            one["session"].split("-")[0] for one in service.events("mail.accepted")
        }
        return len(owners) == 3

    count = hand_in_until(service, all_have_some, token())
    service.stop()
    assert len(service.queue()) == count  # A command sees all of them.
    service.change({**slow, "workers": 1})
    service.start()
    left = [service.folder / "data" / name for name in ("queue-1", "queue-2")]
    wait_for("both folders adopted", lambda: not any(one.exists() for one in left))
    assert len(service.queue()) == count
    sink.answer = taking
    service.run("queue", "retry", "--all").well()
    sink.wait_for_messages(count)
    wait_for("an empty queue", lambda: service.queue() == [])
    first = service.events("mail.accepted")[0]["message"]
    told = json.loads(service.run("trace", first, "--json").well().output)
    assert [one["event"] for one in told][-1] == "message.finished"


def test_operators_see_all_workers_as_one(serve: Serve, sink: RecordingSink) -> None:
    sink.answer = refusing(b"MAIL", reply=b"451 4.3.0 later")
    slow = two_workers(sink, queue={"retry_minutes": [10]})
    service = serve(slow, users=False)

    def each_has_some() -> bool:
        owners = {
            one["session"].split("-")[0] for one in service.events("mail.accepted")
        }
        return len(owners) == 2

    count = hand_in_until(service, each_has_some, token())
    wait_for("the log", lambda: len(service.events("mail.accepted")) == count)
    accepted = service.events("mail.accepted")
    ids = [one["message"] for one in accepted]
    of_each = {one["session"].split("-")[0]: one["message"] for one in accepted}
    for where in ("running", "stopped"):
        assert [one["id"] for one in service.queue()] == sorted(ids)
        some = service.run("queue", "list", "--json", "--limit", "2").well()
        assert [one["id"] for one in json.loads(some.output)] == sorted(ids)[:2]
        stats = json.loads(service.run("queue", "stats", "--json").well().output)
        assert stats["messages"] == stats["recipients"] == count
        for id_ in of_each.values():
            shown = service.run("queue", "show", id_, "--json").well()
            assert json.loads(shown.output)["id"] == id_
            trace = json.loads(service.run("trace", id_, "--json").well().output)
            assert trace[0]["event"] == "mail.accepted"
        held = service.run("queue", "hold", "--all", "--json").well()
        assert json.loads(held.output)["recipients"] == count
        back = service.run("queue", "release", "--all", "--json").well()
        assert json.loads(back.output)["recipients"] == count
        (only,) = json.loads(
            service.run("queue", "destinations", "--json").well().output
        )
        assert only["recipients"] == count
        if where == "running":
            wait_for(
                "nothing under way",
                lambda: "active" not in states(service).values(),
            )
            service.stop()
    service.start()


def test_metrics_are_the_sum_and_never_fall(serve: Serve, sink: RecordingSink) -> None:
    port = 21_000 + os.getpid() % 20_000
    observe = {"metrics": f"127.0.0.1:{port}"}
    service = serve(two_workers(sink, observe=observe), users=False)

    def value(name: str) -> float:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{port}/metrics", timeout=9
        ) as page:
            found = re.search(
                rf"^{re.escape(name)} (\S+)$", page.read().decode(), re.MULTILINE
            )
        assert found, name
        return float(found[1])

    for _ in range(12):
        hand_in(service, token())
    assert value("sekisho_recipients_accepted_total") == 12
    assert value("sekisho_worker_restarts_total") == 0
    before = service.workers()[0]
    # One that hangs keeps nobody waiting, and counts as it did.
    os.kill(before, signal.SIGSTOP)
    assert value("sekisho_recipients_accepted_total") == 12
    service.kill_worker(0)
    assert value("sekisho_recipients_accepted_total") == 12
    service.wait_for_worker(0, after=before)
    hand_in(service, token())
    assert value("sekisho_recipients_accepted_total") == 13
    assert value("sekisho_worker_restarts_total") == 1


def loads_of_both_workers(service: Service) -> list[Load]:
    """Load until each has a part: the kernel may deal all of one to the same worker."""
    loads: list[Load] = []
    for number in range(8):
        load = Load(service, "m" * 400 + str(number), "x\r\n")
        loads.append(load)
        load.start()
        wait_for("its mail", lambda load=load: len(load.acknowledged) > 50)
        lines = service.events("mail.accepted")
        if len({one["session"].split("-")[0] for one in lines}) == 2:
            return loads
    raise AssertionError("one worker took all: the test shows nothing")


@pytest.mark.timeout(60)
def test_lines_of_two_workers_are_never_mixed_up(
    tmp_path: Path, serve: Serve, sink: RecordingSink
) -> None:
    """Through a pipe, which cuts what is longer than PIPE_BUF."""
    code = (
        "import os, sys, subprocess\n"
        "read, write = os.pipe()\n"
        "child = subprocess.Popen(sys.argv[2:], stdout=write)\n"
        "os.close(write)\n"
        "import signal\n"
        "signal.signal(signal.SIGTERM, lambda *_: child.terminate())\n"
        "while data := os.read(read, 700):\n"
        "    os.write(1, data)\n"
        "sys.exit(child.wait())\n"
    )
    within = [sys.executable, "-c", code, "through a pipe"]
    service = Service(tmp_path / "piped", two_workers(sink), within=within)
    with service:
        loads = loads_of_both_workers(service)

        def acknowledged() -> int:
            return sum(len(load.acknowledged) for load in loads)

        wait_for("much mail", lambda: acknowledged() > 1500, seconds=40)
        service.stop()
        for load in loads:
            load.join()
        # Every line is whole: `events` reads them all as JSON.
        assert len(service.events("mail.accepted")) >= acknowledged()
        service.start()
