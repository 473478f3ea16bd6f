"""A crowd of mail for one dead host costs one try a step, and nobody else's time."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from crowded import DEAD, step, store_crowd
from deep_figures import note
from queued_mail import message
from scheduled import AWAY, ScriptedCarrier, World
from sekisho.model.outcome import Deferred, Failed
from sekisho.model.route import Destination
from sekisho.observe import events
from sekisho.queue.records import Selection, State
from sekisho.queue.store import Queue, QueueOptions
from sekisho.report.texts import Kind
from sekisho.scheduler.options import Patience


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


async def _crowd_costs_a_probe_astep(
    half: Half, empty: World, count: int, mail: int, least: float
) -> None:
    """Compare a queue with a crowd to one without, phase by phase in one run."""
    await _rate(empty, mail)
    await _rate(half, mail)
    await store_crowd(half, count)
    half.scheduler.wake()
    await asyncio.sleep(0.2)
    # The crowd is being parked meanwhile, if it takes that long.
    parts = [await _part(half, empty, mail)]
    await step(half, 0)
    assert half.probes == 1
    read = len(half.seen(events.Deferred))
    assert read <= 200  # The others were parked unread.
    for number, wait in enumerate((330.0, 990.0, 3960.0), start=2):
        half.now += wait
        half.scheduler._bell.set()
        parts.append(await _part(half, empty, mail))
        await step(half, 0)
        assert half.probes == number
    assert len(half.seen(events.Deferred)) <= read + 3 * 25  # Until it is a crowd.
    stats = await half.queue.stats(half.now)
    assert stats.recipients == count
    # What people are told of them is true: they come with the host's next step.
    lane = next(one for one in half.scheduler._lanes.values() if one.name == DEAD)
    for one in await half.queue.list(Selection(destination=DEAD), 500):
        (queued,) = one.recipients
        assert "Connection refused" in queued.last_reply
        assert queued.next_attempt is not None
        assert -1 < queued.next_attempt.timestamp() - lane.down_until < 400
    assert (await half.queue.next_due_at(0.0) or 0.0) >= lane.down_until
    # Nothing goes on while nothing is due.
    before = time.process_time()
    await asyncio.sleep(1.0)
    idle = time.process_time() - before
    print(  # noqa: T201 - shown where it failed
        f"part of the rate without: {parts[0]:.2f} while it is parked,"
        f" {[round(part, 2) for part in parts[1:]]} in a step; idle {idle:.3f} s;"
        f" {read} read first, {len(half.seen(events.Deferred)) - read} later"
    )
    assert idle < 0.1
    if least:
        note(
            "dead_host",
            probes_a_step=half.probes / 4,
            others_rate=sorted(parts[1:])[1],
        )
    assert sorted(parts)[1] >= least


async def _part(crowded: World, empty: World, mail: int) -> float:
    """The part of an empty queue's rate that one with a crowd has; by turns."""
    rates: dict[World, list[float]] = {crowded: [], empty: []}
    for _ in range(5):
        for world in (crowded, empty):
            rates[world].append(await _rate(world, mail))
    return sorted(rates[crowded])[2] / sorted(rates[empty])[2]


@pytest_asyncio.fixture
async def empty(tmp_path: Path, world: World) -> AsyncIterator[World]:
    folder = tmp_path / "empty"
    queue = Queue.open(folder, options=QueueOptions(min_free_bytes=0))
    queue.start(asyncio.get_running_loop(), pytest.fail)
    made = World(queue, world.options)
    yield made
    await made.scheduler.stop(1)
    await made.running
    await queue.close()


@pytest.mark.asyncio
async def test_crowd_costs_a_probe_astep(half: Half, empty: World) -> None:
    await _crowd_costs_a_probe_astep(half, empty, 3000, 40, 0.0)


@pytest.mark.deep
@pytest.mark.asyncio
async def test_hundred_thousand_cost_a_probe_astep(half: Half, empty: World) -> None:
    await _crowd_costs_a_probe_astep(half, empty, 100_000, 4000, 0.9)


@pytest.mark.asyncio
async def test_crowd_is_delivered_once_the_host_is_back(world: World) -> None:
    world.refusal = AWAY
    await store_crowd(world, 1500)
    world.scheduler.wake()
    await step(world, 0)
    world.refusal = None
    for _ in range(3):
        await step(world, 400)
    assert (await world.queue.stats(world.now)).messages == 0
    assert len(world.transactions) == 1500


@pytest.mark.asyncio
async def test_crowd_is_told_of_delay_and_expires_in_time(world: World) -> None:
    world.options.expire_seconds = 8000.0
    world.options.delay_notice_seconds = 2000.0
    world.refusal = AWAY
    await store_crowd(world, 300)
    world.scheduler.wake()
    began = world.now
    while world.now < began + 8100:
        await step(world, 100)
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
