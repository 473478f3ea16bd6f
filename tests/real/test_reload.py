"""Another configuration is taken while sessions stay; a broken one is not."""

import socket
import ssl
from contextlib import suppress

import pytest

from peers.certificate import make_certificate
from peers.dialogue import Dialogue
from peers.service import HOSTNAME, OWN, Service
from peers.sink import RecordingSink
from real.messages import token
from real.test_durability import (
    SENDER,
    Serve,
    hand_in,
)
from real.test_processes import two_workers


def rcpt(client: Dialogue, recipient: str) -> int:
    """Ask for one recipient in a transaction of its own."""
    client.say("RSET")
    code = client.say(f"MAIL FROM:<{SENDER}>").code
    return client.say(f"RCPT TO:<{recipient}>").code if code == 250 else code


def reloaded(service: Service) -> str:
    return service.run("reload").well().output


def test_a_session_that_is_open_goes_by_the_new_rules_at_its_next_mail(
    serve: Serve, sink: RecordingSink
) -> None:
    closed = two_workers(sink)
    address = {
        "name": "lan",
        "who": ["127.0.0.7"],
        "senders": ["*@outside.test"],
        "recipients": ["*@world.test"],
        "max_messages_per_hour": 1000,
        "sender_binding": "log",
        "listeners": ["mx"],
    }
    opened = {**closed, "grant": [*closed["grant"], address]}
    service = serve(closed, users=False)
    dialogues = [service.dial("mx", source="127.0.0.7") for _ in range(8)]
    try:
        for client in dialogues:
            client.ehlo()
            assert rcpt(client, "a@world.test") == 550
        service.change(opened)
        service.reload()
        service.wait_for_event("service.reloaded", needs_restart=[])
        assert [rcpt(one, "a@world.test") for one in dialogues] == [250] * 8
        service.change(closed)
        assert reloaded(service) == "reloaded\n"
        assert [rcpt(one, "a@world.test") for one in dialogues] == [550] * 8
    finally:
        for client in dialogues:
            client.close()
    assert len(service.events("service.ready")) == 1


def test_a_broken_file_changes_nothing_and_keeps_no_dead_worker_dead(
    serve: Serve, sink: RecordingSink
) -> None:
    service = serve(two_workers(sink), users=False)
    good = service.configuration.read_text()
    service.configuration.write_text(good + "\n[nonsense]\nkey = 1\n")
    with service.dial("mx") as client:
        client.ehlo()
        service.reload()
        alarm = service.wait_for_event("alarm", about="configuration")
        line = good.count("\n") + 2
        assert (
            f"{service.configuration}:{line}: unknown table" in alarm["detail"]
            or f"sekisho.toml:{line}" in alarm["detail"]
        )
        assert rcpt(client, f"known@{OWN}") == 250
    before = service.workers()[1]
    service.kill_worker(1)
    service.wait_for_worker(1, after=before)
    hand_in(service, token())
    refused = service.run("reload")
    assert refused.status != 0
    service.configuration.write_text(good)
    assert reloaded(service) == "reloaded\n"
    assert service.events("service.reloaded", needs_restart=[])


def test_open_rules_are_not_reloaded(serve: Serve, sink: RecordingSink) -> None:
    service = serve(two_workers(sink), users=False)
    settings = service.settings
    everybody = {
        "name": "all",
        "who": ["0.0.0.0/0"],
        "max_messages_per_hour": 10,
        "senders": ["*@outside.test"],
        "recipients": ["*@world.test"],
    }
    service.change({**settings, "grant": [everybody]})
    service.reload()
    service.wait_for_event("alarm", about="configuration")
    assert service.events("service.reloaded") == []
    with service.dial("mx") as client:
        client.ehlo()
        assert rcpt(client, "a@world.test") == 550
    service.change(settings)


def served_certificate(service: Service) -> bytes:
    host, port = service.address("submission")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((host, port), timeout=5) as plain:
        stream = plain.makefile("rb")
        stream.readline()
        plain.sendall(b"EHLO a.test\r\n")
        while stream.readline()[3:4] == b"-":
            pass
        plain.sendall(b"STARTTLS\r\n")
        assert stream.readline().startswith(b"220")
        with context.wrap_socket(plain) as secure:
            found = secure.getpeercert(binary_form=True)
    assert found
    return found


def test_a_certificate_is_swapped_and_a_broken_one_is_not_taken(
    serve: Serve, sink: RecordingSink
) -> None:
    service = serve(two_workers(sink))
    first = served_certificate(service)
    with service.signed_in() as client:
        make_certificate(service.folder, HOSTNAME, "127.0.0.1")
        assert reloaded(service) == "reloaded\n"
        second = {served_certificate(service) for _ in range(8)}
        assert len(second) == 1
        assert second != {first}
        # The key of another pair.
        other = make_certificate(service.folder / "other", HOSTNAME)
        (service.folder / "key.pem").write_bytes(other.key.read_bytes())
        assert service.run("reload").status == 1
        assert {served_certificate(service) for _ in range(8)} == second
        before = service.workers()[0]
        service.kill_worker(0)
        service.wait_for_worker(0, after=before)
        assert {served_certificate(service) for _ in range(8)} == second
        with suppress(Exception):
            client.say("NOOP")


def test_listeners_come_and_go_and_their_sessions_stay(
    serve: Serve, sink: RecordingSink
) -> None:
    settings = two_workers(sink)
    service = serve(settings, users=False)
    extra = {"name": "more", "role": "mx", "bind": ["127.0.0.1:0"]}
    service.change({**settings, "listener": [*settings["listener"], extra]})
    service.reload()
    event = service.wait_for_event("service.reloaded")
    host, _, port = event["listeners"]["more"][0].rpartition(":")
    with Dialogue(host, int(port)) as client:
        client.ehlo()
        assert rcpt(client, f"known@{OWN}") == 250
        service.change(settings)
        assert reloaded(service) == "reloaded\n"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)), timeout=5).close()
        assert client.say("NOOP").code == 250
        assert rcpt(client, f"known@{OWN}") == 550  # Of a listener that is no more.
    hand_in(service, token())


def test_what_needs_a_restart_is_named_and_kept(
    serve: Serve, sink: RecordingSink
) -> None:
    settings = two_workers(sink)
    service = serve(settings, users=False)
    service.change({**settings, "workers": 1, "data_dir": "elsewhere"})
    service.reload()
    event = service.wait_for_event("service.reloaded")
    assert event["needs_restart"] == ["data_dir", "workers"]
    assert service.events("alarm", about="configuration")
    assert sorted(service.workers()) == [0, 1]
    hand_in(service, token())
    assert not (service.folder / "elsewhere").exists()
    service.change(settings)
