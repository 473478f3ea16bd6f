"""The writer: one thread, one transaction for all that waits (**group commit**).

New mail waits for no timer: a lone client waits for one commit and a crowd shares one.
The thread is woken at the end of a turn of the loop: it finds all that the turn
brought, and does not ask a busy loop for the interpreter's lock; new mail that comes
while it is at work anyway it takes without being woken. Outcomes, for which
nobody waits, ride in the next group, which costs them next to nothing; where there is
none within `OUTCOME_SECONDS` they are one. The loop hears of a whole group in one
call. After a commit that failed otherwise than for want of room, every waiting future
fails, and nothing is taken any more.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import cast

import apsw

from sekisho.queue.errors import QueueError
from sekisho.queue.file import QueueFile
from sekisho.queue.operations import Answer, Operation, Settle
from sekisho.queue.upkeep import Upkeep

_PAGE_BYTES = 4096
_MAX_GROUP = 512
"""Operations in one transaction: bounds how long the first of them waits."""
OUTCOME_SECONDS = 0.02
"""An outcome waits so long for a group to ride in: it is to be on disk within 50 ms of
the next host's reply."""


class _Job:
    __slots__ = ("future", "operation")

    def __init__(self, operation: Operation, future: "asyncio.Future[Answer]") -> None:
        self.operation = operation
        self.future = future


class Writer:
    """Writes a queue file from a thread of its own, once it is started.

    Attributes:
        count: Called in the thread after each commit: operations and seconds.

    """

    def __init__(
        self, file: QueueFile, *, wal_bytes: int, clock: Callable[[], float]
    ) -> None:
        """Take nothing yet.

        Args:
            file: What it writes.
            wal_bytes: From this length on the WAL is copied into the file.
            clock: Seconds that never go back.

        """
        self._file = file
        self._wal_bytes = wal_bytes
        self._clock = clock
        self.count: Callable[[int, float], None] = lambda _size, _seconds: None
        self._waiting: deque[_Job] = deque()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._will_ring = False
        self._will_look = False
        self._is_urgent = False
        self._closing = False
        self._failure: QueueError | None = None
        self._thread: Thread | None = None
        self._upkeep: Upkeep | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_fatal: Callable[[str], None] = lambda _sentence: None

    @property
    def is_running(self) -> bool:
        """Whether the thread owns the file."""
        return self._thread is not None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Where futures live.

        Raises:
            RuntimeError: It was not started.

        """
        if self._loop is None:
            raise RuntimeError("the queue was not started")
        return self._loop

    def start(
        self,
        loop: asyncio.AbstractEventLoop,
        on_fatal: Callable[[str], None],
        remove: Callable[[str], None],
    ) -> None:
        """Start the thread.

        Args:
            loop: Where futures live and `on_fatal` is called.
            on_fatal: Called once where the disk failed.
            remove: Removes a body file.

        """
        self._loop = loop
        self._on_fatal = on_fatal
        self._upkeep = Upkeep(self._file.path, remove=remove, on_fatal=self.fail)
        self._thread = Thread(target=self._write, name="queue-writer", daemon=True)
        self._thread.start()

    def enter(self, operation: Operation) -> "asyncio.Future[Answer]":
        """Have an operation done; its future is done when it is on disk."""
        future: asyncio.Future[Answer] = self.loop.create_future()
        if self._failure is not None:
            future.set_exception(self._failure)
        elif self._closing:
            future.set_exception(
                QueueError("the queue is closed", "the service is stopping")
            )
        else:
            self._waiting.append(_Job(operation, future))
            if isinstance(operation, Settle):
                if not self._will_look:
                    self._will_look = True
                    self.loop.call_later(OUTCOME_SECONDS, self._look)
            else:
                self._is_urgent = True
                if not self._will_ring:
                    self._will_ring = True
                    self.loop.call_soon(self._ring)
        return future

    def _look(self) -> None:
        """Wake the thread for outcomes that found no group to ride in."""
        self._will_look = False
        if self._waiting:
            self._is_urgent = True
            self._ring()

    def _ring(self) -> None:
        """Wake the thread: all that this turn of the loop brought is one group."""
        self._will_ring = False
        if self._bell.empty():
            self._bell.put(None)

    def fail(self, sentence: str) -> None:
        """Take nothing any more, and say so once; from any thread."""
        if self._failure is None:
            self._failure = QueueError(sentence, "look at the disk and start again")
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._on_fatal, sentence)

    def close(self) -> None:
        """Write what waits, and end."""
        self._closing = True
        self._bell.put(None)
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._upkeep is not None:
            self._upkeep.close()

    # The thread

    def _write(self) -> None:
        """The writer thread."""
        waiting, bell = self._waiting, self._bell
        while True:
            if not (self._is_urgent or self._closing):
                bell.get()
                continue
            self._is_urgent = False
            # Only what is there now: popping until empty might never end.
            group = [waiting.popleft() for _ in range(min(len(waiting), _MAX_GROUP))]
            if len(group) == _MAX_GROUP:
                self._is_urgent = True
            if not group:
                if self._closing:
                    return
                continue
            try:
                began = self._clock()
                answers, files = self._file.commit([job.operation for job in group])
                self._answer(group, answers)
                self.count(len(group), self._clock() - began)
                self._after_commit(files)
            except Exception as error:  # noqa: BLE001 - whatever it was, this handle is done
                self.fail(f"the queue file failed ({type(error).__name__}: {error})")
                self._refuse_all(group)
                return

    def _answer(self, group: Sequence[_Job], answers: Sequence[Answer]) -> None:
        self.loop.call_soon_threadsafe(_set_answers, group, answers)

    def _after_commit(self, files: tuple[str, ...]) -> None:
        upkeep = cast("Upkeep", self._upkeep)
        if files:
            upkeep.remove(files)
        size = self._file.wal_pages * _PAGE_BYTES
        if size >= self._wal_bytes and (
            upkeep.wal_is_long() or size >= 4 * self._wal_bytes
        ):
            # Mail goes on; it is tried again after the next group.
            with suppress(apsw.BusyError, apsw.FullError):
                self._file.checkpoint()

    def _refuse_all(self, group: Sequence[_Job]) -> None:
        failure = cast("QueueError", self._failure)
        jobs = [*group]
        while self._waiting:
            jobs.append(self._waiting.popleft())
        self._answer(jobs, [failure] * len(jobs))


def _set_answers(group: Sequence[_Job], answers: Sequence[Answer]) -> None:
    """On the loop: wake everybody of a group."""
    for job, answer in zip(group, answers, strict=True):
        future = job.future
        if future.done():
            continue  # Its owner has gone; what was stored stays stored.
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
