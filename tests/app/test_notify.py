"""The service manager hears what it waits for; that it is not there stops nothing."""

import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_hex

import pytest

from sekisho.app.notify import Notify

PID = 4711


@pytest.fixture(params=["a file", "an abstract name"])
def manager(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[str, socket.socket]]:
    """Where it listens, as ``NOTIFY_SOCKET`` says it, and its socket."""
    is_file = request.param == "a file"
    name = str(tmp_path / "n") if is_file else f"@sekisho-{token_hex(8)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name if is_file else "\0" + name[1:])
        listening.settimeout(5)
        yield name, listening


SAID: tuple[tuple[Callable[[Notify], None], str], ...] = (
    (lambda one: one.ready("2 workers"), r"READY=1\nSTATUS=2 workers"),
    (lambda one: one.stopping(), r"STOPPING=1\nSTATUS=draining"),
    (lambda one: one.status("full"), r"STATUS=full"),
    (lambda one: one.alive(), r"WATCHDOG=1"),
    (
        lambda one: one.reloading(),
        r"RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]*\nSTATUS=reloading",
    ),
)


def test_each_state_is_one_datagram(manager: tuple[str, socket.socket]) -> None:
    name, listening = manager
    notify = Notify({"NOTIFY_SOCKET": name}, PID)
    for say, wanted in SAID:
        say(notify)
        assert re.fullmatch(wanted, listening.recv(4096).decode())


def test_a_manager_that_is_not_there_or_does_not_listen_stops_nothing(
    tmp_path: Path,
) -> None:
    for env in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone")}):
        Notify(env, PID).ready("well")
    path = str(tmp_path / "full")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(path)
        notify = Notify({"NOTIFY_SOCKET": path}, PID)
        for _ in range(2000):  # More than it holds: must not wait.
            notify.alive()


@pytest.mark.parametrize(
    ("env", "seconds"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(PID)}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(PID + 1)}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_it_wants(
    env: dict[str, str], seconds: float
) -> None:
    assert Notify(env, PID).watchdog_seconds == seconds
