"""`Queue`: the store as the service uses it, and the promise "a 250 is kept".

Promise: a future of `put` or `settle` is done only when what it stands for is on disk.

One thread writes. Whatever waits when it is free becomes one transaction (**group
commit**): there is no timer, so a lone client waits for one commit and a crowd shares
one. The loop hears of a whole group in one call. Reading goes through a connection and
a thread of its own.

A commit that failed otherwise than for want of room answers nobody well: every waiting
future fails with `QueueError`, `on_fatal` is called once, and the handle takes nothing
any more. The worker is to end: the next one finds what the disk really holds.

With the service stopped, a command uses the same class without `start`: it calls
`apply` for what it does, and `reader` for what it shows.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import TypeVar, cast

import apsw

from sekisho.model.address import Address, ReversePath
from sekisho.model.decision import Decision
from sekisho.model.ids import MessageId
from sekisho.model.message import Message
from sekisho.queue.bodies import BodyFiles
from sekisho.queue.errors import PutRefused, QueueError
from sekisho.queue.file import QueueFile
from sekisho.queue.operations import Act, Acted, Answer, Operation, Pause, Resume
from sekisho.queue.reader import QueueReader
from sekisho.queue.records import (
    Action,
    Cursor,
    DuePage,
    ListedMessage,
    QueuedMessage,
    Result,
    Selection,
    Settled,
    Stats,
)
from sekisho.queue.schema import damaged
from sekisho.queue.space import FreeSpace, free_bytes
from sekisho.queue.upkeep import Upkeep

__all__ = ["PutRefused", "Queue", "QueueError", "QueueOptions"]

_Value = TypeVar("_Value")
_PAGE_BYTES = 4096
_MAX_GROUP = 512
"""Operations in one transaction: bounds how long the first of them waits."""


def _destination_by_domain(address: Address, _reverse_path: ReversePath) -> str:
    return address.domain


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """What the store is told from outside.

    Attributes:
        min_free_bytes: Free disk below which new mail is refused (452).
        destinations: Names where a recipient's mail goes: ``str(Destination)``.
        wal_bytes: From this length on the WAL is copied into the file.
        measure: Free bytes below a folder.
        clock: Seconds that never go back.

    """

    min_free_bytes: int = 256 * 1024 * 1024
    destinations: Callable[[Address, ReversePath], str] = _destination_by_domain
    wal_bytes: int = 16 * 1024 * 1024
    measure: Callable[[Path], int] = free_bytes
    clock: Callable[[], float] = time.monotonic


class _Job:
    __slots__ = ("future", "operation")

    def __init__(self, operation: Operation, future: "asyncio.Future[Answer]") -> None:
        self.operation = operation
        self.future = future


class Queue:
    """One queue folder: its file, its bodies, its writer.

    Attributes:
        bodies: Bodies above 64 KiB.
        paused: Destinations that an operator paused, and since when (unix seconds);
            as it is on disk.

    """

    def __init__(self, folder: Path, options: QueueOptions) -> None:
        """Use `open`."""
        self._options = options
        self._file = QueueFile(folder, options.destinations)
        self._space = FreeSpace(
            folder,
            options.min_free_bytes,
            measure=options.measure,
            clock=options.clock,
        )
        self.bodies = BodyFiles(
            folder / "bodies", has_room=self.has_room, on_fatal=self._fail
        )
        try:
            self.bodies.sweep(self._file.body_files())
            self.reader = QueueReader(self._file.path)
            self.paused = self.reader.paused()
        except apsw.Error as error:
            self._file.close()
            raise damaged(self._file.path, error) from error
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="queue-reader")
        self._waiting: deque[_Job] = deque()
        self._bell = Event()
        self._closing = False
        self._failure: QueueError | None = None
        self._writer: Thread | None = None
        self._upkeep: Upkeep | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_fatal: Callable[[str], None] = lambda _sentence: None
        self._count: Callable[[int, float], None] = lambda _size, _seconds: None
        self._watchers: list[Callable[[Action, Sequence[MessageId]], None]] = []
        self._pause_watchers: list[Callable[[], None]] = []

    @classmethod
    def open(cls, folder: Path, *, options: QueueOptions | None = None) -> "Queue":
        """Open a queue folder, or make it. The caller is its one owner.

        Raises:
            QueueError: Another process owns it; its file is damaged, or newer.

        """
        return cls(folder, options or QueueOptions())

    def start(
        self, loop: asyncio.AbstractEventLoop, on_fatal: Callable[[str], None]
    ) -> None:
        """Start the writer thread.

        Args:
            loop: Where futures live and `on_fatal` is called.
            on_fatal: Called once where the disk failed: the worker is to end.

        """
        self._loop = loop
        self._on_fatal = on_fatal
        self._upkeep = Upkeep(
            self._file.path, remove=self.bodies.remove_now, on_fatal=self._fail
        )
        self._writer = Thread(target=self._write, name="queue-writer", daemon=True)
        self._writer.start()

    def watch(self, seen: Callable[[Action, Sequence[MessageId]], None]) -> None:
        """Hear of what operators did, on the loop, after it is on disk."""
        self._watchers.append(seen)

    def watch_pauses(self, seen: Callable[[], None]) -> None:
        """Hear that `paused` has changed, on the loop."""
        self._pause_watchers.append(seen)

    def count_commits(self, count: Callable[[int, float], None]) -> None:
        """Hear of each commit, in the writer's thread: operations and seconds."""
        self._count = count

    def has_room(self) -> bool:
        """Whether new mail may be taken: free disk is above `min_free_bytes`."""
        return self._space.has_room()

    # Mail

    def put(self, message: Message, decision: Decision) -> "asyncio.Future[None]":
        """Store a message; done when it is on disk.

        A message whose verdict is HOLD is stored held.

        Returns:
            A future; it fails with `PutRefused` where there is no room, and with
            `QueueError` where the disk failed and the service ends.

        Raises:
            TypeError: The decision refuses, or is about another envelope.

        """
        operation = self._file.put(message, decision)
        if not self._space.has_room():
            refused = self._running_loop().create_future()
            refused.set_exception(PutRefused("free disk is below min_free_bytes"))
            return refused
        return cast("asyncio.Future[None]", self._enter(operation))

    def settle(
        self,
        message_id: MessageId,
        results: Sequence[Result],
        reports: Sequence[tuple[Message, Decision]] = (),
    ) -> "asyncio.Future[Settled]":
        """Store what an attempt came to, with the reports that follow from it.

        All of it is one transaction: there is never a bounce without its failure on
        record, nor a failure without its bounce. When the last recipient is final,
        the message and its body go.

        Returns:
            A future; it fails with `PutRefused` where there is no room (nothing was
            stored: keep the results, stop delivering, try again), and with
            `QueueError` where the disk failed and the service ends.

        Raises:
            TypeError: A report's decision refuses, or is about another envelope.

        """
        operation = self._file.settle(message_id, results, reports)
        return cast("asyncio.Future[Settled]", self._enter(operation))

    # Operators

    async def hold(self, selection: Selection, now: float) -> int:
        """Keep waiting recipients back until they are released. Returns how many."""
        return await self._act(Action.HOLD, selection, now)

    async def retry(self, selection: Selection, now: float) -> int:
        """Make waiting recipients due at once. Returns how many."""
        return await self._act(Action.RETRY, selection, now)

    async def remove(self, selection: Selection, now: float) -> int:
        """Take recipients out of the queue; nobody is told. Returns how many."""
        return await self._act(Action.REMOVE, selection, now)

    async def release(self, message: Message, decision: Decision, now: float) -> int:
        """Let a message's held and dead recipients go on. Returns how many.

        Args:
            message: As `get` gave it.
            decision: Policy's about it (`admit_release`): what was held never had
                papers of its own, or its papers did not last.
            now: Unix seconds.

        Raises:
            TypeError: The decision refuses, or is about another envelope.

        """
        acted = cast(
            "Acted", await self._enter(self._file.release(message, decision, now))
        )
        self._tell(Action.RELEASE, acted)
        return acted.recipients

    async def pause(self, destination: str, now: float) -> None:
        """Let nothing go to a destination until it is resumed, restarts included."""
        await self._enter(Pause(destination, now))
        self._note_pause(destination, now)

    async def resume(self, destination: str, now: float) -> int:
        """Let mail go there again, at once. Returns how many recipients waited."""
        await self._enter(Resume(destination))
        self._note_pause(destination, None)
        return await self.retry(Selection(destination=destination), now)

    def _note_pause(self, destination: str, since: float | None) -> None:
        if since is None:
            self.paused.pop(destination, None)
        else:
            self.paused.setdefault(destination, since)
        for seen in self._pause_watchers:
            seen()

    async def _act(self, action: Action, selection: Selection, now: float) -> int:
        total, after = 0, -1
        while True:
            # Page by page, so that mail goes on between them.
            act = Act(action, selection, now, after)
            acted = cast("Acted", await self._enter(act))
            if acted.last < 0:
                return total
            self._tell(action, acted)
            total, after = total + acted.recipients, acted.last

    def _tell(self, action: Action, acted: Acted) -> None:
        for seen in self._watchers:
            seen(action, acted.ids)

    # Reading

    async def due(
        self,
        now: float,
        limit: int,
        *,
        after: Cursor | None = None,
        max_bytes: int = 16 * 1024 * 1024,
        skip: Callable[[MessageId], bool] = lambda _id: False,
    ) -> DuePage:
        """A page of what is due (see `QueueReader.due`)."""
        return await self._read(
            lambda: self.reader.due(
                now, limit, after=after, max_bytes=max_bytes, skip=skip
            )
        )

    async def next_due_at(self, after: float) -> float | None:
        """When the next recipient becomes due after a moment, or None."""
        return await self._read(lambda: self.reader.next_due_at(after))

    async def get(self, message_id: MessageId) -> QueuedMessage | None:
        """One message whole, or None where it is not there (any more)."""
        return await self._read(lambda: self.reader.get(message_id))

    async def list(
        self,
        selection: Selection | None = None,
        limit: int = 100,
        after: MessageId | None = None,
    ) -> list[ListedMessage]:
        """A page of messages, oldest first, after the last id of the one before."""
        wanted = selection or Selection()
        return await self._read(lambda: self.reader.listed(wanted, limit, after))

    async def destinations(self, limit: int) -> dict[str, int]:
        """Where mail waits to go, and for how many recipients; the most first."""
        return await self._read(lambda: self.reader.destinations(limit))

    async def stats(self, now: float) -> Stats:
        """How much is there, by state."""
        return await self._read(lambda: self.reader.stats(now))

    async def export(self, message_id: MessageId) -> AsyncIterator[bytes]:
        """A message's content in pieces, as an ``.eml`` file has it.

        Raises:
            KeyError: It is not there (any more).

        """
        queued = await self.get(message_id)
        if queued is None:
            raise KeyError(str(message_id))
        async for piece in self.bodies.pages(queued.message.content):
            yield piece

    async def _read(self, query: Callable[[], _Value]) -> _Value:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reading, query)

    # Without a loop

    def apply(self, operation: Operation) -> Answer:
        """Do one operation in this thread, while the service is stopped.

        Returns:
            Its answer, or why it was not done.

        Raises:
            QueueError: The disk failed.

        """
        if self._writer is not None:
            raise RuntimeError("the writer thread owns the file")
        try:
            answers, files = self._file.commit([operation])
        except apsw.Error as error:
            raise QueueError(
                f"the queue failed ({error})", "look at the disk"
            ) from error
        for file in files:
            self.bodies.remove_now(file)
        return answers[0]

    def act_now(self, action: Action, selection: Selection, now: float) -> int:
        """What `hold`, `retry` and `remove` do, while the service is stopped."""
        total, after = 0, -1
        while True:
            acted = self.apply(Act(action, selection, now, after))
            if isinstance(acted, Exception):
                raise acted
            if not isinstance(acted, Acted) or acted.last < 0:
                return total
            total, after = total + acted.recipients, acted.last

    def pause_now(self, destination: str, now: float) -> None:
        """What `pause` does, while the service is stopped."""
        self._apply_well(Pause(destination, now))
        self._note_pause(destination, now)

    def resume_now(self, destination: str, now: float) -> int:
        """What `resume` does, while the service is stopped."""
        self._apply_well(Resume(destination))
        self._note_pause(destination, None)
        return self.act_now(Action.RETRY, Selection(destination=destination), now)

    def _apply_well(self, operation: Operation) -> None:
        answer = self.apply(operation)
        if isinstance(answer, Exception):
            raise answer

    def put_now(self, message: Message, decision: Decision) -> None:
        """What `put` does, while the service is stopped.

        Raises:
            PutRefused: There is no room on the disk.
            TypeError: The decision refuses, or is about another envelope.

        """
        operation = self._file.put(message, decision)
        if not self.has_room():
            raise PutRefused("free disk is below min_free_bytes")
        self._apply_well(operation)

    def release_now(self, message: Message, decision: Decision, now: float) -> int:
        """What `release` does, while the service is stopped.

        Raises:
            TypeError: The decision refuses, or is about another envelope.

        """
        acted = self.apply(self._file.release(message, decision, now))
        if isinstance(acted, Exception):
            raise acted
        return acted.recipients if isinstance(acted, Acted) else 0

    # The end

    async def close(self) -> None:
        """Write what waits, close everything, let the next owner in."""
        await asyncio.get_running_loop().run_in_executor(None, self.close_now)

    def close_now(self) -> None:
        """What `close` does, in this thread."""
        self._closing = True
        self._bell.set()
        if self._writer is not None:
            self._writer.join()
            self._writer = None
        if self._upkeep is not None:
            self._upkeep.close()
        self._reading.submit(self.reader.close).result()
        self._reading.shutdown()
        self.bodies.close()
        self._file.close()

    # Writing

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError("the queue was not started")
        return self._loop

    def _enter(self, operation: Operation) -> "asyncio.Future[Answer]":
        future: asyncio.Future[Answer] = self._running_loop().create_future()
        if self._failure is not None:
            future.set_exception(self._failure)
        elif self._closing:
            future.set_exception(
                QueueError("the queue is closed", "the service is stopping")
            )
        else:
            self._waiting.append(_Job(operation, future))
            self._bell.set()
        return future

    def _write(self) -> None:
        """The writer thread."""
        waiting, bell = self._waiting, self._bell
        while True:
            if not waiting:
                if self._closing:
                    return
                bell.wait()
                bell.clear()
                continue
            # Only what is there now: popping until empty might never end.
            group = [waiting.popleft() for _ in range(min(len(waiting), _MAX_GROUP))]
            try:
                began = self._options.clock()
                answers, files = self._file.commit([job.operation for job in group])
                self._answer(group, answers)
                self._count(len(group), self._options.clock() - began)
                self._after_commit(files)
            except Exception as error:  # noqa: BLE001 - whatever it was, this handle is done
                self._fail(f"the queue file failed ({type(error).__name__}: {error})")
                self._refuse_all(group)
                return

    def _answer(self, group: Sequence[_Job], answers: Sequence[Answer]) -> None:
        self._running_loop().call_soon_threadsafe(_set_answers, group, answers)

    def _after_commit(self, files: tuple[str, ...]) -> None:
        upkeep = cast("Upkeep", self._upkeep)
        if files:
            upkeep.remove(files)
        size = self._file.wal_pages * _PAGE_BYTES
        if size >= self._options.wal_bytes and (
            upkeep.wal_is_long() or size >= 4 * self._options.wal_bytes
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

    def _fail(self, sentence: str) -> None:
        """Take nothing any more, and say so once; from any thread."""
        if self._failure is None:
            self._failure = QueueError(sentence, "look at the disk and start again")
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._on_fatal, sentence)


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
