"""No client is lost in a TLS handshake, no octet of it, and no plain one gets in."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from sekisho.observe.events import SessionClosed, TlsFailed, TlsStarted
from sekisho.server.connection import Stage
from server.conftest import Run
from server.support import SECONDS, Client, House, TlsClient, a_house, open_house, until

BOTH = pytest.mark.parametrize("door", ["submission", "smtps"])
PROXIED = a_house(
    smtps={"proxy_protocol": ["127.0.0.1"]}, mx={"proxy_protocol": ["127.0.0.1"]}
)
MIB = 1024 * 1024
HEADER = b"PROXY TCP4 192.0.2.9 127.0.0.1 1 2\r\n"


async def at_handshake(house: House, door: str) -> Client:
    """A client of which the server waits for a ClientHello."""
    client = await house.dial(door, greeting=door == "submission")
    if door == "submission":
        await client.say("EHLO c.test")
        await client.say("STARTTLS")
    connections = house.listeners._connections
    await until(lambda: any(one._stage is Stage.HANDSHAKE for one in connections))
    return client


@BOTH
def test_a_command_in_one_piece_with_the_handshakes_end(
    tmp_path: Path, on_each_loop: Run, door: str
) -> None:
    async def work() -> None:
        async with open_house(tmp_path) as house, await at_handshake(house, door) as c:
            tls = TlsClient(c)
            await tls.shake_hands(behind=b"EHLO c.test\r\n")
            heard = await tls.heard()
            if door == "smtps" and "250" not in heard:
                heard += await tls.heard()
            assert "250-AUTH" in heard
            for _ in range(3):
                assert (await tls.say("NOOP")).startswith("250")

    on_each_loop(work())


def vanishes(client: Client, _house: House) -> None:
    client.vanish()


def closes(client: Client, _house: House) -> None:
    client.writer.close()


def talks_plain(client: Client, _house: House) -> None:
    client.send(b"NOOP\r\n" * 20)


def is_silent(_client: Client, house: House) -> None:
    house.clock.ahead = 100


@BOTH
@pytest.mark.parametrize("breaks_off", [vanishes, closes, talks_plain, is_silent])
def test_a_handshake_that_fails_leaves_nothing_behind(
    tmp_path: Path,
    on_each_loop: Run,
    door: str,
    breaks_off: Callable[[Client, House], None],
) -> None:
    async def work() -> None:
        async with open_house(tmp_path) as house, await at_handshake(house, door) as c:
            await asyncio.sleep(0.02)
            breaks_off(c, house)
            await house.quiet()
            assert len(house.seen(TlsFailed)) == 1
            (closed,) = house.seen(SessionClosed)
            assert closed.reason in {"TLS handshake failed", "timed out"}

    on_each_loop(work())


@BOTH
def test_a_drained_service_waits_for_no_handshake(
    tmp_path: Path, on_each_loop: Run, door: str
) -> None:
    async def work() -> None:
        async with open_house(tmp_path) as house, await at_handshake(house, door):
            await asyncio.sleep(0.02)
            house.services.draining = True
            await asyncio.wait_for(house.listeners.close(20.0), 3)

    on_each_loop(work())


@pytest.mark.parametrize("cut", [0, 10, None])
def test_a_client_hello_behind_its_proxy_header(
    tmp_path: Path, on_each_loop: Run, cut: int | None
) -> None:
    """In one piece with it, cut in its middle, or on its own."""

    async def work() -> None:
        async with (
            open_house(tmp_path, PROXIED) as house,
            await house.dial("smtps", greeting=False) as c,
        ):
            header = HEADER

            async def send(octets: bytes) -> None:
                nonlocal header
                if header:
                    first, header = header, b""
                    c.send(first + octets[:cut])
                    await asyncio.sleep(0.05)
                    octets = b"" if cut is None else octets[cut:]
                c.send(octets)

            tls = TlsClient(c)
            await tls.shake_hands(send)
            assert (await tls.heard()).startswith("220")
            assert house.seen(TlsStarted)

    on_each_loop(work())


def test_plain_octets_behind_a_proxy_header_never_reach_the_session(
    tmp_path: Path, on_each_loop: Run
) -> None:
    async def work() -> None:
        async with (
            open_house(tmp_path, PROXIED) as house,
            await house.dial("smtps", greeting=False) as c,
        ):
            c.send(HEADER + b"EHLO evil.test\r\nMAIL FROM:<a@outside.test>\r\n")
            await house.quiet()
            assert not house.seen(TlsStarted)

    on_each_loop(work())


def test_what_is_said_behind_starttls_is_thrown_away(
    tmp_path: Path, on_each_loop: Run
) -> None:
    """Also where it came while an answer was being worked on."""

    async def work() -> None:
        async with open_house(tmp_path) as house, await house.session() as c:
            await c.say("MAIL FROM:<a@outside.test>")
            house.callout.gate.clear()
            c.send(b"RCPT TO:<x@asked.test>\r\nRSET\r\nSTARTTLS\r\nEHLO evil.test\r\n")
            await asyncio.sleep(0.05)
            house.callout.gate.set()
            for code in ("250", "250", "220"):
                assert (await c.reply()).startswith(code)
            await c.handshake()
            assert (await c.say("NOOP")).startswith("250 ")
            assert (await c.say("MAIL FROM:<a@outside.test>")).startswith("503")

    on_each_loop(work())


def test_one_session_too_many_costs_no_handshake(
    tmp_path: Path, on_each_loop: Run
) -> None:
    async def work() -> None:
        async with (
            open_house(tmp_path, max_sessions_per_client=1) as house,
            await house.session(),
            await house.dial("smtps", greeting=False) as c,
        ):
            assert await c.is_closed()
            assert house.services.clients.sessions == 1

    on_each_loop(work())


def test_starttls_without_a_certificate_any_more(
    tmp_path: Path, on_each_loop: Run
) -> None:
    async def work() -> None:
        async with open_house(tmp_path) as house, await house.session() as c:
            house.services.tls = None
            await c.say("STARTTLS")
            assert await c.is_closed()

    on_each_loop(work())


@BOTH
def test_a_goodbye_under_tls_is_whole(
    tmp_path: Path, on_each_loop: Run, door: str
) -> None:
    """The reply to QUIT, and behind it the word that nothing was cut off."""

    async def work() -> None:
        async with open_house(tmp_path) as house, await at_handshake(house, door) as c:
            tls = TlsClient(c)
            await tls.shake_hands()
            if door == "smtps":
                await tls.heard()
            assert (await tls.say("QUIT")).startswith("221")
            assert await tls.has_ended()
            await house.quiet()

    on_each_loop(work())


def ends_tls(tls: TlsClient, client: Client) -> None:
    client.send(tls.goodbye())


def breaks_a_record(_tls: TlsClient, client: Client) -> None:
    client.send(b"\x17\x03\x03\x00\x20" + b"x" * 32)


@pytest.mark.parametrize(
    ("does", "reason"),
    [
        (ends_tls, "the client closed the connection"),
        (breaks_a_record, "the connection broke: SSLError"),
    ],
)
@pytest.mark.parametrize("is_busy", [False, True])
def test_the_end_of_tls_is_the_end_of_the_connection(
    tmp_path: Path,
    on_each_loop: Run,
    does: Callable[[TlsClient, Client], None],
    reason: str,
    is_busy: bool,
) -> None:
    async def work() -> None:
        async with (
            open_house(tmp_path) as house,
            await at_handshake(house, "smtps") as c,
        ):
            tls = TlsClient(c)
            await tls.shake_hands(behind=b"EHLO c.test\r\n")
            await tls.heard()
            if is_busy:
                house.callout.gate.clear()
                tls.write("MAIL FROM:<a@outside.test>\r\nRCPT TO:<x@asked.test>")
                await asyncio.sleep(0.05)
            does(tls, c)
            await house.quiet()
            (closed,) = house.seen(SessionClosed)
            assert closed.reason == reason

    on_each_loop(work())


def test_a_client_under_tls_that_does_not_read_is_not_read_from(
    tmp_path: Path, on_each_loop: Run
) -> None:
    async def work() -> None:
        async with (
            open_house(tmp_path, max_idle_commands=10**9) as house,
            await at_handshake(house, "smtps") as c,
        ):
            tls = TlsClient(c)
            await tls.shake_hands(behind=b"EHLO c.test\r\n")
            (connection,) = house.listeners._connections
            lines = "\r\n".join(["HELP"] * 20_000)
            # What nobody reads fills both sides' buffers.
            for _ in range(200):
                tls.write(lines)
                if c.writer.transport.get_write_buffer_size() > 4 * MIB:
                    break
                await asyncio.sleep(0.01)
            assert not connection._reading
            assert not connection._writable
            while not connection._reading:
                assert await asyncio.wait_for(c.reader.read(MIB), SECONDS)

    on_each_loop(work())
