"""The wall clock is set while mail waits: it neither hangs nor is given up untried."""

import pytest

from queued_mail import NOW, message
from scheduled import AWAY, LATER, OK, RETRY, World
from sekisho.observe import events
from sekisho.queue.postponing import Parked
from sekisho.queue.records import State
from sekisho.report.texts import Kind
from sekisho.scheduler.jumps import TOLERANCE_SECONDS, Jumps, longest_wait
from sekisho.scheduler.options import Patience, SchedulerOptions
from sekisho.scheduler.schedule import RetryRule

DAY = 86_400.0


def refuse_for_now(world: World) -> None:
    world.script = lambda _message, recipients: [LATER] * len(recipients)


@pytest.mark.asyncio
async def test_set_back_a_day_what_waits_is_tried_at_once(world: World) -> None:
    refuse_for_now(world)
    mail = await world.send(message())
    await world.settled()
    await world.set_clock(-DAY)
    assert len(world.transactions) == 2
    assert [one.seconds for one in world.seen(events.ClockSet)] == [-DAY]
    # From then on it goes by the clock as it is.
    await world.pass_time(RETRY[1] - 1)
    assert len(world.transactions) == 2
    await world.pass_time(2)
    assert len(world.transactions) == 3
    assert await world.state(mail) is State.DEFERRED


@pytest.mark.asyncio
async def test_set_back_a_host_that_is_down_is_tried_at_once(world: World) -> None:
    world.refusal = AWAY
    await world.send(message())
    await world.settled()
    assert len(world.connected) == 1
    world.refusal = None
    await world.set_clock(-DAY)
    assert len(world.connected) == 2
    assert len(world.seen(events.Delivered)) == 1


@pytest.mark.asyncio
async def test_time_that_was_skipped_makes_no_mail_older(world: World) -> None:
    """Three days forward: it is tried at once, and has its own two days still."""
    refuse_for_now(world)
    mail = await world.send(message())
    await world.settled()
    await world.set_clock(3 * DAY)
    assert len(world.transactions) == 2
    assert await world.state(mail) is State.DEFERRED
    assert world.reports == []
    await world.pass_time(world.options.expire_seconds - 1)
    assert [kind for kind, *_ in world.reports] == [Kind.DELAYED]
    assert await world.state(mail) is State.DEFERRED
    await world.pass_time(2)
    assert [kind for kind, *_ in world.reports] == [Kind.DELAYED, Kind.FAILED]


@pytest.mark.asyncio
async def test_what_came_after_the_leap_is_given_up_in_its_time(world: World) -> None:
    await world.set_clock(3 * DAY)
    refuse_for_now(world)
    await world.send(message(now=world.now))
    await world.settled()
    await world.pass_time(world.options.expire_seconds + 1)
    assert world.reports[-1][0] is Kind.FAILED


@pytest.mark.asyncio
async def test_a_leap_that_is_taken_back_gives_no_time(world: World) -> None:
    refuse_for_now(world)
    await world.send(message())
    await world.settled()
    await world.set_clock(3 * DAY)
    await world.set_clock(-3 * DAY)
    await world.pass_time(world.options.expire_seconds + 1)
    assert world.reports[-1][0] is Kind.FAILED


@pytest.mark.asyncio
async def test_set_back_while_nothing_ran_is_seen_at_the_start(world: World) -> None:
    refuse_for_now(world)
    await world.send(message())
    await world.settled()
    world.now -= DAY
    await world.restart()
    assert len(world.transactions) == 2


@pytest.mark.asyncio
async def test_what_was_never_tried_does_not_wait_for_the_old_clock(
    world: World,
) -> None:
    await world.scheduler.stop(1)
    await world.running
    await world.send(message())
    world.now -= 600.0
    await world.restart()
    assert len(world.seen(events.Delivered)) == 1


@pytest.mark.asyncio
async def test_set_forward_while_nothing_ran_mail_is_tried_before_it_is_given_up(
    world: World,
) -> None:
    refuse_for_now(world)
    await world.send(message())
    await world.settled()
    world.now += 3 * DAY
    world.script = lambda _message, recipients: [OK] * len(recipients)
    await world.restart()
    assert len(world.seen(events.Delivered)) == 1
    assert world.reports == []


@pytest.mark.asyncio
async def test_a_restart_does_not_try_what_waits_rightly(world: World) -> None:
    refuse_for_now(world)
    await world.send(message())
    await world.settled()
    await world.restart()
    assert len(world.transactions) == 1


@pytest.mark.asyncio
async def test_what_is_parked_waits_for_its_host_however_long(world: World) -> None:
    refuse_for_now(world)
    await world.send(message("bob@b.example"))
    await world.settled()
    latest = NOW + RETRY[0] - 1
    assert await world.queue.has_stray(NOW, latest)
    assert not await world.queue.has_stray(NOW, latest + 1)
    destination = world.connected[0]
    for until, is_stray in ((latest, False), (latest + 1, True)):
        world.queue.note_parked(Parked(destination, until, 1, "451 no", "rate"))
        await world.queue.pause("other.example", NOW)  # Behind it in the store.
        assert await world.queue.has_stray(NOW, latest) is is_stray


def test_small_steps_are_none() -> None:
    wall, ticks = [NOW], [0.0]
    jumps = Jumps(lambda: wall[0], lambda: ticks[0])
    wall[0] += TOLERANCE_SECONDS
    assert jumps.look() == []
    wall[0] -= TOLERANCE_SECONDS
    assert jumps.look() == []
    wall[0] += 3600.0
    ticks[0] += 3600.0
    assert jumps.look() == []
    wall[0] += TOLERANCE_SECONDS + 1
    assert jumps.look() == [TOLERANCE_SECONDS + 1]
    assert jumps.skipped(NOW) == TOLERANCE_SECONDS + 1
    assert jumps.skipped(wall[0]) == 0.0


def test_a_leap_back_is_not_hidden_by_one_forward() -> None:
    """What was put off between them would wait for the clock as it was."""
    wall = [NOW]
    jumps = Jumps(lambda: wall[0], lambda: 0.0)
    wall[0] += 4 * DAY
    jumps.skipped(NOW)
    wall[0] -= 3 * DAY
    assert jumps.look() == [4 * DAY, -3 * DAY]


def test_half_of_a_leap_taken_back_leaves_the_other_half() -> None:
    wall = [NOW]
    jumps = Jumps(lambda: wall[0], lambda: 0.0)
    wall[0] += 2 * DAY
    jumps.look()
    wall[0] -= DAY
    jumps.look()
    assert jumps.skipped(NOW) == DAY
    wall[0] -= 2 * DAY
    jumps.look()
    assert jumps.skipped(NOW - 2 * DAY) == 0.0


def test_the_longest_wait_is_of_all_schedules() -> None:
    options = SchedulerOptions(retry_seconds=(60.0,), jitter=0.0, paused_seconds=50.0)
    assert longest_wait(options) == 60.0 + TOLERANCE_SECONDS
    options.retry_by_rule = {RetryRule.QUOTA: (70.0,)}
    assert longest_wait(options) == 70.0 + TOLERANCE_SECONDS
    options.by_domain = {"a.example": Patience("a", DAY, 0.0, (80.0, 90.0))}
    assert longest_wait(options) == 90.0 + TOLERANCE_SECONDS
