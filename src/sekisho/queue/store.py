"""`Queue`: the store as the service uses it, and the promise "a 250 is kept".

Promise: a future of `put` or `settle` is done only when what it stands for is on disk.

One thread writes (`sekisho.queue.writer`); reading goes through a connection and a
thread of its own. A commit that failed otherwise than for want of room answers nobody
well: every waiting future fails with `QueueError`, `on_fatal` is called once, and the
worker is to end: the next one finds what the disk really holds.

With the service stopped, a command uses the same class without `start`: it calls
`apply` for what it does, and `reader` for what it shows.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar, cast

import apsw

from sekisho.model.decision import Decision
from sekisho.model.ids import MessageId
from sekisho.model.message import Message
from sekisho.queue.bodies import BodyFiles
from sekisho.queue.errors import DamagedError, PutRefused, QueueError
from sekisho.queue.file import DAMAGE, QueueFile
from sekisho.queue.operations import (
    Act,
    Acted,
    Adopt,
    Answer,
    Operation,
    Pause,
    Resume,
    SetAside,
    StoredMessage,
)
from sekisho.queue.options import QueueOptions
from sekisho.queue.postponing import Parked, Postpone, Unpark
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
from sekisho.queue.salvage import MARK, Salvaged
from sekisho.queue.schema import damaged
from sekisho.queue.space import FreeSpace
from sekisho.queue.writer import Writer

__all__ = ["PutRefused", "Queue", "QueueError", "QueueOptions"]

_Value = TypeVar("_Value")


class Queue:
    """One queue folder: its file, its bodies, its writer.

    Attributes:
        bodies: Bodies above 64 KiB.
        paused: Destinations that an operator paused, and since when (unix seconds);
            as it is on disk.
        parked: The steps of hosts that are down, whose mail waits for them; as it is
            on disk.

    """

    def __init__(self, folder: Path, options: QueueOptions) -> None:
        """Use `open`."""
        self._options = options
        self._file = QueueFile(folder, options.destinations)
        self._writer = Writer(
            self._file, wal_bytes=options.wal_bytes, clock=options.clock
        )
        self._enter = self._writer.enter
        self._space = FreeSpace(
            folder,
            options.min_free_bytes,
            measure=options.measure,
            clock=options.clock,
        )
        self.bodies = BodyFiles(
            folder / "bodies", has_room=self.has_room, on_fatal=self._writer.fail
        )
        try:
            self.bodies.sweep(self._file.body_files())
            self.reader = QueueReader(self._file.path)
            self.paused = self.reader.paused()
            self.parked = self.reader.parked()
        except apsw.Error as error:
            if isinstance(error, DAMAGE):
                self._file.mark_damaged(error)
            self._file.close()
            raise damaged(self._file.path, error) from error
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="queue-reader")
        self._watchers: list[Callable[[Action, Sequence[MessageId]], None]] = []
        self._pause_watchers: list[Callable[[], None]] = []
        self._adoption_watchers: list[Callable[[], None]] = []

    @classmethod
    def open(cls, folder: Path, *, options: QueueOptions | None = None) -> "Queue":
        """Open a queue folder, or make it. The caller is its one owner.

        Raises:
            QueueError: Another process owns it; its file is newer, or so damaged that
                nothing in it can be read.

        """
        try:
            return cls(folder, options or QueueOptions())
        except DamagedError:
            # What was met behind the file's first pages is salvaged at the next try.
            if not (folder / MARK).exists():
                raise
            return cls(folder, options or QueueOptions())

    @property
    def salvaged(self) -> Salvaged | None:
        """What came of a damaged file, where it was one."""
        return self._file.salvaged

    @property
    def path(self) -> Path:
        """The queue file."""
        return self._file.path

    def start(
        self, loop: asyncio.AbstractEventLoop, on_fatal: Callable[[str], None]
    ) -> None:
        """Start the writer thread.

        Args:
            loop: Where futures live and `on_fatal` is called.
            on_fatal: Called once where the disk failed: the worker is to end.

        """
        self._writer.start(loop, on_fatal, self.bodies.remove_now)

    def watch(self, seen: Callable[[Action, Sequence[MessageId]], None]) -> None:
        """Hear of what operators did, on the loop, after it is on disk."""
        self._watchers.append(seen)

    def watch_pauses(self, seen: Callable[[], None]) -> None:
        """Hear that `paused` has changed, on the loop."""
        self._pause_watchers.append(seen)

    def watch_adoptions(self, seen: Callable[[], None]) -> None:
        """Hear that there are messages of another queue now, on the loop."""
        self._adoption_watchers.append(seen)

    def count_commits(self, count: Callable[[int, float], None]) -> None:
        """Hear of each commit, in the writer's thread: operations and seconds."""
        self._writer.count = count

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
            refused = self._writer.loop.create_future()
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

    async def walk(self, wanted: Postpone | Unpark) -> int | None:
        """Park a page of what is for a dead host, or make one due again.

        Returns:
            The greatest key looked at; None where none was left, or no room.

        """
        with suppress(PutRefused):
            acted = cast("Acted", await self._enter(wanted))
            if isinstance(wanted, Unpark):
                if acted.last < 0:
                    self.parked.pop(wanted.destination, None)
            elif acted.last >= 0:
                self.parked[wanted.parked.destination] = wanted.parked
            return acted.last if acted.last >= 0 else None
        return None

    def note_parked(self, parked: Parked) -> None:
        """Keep the next step of a host that is down.

        Where there is no room the older one stays: after a crash it is tried sooner.
        """
        self.parked[parked.destination] = parked
        self._enter(parked).add_done_callback(_take_exception)

    async def adopt(self, messages: tuple[StoredMessage, ...]) -> None:
        """Store messages of another queue file, body files being linked already.

        Raises:
            PutRefused: There is no room.
            QueueError: The disk failed, and the service ends.

        """
        if not self._space.has_room():
            raise PutRefused("free disk is below min_free_bytes")
        await self._enter(Adopt(self._file.numbers(len(messages)), messages))

    def note_adopted(self) -> None:
        """Have it looked for what is due, now that adopted messages are ours alone."""
        for seen in self._adoption_watchers:
            seen()

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
        without: frozenset[str] = frozenset(),
    ) -> DuePage:
        """A page of what is due (see `QueueReader.due`); what is unreadable is dead."""
        page = await self._read(
            lambda: self.reader.due(
                now,
                limit,
                after=after,
                max_bytes=max_bytes,
                skip=skip,
                without=without,
            )
        )
        if page.unreadable:
            with suppress(PutRefused):  # Then it is set aside when it is next read.
                await self._enter(SetAside(page.unreadable))
        return page

    async def has_stray(self, now: float, latest: float) -> bool:
        """Whether something waits that cannot, unless the clock was set back.

        Args:
            now: Unix seconds; what was never tried is due by now.
            latest: What was tried is due again by this moment.

        """
        return await self._read(lambda: self.reader.has_stray(now, latest))

    async def next_due_at(self, after: float) -> float | None:
        """When the next recipient becomes due after a moment, or None."""
        return await self._read(lambda: self.reader.next_due_at(after))

    async def one_for(
        self, destination: str, skip: Callable[[MessageId], bool]
    ) -> QueuedMessage | None:
        """The first message that waits for a destination (`QueueReader.one_for`)."""
        return await self._read(lambda: self.reader.one_for(destination, skip))

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
        try:
            return await loop.run_in_executor(self._reading, query)
        except DAMAGE as error:
            # The next start salvages what can be read; here more may be met any time.
            self._file.mark_damaged(error)
            self._writer.fail(f"the queue file is damaged ({error})")
            raise damaged(self._file.path, error) from error

    # Without a loop

    def apply(self, operation: Operation) -> Answer:
        """Do one operation in this thread, while the service is stopped.

        Returns:
            Its answer, or why it was not done.

        Raises:
            QueueError: The disk failed.

        """
        if self._writer.is_running:
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
            acted = self._applied(Act(action, selection, now, after))
            if not isinstance(acted, Acted) or acted.last < 0:
                return total
            total, after = total + acted.recipients, acted.last

    def pause_now(self, destination: str, now: float) -> None:
        """What `pause` does, while the service is stopped."""
        self._applied(Pause(destination, now))
        self._note_pause(destination, now)

    def resume_now(self, destination: str, now: float) -> int:
        """What `resume` does, while the service is stopped."""
        self._applied(Resume(destination))
        self._note_pause(destination, None)
        return self.act_now(Action.RETRY, Selection(destination=destination), now)

    def _applied(self, operation: Operation) -> Answer:
        answer = self.apply(operation)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def put_now(self, message: Message, decision: Decision) -> None:
        """What `put` does, while the service is stopped.

        Raises:
            PutRefused: There is no room on the disk.
            TypeError: The decision refuses, or is about another envelope.

        """
        operation = self._file.put(message, decision)
        if not self.has_room():
            raise PutRefused("free disk is below min_free_bytes")
        self._applied(operation)

    def release_now(self, message: Message, decision: Decision, now: float) -> int:
        """What `release` does, while the service is stopped.

        Raises:
            TypeError: The decision refuses, or is about another envelope.

        """
        acted = self._applied(self._file.release(message, decision, now))
        return acted.recipients if isinstance(acted, Acted) else 0

    # The end

    async def close(self) -> None:
        """Write what waits, close everything, let the next owner in."""
        await asyncio.get_running_loop().run_in_executor(None, self.close_now)

    def close_now(self) -> None:
        """What `close` does, in this thread."""
        self._writer.close()
        self._reading.submit(self.reader.close).result()
        self._reading.shutdown()
        self.bodies.close()
        self._file.close()


def _take_exception(future: "asyncio.Future[Answer]") -> None:
    if not future.cancelled():
        future.exception()
