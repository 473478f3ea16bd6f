"""Next hosts that hang, reset, lie and answer late: all mail is accounted for.

One service has mail for four hosts at once: one is silent or late, one breaks
connections off, one talks garbage, and one answers no SYN. The test counts for each:
acknowledged = delivered + bounced, none lost, and a message comes twice only where the
host kept silent about a copy that it had whole.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

import pytest

from peers.dialogue import Dialogue
from peers.hostile import (
    Fault,
    FullBacklog,
    HostileHost,
    Point,
    close,
    hang,
    late,
    reset,
    says,
    says_endlessly,
)
from peers.process import wait_for
from peers.service import Service, plain_settings
from peers.sink import RecordingSink
from real.messages import a_message, stuffed

Serve = Callable[..., Service]

CLIENTS = 6
EACH = 80
REFUSED = 8
"""Of the messages of each client: to a recipient that the host does not know."""
COMMAND_SECONDS = 0.4
DATA_SECONDS = 0.6
TIMES = 2
"""So often each fault happens before the host becomes well."""
MAX_SWALLOWED = 16 * 1024 * 1024
"""Octets of an endless answer that socket buffers and we may take before we close."""

SILENT = [
    Fault(f"hang at {point.name}", point, hang)
    for point in (Point.GREETING, Point.EHLO, Point.MAIL, Point.RCPT, Point.DATA)
]
RESETS = [Fault(f"reset at {point.name}", point, reset) for point in Point]
CLOSES = [Fault(f"close at {point.name}", point, close) for point in Point]
AFTER_THE_DOT = [
    Fault("hang after the dot", Point.DOT, hang),
    Fault("250 too late", Point.DOT, late(b"250 2.0.0 taken\r\n", 2 * DATA_SECONDS)),
    Fault("451 too late", Point.DOT, late(b"451 4.3.0 no\r\n", 2 * DATA_SECONDS)),
    Fault("354 too late", Point.DATA, late(b"354 go on\r\n", 2 * COMMAND_SECONDS)),
]
_BINARY = bytes(range(256)) * 4
_MIXED = b"250-first\r\n251 second\r\n"
GARBAGE = [
    Fault("binary greeting", Point.GREETING, says(_BINARY + b"\r\n")),
    Fault("greeting of HTTP", Point.GREETING, says(b"HTTP/1.1 400 Bad Request\r\n")),
    Fault("354 as greeting", Point.GREETING, says(b"354 go on\r\n")),
    Fault("endless greeting", Point.GREETING, says_endlessly(b"220" + b"x" * 65_533)),
    Fault("endless EHLO", Point.EHLO, says_endlessly(b"250-more\r\n" * 6_000)),
    Fault("two codes to MAIL", Point.MAIL, says(_MIXED)),
    Fault("354 to MAIL", Point.MAIL, says(b"354 go on\r\n")),
    Fault("binary to RCPT", Point.RCPT, says(_BINARY)),
    Fault("299 to DATA", Point.DATA, says(b"299 fine\r\n")),
    Fault("999 after the dot", Point.DOT, says(b"999 what\r\n")),
    Fault("354 after the dot", Point.DOT, says(b"354 go on\r\n")),
    Fault("NULs after the dot", Point.DOT, says(b"\0" * 100 + b"\r\n")),
    Fault("endless after the dot", Point.DOT, says_endlessly(b"250-x\r\n" * 9_000)),
]
FAULTS = {
    "silent.test": SILENT + AFTER_THE_DOT,
    "broken.test": RESETS + CLOSES,
    "garbage.test": GARBAGE,
}
AWAY = "away.test"
"""The domain whose host answers no SYN."""


def settings_for(hosts: dict[str, str], world: str) -> dict[str, Any]:
    """Short time-outs, and retries at once: domain → where its mail goes."""
    known = {
        name: {"route": url, "recipients": [f"known@{name}", f"gone@{name}"]}
        for name, url in hosts.items()
    }
    return {
        **plain_settings(world),
        "domains": known,
        "queue": {"retry_minutes": [0.003]},
        "delivery": {
            "connect_seconds": COMMAND_SECONDS,
            "command_seconds": COMMAND_SECONDS,
            "data_seconds": DATA_SECONDS,
        },
    }


class Load:
    """Clients that hand in mail all at once, and remember what was acknowledged."""

    def __init__(self, service: Service, domains: Sequence[str]) -> None:
        self._service = service
        self._domains = domains
        self.acknowledged: dict[str, set[str]] = {name: set() for name in domains}
        self.refused: dict[str, set[str]] = {name: set() for name in domains}
        """Those of them that are for nobody the host knows."""
        self._threads = [
            threading.Thread(target=self._client, args=(number,), daemon=True)
            for number in range(CLIENTS)
        ]

    def run(self) -> None:
        """Hand everything in."""
        for thread in self._threads:
            thread.start()
        for thread in self._threads:
            thread.join(30)
        acknowledged = sum(map(len, self.acknowledged.values()))
        assert acknowledged == CLIENTS * EACH

    def _client(self, number: int) -> None:
        with self._service.dial("mx") as client:
            client.ehlo()
            for count in range(EACH):
                mark = f"m{number}-{count}"
                domain = self._domains[count % len(self._domains)]
                refused = count < REFUSED
                name = "gone" if refused else "known"
                self._send(
                    client, mark, f"{name}@{domain}", lines=5 + 1200 * (count > 76)
                )
                self.acknowledged[domain].add(mark)
                if refused:
                    self.refused[domain].add(mark)

    @staticmethod
    def _send(client: Dialogue, mark: str, to: str, lines: int) -> None:
        sent = a_message(mark, body=("y" * 70 + "\r\n") * lines)
        assert client.say(f"MAIL FROM:<{mark}@outside.test>").code == 250
        assert client.say(f"RCPT TO:<{to}>").code == 250
        assert client.say("DATA").code == 354
        client.send(stuffed(sent))
        assert client.reply().code == 250


def does_not_know(line: bytes) -> bool:
    """Each host has one mailbox."""
    return not line.upper().startswith(b"RCPT TO:<KNOWN@")


@pytest.mark.timeout(120)
def test_every_message_is_delivered_or_bounced_once_the_hosts_are_well(
    serve: Serve, sink: RecordingSink
) -> None:
    silent = FullBacklog()
    with ExitStack() as running:
        hosts = {
            name: running.enter_context(HostileHost(faults, does_not_know))
            for name, faults in FAULTS.items()
        }
        urls = {name: host.url for name, host in hosts.items()}
        urls[AWAY] = "smtp://{}:{}".format(*silent.address)
        service = serve(settings_for(urls, sink.url), users=False)
        load = Load(service, [*urls])
        load.run()
        for name, host in hosts.items():
            wait_for(f"all faults of {name}", lambda h=host: h.has_struck(TIMES), 40)
            host.become_well()
        service.wait_for_event(
            "delivery.deferred", destination=urls[AWAY], cause="time-out"
        )
        silent.close()
        hosts[AWAY] = running.enter_context(
            HostileHost([], does_not_know, port=silent.address[1])
        )
        service.wait_until_idle(30)
        assert service.queue() == []
    for name, host in hosts.items():
        count(host, load.acknowledged[name] - load.refused[name])
    refused = set[str]().union(*load.refused.values())
    assert {one.recipients[0] for one in sink.messages} == {
        f"{mark}@outside.test" for mark in refused
    }
    assert len(sink.messages) == len(refused)
    assert_patient(hosts["silent.test"])
    # That a test runs as root is none of its business.
    assert [one for one in service.events("alarm") if one["about"] != "user"] == []


def count(host: HostileHost, wanted: set[str]) -> None:
    """Want each message once, and twice only what the host kept silent about."""
    ledger = host.ledger
    assert set(ledger.copies) == wanted
    # Answered once: nothing is sent again that the host has said it took.
    assert set(ledger.answered) == wanted
    assert set(ledger.answered.values()) == {1}
    assert ledger.copies.total() == len(wanted) + ledger.after_the_dot
    # An endless answer is not read to its end.
    assert max(host.pours, default=0) <= MAX_SWALLOWED


def assert_patient(host: HostileHost) -> None:
    """Nothing is sent again while its answer may still come (RFC 5321 §4.5.3.2.6)."""
    again = [
        second - first
        for copies in host.ledger.moments.values()
        for first, second in pairwise(copies)
    ]
    assert again
    assert min(again) >= DATA_SECONDS
