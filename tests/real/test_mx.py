"""Mail finds its next host by DNS (RFC 5321 §5, RFC 7505), with a name server of ours.

Every host has an address of its own in 127.0.0.0/8, and its port is 25.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from peers.dns import NameServer, Table
from peers.loopback import fresh_address, fresh_network
from peers.process import wait_for
from peers.service import OWN, Service, plain_settings
from peers.sink import RecordingSink
from real.messages import a_message, stuffed, token

Serve = Callable[..., Service]


class World:
    """A name server, hosts on port 25, and the service among them."""

    def __init__(self, serve: Serve, running: ExitStack) -> None:
        self._serve = serve
        self._running = running
        self.table: Table = {}
        self.names = running.enter_context(NameServer(self.table, fresh_address()))

    def host(self, name: str, *, up: bool = True) -> RecordingSink | str:
        """Give a host an address, and something that listens there if it is up."""
        address = fresh_address()
        self.table[name, "A"] = [address]
        if not up:
            return address
        return self._running.enter_context(RecordingSink(address, 25))

    def sink(self, name: str) -> RecordingSink:
        """Give a host that is up."""
        sink = self.host(name)
        assert isinstance(sink, RecordingSink)
        return sink

    def service(self, **more: object) -> Service:
        """Serve with everything routed by MX."""
        settings = plain_settings("mx")
        settings["queue"] = {"retry_minutes": [0.01]}
        settings["dns"] = {"servers": [f"{self.names.address}:{self.names.port}"]}
        settings["domains"][OWN]["route"] = f"drop:{OWN}"
        return self._serve({**settings, **more})


@pytest.fixture
def world(serve: Serve) -> Iterator[World]:
    """Everything empty; skipped where port 25 may not be bound."""
    try:
        socket.create_server((f"{fresh_network()}.1", 25)).close()
    except OSError as error:
        pytest.skip(f"port 25 on loopback: {error} (uid {os.geteuid()})")
    with ExitStack() as running:
        yield World(serve, running)


def submit(service: Service, *recipients: str) -> str:
    """Hand a message in; its mark."""
    mark = token()
    with service.signed_in() as client:
        assert client.say(f"MAIL FROM:<{service.USER}>").code == 250
        for recipient in recipients:
            assert client.say(f"RCPT TO:<{recipient}>").code == 250
        assert client.say("DATA").code == 354
        client.send(stuffed(a_message(mark)))
        assert client.reply().code == 250
    return mark


def test_the_best_host_that_is_up_gets_it(world: World) -> None:
    world.host("down.test", up=False)
    good, spare = world.sink("good.test"), world.sink("spare.test")
    world.table["there.test", "MX"] = [
        "30 spare.test.",
        "10 down.test.",
        "20 good.test.",
    ]
    mark = submit(world.service(), "r@there.test")
    good.wait_for_content(mark.encode())
    assert spare.connections == []


def too_busy(line: bytes) -> bytes | None:
    """Say so to whoever greets."""
    return b"421 4.3.2 not now" if line.startswith((b"EHLO", b"HELO")) else None


def test_a_host_that_says_421_is_passed_over(world: World) -> None:
    busy, spare = world.sink("busy.test"), world.sink("spare.test")
    busy.answer = too_busy
    world.table["there.test", "MX"] = ["10 busy.test.", "20 spare.test."]
    mark = submit(world.service(), "r@there.test")
    spare.wait_for_content(mark.encode())
    assert busy.messages == []


def test_a_domain_without_mx_is_its_own_host(world: World) -> None:
    host = world.sink("plain.test")
    mark = submit(world.service(), "r@plain.test")
    host.wait_for_content(mark.encode())


def test_domains_of_one_message_go_their_own_ways(world: World) -> None:
    one, other = world.sink("mx.one.test"), world.sink("mx.other.test")
    world.table["one.test", "MX"] = ["10 mx.one.test."]
    world.table["other.test", "MX"] = ["10 mx.other.test."]
    mark = submit(world.service(), "a@one.test", "b@other.test").encode()
    assert one.wait_for_content(mark).recipients == ["a@one.test"]
    assert other.wait_for_content(mark).recipients == ["b@other.test"]


@pytest.mark.parametrize(
    ("table", "cause", "words"),
    [
        ({("nothere.test", "MX"): ["0 ."]}, "null MX", "5.1.10"),
        ({}, "name resolution", "5.1.2"),
        ({("nothere.test", "MX"): ["10 relay.test."]}, "mail loops back", "5.4.6"),
    ],
    ids=["null MX", "no such domain", "ourselves"],
)
def test_a_domain_that_takes_no_mail_is_bounced_at_once(
    world: World, table: Table, cause: str, words: str
) -> None:
    world.table.update(table)
    world.table["relay.test", "A"] = [fresh_address()]
    service = world.service()
    submit(service, "r@nothere.test")
    event = service.wait_for_event("delivery.failed")
    assert words in event["reply"]
    assert event["cause"] == cause
    wait_for("the bounce", lambda: list((service.folder / OWN).glob("*.eml")))


def test_a_name_server_in_trouble_only_delays(world: World) -> None:
    """ "Could not find out" is never "does not exist"."""
    host = world.sink("mx.there.test")
    world.table["there.test", "MX"] = "SERVFAIL"
    service = world.service()
    mark = submit(service, "r@there.test")
    service.wait_for_event("delivery.deferred")
    world.table["there.test", "MX"] = ["10 mx.there.test."]
    host.wait_for_content(mark.encode(), 25)
    assert service.events("delivery.failed") == []


def test_an_answer_too_long_for_a_packet_is_asked_for_again(world: World) -> None:
    """Over TCP, as DNS has it."""
    host = world.sink("mx.there.test")
    many = [f"{100 + n} host-with-a-long-name-{n:03}.there.test." for n in range(60)]
    world.table["there.test", "MX"] = ["10 mx.there.test.", *many]
    mark = submit(world.service(), "r@there.test")
    host.wait_for_content(mark.encode())


def test_a_domain_is_looked_up_once_for_all_its_mail(world: World) -> None:
    host = world.sink("mx.there.test")
    world.table["there.test", "MX"] = ["10 mx.there.test."]
    service = world.service()
    for _ in range(5):
        host.wait_for_content(submit(service, "r@there.test").encode())
    assert world.names.asked["there.test", "MX"] <= 2


def test_an_international_domain_is_asked_for_as_an_a_label(world: World) -> None:
    """RFC 6531 §3.2: DNS knows A-labels."""
    host = world.sink("mx.there.test")
    host.extensions = (b"PIPELINING", b"SMTPUTF8")
    world.table["xn--bcher-kva.test", "MX"] = ["10 mx.there.test."]
    service = world.service()
    mark = token()
    with service.signed_in() as client:
        assert client.say(f"MAIL FROM:<{service.USER}> SMTPUTF8").code == 250
        assert client.say("RCPT TO:<r@bücher.test>").code == 250
        assert client.say("DATA").code == 354
        client.send(stuffed(a_message(mark)))
        assert client.reply().code == 250
    host.wait_for_content(mark.encode())
