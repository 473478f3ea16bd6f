"""The lab's sound server keeps the rules; flaws are built by breaking one of them."""

import asyncio
from base64 import b64encode
from dataclasses import replace

import pytest

from audit.lab_visits import visit_to
from sekisho.audit.conversation import ClosedError, Conversation
from sekisho.audit.lab.manners import SOUND, Manners
from sekisho.audit.lab.server import LabServer, NotLoopbackError
from sekisho.audit.lab.sound import PASSWORD, USER
from sekisho.audit.visit import spelled

PLAIN = b64encode(b"\0" + USER + b"\0" + PASSWORD).decode()


def replies(
    *lines: str | bytes, manners: Manners = SOUND, tls: bool = True
) -> list[str]:
    """Say the lines, one after another; codes, or ``closed``."""

    async def run() -> list[str]:
        async with LabServer(manners) as server:
            visit = visit_to(server)
            async with (visit.ready if tls else visit.dial)() as conversation:
                return [await said(conversation, line) for line in lines]

    return asyncio.run(run())


async def said(conversation: Conversation, line: str | bytes) -> str:
    try:
        reply = await conversation.say(line)
    except ClosedError:
        return "closed"
    return " ".join(spelled(reply).split()[: 2 if reply.enhanced else 1])


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "2001:db8::1"])
def test_listens_on_loopback_alone(host: str) -> None:
    async def run() -> None:
        with pytest.raises(NotLoopbackError):
            LabServer(SOUND, host=host)

    asyncio.run(run())


def test_a_stranger_reaches_users_and_nobody_else() -> None:
    assert replies(
        "MAIL FROM:<a@canary.test>",
        "RCPT TO:<user@lab.test>",
        "RCPT TO:<nobody@lab.test>",
        "RCPT TO:<c@canary.test>",
        "RCPT TO:<c@canary.test@lab.test>",
        "RCPT TO:<postmaster>",
    ) == ["250 2.1.0", "250 2.1.5", "550 5.1.1", "550 5.7.1", "501 5.1.3", "250 2.1.5"]


def test_a_user_relays_as_himself() -> None:
    assert replies(
        f"AUTH PLAIN {PLAIN}",
        "MAIL FROM:<other@lab.test>",
        "MAIL FROM:<user@lab.test>",
        "RCPT TO:<c@canary.test>",
        f"AUTH PLAIN {PLAIN}",
    ) == ["235 2.7.0", "553 5.7.1", "250 2.1.0", "250 2.1.5", "503 5.5.1"]


@pytest.mark.parametrize(
    ("response", "reply"),
    [
        (b"=", "501 5.5.2"),
        (b"AAA=", "501 5.5.2"),
        (b".", "501 5.5.2"),
        (b64encode(b"\0user\0"), "501 5.5.2"),
        (b64encode(b"\0user\0wrong"), "535 5.7.8"),
        (b64encode(b"other\0user\0" + PASSWORD), "535 5.7.8"),
        (b64encode(b"user\0user\0" + PASSWORD), "235 2.7.0"),
    ],
)
def test_plain_takes_only_what_is_right(response: bytes, reply: str) -> None:
    assert replies(b"AUTH PLAIN " + response) == [reply]


def test_an_exchange_can_be_cancelled() -> None:
    assert replies("AUTH LOGIN", "*", "NOOP") == ["334", "501 5.7.0", "250 2.0.0"]


def test_no_password_is_looked_at_without_tls() -> None:
    assert replies("EHLO t", f"AUTH PLAIN {PLAIN}", tls=False)[1] == "538 5.7.11"


@pytest.mark.parametrize("line", [b"NOOP\nMAIL FROM:<>", b"NOOP\rX", b"NO\0OP"])
def test_a_bare_line_end_in_a_command_ends_the_session(line: bytes) -> None:
    assert replies(line, "NOOP") == ["500 5.5.2", "closed"]


def test_lines_have_a_bound() -> None:
    assert replies("NOOP " + "x" * 4091, "NOOP " + "x" * 4092, "NOOP") == [
        "250 2.0.0",
        "500 5.5.2",
        "250 2.0.0",
    ]


@pytest.mark.parametrize("end", [b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n\0.\r\n"])
def test_data_ends_at_one_place_and_odd_ends_are_refused(end: bytes) -> None:
    content = b"Subject: x\r\n\r\nx" + end + b"MAIL FROM:<a@b.test>\r\n."
    assert replies(
        "MAIL FROM:<a@b.test>", "RCPT TO:<user@lab.test>", "DATA", content, "NOOP"
    )[2:] == ["354", "550 5.5.2", "250 2.0.0"]


def test_chunks_are_octets_and_their_lies_end_the_session() -> None:
    assert replies(
        "MAIL FROM:<a@b.test>",
        "RCPT TO:<user@lab.test>",
        b"BDAT 9\r\nx\r\n.\r\nM",
        "BDAT -1",
    ) == ["250 2.1.0", "250 2.1.5", "250 2.0.0", "501 5.5.4"]
    assert replies("BDAT x", "NOOP") == ["501 5.5.4", "closed"]


def test_nothing_crosses_starttls() -> None:
    async def run(manners: Manners) -> list[str]:
        async with (
            LabServer(manners) as server,
            visit_to(server).dial() as conversation,
        ):
            await conversation.ehlo()
            await conversation.send(b"STARTTLS\r\nEHLO injected\r\n")
            await conversation.reply()
            await conversation.handshake()
            return [
                await said(conversation, line)
                for line in ("FAKE", "MAIL FROM:<a@b.test>")
            ]

    assert asyncio.run(run(SOUND)) == ["500 5.5.1", "503 5.5.1"]
    flawed = replace(SOUND, keeps_over_starttls=frozenset({"input"}))
    assert asyncio.run(run(flawed)) == ["250", "500 5.5.1"]


def test_guessing_ends_the_session() -> None:
    wrong = "AUTH PLAIN " + b64encode(b"\0user\0wrong").decode()
    assert replies(*[wrong] * 6)[4:] == ["535 5.7.8", "421 4.7.0"]


def test_what_is_taken_for_a_foreign_mailbox_counts_as_arrived() -> None:
    async def run() -> tuple[bool, bool]:
        async with LabServer(SOUND) as server:
            before = await server.arrived("t0ken", 0)
            async with visit_to(server).ready() as conversation:
                for line in (
                    f"AUTH PLAIN {PLAIN}",
                    "MAIL FROM:<user@lab.test>",
                    "RCPT TO:<audit-t0ken@canary.test>",
                    "DATA",
                    "Subject: x\r\n\r\nx\r\n.",
                ):
                    await said(conversation, line)
            return before, await server.arrived("t0ken")

    assert asyncio.run(run()) == (False, True)
