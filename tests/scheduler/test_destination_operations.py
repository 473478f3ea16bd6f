"""Operators see how destinations stand, and pause and resume them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from queued_mail import NOW, decision, message
from scheduled import AWAY, World
from sekisho.app.control import Refusal
from sekisho.app.operations import Desk, operate
from sekisho.auth.lockout import Lockout, LockoutRules
from sekisho.observe.events import OperatorActed
from sekisho.queue.store import Queue, QueueOptions
from sekisho.server.counters import QuotaCounters

if TYPE_CHECKING:
    from sekisho.policy.decide import Policy


async def no_trace(_about: str, _limit: int) -> list[dict[str, Any]]:
    return []


def desk_of(queue: Queue, world: World | None) -> Desk:
    return Desk(
        open_queue=lambda: queue,
        open_accounts=lambda: pytest.fail("no accounts are needed"),
        policy=cast("Policy", None),
        lockout=Lockout(LockoutRules()),
        quotas=QuotaCounters(),
        emit=(world.events if world else []).append,
        trace=no_trace,
        clock=lambda: NOW,
        is_running=world is not None,
        destinations=world.scheduler.destinations if world else list,
    )


async def listed(desk: Desk) -> dict[str, dict[str, Any]]:
    told = cast("list[dict[str, Any]]", await operate(desk, "queue.destinations", {}))
    return {one["destination"]: one for one in told}


@pytest.mark.asyncio
async def test_a_running_service_tells_its_connections(world: World) -> None:
    desk = desk_of(world.queue, world)
    world.refusal = AWAY
    await world.send(message("a@dead.example", "b@dead.example"))
    await world.settled()
    assert (await listed(desk))["dead.example"] == {
        "destination": "dead.example",
        "recipients": 2,
        "waiting": 0,
        "carriers": 0,
        "limit": 20,
        "down_until": "2027-01-15T08:05:00Z",
        "down_by": "451 4.4.1 Connection refused",
        "paused_since": None,
    }


@pytest.mark.asyncio
async def test_pause_and_resume_are_written_down(world: World) -> None:
    desk = desk_of(world.queue, world)
    paused = await operate(desk, "queue.pause", {"destination": "b.example"})
    assert paused == {"destination": "b.example", "recipients": 0}
    await world.send(message())
    await world.settled()
    standing = (await listed(desk))["b.example"]
    assert standing["paused_since"] == "2027-01-15T08:00:00Z"
    assert (standing["recipients"], standing["down_until"]) == (1, None)
    resumed = await operate(desk, "queue.resume", {"destination": "b.example"})
    assert resumed == {"destination": "b.example", "recipients": 1}
    await world.until(lambda: len(world.transactions) == 1)
    assert [event.action for event in world.seen(OperatorActed)] == ["pause", "resume"]


@pytest.mark.asyncio
async def test_a_stopped_service_does_the_same(tmp_path: Path) -> None:
    queue = Queue.open(tmp_path, options=QueueOptions(min_free_bytes=0))
    desk = desk_of(queue, None)
    mail = message()
    queue.put_now(mail, decision(mail))
    await operate(desk, "queue.pause", {"destination": "b.example"})
    await operate(desk, "queue.pause", {"destination": "empty.example"})
    standing = await listed(desk)
    assert standing["b.example"]["recipients"] == 1
    assert standing["empty.example"]["paused_since"]
    await operate(desk, "queue.resume", {"destination": "b.example"})
    assert (await listed(desk))["b.example"]["paused_since"] is None
    queue.close_now()


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["", 5, None, "x" * 2000, "b.example"])
async def test_what_is_not_paused_cannot_be_resumed(world: World, name: object) -> None:
    desk = desk_of(world.queue, world)
    with pytest.raises(Refusal):
        await operate(desk, "queue.resume", {"destination": name})
