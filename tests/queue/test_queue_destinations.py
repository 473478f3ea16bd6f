"""Where mail waits to go, and what an operator paused, as the file keeps it."""

import asyncio
from pathlib import Path

import pytest

from queued_mail import NOW, decision, message
from sekisho.queue.records import Result, State
from sekisho.queue.store import Queue, QueueOptions

OPTIONS = QueueOptions(min_free_bytes=0)


@pytest.mark.asyncio
async def test_pause_is_kept_until_it_is_resumed(tmp_path: Path) -> None:
    queue = Queue.open(tmp_path, options=OPTIONS)
    queue.start(asyncio.get_running_loop(), pytest.fail)
    changes: list[dict[str, float]] = []
    queue.watch_pauses(lambda: changes.append(dict(queue.paused)))
    mail = message("a@b.example", "b@b.example", "x@c.example")
    await queue.put(mail, decision(mail))
    await queue.settle(mail.id, [Result(0, State.DEFERRED, "450 x", NOW + 900)])
    await queue.pause("b.example", NOW)
    await queue.pause("b.example", NOW + 60)  # It is paused already.
    await queue.close()

    queue = Queue.open(tmp_path, options=OPTIONS)
    queue.start(asyncio.get_running_loop(), pytest.fail)
    assert queue.paused == {"b.example": NOW}
    # Only one of the two was not due.
    assert await queue.resume("b.example", NOW) == 1
    assert queue.paused == queue.reader.paused() == {}
    assert len((await queue.due(NOW, 10)).messages[0].recipients) == 3
    await queue.resume("never.example", NOW)
    await queue.close()
    assert changes == [{"b.example": NOW}] * 2


def test_pause_works_while_the_service_is_stopped(tmp_path: Path) -> None:
    queue = Queue.open(tmp_path, options=OPTIONS)
    queue.pause_now("b.example", NOW)
    queue.close_now()
    queue = Queue.open(tmp_path, options=OPTIONS)
    assert queue.paused == {"b.example": NOW}
    assert queue.resume_now("b.example", NOW) == 0
    assert queue.paused == queue.reader.paused() == {}
    queue.close_now()


@pytest.mark.asyncio
async def test_destinations_count_who_waits_the_most_first(tmp_path: Path) -> None:
    queue = Queue.open(tmp_path, options=OPTIONS)
    queue.start(asyncio.get_running_loop(), pytest.fail)
    mail = message("a@b.example", "b@b.example", "c@b.example", "x@c.example")
    await queue.put(mail, decision(mail))
    await queue.settle(mail.id, [Result(0, State.DELIVERED, "250 OK")])
    assert await queue.destinations(10) == {"b.example": 2, "c.example": 1}
    assert await queue.destinations(1) == {"b.example": 2}
    await queue.close()


@pytest.mark.asyncio
async def test_what_nobody_tried_counts_as_no_attempt(tmp_path: Path) -> None:
    queue = Queue.open(tmp_path, options=OPTIONS)
    queue.start(asyncio.get_running_loop(), pytest.fail)
    mail = message()
    await queue.put(mail, decision(mail))
    await queue.settle(mail.id, [Result(0, State.DEFERRED, "", NOW + 1, tries=0)])
    queued = await queue.get(mail.id)
    assert queued is not None
    assert queued.recipients[0].attempts == 0
    await queue.close()
