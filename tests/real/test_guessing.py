"""Guessers with many addresses, of a service of two workers."""

import time

from peers.loopback import fresh_address
from peers.process import wait_for
from peers.service import plain_settings
from peers.sink import RecordingSink
from real.test_durability import Serve
from real.test_operating import told
from real.test_shared_store import login

BOUND = 8


def test_strangers_wait_users_do_not_and_an_operator_sees_and_ends_it(
    serve: Serve, sink: RecordingSink
) -> None:
    settings = plain_settings(sink.url, workers=2)
    settings["lockout"] = {"service_failures": BOUND, "service_delay_seconds": 2}
    service = serve(settings)

    def seconds(source: str, password: str, status: str) -> float:
        began = time.monotonic()
        assert login(service, source, password) == f"AUTH {status}"
        return time.monotonic() - began

    def wrong() -> float:
        return seconds(fresh_address(), "wrong", "535 5.7.8")

    home = fresh_address()
    right = service.PASSWORD
    assert seconds(home, right, "235 2.7.0") < 1.0
    # Each from another address, whichever worker it comes to.
    assert all(wrong() < 1.0 for _ in range(BOUND))
    assert 1.0 <= wrong() < 2.0
    assert 1.0 <= seconds(fresh_address(), right, "235 2.7.0") < 2.0
    assert seconds(home, right, "235 2.7.0") < 1.0
    (alarm,) = service.events("alarm", about="failed sign-ins")
    assert "from many addresses" in alarm["detail"]
    (line,) = told(service, "user", "locked")
    assert "waits 1 s" in line
    service.run("user", "unlock", "--service").well()
    assert wrong() < 1.0
    assert told(service, "user", "locked") == []
    wait_for(
        "the alarm to be settled",
        lambda: service.events("alarm.settled", about="failed sign-ins"),
        5,
    )
