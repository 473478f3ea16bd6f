"""A backup is a job: no answer waits for its end, and it ends with its worker."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from queued_mail import decision, message
from sekisho.app import backup_job
from sekisho.app.backup_job import BackupJob
from sekisho.app.control import Refusal
from sekisho.queue import backup
from sekisho.queue.store import Queue, QueueOptions

MESSAGES = 300


@pytest.fixture
def filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Queue:
    """A queue of some megabytes, of which a backup copies one page at a time."""
    monkeypatch.setattr(backup_job, "ANSWER_SECONDS", 0.001)
    monkeypatch.setattr(backup, "PAGES_A_STEP", 1)
    queue = Queue.open(tmp_path / "queue", options=QueueOptions(min_free_bytes=0))
    for _ in range(MESSAGES):
        mail = message(body=b"z" * 20_000)
        queue.put_now(mail, decision(mail))
    return queue


@pytest.mark.asyncio
async def test_it_tells_how_far_it_is_until_it_is_done(
    filled: Queue, tmp_path: Path
) -> None:
    job, target = BackupJob(), tmp_path / "there" / "queue"
    job.begin(filled, target)
    with pytest.raises(Refusal, match="is being written"):
        job.begin(filled, tmp_path / "elsewhere")
    states: list[dict[str, Any]] = []
    while not (states and states[-1]["done"]):
        states.append(await job.state(filled, target))
    left = [one["pages_left"] for one in states if one["pages"]]
    assert len(set(left)) > 2
    assert left == sorted(left, reverse=True)
    last = states[-1]
    assert (last["pages_left"], last["done"]) == (0, True)
    assert (last["messages"], last["body_files"]) == (MESSAGES, 0)
    with pytest.raises(Refusal, match="nobody writes"):
        await job.state(filled, tmp_path / "elsewhere")
    job.begin(filled, target)
    with pytest.raises(Refusal, match="there already"):
        await ended(job, filled, target)
    filled.close_now()


@pytest.mark.asyncio
async def test_it_is_broken_off_when_the_worker_ends(
    filled: Queue, tmp_path: Path
) -> None:
    job, target = BackupJob(), tmp_path / "there" / "queue"
    job.begin(filled, target)
    job.stop()
    with pytest.raises(Refusal, match="broken off"):
        await ended(job, filled, target)
    assert not target.exists()
    filled.close_now()


async def ended(job: BackupJob, queue: Queue, target: Path) -> None:
    await asyncio.wait_for(job.wait(), 30)
    await job.state(queue, target)
