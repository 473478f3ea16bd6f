"""What is parked for a dead host goes on as soon as there is a way to it."""

from collections.abc import Sequence

import pytest
import pytest_asyncio

from crowded import DEAD, step, store_crowd
from queued_mail import message
from scheduled import AWAY, OK, World
from sekisho.model.envelope import Recipient
from sekisho.model.message import Message
from sekisho.model.outcome import Outcome
from sekisho.model.route import Destination, MxRoute
from sekisho.observe import events
from sekisho.queue.records import Selection

CROWD = 700


@pytest_asyncio.fixture
async def parked(world: World) -> World:
    """A world whose queue holds a crowd that is parked."""
    world.refusal = AWAY
    await store_crowd(world, CROWD)
    world.scheduler.wake()
    await step(world, 0)
    assert list(world.queue.reader.parked()) == [DEAD]
    rows = "SELECT count(*) FROM recipient WHERE next_attempt > ?"
    late = world.now + 7200
    ((count,),) = world.queue.reader._execute(rows, (late,)).fetchall()
    assert count >= CROWD - 121
    return world


async def left(world: World) -> int:
    return (await world.queue.stats(world.now)).messages


async def steps(world: World, count: int, seconds: float) -> None:
    for _ in range(count):
        await step(world, seconds)


@pytest.mark.asyncio
async def test_other_mail_that_gets_through_sets_the_crowd_going(parked: World) -> None:
    parked.refusal = None
    parked.scheduler.wake()  # The lane is up, and nobody has come to a step.
    await parked.send(message(f"new@{DEAD}"))
    await steps(parked, 3, 0)
    await step(parked, 100)
    await step(parked, 350)
    assert await left(parked) == 0
    assert len(parked.transactions) == CROWD + 1
    assert parked.queue.reader.parked() == {}


@pytest.mark.asyncio
async def test_crowd_outlives_a_restart(parked: World) -> None:
    parked.queue.parked = parked.queue.reader.parked()  # As another process reads it.
    until = parked.queue.parked[DEAD].until
    for one in await parked.queue.list(Selection(destination=DEAD), 1000):
        assert one.recipients[0].next_attempt is not None
        assert until <= one.recipients[0].next_attempt.timestamp() <= until + 30
    await parked.restart()
    tried = parked.connected.count(DEAD)
    await step(parked, until - parked.now + 1)
    assert parked.connected.count(DEAD) == tried + 1
    assert parked.queue.reader.parked()[DEAD].failures == 2
    parked.refusal = None
    await step(parked, 1000)
    await steps(parked, 2, 400)
    assert await left(parked) == 0
    assert len(parked.transactions) == CROWD


@pytest.mark.asyncio
async def test_operators_see_each_step_once_and_that_the_host_is_back(
    parked: World,
) -> None:
    (first,) = parked.seen(events.Parked)
    assert (first.destination, first.failures) == (DEAD, 1)
    assert (first.cause, first.reply) == ("host unreachable", str(AWAY.reply))
    assert first.next_attempt == parked.queue.parked[DEAD].until
    await step(parked, first.next_attempt - parked.now + 1)
    second = parked.seen(events.Parked)[-1]
    assert second.failures == 2
    assert second.next_attempt > first.next_attempt
    assert len(parked.seen(events.Parked)) == 2
    assert parked.seen(events.Unparked) == []
    parked.refusal = None
    await step(parked, second.next_attempt - parked.now + 1)
    await steps(parked, 2, 400)
    assert await left(parked) == 0
    assert [one.destination for one in parked.seen(events.Unparked)] == [DEAD]


@pytest.mark.asyncio
async def test_host_that_dies_again_keeps_nothing(parked: World) -> None:
    """It is there for a while, breaks off, and comes back in the end."""

    def script(_mail: Message, recipients: Sequence[Recipient]) -> list[Outcome]:
        if len(parked.transactions) == 200:
            parked.refusal = AWAY
            return [AWAY] * len(recipients)
        return [OK] * len(recipients)

    parked.options.max_messages_per_carrier = 10
    parked.script = script
    parked.refusal = None
    await step(parked, 330)
    assert 0 < await left(parked) <= CROWD - 200
    await steps(parked, 2, 1000)
    parked.refusal = None
    await steps(parked, 3, 4000)
    assert await left(parked) == 0


@pytest.mark.asyncio
async def test_crowd_takes_another_way_where_routes_have_changed(
    parked: World,
) -> None:
    parked.destination = Destination(MxRoute(), "smarthost.example")
    parked.refusal = None
    await step(parked, 330)
    await step(parked, 30)
    assert await left(parked) == 0
    assert parked.connected.count(DEAD) == 1
    assert parked.queue.reader.parked() == {}


@pytest.mark.asyncio
async def test_crowd_that_an_operator_removed_is_forgotten(parked: World) -> None:
    await parked.queue.remove(Selection(destination=DEAD), parked.now)
    await step(parked, 330)
    await step(parked, 70)
    assert parked.queue.reader.parked() == {}
    assert parked.connected.count(DEAD) == 1


@pytest.mark.asyncio
async def test_paused_crowd_is_not_tried(parked: World) -> None:
    await parked.queue.pause(DEAD, parked.now)
    await steps(parked, 3, 400)
    assert parked.connected.count(DEAD) == 1
    parked.refusal = None
    await parked.queue.resume(DEAD, parked.now)
    await steps(parked, 2, 400)
    assert await left(parked) == 0


@pytest.mark.asyncio
async def test_operator_has_a_crowd_tried_at_once(parked: World) -> None:
    parked.scheduler.wake()
    await step(parked, 0)
    assert parked.connected.count(DEAD) == 2
    assert len(parked.seen(events.Deferred)) < 300
    parked.refusal = None
    await parked.queue.retry(Selection(destination=DEAD), parked.now)
    await steps(parked, 2, 0)
    assert await left(parked) == 0
