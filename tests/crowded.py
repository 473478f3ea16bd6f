"""A crowd of mail for one host, and the steps of its schedule."""

import asyncio

from queued_mail import decision, message
from scheduled import World

DEAD = "dead.example"


async def store_crowd(world: World, count: int) -> None:
    """Store messages for it behind the scheduler's back."""
    for begin in range(0, count, 2000):
        some = range(begin, min(begin + 2000, count))
        mails = [message(f"r{n}@{DEAD}") for n in some]
        await asyncio.gather(*(world.queue.put(one, decision(one)) for one in mails))


def _is_busy(world: World) -> bool:
    carrying = world.scheduler
    walking = carrying._crowds.is_walking
    return bool(walking or carrying._loading or carrying._more or carrying._flights)


async def step(world: World, seconds: float) -> None:
    """Let a step come, and all the store's reading end."""
    world.now += seconds
    world.scheduler._bell.set()
    await asyncio.sleep(0.1)
    async with asyncio.timeout(120):
        while _is_busy(world):  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.05)
