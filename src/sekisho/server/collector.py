"""Content on its way in: small bodies in memory, larger ones into a file.

Promise: at most `INLINE_BYTES` of a body are held, and the piece that goes beyond
(`wire.data.PIECE_BYTES`: a longer read waits for its next pieces), plus the header
section, which has a bound of its own. Where all sessions together hold more than the
service may (`max_buffered_bytes`), bodies go to their files at once: sessions that
wait for each other's memory could wait for ever.

A file is written by the queue's own threads; the session is not read from while its
last piece is still being written, so that a fast client cannot outrun the disk.
"""

from typing import TYPE_CHECKING

from sekisho.model.content import INLINE_BYTES, Body, InlineBody
from sekisho.queue.errors import PutRefused
from sekisho.server.services import Services
from sekisho.wire.header import header_end

if TYPE_CHECKING:
    from sekisho.queue.bodies import BodyWriter


class Collector:
    """The content of one message while it comes in."""

    __slots__ = (
        "_failure",
        "_head",
        "_head_done",
        "_held",
        "_pieces",
        "_services",
        "_writer",
    )

    def __init__(self, services: Services) -> None:
        self._services = services
        self._pieces: list[bytes] = []
        self._held = 0
        self._head = b""
        self._head_done = False
        self._writer: BodyWriter | None = None
        self._failure: PutRefused | None = None

    @property
    def must_spill(self) -> bool:
        """Whether `spill` must be awaited before more content is taken."""
        services = self._services
        return self._held > INLINE_BYTES or (
            self._held > 0
            and services.buffered_bytes > services.limits.max_buffered_bytes
        )

    def add(self, data: bytes) -> None:
        """Take the next octets."""
        self._pieces.append(data)
        self._held += len(data)
        self._services.buffered_bytes += len(data)

    async def spill(self) -> None:
        """Write what is held to the body's file.

        Where that fails, the failure is kept for `finish_file`: the client is still
        sending, and has to be heard out before it can be told.
        """
        held = b"".join(self._pieces)
        if not self._head_done:
            self._head += held
            end = header_end(self._head)
            # A blank line at the very end may be the first half of a longer one.
            if end < len(self._head):
                self._head, self._head_done = self._head[:end], True
        self._forget_held()
        if self._failure is None:
            try:
                if self._writer is None:
                    self._writer = self._services.queue.bodies.writer()
                await self._writer.write(held)
            except PutRefused as error:
                self._failure = error

    async def finish_file(self) -> Body:
        """Write the rest and make the file durable.

        Raises:
            PutRefused: There is no room on the disk.

        """
        await self.spill()
        if self._failure is not None or self._writer is None:
            raise self._failure or PutRefused("the body's file could not be made")
        body = await self._writer.finish()
        self._writer = None
        return body

    @property
    def is_inline(self) -> bool:
        """Whether all of it is in memory."""
        return self._writer is None and self._failure is None

    def inline(self) -> InlineBody:
        """The body, where all of it is in memory."""
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._forget_held()
        self._head = data[: header_end(data)]
        return InlineBody(data)

    @property
    def header(self) -> bytes:
        """The header section, once `inline` or `finish_file` was called."""
        return self._head

    def discard(self) -> None:
        """Throw all of it away."""
        self._forget_held()
        if self._writer is not None:
            self._writer.abort()
            self._writer = None

    def _forget_held(self) -> None:
        self._services.buffered_bytes -= self._held
        self._pieces.clear()
        self._held = 0
