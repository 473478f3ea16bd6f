"""Only what was really relayed counts as arrived."""

import asyncio
import smtplib
from pathlib import Path

import pytest

from sekisho.audit.canary import (
    Arrivals,
    ListeningCanary,
    MaildirCanary,
    arrived,
    fetched,
)

RELAYED = (
    b"Return-Path: <spamtest@c.test>\r\nReceived: from x\r\n"
    b"To: <w+audit-t0ken@c.test>\r\nMessage-ID: <w+audit-t0ken@c.test>\r\n"
    b"Subject: sekisho audit\r\n\r\nA test.\r\n"
)
BOUNCE = (
    b"To: <spamtest@c.test>\r\nSubject: Undeliverable: audit-t0ken\r\n"
    b"Message-ID: <1@mx.test>\r\nReferences: <audit-t0ken@c.test>\r\n"
    b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\n\r\n" + RELAYED
)


def test_a_relayed_message_is_known_by_its_token() -> None:
    arrivals = Arrivals()
    arrivals.add(RELAYED)
    assert arrivals.has("t0ken")
    assert arrivals.message("t0ken") == RELAYED
    assert not arrivals.has("t0ken2")
    assert not arrivals.has("t0ke")


def test_a_bounce_that_quotes_the_message_is_no_arrival() -> None:
    arrivals = Arrivals()
    arrivals.add(BOUNCE)
    assert not arrivals.has("t0ken")


def test_a_bounce_to_the_canary_is_one_and_is_not_its_message() -> None:
    arrivals = Arrivals()
    arrivals.add(BOUNCE.replace(b"spamtest@", b"w+audit-t0ken@"))
    assert arrivals.has("t0ken")
    assert arrivals.message("t0ken") is None


@pytest.mark.parametrize("head", [b"X: y", b"To:\r\n <audit-t0ken@c.test>", b""])
def test_headers_are_read_as_they_come(head: bytes) -> None:
    arrivals = Arrivals()
    arrivals.add(head + b"\r\n\r\naudit-t0ken")
    assert arrivals.has("t0ken") == (b"t0ken" in head)


def test_a_maildir_is_watched_until_the_message_comes(tmp_path: Path) -> None:
    for part in ("new", "cur", "tmp"):
        (tmp_path / part).mkdir()
    canary = MaildirCanary("w@c.test", tmp_path, 5.0)

    async def run() -> None:
        assert not await canary.has("t0ken")
        asyncio.get_running_loop().call_later(
            0.3, (tmp_path / "new" / "1.x").write_bytes, RELAYED
        )
        assert await arrived(canary, "t0ken")
        assert await fetched(canary, "t0ken") == RELAYED

    asyncio.run(run())


def test_the_wait_is_bounded(tmp_path: Path) -> None:
    async def run() -> None:
        canary = MaildirCanary("w@c.test", tmp_path, 0.3)
        async with asyncio.timeout(2.0):
            assert not await arrived(canary, "t0ken")
            assert await fetched(canary, "t0ken") is None

    asyncio.run(run())


def test_the_listener_takes_mail_and_knows_it_by_envelope_or_header() -> None:
    def send(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=5) as client:
            client.sendmail("a@x.test", ["audit-first@c.test"], b"Subject: x\r\n\r\n.y")
            client.sendmail("a@x.test", ["z@c.test"], RELAYED)

    async def run() -> None:
        canary = ListeningCanary("w@c.test", "127.0.0.1", 0, 2.0)
        await canary.start()
        try:
            await asyncio.to_thread(send, canary.port)
            assert await arrived(canary, "first")
            assert await arrived(canary, "t0ken")
            assert await fetched(canary, "first") == b"Subject: x\r\n\r\n.y\r\n"
            assert not await canary.has("two")
        finally:
            await canary.close()

    asyncio.run(run())
