"""Who comes in by which door, and what is done to his message there."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from peers.service import HOSTNAME
from replacing import replace
from sekisho.app.submission import bind_submission, system_identity
from sekisho.app.wiring import listener_context
from sekisho.config.load import load_config
from sekisho.model.identity import NOBODY, Who
from sekisho.model.rules import Role, TlsMode
from sekisho.observe import events
from server.support import (
    FROM,
    MAIL,
    TO,
    USER,
    Client,
    House,
    a_house,
    open_house,
    until,
)


@asynccontextmanager
async def socket_of(house: House, who: Who) -> AsyncGenerator[Path]:
    """The socket of `sekisho sendmail`, at which everybody is one user."""

    def everybody(_uid: int) -> Who:
        return who

    config = load_config(house.folder / "sekisho.toml", {})
    door = replace(
        listener_context(config, config.listeners[0]),
        name="sendmail",
        tls_mode=TlsMode.OFF,
        identify=everybody,
    )
    door.profile = replace(door.profile, role=Role.SUBMISSION)
    path = house.folder / "submit.sock"
    await house.listeners.open(door, bind_submission(path), 0)
    yield path


async def at_socket(path: Path) -> Client:
    return Client(*await asyncio.open_unix_connection(str(path)))


@pytest.mark.asyncio
async def test_the_kernels_word_is_enough_at_the_socket(tmp_path: Path) -> None:
    async with (
        open_house(tmp_path) as house,
        socket_of(house, system_identity(os.geteuid(), HOSTNAME)) as path,
        await at_socket(path) as c,
    ):
        assert (await c.reply()).startswith("220")
        await c.say("EHLO c.test")
        mail = b"From: <any@own.test>\r\n\r\nHello.\r\n"
        answer = await c.deliver(
            mail, "RCPT TO:<x@world.test>", "MAIL FROM:<any@own.test>"
        )
        assert answer.startswith("250")
        prefix = house.accepted[0].content.prefix
        assert b"Message-ID:" in prefix
        assert b"Date:" in prefix


@pytest.mark.asyncio
async def test_a_user_without_a_name_is_closed(tmp_path: Path) -> None:
    async with (
        open_house(tmp_path) as house,
        socket_of(house, NOBODY) as path,
        await at_socket(path) as c,
    ):
        assert await c.is_closed()


@pytest.mark.asyncio
async def test_a_client_without_papers_may_send_so_much(tmp_path: Path) -> None:
    async with (
        open_house(tmp_path, max_messages_per_client_per_hour=1) as house,
        await house.session() as c,
    ):
        assert (await c.deliver()).startswith("250")
        await c.say(FROM)
        assert (await c.say(TO)).startswith("450 4.7.1")
        house.clock.ahead = 3700
        async with await house.session() as later:
            assert (await later.deliver()).startswith("250")


@pytest.mark.asyncio
async def test_an_author_is_rewritten_where_the_grant_says_so(tmp_path: Path) -> None:
    settings = a_house()
    settings["grant"] = [
        {"name": "staff", "who": ["authenticated"], "sender_binding": "rewrite"}
    ]
    async with open_house(tmp_path, settings) as house, await house.signed_in() as c:
        answer = await c.deliver(MAIL, "RCPT TO:<x@world.test>", f"MAIL FROM:<{USER}>")
        assert answer.startswith("250")
        content = house.accepted[0].content
        assert f"<{USER}>".encode() in content.prefix or USER.encode() in content.prefix
        assert content.skip > 0


@pytest.mark.asyncio
async def test_another_author_is_refused(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, await house.signed_in() as c:
        answer = await c.deliver(MAIL, "RCPT TO:<x@world.test>", f"MAIL FROM:<{USER}>")
        assert answer.startswith("5")
        refused = house.seen(events.MailRefused)[-1]
        assert refused.reverse_path == USER


@pytest.mark.asyncio
async def test_content_without_a_header_is_kept_out_of_ours(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, await house.session() as c:
        assert (await c.deliver(b"no header at all\r\n")).startswith("250")
        assert house.accepted[0].content.prefix.endswith(b"\r\n\r\n")


@pytest.mark.asyncio
async def test_a_stranger_is_told_nothing_but_no(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, await house.session() as c:
        await c.say(FROM)
        assert (await c.say("RCPT TO:<x@world.test>")).startswith("550 5.7.1")
        assert (await c.say("DATA")).startswith(("503", "554"))
        await until(lambda: house.seen(events.MailRefused))
        async with await house.session("submission") as other:
            assert (await other.say(FROM)).startswith("530")
