"""`Reads`: what the service asks of its queue, in a thread of its own.

Whoever meets damage here leaves the mark that has the next owner salvage the file, and
the worker ends: more may be met at any time.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from sekisho.model.ids import MessageId
from sekisho.queue.bodies import BodyFiles
from sekisho.queue.errors import PutRefused
from sekisho.queue.file import DAMAGE, QueueFile
from sekisho.queue.operations import SetAside
from sekisho.queue.reader import QueueReader
from sekisho.queue.records import (
    Cursor,
    DuePage,
    ListedMessage,
    QueuedMessage,
    Selection,
    Stats,
)
from sekisho.queue.schema import damaged
from sekisho.queue.writer import Writer

_Value = TypeVar("_Value")


class Reads:
    """A queue's reader, for the loop."""

    def __init__(
        self, file: QueueFile, writer: Writer, reader: QueueReader, bodies: BodyFiles
    ) -> None:
        """Ask a reader.

        Args:
            file: Is marked where it proves damaged.
            writer: Sets aside what cannot be read, and ends the worker.
            reader: Is used in the one thread that is started here, and closed there.
            bodies: Bodies above 64 KiB.

        """
        self._file = file
        self._writer = writer
        self._reader = reader
        self._bodies = bodies
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="queue-reader")

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
            lambda: self._reader.due(
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
                await self._writer.enter(SetAside(page.unreadable))
        return page

    async def has_stray(self, now: float, latest: float) -> bool:
        """Whether something waits that cannot, unless the clock was set back.

        Args:
            now: Unix seconds; what was never tried is due by now.
            latest: What was tried is due again by this moment.

        """
        return await self._read(lambda: self._reader.has_stray(now, latest))

    async def next_due_at(self, after: float) -> float | None:
        """When the next recipient becomes due after a moment, or None."""
        return await self._read(lambda: self._reader.next_due_at(after))

    async def one_for(
        self, destination: str, skip: Callable[[MessageId], bool]
    ) -> QueuedMessage | None:
        """The first message that waits for a destination (`QueueReader.one_for`)."""
        return await self._read(lambda: self._reader.one_for(destination, skip))

    async def get(self, message_id: MessageId) -> QueuedMessage | None:
        """One message whole, or None where it is not there (any more)."""
        return await self._read(lambda: self._reader.get(message_id))

    async def list(
        self,
        selection: Selection | None = None,
        limit: int = 100,
        after: MessageId | None = None,
    ) -> list[ListedMessage]:
        """A page of messages, oldest first, after the last id of the one before."""
        wanted = selection or Selection()
        return await self._read(lambda: self._reader.listed(wanted, limit, after))

    async def destinations(self, limit: int) -> dict[str, int]:
        """Where mail waits to go, and for how many recipients; the most first."""
        return await self._read(lambda: self._reader.destinations(limit))

    async def stats(self, now: float) -> Stats:
        """How much is there, by state."""
        return await self._read(lambda: self._reader.stats(now))

    async def export(self, message_id: MessageId) -> AsyncIterator[bytes]:
        """A message's content in pieces, as an ``.eml`` file has it.

        Raises:
            KeyError: It is not there (any more).

        """
        queued = await self.get(message_id)
        if queued is None:
            raise KeyError(str(message_id))
        async for piece in self._bodies.pages(queued.message.content):
            yield piece

    async def _read(self, query: Callable[[], _Value]) -> _Value:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, query)
        except DAMAGE as error:
            # The next start salvages what can be read; here more may be met any time.
            self._file.mark_damaged(error)
            self._writer.fail(f"the queue file is damaged ({error})")
            raise damaged(self._file.path, error) from error

    def close(self) -> None:
        """Close the reader and end its thread."""
        self._thread.submit(self._reader.close).result()
        self._thread.shutdown()
