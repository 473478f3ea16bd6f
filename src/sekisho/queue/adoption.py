"""Taking over what a worker that is no more has left: nothing lost at any kill.

Batch by batch, beside the mail that goes on:

1. body files are linked into the new folder, and its names are made durable;
2. the rows are inserted into the new file in one transaction, with all that is known
   of each recipient (state, attempts, next attempt, who was told what);
3. only then they are deleted from the old one, and its body files after them.

A kill between 2 and 3 leaves a message in both files: the next adoption finds its id
in the new one and only deletes. Where it was delivered in between it goes out twice:
at most one batch can. Whoever adopts holds the old folder's lock, so that nobody else
delivers from it. A message without its body is not moved: it stays, and is named.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import apsw

from sekisho.model.ids import MessageId
from sekisho.queue.bodies import fsync_folder, link_body
from sekisho.queue.errors import DamagedError, PutRefused, QueueError
from sekisho.queue.file import DAMAGE, QueueFile
from sekisho.queue.operations import Answer, Forget, StoredMessage
from sekisho.queue.options import QueueOptions
from sekisho.queue.reader import QueueReader
from sekisho.queue.schema import damaged
from sekisho.queue.set_aside import MARK, mark_damaged, set_aside_folders
from sekisho.queue.store import Queue

BATCH_MESSAGES = 100
"""Messages in one transaction: bounds what a kill may double, and memory."""

NO_ROOM_SECONDS = 5.0
"""How long to wait where the disk is full, before the next try."""

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Adopted:
    """What came of it.

    Attributes:
        messages: How many were taken over.
        unreadable: Those that stayed, as they have no body: ids. Their folder too.
        set_aside: Folders below it with what was damaged; then it stays, too.

    """

    messages: int
    unreadable: tuple[str, ...]
    set_aside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Batch:
    last_seq: int
    whole: tuple[StoredMessage, ...]
    unreadable: tuple[str, ...]


class _LeftOver:
    """The old folder; every method is called in one thread of its own."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise QueueError(f"there is no queue in {folder}", "look at data_dir")
        self._removed = False
        self.folder = folder
        self.bodies = folder / "bodies"
        self._file = QueueFile(folder, QueueOptions().destinations)
        try:
            self._reader = QueueReader(self._file.path)
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        if not self._removed:
            self._reader.close()
            self._file.close()

    def paused(self) -> dict[str, float]:
        return self._reader.paused()

    def batch(self, after: int, into: Path) -> _Batch | None:
        """Read the next messages, and link their body files."""
        found = self._reader.stored(after, BATCH_MESSAGES)
        if not found:
            return None
        whole: list[StoredMessage] = []
        unreadable: list[str] = []
        linked = False
        for one in found:
            file = one.message[6]
            if one.body is None or (file and not self._has(file)):
                octets = one.message[1]
                unreadable.append(str(MessageId(int.from_bytes(octets, "big"))))
                continue
            whole.append(one)
            if file:
                link_body(self.bodies / file, into / file)
                linked = True
        if linked:
            fsync_folder(into)
        return _Batch(found[-1].message[0], tuple(whole), tuple(unreadable))

    def _has(self, file: str) -> bool:
        return (self.bodies / file).is_file()

    def forget(self, batch: _Batch) -> None:
        """Delete what the new file holds."""
        numbers = tuple(one.message[0] for one in batch.whole)
        if not numbers:
            return
        answers, files = self._file.commit([Forget(numbers)])
        if isinstance(answers[0], Exception):
            raise answers[0]
        for file in files:
            (self.bodies / file).unlink(missing_ok=True)
        self._file.checkpoint()

    def remove(self) -> None:
        """Remove the folder, while its lock is still held."""
        self._removed = True
        self._reader.close()
        self._file.close_and_remove()


async def adopt(queue: Queue, folder: Path) -> Adopted:
    """Move every message of a left-over queue folder into a running queue.

    Args:
        queue: Started. Mail goes on meanwhile.
        folder: Of a worker that is no more. It is removed when it is empty.

    Raises:
        QueueError: Somebody uses the folder, or one of the files failed.

    """
    try:
        return await _adopt(queue, folder)
    except DamagedError:
        if not (folder / MARK).exists():
            raise
        return await _adopt(queue, folder)  # Which salvages it first.


async def _adopt(queue: Queue, folder: Path) -> Adopted:
    thread = ThreadPoolExecutor(1, thread_name_prefix="queue-adoption")
    set_aside: tuple[str, ...] = ()
    try:
        left_over = await _run(thread, lambda: _LeftOver(folder))
        try:
            moved, unreadable = await _move_all(queue, left_over, thread)
            set_aside = tuple(map(str, set_aside_folders(folder)))
            if not unreadable and not set_aside:
                await _run(thread, left_over.remove)
        finally:
            # In its thread and not awaited: a cancelled task still lets go of it.
            thread.submit(left_over.close)
    except (apsw.Error, UnicodeDecodeError) as error:
        if isinstance(error, (*DAMAGE, UnicodeDecodeError)):
            mark_damaged(folder, str(error))
        raise damaged(folder / "queue.db", error) from error
    except OSError as error:
        raise QueueError(
            f"the queue in {folder} cannot be taken over ({error})", "look at the disk"
        ) from error
    finally:
        thread.shutdown(wait=False)
    return Adopted(moved, tuple(unreadable), set_aside)


async def _move_all(
    queue: Queue, left_over: _LeftOver, thread: ThreadPoolExecutor
) -> tuple[int, list[str]]:
    for destination, since in (await _run(thread, left_over.paused)).items():
        await queue.pause(destination, since)
    moved, unreadable, after = 0, list[str](), -1
    into = queue.bodies.folder
    while True:
        batch = await _run(thread, partial(left_over.batch, after, into))
        if batch is None:
            return moved, unreadable
        after = batch.last_seq
        unreadable += batch.unreadable
        await _store(queue, batch)
        await _run(thread, partial(left_over.forget, batch))
        moved += len(batch.whole)
        queue.note_adopted()


async def _store(queue: Queue, batch: _Batch) -> Answer:
    while True:
        with suppress(PutRefused):
            return await queue.adopt(batch.whole)
        await asyncio.sleep(NO_ROOM_SECONDS)


async def _run(thread: ThreadPoolExecutor, work: Callable[[], _Value]) -> _Value:
    return await asyncio.get_running_loop().run_in_executor(thread, work)
