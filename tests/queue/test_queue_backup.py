"""A snapshot of a running queue is whole, and starts held."""

import asyncio
import shutil
from pathlib import Path

import apsw
import pytest

from queued_mail import NOW, decision, message
from sekisho.model.content import FileBody
from sekisho.model.ids import MessageId
from sekisho.queue.backup import back_up, restore_backup
from sekisho.queue.errors import QueueError
from sekisho.queue.records import Result, State
from sekisho.queue.sqlite import connect
from sekisho.queue.store import Queue, QueueOptions

OPTIONS = QueueOptions(min_free_bytes=0)


async def under_load(data: Path, stable: list[MessageId]) -> None:
    queue = Queue.open(data / "queue", options=OPTIONS)
    queue.start(asyncio.get_running_loop(), pytest.fail)
    stop = asyncio.Event()
    count = 0

    async def put() -> MessageId:
        nonlocal count
        mail = message(body=b"z" * 2000)
        if count % 3 == 0:
            writer = queue.bodies.writer()
            await writer.write(b"z" * 100_000)
            mail = message(body=await writer.finish())
        count += 1
        await queue.put(mail, decision(mail))
        return mail.id

    async def client() -> None:
        while not stop.is_set():
            await queue.settle(await put(), [Result(0, State.DELIVERED, "250")])

    stable.extend([await put() for _ in range(200)])
    clients = [asyncio.ensure_future(client()) for _ in range(5)]
    for number in range(5):
        await asyncio.sleep(0.1)
        before = count
        await asyncio.to_thread(back_up, queue, data / f"backup-{number}")
        assert count > before or number
    stop.set()
    await asyncio.gather(*clients)
    await queue.close()
    assert count > 250


def test_a_backup_under_load_is_whole_and_is_restored_held(tmp_path: Path) -> None:
    stable: list[MessageId] = []
    asyncio.run(under_load(tmp_path, stable))
    for number in range(5):
        folder = tmp_path / f"restored-{number}"
        restored = restore_backup(tmp_path / f"backup-{number}", folder)
        queue = Queue.open(folder, options=OPTIONS)
        stats = queue.reader.stats(NOW)
        assert stats.messages == restored.messages >= 200
        assert stats.by_state["held"] == stats.recipients
        for key in stable:
            queued = queue.reader.get(key)
            assert queued is not None
            content = queued.message.content
            octets = b"".join(queue.bodies.pages_now(content))
            size = 100_000 if isinstance(content.body, FileBody) else 2000
            assert octets.endswith(b"z" * size)
        queue.close_now()
    # Removals that waited for a snapshot were done after it.
    left = len(list((tmp_path / "queue" / "bodies").iterdir()))
    assert left == 67


def a_backup(tmp_path: Path) -> Path:
    queue = Queue.open(tmp_path / "queue", options=OPTIONS)
    mail = message()
    queue.put_now(mail, decision(mail))
    back_up(queue, tmp_path / "backup")
    queue.close_now()
    return tmp_path / "backup"


def test_mail_is_not_overwritten(tmp_path: Path) -> None:
    backup = a_backup(tmp_path)
    with pytest.raises(QueueError, match="there is mail in"):
        restore_backup(backup, tmp_path / "queue")
    queue = Queue.open(tmp_path / "queue", options=OPTIONS)
    assert queue.reader.stats(NOW).by_state["pending"] == 1
    with pytest.raises(QueueError, match="is there already"):
        back_up(queue, backup)
    queue.close_now()


def test_a_newer_and_a_damaged_backup_are_refused(tmp_path: Path) -> None:
    backup = a_backup(tmp_path)
    shutil.copytree(backup, tmp_path / "newer")
    path = str(tmp_path / "newer" / "queue.db")
    file = connect(path, apsw.SQLITE_OPEN_READWRITE)
    file.execute("PRAGMA user_version = 99").fetchall()
    file.close()
    with pytest.raises(QueueError, match="newer than"):
        restore_backup(tmp_path / "newer", tmp_path / "other")
    with (backup / "queue.db").open("r+b") as broken:
        broken.seek(4096)
        broken.write(b"\xff" * 8192)
    with pytest.raises(QueueError, match="damaged"):
        restore_backup(backup, tmp_path / "other")
    with pytest.raises(QueueError, match="no backup"):
        restore_backup(tmp_path / "nothing", tmp_path / "other")
    assert not (tmp_path / "other").exists()
