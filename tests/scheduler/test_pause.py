"""Nothing goes to a paused destination, none of its mail is lost, and all goes on."""

import asyncio

import pytest

from queued_mail import NOW, message
from replacing import replace
from scheduled import AWAY, LATER, OK, World
from sekisho.observe import events
from sekisho.queue.records import State
from sekisho.report.texts import Kind


@pytest.mark.asyncio
async def test_nothing_goes_to_a_paused_destination(world: World) -> None:
    await world.queue.pause("b.example", NOW)
    mail = await world.send(message("a@b.example", "x@c.example"))
    await world.settled()
    assert [names for _, names in world.transactions] == [["x@c.example"]]
    queued = await world.queue.get(mail.id)
    assert queued is not None
    waiting = queued.recipients[0]
    assert (waiting.state, waiting.attempts) == (State.DEFERRED, 0)
    assert waiting.cause == "paused by an operator"
    assert waiting.next_attempt == NOW + 3600
    # Nor when it is looked at again, nor when an operator wants other mail tried.
    await world.pass_time(3600)
    world.scheduler.wake()
    await world.send(message("late@b.example"))
    await world.settled()
    assert world.connected == ["c.example"]


@pytest.mark.asyncio
async def test_resumed_it_goes_at_once(world: World) -> None:
    await world.queue.pause("b.example", NOW)
    for _ in range(3):
        await world.send(message())
    await world.settled()
    assert await world.queue.resume("b.example", NOW) == 3
    await world.until(lambda: len(world.seen(events.Finished)) == 3)
    assert world.scheduler.destinations()[0].down_until == 0.0


@pytest.mark.asyncio
async def test_what_waits_is_given_back_and_what_runs_ends(world: World) -> None:
    world.gate.clear()
    for _ in range(30):
        await world.send(message())
    await world.until(lambda: world.at_once == 20)
    await world.queue.pause("b.example", NOW)
    await world.until(lambda: len(world.seen(events.Deferred)) == 10)
    world.gate.set()
    await world.settled()
    assert len(world.seen(events.Delivered)) == 20
    (figures,) = world.scheduler.destinations()
    assert (figures.waiting, figures.down_until, figures.down_by) == (0, 0.0, "")


@pytest.mark.asyncio
async def test_pause_outlives_a_connection_made_meanwhile(world: World) -> None:
    for refusal in (None, AWAY):
        world.refusal = refusal
        await world.send(message())
        await world.queue.pause("b.example", NOW)
        await world.settled()
        tries = len(world.connected)
        await world.send(message())
        await world.settled()
        assert len(world.connected) == tries
        await world.queue.resume("b.example", NOW)
        await world.settled()


@pytest.mark.asyncio
async def test_pause_outlives_a_restart(world: World) -> None:
    await world.queue.pause("b.example", NOW)
    mail = await world.send(message())
    await world.settled()
    world.queue.paused.clear()
    world.queue.paused.update(world.queue.reader.paused())
    await world.restart()
    await world.pass_time(3600)
    assert world.connected == []
    assert await world.state(mail) is State.DEFERRED


@pytest.mark.asyncio
async def test_paused_mail_does_not_expire_but_is_late(world: World) -> None:
    world.options = replace(world.options, expire_seconds=6 * 3600.0)
    await world.restart()
    await world.queue.pause("b.example", NOW)
    await world.send(message())
    await world.settled()
    for _ in range(12):
        await world.pass_time(3600)
    await asyncio.sleep(0)
    assert [kind for kind, _, _ in world.reports] == [Kind.DELAYED]
    assert world.seen(events.Failed) == []
    # Resumed, it has one try before it is given up.
    world.script = lambda mail, recipients: (
        [LATER if str(mail.envelope.reverse_path) else OK] * len(recipients)
    )
    await world.queue.resume("b.example", world.now)
    await world.until(lambda: len(world.seen(events.Failed)) == 1)
    assert len(world.transactions) >= 2
