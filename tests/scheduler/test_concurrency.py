"""A destination gets as many connections as it bears, and no more."""

import asyncio
from collections.abc import Sequence

import pytest

from queued_mail import message
from replacing import replace
from scheduled import AWAY, LATER, OK, World
from sekisho.model.envelope import Recipient
from sekisho.model.message import Message
from sekisho.model.outcome import Cause, Deferred, Outcome
from sekisho.model.reply import Reply
from sekisho.scheduler.lane import Lane
from sekisho.scheduler.schedule import is_too_much

BUSY = Deferred(Cause.REMOTE_REPLY, Reply(421, "4.3.2", ("Too busy",)), "mx.example")
SILENT = Deferred(Cause.TIMEOUT, Reply(451, "4.4.2", ("Time-out",)), "mx.example")


async def begin_small(world: World) -> None:
    world.options = replace(world.options, first_carriers_per_destination=2)
    await world.restart()


def lane(world: World) -> Lane:
    return next(iter(world.scheduler._lanes.values()))


@pytest.mark.parametrize(
    ("outcome", "too_much"),
    [(BUSY, True), (SILENT, True), (LATER, False), (AWAY, False)],
)
def test_what_is_too_much(outcome: Deferred, too_much: bool) -> None:
    assert is_too_much(outcome) is too_much


@pytest.mark.asyncio
async def test_unknown_host_is_met_with_few_and_success_brings_more(
    world: World,
) -> None:
    await begin_small(world)
    world.gate.clear()
    for _ in range(200):
        await world.send(message())
    await asyncio.sleep(0.05)
    assert world.at_once == 2
    world.gate.set()
    await world.settled()
    # One more a round: 2 + 3 + … + 19 jobs are done when it reaches the bound.
    assert lane(world).limit == 20
    assert 10 < world.most_at_once <= 20


@pytest.mark.asyncio
@pytest.mark.parametrize("outcome", [BUSY, SILENT])
async def test_refusals_of_one_moment_halve_it_once(
    world: World, outcome: Deferred
) -> None:
    world.gate.clear()
    for _ in range(20):
        await world.send(message())
    await world.until(lambda: world.at_once == 20)
    world.script = lambda _message, recipients: [outcome] * len(recipients)
    world.gate.set()
    await world.settled()
    assert lane(world).limit == 10
    # The next moment that shows it halves it again, down to one.
    for limit in (5, 2, 1, 1):
        await world.send(message())
        await world.settled()
        assert lane(world).limit == limit


@pytest.mark.asyncio
async def test_connections_above_the_limit_are_closed_and_mail_goes_on(
    world: World,
) -> None:
    refused = 0

    def script(_message: Message, recipients: Sequence[Recipient]) -> list[Outcome]:
        nonlocal refused
        refused += 1
        return [BUSY if refused == 1 else OK] * len(recipients)

    world.gate.clear()
    world.script = script
    for _ in range(100):
        await world.send(message())
    await world.until(lambda: world.at_once == 20)
    world.gate.set()
    await world.settled()
    assert world.closed == 10
    assert len(world.transactions) == 100
    assert lane(world).limit > 10


@pytest.mark.asyncio
async def test_figures_show_how_a_destination_stands(world: World) -> None:
    await begin_small(world)
    world.gate.clear()
    for _ in range(7):
        await world.send(message("a@alive.example"))
    await world.until(lambda: world.at_once == 2)
    world.refusal = AWAY
    await world.send(message("b@dead.example"))
    await world.until(lambda: len(world.scheduler._flights) == 7)
    alive, dead = sorted(
        world.scheduler.destinations(), key=lambda one: one.destination
    )
    assert (alive.destination, alive.waiting, alive.carriers, alive.limit) == (
        *("alive.example", 5),
        *(2, 2),
    )
    assert (alive.down_until, alive.down_by) == (0.0, "")
    assert (dead.destination, dead.waiting, dead.carriers) == ("dead.example", 0, 0)
    assert dead.down_until == world.now + 300
    assert dead.down_by == "451 4.4.1 Connection refused"
