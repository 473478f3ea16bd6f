"""Two workers keep to one bound, and try a dead host once a step between them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from queued_mail import message
from scheduled import AWAY, RETRY, World
from sekisho.queue.store import Queue, QueueOptions
from sekisho.scheduler import carriers
from sekisho.scheduler.options import SchedulerOptions
from sekisho.shared.destinations import SharedDestinations
from sekisho.shared.store import SharedStore

pytestmark = pytest.mark.asyncio
Workers = Callable[[int], "list[World]"]


@pytest_asyncio.fixture
async def two(tmp_path: Path) -> AsyncIterator[Workers]:
    """Make two workers that may have so many connections to a destination."""
    async with AsyncExitStack() as closing:
        SharedStore.create(tmp_path / "shared.db")[0].close()

        def worker(number: int, most: int) -> World:
            queue = Queue.open(
                tmp_path / str(number), options=QueueOptions(min_free_bytes=0)
            )
            queue.start(asyncio.get_running_loop(), pytest.fail)
            closing.push_async_callback(queue.close)
            store = SharedStore(tmp_path / "shared.db")
            closing.callback(store.close)
            destinations = SharedDestinations(
                tmp_path / "shared.locks", store, most, workers=2
            )
            options = SchedulerOptions(
                retry_seconds=RETRY,
                jitter=0.0,
                max_carriers_per_destination=-(-most // 2),
                idle_seconds=1.0,
            )
            world = World(queue, options, destinations)

            async def stop() -> None:
                world.gate.set()
                await world.scheduler.stop(1)
                await world.running

            closing.push_async_callback(stop)
            return world

        yield lambda most: [worker(number, most) for number in range(2)]


async def send(world: World, count: int) -> None:
    for n in range(count):
        await world.send(message(f"u{n}@b.example"))


@pytest.mark.parametrize("most", [1, 3, 4])
async def test_the_bound_holds_for_both_together_and_both_get_on(
    two: Workers, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(carriers, "TURN_SECONDS", 0.2)
    workers, at_once = two(most), list[int]()
    for world in workers:
        world.gate.clear()
        await send(world, 60)

    def is_done() -> bool:
        return all(len(one.transactions) >= 60 for one in workers)

    for _ in range(1000):
        at_once.append(sum(one.at_once for one in workers))
        for world in workers:
            world.gate.set()
        await asyncio.sleep(0)
        for world in workers:
            world.gate.clear()
        await asyncio.sleep(0.01)
        if is_done():
            break
    assert is_done()
    assert max(at_once) == most


async def test_a_dead_host_is_tried_once_a_step_by_one_of_them(two: Workers) -> None:
    workers = two(4)
    for world in workers:
        world.refusal = AWAY
        await send(world, 20)

    def tries() -> int:
        return sum(len(one.connected) for one in workers)

    async def all_deferred() -> None:
        for world in workers:
            await world.until(
                lambda world=world: (
                    not any(
                        lane.waiting or lane.carriers
                        for lane in world.scheduler.destinations()
                    )
                )
            )

    await all_deferred()
    assert tries() == 1
    for world in workers:
        world.now += RETRY[0] / 2
        await send(world, 20)
    await all_deferred()
    assert tries() == 1
    for world in workers:
        world.now += RETRY[0]
        await send(world, 20)
    await all_deferred()
    assert tries() == 2, "one more try at its next step"


async def test_a_host_that_comes_up_is_used_by_both(two: Workers) -> None:
    workers = two(4)
    workers[0].refusal = AWAY
    await send(workers[0], 1)
    await workers[0].until(lambda: workers[0].scheduler.destinations()[0].down_by != "")
    await send(workers[1], 3)
    await workers[1].until(lambda: workers[1].scheduler.destinations()[0].down_by != "")
    assert workers[1].connected == []
    workers[0].refusal = None
    for world in workers:
        world.scheduler.wake()
        await send(world, 3)
    for world in workers:
        await world.until(lambda world=world: len(world.transactions) >= 3)
