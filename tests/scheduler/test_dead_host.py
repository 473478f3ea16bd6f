"""A crowd of mail for one dead host costs one try a step, and nobody else's time."""

import asyncio
import time

import pytest

from queued_mail import decision, message
from scheduled import AWAY, ScriptedCarrier, World
from sekisho.model.outcome import Deferred, Failed
from sekisho.model.route import Destination
from sekisho.observe import events
from sekisho.queue.records import Selection, State
from sekisho.report.texts import Kind
from sekisho.scheduler.options import Patience

DEAD = "dead.example"


class Half(World):
    """One host is dead, all others are well."""

    async def connect(
        self, destination: Destination
    ) -> ScriptedCarrier | Deferred | Failed:
        self.refusal = AWAY if DEAD in str(destination) else None
        return await super().connect(destination)

    @property
    def probes(self) -> int:
        return self.connected.count(DEAD)


@pytest.fixture
def half(world: World) -> Half:
    world.__class__ = Half
    assert isinstance(world, Half)
    return world


async def _store(world: World, count: int) -> None:
    for begin in range(0, count, 2000):
        some = range(begin, min(begin + 2000, count))
        mails = [message(f"r{n}@{DEAD}") for n in some]
        await asyncio.gather(*(world.queue.put(one, decision(one)) for one in mails))


def _is_busy(world: World) -> bool:
    carrying = world.scheduler
    return bool(carrying._loading or carrying._more or carrying._flights)


async def _step(world: World, seconds: float) -> None:
    """Let a step come, and all the store's reading end."""
    world.now += seconds
    world.scheduler._bell.set()
    await asyncio.sleep(0.1)
    async with asyncio.timeout(120):
        while _is_busy(world):  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.05)


async def _rate(world: World, count: int) -> float:
    began = time.perf_counter()
    mails = [message(f"x{n}@alive{n % 5}.example") for n in range(count)]
    for begin in range(0, count, 200):
        await asyncio.gather(*(world.send(one) for one in mails[begin : begin + 200]))
    async with asyncio.timeout(120):
        while any(  # noqa: ASYNC110 - the same
            mail.id.value in world.scheduler._flights for mail in mails
        ):
            await asyncio.sleep(0.002)
    return count / (time.perf_counter() - began)


async def _crowd_costs_a_probe_a_step(
    world: Half, count: int, mail: int, least: float
) -> None:
    await _rate(world, mail)
    without = max([await _rate(world, mail) for _ in range(2)])
    await _store(world, count)
    world.scheduler.wake()
    await _step(world, 0)
    assert world.probes == 1
    read = len(world.seen(events.Deferred))
    assert read <= 200  # The others were put off unread.
    between: list[float] = []
    with_crowd: list[float] = []
    for number, wait in enumerate((330.0, 990.0, 3960.0), start=2):
        between.append(await _rate(world, mail))
        world.now += wait
        world.scheduler._bell.set()
        with_crowd.append(await _rate(world, mail))
        await _step(world, 0)
        assert world.probes == number
    assert len(world.seen(events.Deferred)) <= read + 200
    stats = await world.queue.stats(world.now)
    assert stats.recipients == count
    # What the store tells of them is true: they come with the host's next step.
    lane = next(one for one in world.scheduler._lanes.values() if one.name == DEAD)
    for one in await world.queue.list(Selection(destination=DEAD), 500):
        (queued,) = one.recipients
        assert "Connection refused" in queued.last_reply
    assert await world.queue.next_due_at(0.0) is not None
    assert (await world.queue.next_due_at(0.0) or 0.0) >= lane.down_until
    # Nothing goes on while nothing is due.
    before = time.process_time()
    await asyncio.sleep(1.0)
    idle = time.process_time() - before
    figures = (
        f"a second: {without:.0f} without, {[*map(round, between)]} between steps,"
        f" {[*map(round, with_crowd)]} in one; idle {idle:.3f} s"
    )
    print(figures)  # noqa: T201 - shown where it failed
    assert idle < 0.1
    assert sorted(with_crowd)[1] >= least * without


@pytest.mark.asyncio
async def test_crowd_costs_a_probe_a_step(half: Half) -> None:
    await _crowd_costs_a_probe_a_step(half, 3000, 200, 0.0)


@pytest.mark.deep
@pytest.mark.asyncio
async def test_hundred_thousand_cost_a_probe_a_step(half: Half) -> None:
    await _crowd_costs_a_probe_a_step(half, 100_000, 30_000, 0.9)


@pytest.mark.asyncio
async def test_crowd_is_delivered_once_the_host_is_back(world: World) -> None:
    world.refusal = AWAY
    await _store(world, 1500)
    world.scheduler.wake()
    await _step(world, 0)
    world.refusal = None
    for _ in range(3):
        await _step(world, 400)
    assert (await world.queue.stats(world.now)).messages == 0
    assert len(world.transactions) == 1500


@pytest.mark.asyncio
async def test_crowd_is_told_of_delay_and_expires_in_time(world: World) -> None:
    world.options.expire_seconds = 8000.0
    world.options.delay_notice_seconds = 2000.0
    world.refusal = AWAY
    await _store(world, 300)
    world.scheduler.wake()
    began = world.now
    while world.now < began + 8100:
        await _step(world, 100)
        kinds = [kind for kind, _, _ in world.reports]
        assert kinds.count(Kind.DELAYED) == (300 if world.now >= began + 2000 else 0)
        assert kinds.count(Kind.FAILED) == (300 if world.now >= began + 8000 else 0)


@pytest.mark.asyncio
async def test_domains_have_patience_of_their_own(world: World) -> None:
    world.options.by_domain = {
        "b.example": Patience("b.example", 1000.0, 0.0, (100.0,)),
        "*.c.example": Patience("*.c.example", 5000.0, 0.0),
    }
    world.refusal = AWAY
    mails = [
        await world.send(message(f"a@{domain}"))
        for domain in ("b.example", "x.c.example", "c.example")
    ]
    await world.settled()
    for _ in range(11):
        await world.pass_time(100)
    assert world.connected.count("b.example") >= 9
    assert [await world.state(one) for one in mails] == [
        None,
        State.DEFERRED,
        State.DEFERRED,
    ]
    for _ in range(10):
        await world.pass_time(400)
    assert [await world.state(one) for one in mails] == [None, None, State.DEFERRED]
