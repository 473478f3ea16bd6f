"""What every test of the scheduler is given."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from scheduled import RETRY, World
from sekisho.queue.store import Queue, QueueOptions
from sekisho.scheduler.options import SchedulerOptions


@pytest_asyncio.fixture
async def queue(tmp_path: Path) -> AsyncIterator[Queue]:
    opened = Queue.open(tmp_path, options=QueueOptions(min_free_bytes=0))
    opened.start(asyncio.get_running_loop(), pytest.fail)
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def world(queue: Queue) -> AsyncIterator[World]:
    options = SchedulerOptions(
        retry_seconds=RETRY, jitter=0.0, first_carriers_per_destination=20
    )
    made = World(queue, options)
    yield made
    made.gate.set()
    await made.scheduler.stop(1)
    await made.running
