"""What the workers share, taken away for seconds under load, and given back."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from typing import Self

import pytest

from peers.dialogue import Dialogue
from peers.loopback import fresh_address
from peers.process import wait_for
from peers.service import OWN, Service, Settings, plain_settings
from peers.sink import RecordingSink
from real.messages import a_message, stuffed, token

Serve = Callable[..., Service]
Counts = Counter[str]
AWAY_SECONDS = 3.0
METERED = "127.0.0.31"
SESSIONS = 20


def with_quotas(sink: RecordingSink, **quota: int) -> Settings:
    """One listener where a quota counts, and one where none does."""
    settings = plain_settings(sink.url, workers=2)
    settings["listener"].append(
        {
            "name": "printers",
            "role": "legacy",
            "bind": ["127.0.0.1:0"],
            "who": [METERED],
            "senders": ["scanner@own.test"],
            "recipients": ["*@own.test"],
            **quota,
        }
    )
    return settings


def mail(client: Dialogue, sender: str) -> str:
    """Send a message; the first reply that is not positive, or the last one."""
    for line in (f"MAIL FROM:<{sender}>", f"RCPT TO:<known@{OWN}>", "DATA"):
        answer = client.say(line)
        if answer.code >= 400:
            client.say("RSET")
            return f"{line[:4]} {answer.status}"
    client.send(stuffed(a_message(token(), author=sender)))
    return f"250 {client.reply().status}"


def metered(service: Service, source: str) -> str:
    with service.dial("printers", source=METERED) as client:
        client.ehlo()
        return mail(client, "scanner@own.test")


def unmetered(service: Service, source: str) -> str:
    with service.dial("mx", source=source) as client:
        client.ehlo()
        return mail(client, "a@outside.test")


def login(service: Service, source: str, password: str = Service.PASSWORD) -> str:
    with service.dial("submission", source=source) as client:
        client.starttls()
        return f"AUTH {client.login(service.USER, password).status}"


def guess(service: Service, source: str) -> str:
    return login(service, fresh_address(), "wrong")


KINDS = (metered, unmetered, login, guess)


class Load:
    """Clients of every kind, until it is left; what they heard, by kind and phase."""

    def __init__(self, service: Service) -> None:
        self.phase = "before"
        self.heard: dict[tuple[str, str], Counts] = {}
        self._service = service
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(k,)) for k in KINDS]

    def _run(self, kind: Callable[[Service, str], str]) -> None:
        source = fresh_address()
        while not self._over.is_set():
            phase = self.phase
            answer = kind(self._service, source)
            if phase == self.phase:
                self.of(kind.__name__, phase)[answer] += 1

    def of(self, kind: str, phase: str) -> Counts:
        return self.heard.setdefault((kind, phase), Counter())

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.timeout(90)
def test_a_store_that_is_gone_for_a_while_is_not_now_and_then_well_again(
    serve: Serve, sink: RecordingSink
) -> None:
    service = serve(with_quotas(sink, max_messages_per_hour=1_000_000))
    store = service.folder / "data" / "shared.db"
    away = store.with_name("away")
    with Load(service) as load:
        time.sleep(AWAY_SECONDS)
        load.phase = "change"
        store.rename(away)
        time.sleep(0.2)
        load.phase = "gone"
        time.sleep(AWAY_SECONDS)
        load.phase = "change"
        away.rename(store)
        time.sleep(1.5)
        load.phase = "after"
        time.sleep(AWAY_SECONDS)
        load.phase = "end"
    well = {
        "metered": "250 250 2.0.0",
        "unmetered": "250 250 2.0.0",
        "login": "AUTH 235 2.7.0",
        "guess": "AUTH 535 5.7.8",
    }
    lost = {
        "metered": "MAIL 451 4.3.0",
        "unmetered": "250 250 2.0.0",
        "login": "AUTH 454 4.7.0",
        "guess": "AUTH 454 4.7.0",
    }
    for phase, expected in (("before", well), ("gone", lost), ("after", well)):
        for kind, answer in expected.items():
            heard = load.of(kind, phase)
            assert set(heard) == {answer}, (kind, phase, heard)
            assert heard[answer] >= 3, (kind, phase, heard)
    accepted = sum(
        count
        for counts in load.heard.values()
        for answer, count in counts.items()
        if answer.startswith("250")
    )
    alarms = service.events("alarm", about="shared store")
    # One a worker, however many clients were told "not now".
    assert 1 <= len(alarms) <= 2, alarms
    service.wait_until_idle(30)
    assert len(sink.messages) >= accepted
    assert "shared store" not in service.run("ping").output


def test_a_quota_and_a_lock_outlive_a_restart(
    serve: Serve, sink: RecordingSink
) -> None:
    service = serve(with_quotas(sink, max_messages_per_day=2))
    guesser = fresh_address()
    for _ in range(2):
        assert metered(service, METERED).startswith("250")
    for _ in range(5):
        assert login(service, guesser, "wrong") == "AUTH 535 5.7.8"
    service.stop()
    listed = service.run("user", "locked").well().output
    assert f"{service.USER!r} from {guesser}" in listed
    service.start()
    assert metered(service, METERED) == "MAIL 450 4.7.1"
    assert login(service, guesser) == "AUTH 535 5.7.8"
    service.run("user", "unlock", "--name", service.USER).well()
    assert login(service, guesser) == "AUTH 235 2.7.0"


def test_an_unlock_of_a_stopped_service_holds(
    serve: Serve, sink: RecordingSink
) -> None:
    service = serve(plain_settings(sink.url, workers=2))
    guesser = fresh_address()
    for _ in range(5):
        login(service, guesser, "wrong")
    assert login(service, guesser) == "AUTH 535 5.7.8"
    service.stop()
    service.run("user", "unlock", "--name", service.USER).well()
    service.start()
    assert login(service, guesser) == "AUTH 235 2.7.0"


def test_a_damaged_store_is_set_aside_and_told(
    serve: Serve, sink: RecordingSink
) -> None:
    service = serve(plain_settings(sink.url, workers=2))
    service.stop()
    (service.folder / "data" / "shared.db").write_bytes(b"garbage " * 1024)
    service.start()
    assert service.events("alarm", about="shared store")
    assert login(service, fresh_address()) == "AUTH 235 2.7.0"
    wait_for("the file", (service.folder / "data" / "shared.db.damaged").exists, 1)


def test_bounds_hold_for_all_workers_together(
    serve: Serve, sink: RecordingSink
) -> None:
    """Four clients at once, whatever worker each of them comes to."""
    settings = with_quotas(sink, max_messages_per_hour=40)
    settings["limits"] = {"max_sessions_per_client": SESSIONS}
    settings["delivery"] = {"max_connections_per_destination": 3}
    service = serve(settings)
    answers: Counts = Counter()

    def many() -> None:
        for _ in range(20):
            answers[metered(service, METERED)] += 1

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers["250 250 2.0.0"] == 40
    # At MAIL, or later where others used the last meanwhile.
    refused = {one for one in answers if one != "250 250 2.0.0"}
    assert {one.split(" ", 1)[1] for one in refused} == {"450 4.7.1"}, answers
    workers = {
        event["session"].split("-")[0] for event in service.events("mail.accepted")
    }
    assert len(workers) == 2, "one worker took all: the test shows nothing"
    sink.wait_for_messages(40)

    guesser = fresh_address()
    heard = [login(service, guesser, "wrong") for _ in range(8)]
    assert heard == ["AUTH 535 5.7.8"] * 8
    failed = wait_for(
        "the log of all eight",
        lambda: found if len(found := service.events("auth.failed")) == 8 else None,
    )
    locked = [one["reason"] for one in failed if "locked out" in one["reason"]]
    assert len(locked) == 3, "five failures of both workers together lock"

    source = fresh_address()
    with ExitStack() as closing:
        for _ in range(SESSIONS):
            client = closing.enter_context(service.dial("mx", source=source))
            assert client.greeting.code == 220
        client = closing.enter_context(service.dial("mx", source=source))
        assert client.greeting.status == "421 4.7.0"
