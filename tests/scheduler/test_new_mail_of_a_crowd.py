"""New mail for a dead host's crowd is stored with the host's next step, once."""

from collections.abc import Sequence

import pytest

from crowded import DEAD, step, store_crowd
from queued_mail import decision, message
from scheduled import AWAY, World
from sekisho.model.decision import Verdict
from sekisho.observe import events
from sekisho.queue.operations import Operation, Settle
from sekisho.queue.records import State


class Written:
    """The results that are written, counted."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        commit = world.queue._file.commit

        def counting(operations: Sequence[Operation]) -> object:
            self.count += sum(isinstance(one, Settle) for one in operations)
            return commit(operations)

        monkeypatch.setattr(world.queue._file, "commit", counting)


async def park(world: World) -> float:
    world.refusal = AWAY
    await store_crowd(world, 300)
    world.scheduler.wake()
    await step(world, 0)
    return world.queue.parked[DEAD].until


@pytest.mark.asyncio
async def test_it_costs_one_row_and_waits_for_the_step(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    until = await park(world)
    written = Written(world, monkeypatch)
    mail = await world.send(message(f"new@{DEAD}"))
    await step(world, 1)
    assert written.count == 0
    queued = await world.queue.get(mail.id)
    assert queued is not None
    (one,) = queued.recipients
    assert (one.state, one.attempts, one.next_attempt) == (State.DEFERRED, 0, until)
    assert one.last_reply == str(AWAY.reply)
    world.refusal = None
    for _ in range(3):
        await step(world, 400)
    assert await world.queue.get(mail.id) is None
    assert any(mail.id == sent for sent, _ in world.transactions)


@pytest.mark.asyncio
async def test_its_other_recipients_are_tried_now(world: World) -> None:
    await park(world)
    world.refusal = None
    mail = await world.send(message(f"new@{DEAD}", "now@there.example"))
    await step(world, 0)
    assert [to for sent, to in world.transactions if sent == mail.id] == [
        ["now@there.example"]
    ]
    queued = await world.queue.get(mail.id)
    assert queued is not None
    states = {one.recipient.address.domain: one.state for one in queued.recipients}
    assert states[DEAD] is State.DEFERRED


@pytest.mark.asyncio
async def test_held_mail_stays_held(world: World) -> None:
    await park(world)
    mail = message(f"new@{DEAD}")
    await world.queue.put(mail, decision(mail, Verdict.HOLD))
    queued = await world.queue.get(mail.id)
    assert queued is not None
    assert queued.recipients[0].state is State.HELD


@pytest.mark.asyncio
async def test_new_mail_alone_becomes_a_crowd(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.refusal = AWAY
    for number in range(140):
        await world.send(message(f"r{number}@{DEAD}"))
    await step(world, 0)
    assert DEAD in world.queue.parked
    assert len(world.seen(events.Parked)) == 1
    written = Written(world, monkeypatch)
    for number in range(50):
        await world.send(message(f"s{number}@{DEAD}"))
    await step(world, 0)
    assert written.count == 0
    world.refusal = None
    for _ in range(3):
        await step(world, 400)
    assert (await world.queue.stats(world.now)).messages == 0
