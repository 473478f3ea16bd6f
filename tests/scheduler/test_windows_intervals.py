"""The intervals of the Windows service (15, 30, 60, 240 minutes) can be configured."""

import pytest

from queued_mail import NOW, message
from replacing import replace
from scheduled import LATER, World
from sekisho.config.carriage import Queue
from sekisho.observe import events


@pytest.mark.asyncio
async def test_windows_intervals_are_kept(world: World) -> None:
    table = Queue.model_validate({"retry_minutes": [15, 30, 60, 240]})
    seconds = tuple(60 * one for one in table.retry_minutes)
    world.options = replace(
        world.options, retry_seconds=seconds, delay_notice_seconds=0, jitter=0.0
    )
    await world.restart()
    world.script = lambda _mail, recipients: [LATER] * len(recipients)
    await world.send(message())
    await world.settled()
    at = NOW
    for minutes in (15, 30, 60, 240, 240):
        at += minutes * 60
        assert world.seen(events.Deferred)[-1].next_attempt == at
        await world.pass_time(minutes * 60)
