"""The machine's clock is set while the service runs: mail neither hangs nor is lost."""

import threading
from pathlib import Path

import pytest

from peers.clock import SettableClock
from peers.dialogue import Dialogue
from peers.process import wait_for
from peers.service import OWN, Service, plain_settings
from peers.sink import RecordingSink
from real.messages import a_message, stuffed
from real.test_durability import SENDER, refusing, taking

CLIENTS = WORKERS = 2
WAITING = 10


class Load:
    """Clients whose sessions last as long as this does: over every leap."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.acknowledged: list[str] = []
        self._enough = threading.Event()
        self._threads = [
            threading.Thread(target=self._client, args=(number,), daemon=True)
            for number in range(CLIENTS)
        ]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Let each end with its message, and want none broken off."""
        self._enough.set()
        for thread in self._threads:
            thread.join(20)
        assert len([one for one in self.acknowledged if one.endswith("last")]) == (
            CLIENTS
        )

    def _client(self, number: int) -> None:
        count = 0
        with self._service.dial("mx") as client:
            client.ehlo()
            while not self._enough.wait(0.1):
                self._send(client, f"load{number}-{count}")
                count += 1
            self._send(client, f"load{number}-last")

    def _send(self, client: Dialogue, mark: str) -> None:
        hand_in(client, mark)
        self.acknowledged.append(mark)


def hand_in(client: Dialogue, mark: str) -> None:
    """Send one message, and want 250."""
    assert client.say(f"MAIL FROM:<{SENDER}>").code == 250
    assert client.say(f"RCPT TO:<known@{OWN}>").code == 250
    assert client.say("DATA").code == 354
    client.send(stuffed(a_message(mark, author=SENDER)))
    assert client.reply().code == 250


def marks_of(sink: RecordingSink) -> list[str]:
    """The word in each ``Subject`` that came."""
    return [
        line.removeprefix(b"Subject: ").decode()
        for message in sink.messages
        for line in message.content.split(b"\r\n\r\n", 1)[0].split(b"\r\n")
        if line.startswith(b"Subject: ")
    ]


def attempts(service: Service, least: int) -> int:
    """How many messages were put off that many times."""
    deferred = service.events("delivery.deferred")
    return len({one["message"] for one in deferred if one["attempt"] >= least})


@pytest.mark.timeout(120)
def test_a_day_back_and_days_forward_nothing_hangs_and_nothing_is_lost(
    tmp_path: Path, sink: RecordingSink
) -> None:
    clock = SettableClock(tmp_path)
    not_now = refusing(b"RCPT", reply=b"452 4.2.2 mailbox full")
    settings = {
        **plain_settings(sink.url),
        "workers": WORKERS,
        # A retry that comes by itself would show nothing.
        "queue": {"retry_minutes": [30]},
    }
    sink.answer = not_now
    service = Service(tmp_path / "service", settings, variables=clock.variables)
    with service:
        load = Load(service)
        wait_for("mail to wait", lambda: attempts(service, 1) >= WAITING, 30)

        # A day back: what waits is not late by a day.
        sink.answer = taking
        clock.set("-1d")
        wait_for_leap(service, -1)
        before = {one["message"] for one in service.events("delivery.deferred")}
        wait_for("what waited to arrive", lambda: before <= finished(service), 20)

        # Three days forward: tried at once, and not given up after a moment.
        sink.answer = not_now
        known = attempts(service, 1)
        wait_for("mail to wait", lambda: attempts(service, 1) >= known + WAITING, 30)
        waits = {
            one["message"] for one in service.events("delivery.deferred")
        } - finished(service)
        clock.set("+3d")
        wait_for_leap(service, 4)
        wait_for("another try", lambda: waits <= tried_again(service), 20)

        # Back to what it was.
        sink.answer = taking
        clock.set("+0")
        wait_for_leap(service, -3)
        wait_for("it to arrive", lambda: waits <= finished(service), 20)
        load.end()
        service.wait_until_idle()
        assert service.queue() == []
    arrived = marks_of(sink)
    assert sorted(arrived) == sorted(load.acknowledged)
    assert service.events("delivery.failed") == []
    assert service.events("message.reported") == []


def wait_for_leap(service: Service, days: int) -> None:
    """Wait until every worker has noticed it."""

    def noticed() -> bool:
        leaps = [one["seconds"] / 86_400 for one in service.events("clock.set")]
        return [round(one) for one in leaps].count(days) == WORKERS

    wait_for(f"a leap of {days} days", noticed, 20)


def finished(service: Service) -> set[str]:
    """Messages that have left."""
    return {one["message"] for one in service.events("message.finished")}


def tried_again(service: Service) -> set[str]:
    """Messages that were put off twice or more."""
    deferred = service.events("delivery.deferred")
    return {one["message"] for one in deferred if one["attempt"] >= 2}
