"""Unknown is said only of what is unknown, and each answer is asked for once."""

import asyncio
from collections.abc import Callable

import pytest

from delivery.equipment import courier, to_host
from delivery.scripted import Host, Script, Talk, forever
from sekisho.delivery.callout import Callout, CalloutOptions, standing_of
from sekisho.model.address import Address, parse_address
from sekisho.model.facts import Standing
from sekisho.model.outcome import Cause, Deferred
from sekisho.model.reply import Reply, reply
from sekisho.model.route import DropRoute, MaildirRoute, Route, Routes
from sekisho.session.client_events import ClientTimeouts

pytestmark = pytest.mark.asyncio


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def callout(
    route: Route, clock: Callable[[], float] | None = None, **options: float
) -> Callout:
    return Callout(
        courier(timeouts=ClientTimeouts(quit=0.3)),
        lambda: Routes(domains={"own.example": route}),
        clock or Clock(),
        CalloutOptions(**options),  # type: ignore[arg-type]
    )


def address(local_part: str) -> Address:
    return parse_address(f"{local_part}@own.example")


def answering(*answers: str, leaves: bool = True) -> Script:
    """Answer probes one after the other over one connection."""

    async def script(talk: Talk) -> None:
        await talk.greet("PIPELINING")
        for number, answer in enumerate(answers):
            if number:
                await talk.hear("RSET")
                talk.say("250 OK")
            await talk.hear("MAIL FROM:<>")
            talk.say("250 OK")
            await talk.hear("RCPT")
            talk.say(answer)
        if leaves:
            await talk.leave()

    return script


@pytest.mark.parametrize(
    ("answer", "standing"),
    [
        (reply(250, "2.1.5", "OK"), Standing.EXISTS),
        (reply(251, "2.1.5", "will forward"), Standing.EXISTS),
        (reply(550, "5.1.1", "no"), Standing.UNKNOWN),
        (reply(550, "5.1.10", "RecipientNotFound"), Standing.UNKNOWN),
        (reply(550, "5.4.1", "Access denied"), Standing.UNKNOWN),
        (reply(550, "5.2.1", "disabled"), Standing.UNKNOWN),
        (reply(550, "", "no such user"), Standing.UNKNOWN),
        (reply(550, "5.7.1", "relaying denied"), Standing.UNAVAILABLE),
        (reply(550, "5.4.14", "hops"), Standing.UNAVAILABLE),
        (reply(552, "5.2.2", "full"), Standing.UNAVAILABLE),
        (reply(554, "", "no"), Standing.UNAVAILABLE),
        (reply(450, "4.1.1", "later"), Standing.UNAVAILABLE),
        (reply(450, "", "later"), Standing.UNAVAILABLE),
        (Deferred(Cause.DNS, reply(451, "", "x")), Standing.UNAVAILABLE),
    ],
)
async def test_what_an_answer_says_of_the_address(
    answer: Reply | Deferred, standing: Standing
) -> None:
    assert standing_of(answer) is standing


async def test_one_connection_serves_many_questions() -> None:
    script = answering("250 OK", "550 5.1.1 no", "450 later")
    async with Host(script).running() as host:
        asks = callout(to_host(host.port).route)
        assert await asks.ask(address("a")) is Standing.EXISTS
        assert await asks.ask(address("b")) is Standing.UNKNOWN
        assert await asks.ask(address("c")) is Standing.UNAVAILABLE
        await asks.close()


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [("250 OK", 86_400), ("550 5.1.1 no", 600), ("450 later", 60)],
)
async def test_answers_are_remembered_for_their_time(
    answer: str, seconds: float
) -> None:
    clock = Clock()
    async with Host(answering(answer, answer)).running() as host:
        asks = callout(to_host(host.port).route, clock)
        for _ in range(3):
            await asks.ask(address("a"))
            await asks.ask(address("A"))
        clock.now += seconds - 0.1
        await asks.ask(address("a"))
        assert sum(h.startswith("RCPT") for h in host.talks[0].heard) == 1
        clock.now += 0.2
        await asks.ask(address("a"))
        assert sum(h.startswith("RCPT") for h in host.talks[0].heard) == 2
        await asks.close()


