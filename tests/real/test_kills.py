"""kill -9 at random moments under load: what was answered 250 arrives, all of it."""

import os
import random
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

import pytest

from peers.dialogue import Dialogue
from peers.process import wait_for
from peers.service import OWN, Service
from peers.sink import RecordingSink
from real.messages import a_message, stuffed
from real.test_durability import Serve, settings_for

CLIENTS = 6
WORKERS = 2
IN_FLIGHT = 20
"""Connections to one next host at once, of all workers: each with a transaction."""
WINDOW_SECONDS = 0.05
"""What was delivered so long ago may not be on record yet."""
SLOWEST_RATE = 100
"""Messages a second that must leave at least, once nobody kills any more."""
SENDER = "a@outside.test"


class Load:
    """Clients that send until the service is gone, and remember what was answered."""

    def __init__(self, service: Service, name: str, body: str) -> None:
        self._service = service
        self._name = name
        self._body = body
        self.acknowledged: list[str] = []
        self._enough = threading.Event()
        self._threads = [
            threading.Thread(target=self._client, args=(number,), daemon=True)
            for number in range(CLIENTS)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait for all: those of a worker that lives on end with their message."""
        self._enough.set()
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive()

    def _client(self, number: int) -> None:
        # A connection that breaks is what this test is about.
        broken = suppress(OSError, EOFError, AssertionError, ValueError)
        with broken, self._service.dial("mx") as client:
            client.ehlo()
            for count in range(10_000):
                if self._enough.is_set():
                    return
                self._send(client, f"{self._name}-{number}-{count}")

    def _send(self, client: Dialogue, mark: str) -> None:
        assert client.say(f"MAIL FROM:<{SENDER}>").code == 250
        assert client.say(f"RCPT TO:<known@{OWN}>").code == 250
        assert client.say("DATA").code == 354
        client.send(stuffed(a_message(mark, author=SENDER, body=self._body)))
        if client.reply().code == 250:
            self.acknowledged.append(mark)


def kill_something(service: Service, what: str) -> None:
    """End one worker, the supervisor alone, or all processes of the service."""
    match what:
        case "worker":
            number, pid = next(reversed(service.workers().items()))
            service.kill_worker(number)
            service.wait_for_worker(number, after=pid)
        case "supervisor":
            os.kill(service.process.running.pid, signal.SIGKILL)
            service.process.running.wait(10)
        case _:
            service.kill()


@dataclass
class Figures:
    """What many kills came to."""

    acknowledged: int
    twice: int
    bound: int
    """So many may have come twice."""


def kill_rounds(serve: Serve, sink: RecordingSink, rounds: int) -> Figures:
    """Kill so often, and want all that was acknowledged to arrive."""
    chance = random.Random(rounds)
    settings = {**settings_for(sink), "workers": WORKERS}
    service = serve(settings, users=False)
    acknowledged: set[str] = set()
    kills: list[float] = []
    for number in range(rounds):
        body = "x" * 70 + "\r\n"
        load = Load(service, f"round{number}", body * chance.choice((1, 50, 1500)))
        load.start()
        time.sleep(chance.uniform(0.1, 1.0))
        kills.append(time.monotonic())
        kill_something(service, chance.choice(("worker", "supervisor", "all")))
        load.join()
        acknowledged.update(load.acknowledged)
        if service.process.running.poll() is not None:
            service.start()
    # Many rounds leave a crowd, and the sink of this test takes some hundred a second.
    seconds = 60 + len(acknowledged) / SLOWEST_RATE
    wait_for("an empty queue", lambda: service.queue() == [], seconds=seconds)
    arrived = [
        line.removeprefix(b"Subject: ").decode()
        for message in sink.messages
        for line in message.content.split(b"\r\n\r\n", 1)[0].split(b"\r\n")
        if line.startswith(b"Subject: ")
    ]
    assert acknowledged
    assert acknowledged - set(arrived) == set()
    unrecorded = sum(
        kill - WINDOW_SECONDS <= message.at <= kill
        for kill in kills
        for message in sink.messages
    )
    twice = len(arrived) - len(set(arrived))
    bound = rounds * IN_FLIGHT + unrecorded
    figures = Figures(len(acknowledged), twice, bound)
    print(f"{rounds} rounds, none lost: {figures}")  # noqa: T201 - the figures
    return figures


@pytest.mark.timeout(120)
def test_nothing_acknowledged_is_lost(serve: Serve, sink: RecordingSink) -> None:
    figures = kill_rounds(serve, sink, 5)
    assert figures.twice <= figures.bound


@pytest.mark.deep
@pytest.mark.timeout(900)
def test_nothing_acknowledged_is_lost_in_many_rounds(
    serve: Serve, sink: RecordingSink
) -> None:
    figures = kill_rounds(serve, sink, 50)
    assert figures.twice <= figures.bound
