"""`Queue`: the store as the service uses it, and the promise "a 250 is kept".

Promise: a future of `put` or `settle` is done only when what it stands for is on disk.

One thread writes (`sekisho.queue.writer`); reading goes through a connection and a
thread of its own (`sekisho.queue.reads`). A commit that failed otherwise than for want
of room answers nobody well: every waiting future fails with `QueueError`, `on_fatal` is
called once, and the worker is to end: the next one finds what the disk really holds.

With the service stopped, a command uses the same class without `start`: it calls
`apply` and what ends in `_now` for what it does (`sekisho.queue.at_rest`), and `reader`
for what it shows.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

import apsw

from sekisho.model.decision import Decision
from sekisho.model.ids import MessageId
from sekisho.model.message import Message
from sekisho.queue.at_rest import AtRest
from sekisho.queue.bodies import BodyFiles
from sekisho.queue.errors import DamagedError, PutRefused, QueueError
from sekisho.queue.file import DAMAGE, QueueFile
from sekisho.queue.operations import (
    Act,
    Acted,
    Adopt,
    Answer,
    Pause,
    Resume,
    StoredMessage,
)
from sekisho.queue.options import QueueOptions
from sekisho.queue.postponing import Parked, Postpone, Unpark
from sekisho.queue.reader import QueueReader
from sekisho.queue.reads import Reads
from sekisho.queue.records import (
    Action,
    Result,
    Selection,
    Settled,
)
from sekisho.queue.schema import damaged
from sekisho.queue.set_aside import MARK, Salvaged
from sekisho.queue.space import FreeSpace
from sekisho.queue.writer import Writer

__all__ = ["PutRefused", "Queue", "QueueError", "QueueOptions"]


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
            self._file.parked = self.parked = self.reader.parked()
        except apsw.Error as error:
            if isinstance(error, DAMAGE):
                self._file.mark_damaged(error)
            self._file.close()
            raise damaged(self._file.path, error) from error
        self._reads = reads = Reads(self._file, self._writer, self.reader, self.bodies)
        self.due, self.next_due_at = reads.due, reads.next_due_at
        self.one_for, self.has_stray = reads.one_for, reads.has_stray
        self.get, self.list, self.export = reads.get, reads.list, reads.export
        self.destinations, self.stats = reads.destinations, reads.stats
        at_rest = AtRest(
            self._file, self._writer, self.bodies, self.has_room, self._note_pause
        )
        self.apply, self.put_now = at_rest.apply, at_rest.put
        self.act_now, self.release_now = at_rest.act, at_rest.release
        self.pause_now, self.resume_now = at_rest.pause, at_rest.resume
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

    # The end

    async def close(self) -> None:
        """Write what waits, close everything, let the next owner in."""
        await asyncio.get_running_loop().run_in_executor(None, self.close_now)

    def close_now(self) -> None:
        """What `close` does, in this thread."""
        self._writer.close()
        self._reads.close()
        self.bodies.close()
        self._file.close()


def _take_exception(future: "asyncio.Future[Answer]") -> None:
    if not future.cancelled():
        future.exception()
