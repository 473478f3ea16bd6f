"""A full disk is 452, and service goes on when there is room again."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from queued_mail import NOW, decision, message
from sekisho.queue.errors import PutRefused
from sekisho.queue.records import Result, Settled, State
from sekisho.queue.store import Queue, QueueOptions


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.asyncio
async def test_full_disk_refuses_loses_nothing_and_recovers(tiny_disk: Path) -> None:
    queue = Queue.open(tiny_disk / "queue", options=QueueOptions(min_free_bytes=0))
    failures: list[str] = []
    queue.start(asyncio.get_running_loop(), failures.append)
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(b"x" * 1_500_000)
    stored: list[object] = []
    refused = 0
    for _ in range(200):
        mail = message(body=b"x" * 32_768)
        try:
            await queue.put(mail, decision(mail))
        except PutRefused:
            refused += 1
            if refused == 3:
                break
        else:
            stored.append(mail.id)
    assert refused == 3
    assert stored
    writer = queue.bodies.writer()
    with pytest.raises(PutRefused):
        await writer.write(b"x" * 3_000_000)
    assert {one.id for one in await queue.list(limit=500)} == {str(i) for i in stored}
    ballast.unlink()
    for mail_id in stored:
        done = [Result(0, State.DELIVERED, "250")]
        assert await queue.settle(mail_id, done) == Settled(0, 1, 0)  # type: ignore[arg-type]
    mail = message()
    await queue.put(mail, decision(mail))
    assert (await queue.stats(NOW)).messages == 1
    assert failures == []
    await queue.close()
    assert [one.name for one in (tiny_disk / "queue" / "bodies").iterdir()] == []


@pytest.mark.asyncio
async def test_outcome_that_cannot_be_stored_is_told(tiny_disk: Path) -> None:
    queue = Queue.open(tiny_disk / "queue", options=QueueOptions(min_free_bytes=0))
    failures: list[str] = []
    queue.start(asyncio.get_running_loop(), failures.append)
    mail = message()
    await queue.put(mail, decision(mail))
    ballast = tiny_disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    bounce = message("alice@example.com", sender="", body=b"x" * 60_000)
    settling = (mail.id, [Result(0, State.FAILED, "550")], [(bounce, decision(bounce))])
    with pytest.raises(PutRefused):
        await queue.settle(*settling)
    queued = await queue.get(mail.id)
    assert queued is not None
    assert queued.recipients[0].state is State.PENDING
    ballast.unlink()
    assert await queue.settle(*settling) == Settled(0, 0, 1)
    assert [one.id for one in await queue.list()] == [str(bounce.id)]
    assert failures == []
    await queue.close()
