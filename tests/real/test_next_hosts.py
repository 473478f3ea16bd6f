"""Postfix, Exim and OpenSMTPD as the next host take what was accepted, unchanged."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from peers.dialogue import Dialogue
from peers.exim import EximNextHost
from peers.mail_server import MailServer
from peers.opensmtpd import OpenSmtpdNextHost, OpenSmtpdWithBrokenTls
from peers.postfix import PostfixNextHost
from peers.service import Service, plain_settings
from real.messages import TRICKY_BODY, a_message, lf, stuffed, token

Serve = Callable[..., Service]

NEXT_HOSTS = {
    "Postfix": PostfixNextHost,
    "Exim": EximNextHost,
    "OpenSMTPD": OpenSmtpdNextHost,
}
WITH_TLS = {"Postfix", "Exim"}


@pytest.fixture(params=NEXT_HOSTS)
def next_host_name(request: pytest.FixtureRequest) -> str:
    """Each of them."""
    return str(request.param)


def submit(service: Service, message: bytes, *recipients: str, chunks: int = 0) -> None:
    """Hand a message in as the first user, by DATA or in chunks."""
    with service.signed_in() as client:
        assert client.say(f"MAIL FROM:<{service.USER}> BODY=8BITMIME").code == 250
        for recipient in recipients:
            assert client.say(f"RCPT TO:<{recipient}>").code == 250
        if chunks:
            _send_chunks(client, message, chunks)
            return
        assert client.say("DATA").code == 354
        client.send(stuffed(message))
        assert client.reply().code == 250


def _send_chunks(client: Dialogue, message: bytes, size: int) -> None:
    for start in range(0, len(message), size):
        chunk = message[start : start + size]
        last = b" LAST" if start + size >= len(message) else b""
        client.send(b"BDAT %d%s\r\n%s" % (len(chunk), last, chunk))
        assert client.reply().code == 250


def assert_stored(stored: bytes, sent: bytes) -> None:
    """Want `sent` below trace fields: the next host's, then ours."""
    assert stored.endswith(lf(sent)), (stored, sent)
    added = stored[: len(stored) - len(lf(sent))]
    assert re.search(
        rb"(?m)^Received: from [^\n]*\n(?:[ \t].*\n)*?[ \t]by relay\.test", added
    )


@pytest.fixture
def next_host(next_host_name: str, tmp_path: Path) -> MailServer:
    """Prepare it, not yet started."""
    return NEXT_HOSTS[next_host_name](tmp_path / "next-host")


def test_takes_mail_unchanged(
    serve: Serve, next_host: MailServer, next_host_name: str
) -> None:
    """Dots, 8-bit, long lines; under TLS wherever it is offered."""
    with next_host:
        service = serve(plain_settings(next_host.url))
        sent = a_message(token(), body=TRICKY_BODY)
        submit(service, sent, "somebody@world.test")
        assert_stored(next_host.wait_for_messages(1)[0], sent)
        event = service.wait_for_event("delivery.delivered")
        assert bool(event.get("tls")) == (next_host_name in WITH_TLS)
        service.wait_until_idle()


def test_takes_one_message_for_many_in_one_transaction(
    serve: Serve, next_host: MailServer
) -> None:
    """And every recipient is accounted for."""
    recipients = [f"r{number}@world.test" for number in range(5)]
    with next_host:
        service = serve(plain_settings(next_host.url))
        submit(service, a_message(token()), *recipients)
        next_host.wait_for_messages(1)
        service.wait_until_idle()
        delivered = service.events("delivery.delivered")
        assert sorted(event["recipient"] for event in delivered) == recipients
        assert len({event["reply"] for event in delivered}) == 1


def test_takes_a_large_message_in_chunks(serve: Serve, next_host: MailServer) -> None:
    """Larger than what is held in memory or in a row, with dots at line starts."""
    body = "".join(f".{number:06} {'x' * 60}\r\n" for number in range(30_000))
    sent = a_message(token(), body=body)
    with next_host:
        service = serve(plain_settings(next_host.url))
        submit(service, sent, "somebody@world.test", chunks=1_000_003)
        assert_stored(next_host.wait_for_messages(1)[0], sent)


def test_many_messages_arrive_once_each(serve: Serve, tmp_path: Path) -> None:
    with PostfixNextHost(tmp_path / "next-host") as next_host:
        service = serve(plain_settings(next_host.url))
        marks = [token() for _ in range(30)]
        with service.signed_in() as client:
            for mark in marks:
                assert client.say(f"MAIL FROM:<{service.USER}>").code == 250
                assert client.say("RCPT TO:<somebody@world.test>").code == 250
                assert client.say("DATA").code == 354
                client.send(stuffed(a_message(mark)))
                assert client.reply().code == 250
        stored = next_host.wait_for_messages(len(marks))
        service.wait_until_idle()
        arrived = [
            re.findall(rb"\nSubject: (.*)\n", each)[0].decode() for each in stored
        ]
        assert sorted(arrived) == sorted(marks)


def test_a_next_host_with_a_broken_tls_still_gets_its_mail(
    serve: Serve, tmp_path: Path
) -> None:
    """Opportunistic means: better in clear than not at all (RFC 7435)."""
    with OpenSmtpdWithBrokenTls(tmp_path / "next-host") as next_host:
        settings = plain_settings(next_host.url)
        settings["queue"] = {"retry_minutes": [0.02]}
        service = serve(settings)
        sent = a_message(token())
        submit(service, sent, "somebody@world.test")
        assert_stored(next_host.wait_for_messages(1)[0], sent)


def test_required_tls_never_falls_back(serve: Serve, tmp_path: Path) -> None:
    """A self-signed certificate proves nothing, so nothing is sent."""
    with PostfixNextHost(tmp_path / "next-host") as next_host:
        service = serve(plain_settings(f"{next_host.url}?tls=required"))
        submit(service, a_message(token()), "somebody@world.test")
        event = service.wait_for_event("delivery.deferred")
        assert "tls" in event["cause"].lower()
        assert next_host.messages() == []


def test_a_refusal_of_the_next_host_is_bounced_with_its_words(
    serve: Serve, tmp_path: Path
) -> None:
    """Postfix refuses a message above its limit; the sender reads why."""
    with PostfixNextHost(tmp_path / "next-host") as next_host:
        service = serve(plain_settings(next_host.url))
        big = a_message(token(), body=("x" * 76 + "\r\n") * 140_000)
        with service.signed_in() as client:
            assert client.say(f"MAIL FROM:<{service.USER}>").code == 250
            assert client.say("RCPT TO:<somebody@world.test>").code == 250
            assert client.say("DATA").code == 354
            client.send(stuffed(big))
            assert client.reply().code == 250
        stored = next_host.wait_for_messages(1)[0]
        assert b"Return-Path: <>" in stored
        assert b"multipart/report" in stored
        assert b"5.3.4" in stored
        assert len(stored) < 1_000_000