async def test_concurrent_questions_for_one_address_are_one() -> None:
    async with Host(answering("250 OK")).running() as host:
        asks = callout(to_host(host.port).route)
        first = asyncio.ensure_future(asks.ask(address("a")))
        others = [asyncio.ensure_future(asks.ask(address("a"))) for _ in range(5)]
        await asyncio.sleep(0)
        first.cancel()
        assert set(await asyncio.gather(*others)) == {Standing.EXISTS}
        await asks.close()


async def test_number_of_connections_is_bounded() -> None:
    open_now = 0
    most = 0

    async def script(talk: Talk) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await talk.greet()
        await talk.hear("MAIL")
        await asyncio.sleep(0.05)
        talk.say("250 OK")
        await talk.hear("RCPT")
        open_now -= 1
        talk.say("421 bye")

    async with Host(*([script] * 6)).running() as host:
        asks = callout(to_host(host.port).route, max_connections=2)
        await asyncio.gather(*(asks.ask(address(f"a{n}")) for n in range(6)))
        await asks.close()
    assert most == 2


async def test_memory_is_bounded() -> None:
    async with Host(answering(*["250 OK"] * 4)).running() as host:
        asks = callout(to_host(host.port).route, max_remembered=2)
        for name in "abca":
            await asks.ask(address(name))
        assert sum(h.startswith("RCPT") for h in host.talks[0].heard) == 4
        await asks.close()


async def test_refused_null_sender_and_dead_host_say_nothing_of_the_address() -> None:
    async def no_bounces(talk: Talk) -> None:
        await talk.greet()
        await talk.hear("MAIL")
        talk.say("550 5.1.1 no bounces")
        await talk.leave()

    async with Host(no_bounces).running() as host:
        asks = callout(to_host(host.port).route)
        assert await asks.ask(address("a")) is Standing.UNAVAILABLE
        await asks.close()
    asks = callout(to_host(host.port).route)
    assert await asks.ask(address("a")) is Standing.UNAVAILABLE


async def test_host_that_hangs_is_unavailable_in_time() -> None:
    async with Host(forever).running() as host:
        asks = callout(to_host(host.port).route, ask_seconds=0.2)
        assert await asks.ask(address("a")) is Standing.UNAVAILABLE


async def test_connection_closed_while_idle_is_replaced() -> None:
    one = answering("250 OK", leaves=False)
    async with Host(one, answering("550 5.1.1 no")).running() as host:
        asks = callout(to_host(host.port).route)
        assert await asks.ask(address("a")) is Standing.EXISTS
        await asyncio.sleep(0.05)
        assert await asks.ask(address("b")) is Standing.UNKNOWN
        await asks.close()


async def test_connection_lost_at_the_question_is_replaced() -> None:
    async def script(talk: Talk) -> None:
        await answering("250 OK", leaves=False)(talk)
        await talk.hear("RSET")

    async with Host(script, answering("550 5.1.1 no")).running() as host:
        asks = callout(to_host(host.port).route)
        assert await asks.ask(address("a")) is Standing.EXISTS
        assert await asks.ask(address("b")) is Standing.UNKNOWN
        await asks.close()


async def test_idle_connections_are_closed_after_a_while() -> None:
    async with Host(answering("250 OK", "250 OK")).running() as host:
        asks = callout(to_host(host.port).route, kept_seconds=0.1)
        await asks.ask(address("a"))
        await asks.ask(address("b"))
        await asyncio.sleep(0.3)
        assert host.talks[0].heard[-1] == "QUIT"


async def test_closing_ends_open_questions() -> None:
    async with Host(forever).running() as host:
        asks = callout(to_host(host.port).route)
        task = asyncio.ensure_future(asks.ask(address("a")))
        await asyncio.sleep(0.05)
        await asks.close()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("route", [MaildirRoute("/x"), DropRoute("/x")])
async def test_folders_take_every_recipient(route: Route) -> None:
    assert await callout(route).ask(address("a")) is Standing.EXISTS
