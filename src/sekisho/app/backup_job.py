"""One worker's part in a backup, while it is being written.

A backup may take longer than anybody wants to wait for one answer, so it is a job:
it is begun, asked after, and ended with the worker.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from sekisho.app.control import Refusal
from sekisho.queue.backup import Snapshot, back_up
from sekisho.queue.errors import QueueError
from sekisho.queue.store import Queue

ANSWER_SECONDS = 0.5
"""How long somebody who asks after it waits for its end."""


@dataclass(slots=True)
class _Running:
    target: Path
    task: "asyncio.Task[Snapshot]"


class BackupJob:
    """The backup that a worker writes, or wrote last; one at a time."""

    def __init__(self) -> None:
        self._running: _Running | None = None
        self._left = self._pages = 0
        self._is_stopping = False

    def begin(self, queue: Queue, target: Path) -> None:
        """Begin to write a queue's snapshot into a new folder.

        Raises:
            Refusal: One is being written.

        """
        if self._running is not None and not self._running.task.done():
            sentence = f"a backup is being written to {self._running.target}"
            raise Refusal(sentence, "wait for its end")
        self._left = self._pages = 0
        writing = asyncio.to_thread(self._write, queue, target)
        task = asyncio.ensure_future(writing)
        task.add_done_callback(_take_exception)
        self._running = _Running(target, task)

    async def state(self, queue: Queue, target: Path) -> dict[str, object]:
        """How far it is; at its end, what is in it.

        Raises:
            Refusal: It cannot be written, or none is being written there.

        """
        running = self._running
        if running is None or running.target != target:
            sentence = f"nobody writes a backup to {target}"
            raise Refusal(sentence, "the worker was replaced; begin a new one")
        await asyncio.wait([running.task], timeout=ANSWER_SECONDS)
        told: dict[str, object] = {
            "queue": queue.path.parent.name,
            "pages": self._pages,
            "pages_left": self._left,
            "done": running.task.done(),
        }
        if running.task.done():
            snapshot = _result(running)
            told |= {"messages": snapshot.messages, "body_files": snapshot.body_files}
        return told

    async def wait(self) -> None:
        """Wait for its end, however that is."""
        if self._running is not None:
            await asyncio.wait([self._running.task])

    def stop(self) -> None:
        """Break it off: the worker ends."""
        self._is_stopping = True

    def _write(self, queue: Queue, target: Path) -> Snapshot:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return back_up(queue, target, self._told)

    def _told(self, left: int, pages: int) -> None:
        if self._is_stopping:
            raise QueueError(
                "the backup was broken off, as the service stops",
                "back up to a new folder when it is back",
            )
        self._left, self._pages = left, pages


def _result(running: _Running) -> Snapshot:
    try:
        return running.task.result()
    except OSError as error:
        hint = "name a folder that the service's user may write"
        raise Refusal(f"{running.target.parent}: {error.strerror}", hint) from error
    except QueueError as error:
        raise Refusal(error.sentence, error.hint) from error


def _take_exception(task: "asyncio.Task[Snapshot]") -> None:
    if not task.cancelled():
        task.exception()
