"""Logging in does not stall mail: guessers at work, and the rate of who is verified.

The machine is never still, so phases with guessers and without follow each other, and
the median of the ratios counts. "Many" come from an address each time, so that no
lock-out hides what a guess costs; "one" is locked out soon, and goes on.
"""

import statistics
import time
from collections.abc import Iterator

import pytest

from peers.loopback import fresh_address
from peers.service import OWN, Service, plain_settings
from peers.sink import RecordingSink
from real.conftest import Serve
from real.hammering import Guessers, Sender, running

pytestmark = [pytest.mark.deep, pytest.mark.timeout(600)]

LEAST = 0.7
SESSIONS = 4
PAIRS = 15
PHASE_SECONDS = 1.5
ATTEMPTS = 2
"""A second one, for a machine on which others begin and end."""

GUESSED = f"known@{OWN}"
SOURCES = {"many": "", "one": fresh_address()}


@pytest.fixture
def service(serve: Serve, sink: RecordingSink) -> Service:
    settings = plain_settings(sink.url)
    settings["lockout"] = {"service_failures": 0}  # nor does a wait
    settings["workers"] = 0  # as many as cores, as most have it
    settings["limits"] = {"max_messages_per_session": 10_000_000}  # senders stay
    serving = serve(settings)
    serving.add_user(GUESSED, "another battery entirely")
    return serving


@pytest.mark.parametrize("source", SOURCES)
def test_guessers_leave_the_mail_most_of_the_service(
    service: Service, sink: RecordingSink, source: str
) -> None:
    address, home = service.address("submission"), fresh_address()
    _sign_in(service, home)
    guessers = Guessers(address, GUESSED, SOURCES[source])
    sender = Sender(address, Service.USER, Service.PASSWORD, SESSIONS)
    with running(sender, guessers):
        guessers.halt()
        time.sleep(5)  # until mail goes out as it comes in
        seen: list[float] = []
        while len(seen) < ATTEMPTS and not (seen and seen[-1] >= LEAST):
            seen.append(statistics.median(_ratios(guessers, sender, sink)))
            assert guessers.guesses.value > PAIRS  # a control: they do guess
        print(f"beside guessers of {source} addresses: {seen}")  # noqa: T201 - the figure
        assert seen[-1] >= LEAST, seen
        guessers.go()
        time.sleep(1)
        _sign_in(service, home)


def _sign_in(service: Service, source: str) -> None:
    """Sign in rightly; who has done so before waits behind no guesser."""
    with service.dial("submission", source=source) as client:
        client.stream.settimeout(30)
        client.starttls()
        assert client.login(GUESSED, "another battery entirely").code == 235


def _ratios(guessers: Guessers, sender: Sender, sink: RecordingSink) -> Iterator[float]:
    def rate() -> float:
        """Messages in and out, a second."""
        before, began = sender.sent.value + len(sink.messages), time.monotonic()
        time.sleep(PHASE_SECONDS)
        done = sender.sent.value + len(sink.messages) - before
        return done / (time.monotonic() - began)

    for _ in range(PAIRS):
        alone = rate()
        guessers.go()
        time.sleep(0.2)
        beside = rate()
        guessers.halt()
        time.sleep(0.2)
        yield beside / alone
