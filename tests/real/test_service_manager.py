"""A service manager is told and hands sockets over; nobody serves as root."""

import os
import re
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from peers import confined
from peers.service import COMMAND, Service
from peers.sink import RecordingSink
from real.messages import token
from real.test_durability import (
    Serve,
    hand_in,
)
from real.test_processes import two_workers


def test_a_service_manager_is_told(tmp_path: Path, sink: RecordingSink) -> None:
    path = tmp_path / "notify.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(10)

        def told() -> list[str]:
            return manager.recv(4096).decode().split("\n")

        def told_until(word: str) -> list[str]:
            while word not in (said := told()):
                assert "STOPPING=1" not in said
            return said

        variables = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "400000"}
        service = Service(tmp_path / "told", two_workers(sink), variables=variables)
        with service:
            assert "STATUS=2 of 2 workers serve" in told_until("READY=1")
            told_until("WATCHDOG=1")
            service.reload()
            assert any(
                one.startswith("MONOTONIC_USEC=") for one in told_until("RELOADING=1")
            )
            told_until("READY=1")
            stopped = service.workers()[0]
            os.kill(stopped, signal.SIGSTOP)
            time.sleep(0.3)
            manager.setblocking(False)
            with pytest.raises(BlockingIOError):
                told_until("never")  # What was on its way.
            manager.settimeout(1.5)
            with pytest.raises(TimeoutError):
                told_until("never")
            manager.settimeout(10)
            os.kill(stopped, signal.SIGCONT)
            told_until("WATCHDOG=1")
            service.stop()
            manager.settimeout(2)
            with suppress(AssertionError, TimeoutError):
                told_until("never")
            service.start()


ACTIVATING = """
import os, socket, sys
one = socket.socket()
one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
one.bind(("127.0.0.1", 0))
one.listen(16)
os.dup2(one.fileno(), 3)
os.set_inheritable(3, True)
name, command = sys.argv[1], sys.argv[2:]
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES=name)
print(one.getsockname()[1], file=sys.stderr, flush=True)
os.execv(command[0], command)
"""


def test_a_socket_of_the_service_manager_is_served_by_all(
    tmp_path: Path, sink: RecordingSink
) -> None:
    within = [sys.executable, "-c", ACTIVATING, "mx"]
    service = Service(tmp_path / "activated", two_workers(sink), within=within)
    with service:
        port = int(service.errors.read_text().split()[0])
        assert service.address("mx") == ("127.0.0.1", port)
        for _ in range(10):
            hand_in(service, token())
        sink.wait_for_messages(10)


def test_a_socket_that_belongs_to_no_listener_is_an_error(
    tmp_path: Path, sink: RecordingSink
) -> None:
    within = [sys.executable, "-c", ACTIVATING, "nothing-of-ours"]
    service = Service(tmp_path / "activated", two_workers(sink), within=within)
    service.process.start()
    assert service.process.running.wait(20) == 1
    assert "sockets of no listener: nothing-of-ours" in service.errors.read_text()


def status_of(pid: int, key: str) -> list[str]:
    (line,) = re.findall(
        rf"^{key}:\s+(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE
    )
    return line.split()


def test_started_as_root_it_serves_as_the_owner_of_its_data(
    sink: RecordingSink,
) -> None:
    with confined.place() as place:
        serve_as_the_owner_of(place, sink)


def serve_as_the_owner_of(place: confined.Place, sink: RecordingSink) -> None:
    folder, data = place.folder, place.state
    within = place.entering(COMMAND.parents[1], network=True)
    settings = {**two_workers(sink), "data_dir": str(data)}
    service = Service(folder, settings, within=within)
    for file in ("cert.pem", "key.pem", "sekisho.toml"):
        (folder / file).chmod(0o644)
    with service:
        uid = data.stat().st_uid
        (ready,) = service.events("service.ready")
        for pid in (ready["pid"], *service.workers().values()):
            assert status_of(pid, "Uid") == [str(uid)] * 4
            assert status_of(pid, "CapEff") == ["0000000000000000"]
            assert status_of(pid, "NoNewPrivs") == ["1"]
        owners = {one.lstat().st_uid for one in data.rglob("*")}
        assert owners - {0} == {uid}
        mark = token()
        hand_in(service, mark)
        sink.wait_for_content(mark.encode())
        before = service.workers()[0]
        service.kill_worker(0)
        service.wait_for_worker(0, after=before)
        assert service.run("reload").well().output == "reloaded\n"


def test_root_s_own_data_is_served_without_any_capability(
    serve: Serve, sink: RecordingSink
) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    service = serve(two_workers(sink), users=False)
    (ready,) = service.events("service.ready")
    for pid in (ready["pid"], *service.workers().values()):
        for kind in ("CapEff", "CapPrm", "CapBnd", "CapInh"):
            assert status_of(pid, kind) == ["0000000000000000"]
        assert status_of(pid, "NoNewPrivs") == ["1"]
    (alarm,) = service.events("alarm", about="user")
    assert "set user" in alarm["hint"]
    assert service.run("ping").well()
