"""A client may go away at every moment, flood, stall or lie: nothing is left of it."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from pathlib import Path
from typing import get_args

import pytest

from peers.service import OWN
from sekisho.model.facts import Standing
from sekisho.net.ports import bind
from sekisho.observe import events
from sekisho.server.reception import Reception
from sekisho.session import events as session_events
from server.conftest import Run
from server.support import (
    FROM,
    MAIL,
    PASSWORD,
    TO,
    USER,
    Client,
    a_house,
    open_house,
    plain,
    until,
)

ASKED = "RCPT TO:<x@asked.test>"


async def greeted(c: Client) -> None:
    await c.reply()


async def after_mail(c: Client) -> None:
    await greeted(c)
    for line in ("EHLO c.test", FROM):
        await c.say(line)


async def while_the_host_is_asked(c: Client) -> None:
    await after_mail(c)
    c.send(ASKED.encode() + b"\r\n")


async def in_small_content(c: Client) -> None:
    await after_mail(c)
    await c.say(TO)
    await c.say("DATA")
    c.send(MAIL)


async def in_spilled_content(c: Client) -> None:
    await in_small_content(c)
    c.send((b"x" * 998 + b"\r\n") * 600)


async def between_chunks(c: Client) -> None:
    await after_mail(c)
    await c.say(TO)
    c.send(b"BDAT 200000\r\n" + b"x" * 70 + b"\r\n" * 100)


async def while_it_is_stored(c: Client) -> None:
    await in_spilled_content(c)
    c.send(b".\r\n")


async def with_a_flood_behind_a_question(c: Client) -> None:
    await while_the_host_is_asked(c)
    c.send(b"RSET\r\n" * 50_000)


MOMENTS = [
    greeted,
    after_mail,
    while_the_host_is_asked,
    in_small_content,
    in_spilled_content,
    between_chunks,
    while_it_is_stored,
    with_a_flood_behind_a_question,
]


@pytest.mark.asyncio
@pytest.mark.parametrize("pause", [0.0, 0.02])
@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_client_that_vanishes_leaves_nothing_behind(
    tmp_path: Path, moment: Callable[[Client], Awaitable[None]], pause: float
) -> None:
    async with open_house(tmp_path) as house:
        house.callout.gate.clear()
        async with await house.dial(greeting=False) as c:
            await moment(c)
            await asyncio.sleep(pause)
            c.vanish()
            # Who has only said that he will say no more still gets his answer.
            await asyncio.sleep(pause)
            house.callout.gate.set()
            await house.quiet()
            known = len(house.accepted)
            await until(lambda: len(house.body_files()) == known)
            assert not house.seen(events.Alarm)


@pytest.mark.asyncio
async def test_a_client_that_vanishes_while_it_is_verified(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, await house.dial("submission") as c:
        await c.starttls()
        await c.say("EHLO c.test")
        c.send(plain().encode() + b"\r\n")
        await asyncio.sleep(0)
        c.vanish()
        await house.quiet()


@pytest.mark.asyncio
async def test_a_client_that_has_said_all_gets_its_answer(tmp_path: Path) -> None:
    """It closes its own direction behind the content, as `nc` does."""
    async with open_house(tmp_path) as house, await house.session() as c:
        await c.begin()
        c.send(MAIL + b".\r\n")
        c.writer.write_eof()
        assert (await c.reply()).startswith("250")
        assert await c.is_closed()
        assert len(house.accepted) == 1


@pytest.mark.asyncio
async def test_a_client_that_has_said_all_and_waits_for_nothing(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path) as house, await house.session() as c:
        c.writer.write_eof()
        assert await c.is_closed()


@pytest.mark.asyncio
async def test_a_flood_behind_a_question_costs_two_reads(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, await house.session() as c:
        await c.say(FROM)
        house.callout.gate.clear()
        c.send(ASKED.encode() + b"\r\n" + b"NOOP\r\n" * 500_000)
        await asyncio.sleep(0.2)
        (connection,) = house.listeners._connections
        held = len(connection._held) + connection._session.held_bytes
        assert 0 < held <= 2 * 256 * 1024
        house.callout.gate.set()
        assert (await c.reply()).startswith("250")
        await house.quiet()
        (closed,) = house.seen(events.SessionClosed)
        assert closed.reason == "too many commands"


@pytest.mark.asyncio
async def test_a_client_that_never_reads_is_not_read_from(tmp_path: Path) -> None:
    async with open_house(tmp_path, max_idle_commands=1_000_000) as house:
        loop = asyncio.get_running_loop()
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.setblocking(False)
            await loop.sock_connect(deaf, ("127.0.0.1", house.ports["mx"]))
            assert (await loop.sock_recv(deaf, 100)).startswith(b"220")
            flood = asyncio.ensure_future(
                loop.sock_sendall(deaf, b"EHLO c.test\r\n" * 1_000_000)
            )
            await until(lambda: house.listeners._connections)
            (connection,) = house.listeners._connections
            await until(lambda: not connection._writable)
            await asyncio.sleep(0.1)
            assert not flood.done()
            assert len(connection._held) <= 256 * 1024
            house.clock.ahead = 400
            await until(lambda: connection._stage.name == "CLOSED")
            house.clock.ahead = 500
            await house.quiet()
            flood.cancel()


@pytest.mark.asyncio
async def test_a_thousand_recipients(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, await house.signed_in() as c:
        await c.say(f"MAIL FROM:<{USER}>")
        c.send(b"".join(b"RCPT TO:<r%d@world.test>\r\n" % n for n in range(1001)))
        codes = [(await c.reply())[:3] for _ in range(1001)]
        assert codes == ["250"] * 1000 + ["452"]
        await c.say("DATA")
        c.send(MAIL.replace(b"a@outside.test", USER.encode()) + b".\r\n")
        assert (await c.reply()).startswith("250")
        (message,) = house.accepted
        assert len(message.envelope.recipients) == 1000


@pytest.mark.asyncio
async def test_a_recipient_named_twice_gets_it_once(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, await house.session() as c:
        await c.say(FROM)
        for line in (TO, TO, "RCPT TO:<postmaster>"):
            assert (await c.say(line)).startswith("250")
        await c.say("DATA")
        c.send(MAIL + b".\r\n")
        assert (await c.reply()).startswith("250")
        (message,) = house.accepted
        named = [str(one.address) for one in message.envelope.recipients]
        assert named == [f"known@{OWN}", f"postmaster@{OWN}"]


# -- call-out, accounts


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("standing", "status"),
    [
        (Standing.EXISTS, "250"),
        (Standing.UNKNOWN, "550 5.1.1"),
        (Standing.UNAVAILABLE, "450"),
    ],
)
async def test_the_inner_host_is_asked(
    tmp_path: Path, standing: Standing, status: str
) -> None:
    async with open_house(tmp_path) as house, await house.session() as c:
        house.callout.standing = standing
        await c.say(FROM)
        assert (await c.say(ASKED)).startswith(status)
        assert house.callout.asked == ["x@asked.test"]


@pytest.mark.asyncio
async def test_an_error_nobody_foresaw_is_421_and_an_alarm(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, await house.session() as c:
        house.callout.failure = RuntimeError("boom")
        await c.say(FROM)
        assert (await c.say(ASKED)).startswith("421 4.3.0")
        assert await c.is_closed()
        (alarm,) = house.seen(events.Alarm)
        assert "boom" in alarm.detail


@pytest.mark.asyncio
async def test_an_error_nobody_foresaw_while_nothing_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_house(tmp_path) as house, await house.session() as c:
        await c.begin()

        def broken(*_: object) -> None:
            raise RuntimeError("boom")

        monkeypatch.setattr(house.queue, "put", broken)
        c.send(MAIL + b".\r\n")
        assert (await c.reply()).startswith("421 4.3.0")
        assert await c.is_closed()
        assert house.seen(events.Alarm)


@pytest.mark.asyncio
async def test_an_account_disabled_meanwhile_is_421(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, await house.signed_in() as c:
        house.accounts.disable(USER)
        assert (await c.say(f"MAIL FROM:<{USER}>")).startswith("421 4.7.0")
        assert await c.is_closed()


@pytest.mark.asyncio
async def test_wrong_words_and_a_cancelled_exchange(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, await house.dial("submission") as c:
        await c.starttls()
        await c.say("EHLO c.test")
        assert (await c.say(plain(password="wrong"))).startswith("535 5.7.8")
        assert (await c.say("AUTH LOGIN")).startswith("334")
        assert (await c.say("*")).startswith("501")
        assert (await c.say("AUTH LOGIN")).startswith("334")
        assert (await c.say("=====")).startswith("501")
        assert (await c.say(plain(password=PASSWORD))).startswith("235")
        assert len(house.seen(events.AuthFailed)) == 1
        assert len(house.seen(events.AuthSucceeded)) == 1


# -- the disk


@pytest.mark.asyncio
@pytest.mark.parametrize("mail", [MAIL, MAIL + (b"x" * 70 + b"\r\n") * 5000])
async def test_a_disk_that_fills_meanwhile_is_452_and_leaves_no_file(
    tmp_path: Path, mail: bytes
) -> None:
    room = [2**50]
    async with (
        open_house(tmp_path, measure=lambda _folder: room[0]) as house,
        await house.session() as c,
    ):
        await c.begin()
        c.send(mail)
        await until(lambda: house.services.buffered_bytes or house.body_files())
        room[0] = 0
        await asyncio.sleep(1.05)  # the answer of before is believed for a second
        c.send(b".\r\n")
        assert (await c.reply()).startswith("452 4.3.1")
        await until(lambda: not house.body_files())
        assert (await c.say(FROM)).startswith("452 4.3.1")
        room[0] = 2**50
        await asyncio.sleep(1.05)
        assert (await c.deliver(mail)).startswith("250")


@pytest.mark.asyncio
async def test_a_failed_disk_is_never_250(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, await house.session() as c:
        await c.begin()
        house.queue._writer.fail("the disk failed")
        c.send(MAIL + b".\r\n")
        assert await c.is_closed()
        await until(lambda: house.fatal == ["the disk failed"])
        assert not house.accepted


@pytest.mark.asyncio
async def test_content_that_is_refused_leaves_no_file(tmp_path: Path) -> None:
    async with open_house(tmp_path, max_hops=10) as house, await house.session() as c:
        hop = b"Received: from a by b; Mon, 21 Sep 2026 12:00:00 +0000\r\n"
        mail = hop * 11 + MAIL + (b"x" * 70 + b"\r\n") * 2000
        assert (await c.deliver(mail)).startswith("554 5.4.6")
        await until(lambda: not house.body_files())
        assert (await c.deliver(mail.replace(hop, b""))).startswith("250")
        assert len(house.body_files()) == 1


@pytest.mark.asyncio
async def test_content_that_breaks_a_rule_leaves_no_file(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, await house.session() as c:
        mail = MAIL + (b"x" * 70 + b"\r\n") * 2000 + b"bare\nnewline\r\n"
        assert (await c.deliver(mail)).startswith("550 5.5.2")
        assert await c.is_closed()
        await until(lambda: not house.body_files())


@pytest.mark.asyncio
async def test_sessions_that_hold_too_much_use_files(tmp_path: Path) -> None:
    async with open_house(tmp_path, max_buffered_bytes=1) as house:
        async with await house.session() as c:
            assert (await c.deliver()).startswith("250")
        (message,) = house.accepted
        assert message.content.body.size == len(MAIL)
        assert len(house.body_files()) == 1


# -- draining, time


@pytest.mark.asyncio
async def test_draining_lets_mail_end_and_sends_the_idle_away(tmp_path: Path) -> None:
    async with (
        open_house(tmp_path) as house,
        await house.session() as busy,
        await house.session() as idle,
    ):
        await busy.begin()
        house.services.draining = True
        closing = asyncio.ensure_future(house.listeners.close(5.0))
        assert (await idle.reply()).startswith("421 4.3.2")
        assert await idle.is_closed()
        busy.send(MAIL + b".\r\n")
        assert (await busy.reply()).startswith("250")
        assert (await busy.reply()).startswith("421")
        await closing


@pytest.mark.asyncio
async def test_no_mail_is_begun_while_draining(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, await house.session() as c:
        house.services.draining = True
        assert (await c.say(FROM)).startswith("421 4.3.2")
        async with await house.dial(greeting=False) as late:
            assert (await late.reply()).startswith("421 4.3.2")


@pytest.mark.asyncio
async def test_one_broken_session_does_not_stop_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_house(tmp_path) as house, await house.session() as c:
        (connection,) = house.listeners._connections

        def broken(_now: float) -> None:
            raise RuntimeError("boom")

        monkeypatch.setattr(connection, "look_at_clock", broken)
        assert await c.is_closed()
        async with await house.session() as other:
            house.clock.ahead = 400
            assert (await other.reply()).startswith("421 4.4.2")


def test_octets_that_wait_at_the_door_are_an_early_talker(
    tmp_path: Path, on_each_loop: Run
) -> None:
    """Also where the greeting waits for nobody."""

    async def work() -> None:
        async with open_house(tmp_path) as house:
            with socket.create_connection(("127.0.0.1", house.ports["mx"])) as early:
                early.sendall(b"EHLO c.test\r\n")
                early.setblocking(False)
                heard = await asyncio.get_running_loop().sock_recv(early, 1000)
            assert heard.startswith(b"554 5.5.1")

    on_each_loop(work())


@pytest.mark.asyncio
async def test_the_greeting_waits_for_an_early_talker(tmp_path: Path) -> None:
    async with open_house(tmp_path, greeting_seconds=1) as house:
        async with (
            await house.dial(greeting=False) as early,
            await house.dial(greeting=False) as patient,
            await house.dial(greeting=False) as drained,
        ):
            early.send(b"EHLO c.test\r\n")
            assert (await early.reply()).startswith("554 5.5.1")
            assert (await patient.reply()).startswith("220")
            assert (await drained.reply()).startswith("220")
        async with await house.dial(greeting=False) as late:
            await until(lambda: house.open_connections == 1)
            house.services.draining = True
            (connection,) = house.listeners._connections
            connection.stop()
            assert (await late.reply()).startswith("421 4.3.2")


# -- PROXY


HEADER = b"PROXY TCP4 192.0.2.9 127.0.0.1 1 2\r\n"


@pytest.mark.asyncio
async def test_the_client_is_whom_the_proxy_names(tmp_path: Path) -> None:
    settings = a_house(mx={"proxy_protocol": ["127.0.0.1"]})
    async with open_house(tmp_path, settings) as house:
        async with await house.dial(greeting=False) as c:
            for octet in HEADER:
                c.send(bytes([octet]))
                await asyncio.sleep(0)
            assert (await c.reply()).startswith("220")
            (opened,) = house.seen(events.SessionOpened)
            assert opened.client == "192.0.2.9"
        async with await house.dial(greeting=False) as early:
            early.send(HEADER + b"EHLO c.test\r\n")
            assert (await early.reply()).startswith("554 5.5.1")
        async with await house.dial(greeting=False) as own:
            own.send(b"PROXY UNKNOWN\r\n")
            assert (await own.reply()).startswith("220")
            assert house.seen(events.SessionOpened)[-1].client == "127.0.0.1"


@pytest.mark.asyncio
async def test_no_header_no_session(tmp_path: Path) -> None:
    settings = a_house(mx={"proxy_protocol": ["127.0.0.1"]})
    async with open_house(tmp_path, settings) as house:
        async with await house.dial(greeting=False) as c:
            c.send(b"EHLO c.test\r\n")
            assert await c.is_closed()
        async with await house.dial(greeting=False) as half:
            half.send(HEADER[:10])
            await until(lambda: house.open_connections == 1)
            house.clock.ahead = 10
            assert await half.is_closed()
        async with await house.dial(greeting=False):
            await until(lambda: house.open_connections == 1)
            await asyncio.wait_for(house.listeners.close(20.0), 3)


@pytest.mark.asyncio
async def test_who_is_no_proxy_is_closed(tmp_path: Path) -> None:
    settings = a_house(mx={"proxy_protocol": ["192.0.2.1"]})
    async with (
        open_house(tmp_path, settings) as house,
        await house.dial(greeting=False) as c,
    ):
        c.send(HEADER)
        assert await c.is_closed()
        assert not house.seen(events.SessionOpened)


@pytest.mark.asyncio
async def test_the_services_own_audit_says_proxy_for_itself_and_nobody_else(
    tmp_path: Path,
) -> None:
    """Whoever stole its address for a moment would come in as anybody."""
    settings = a_house(mx={"proxy_protocol": ["192.0.2.1"]})
    async with open_house(tmp_path, settings) as house:
        house.services.auditors = frozenset({ip_address("127.0.0.1")})
        async with await house.dial(greeting=False) as own:
            own.send(b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n")
            assert (await own.reply()).startswith("220")
        async with await house.dial(greeting=False) as other:
            other.send(HEADER)
            assert await other.is_closed()
        assert len(house.seen(events.SessionOpened)) == 1


# -- ports


def test_a_port_that_is_taken_is_an_error_and_no_leak() -> None:
    with bind("127.0.0.1", 0) as first:
        first.listen()
        with pytest.raises(OSError, match="in use"):
            bind("127.0.0.1", first.getsockname()[1])


def test_an_ipv6_port_takes_no_ipv4() -> None:
    try:
        bound = bind("::1", 0)
    except OSError:
        pytest.skip("no IPv6 here")
    with bound:
        assert bound.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1


def test_every_event_of_a_session_is_carried_out() -> None:
    assert Reception._HANDLERS.keys() == set(get_args(session_events.Event))
