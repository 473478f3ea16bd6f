"""Bodies above 64 KiB, as files of the queue's own folder.

A body's file is whole and on disk before its message's row is committed: octets and
length are fsynced, then the folder, so that its name survives a power cut too. What a
crash leaves between the two is an orphan: no row names it, and the next start sweeps
it away.

Files are written and read by threads of their own, in pieces; nothing here ever holds
more than one piece.
"""

import asyncio
import errno
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TypeVar

from sekisho.model.content import Content, FileBody, InlineBody
from sekisho.queue.errors import PutRefused, QueueError

PIECE_BYTES = 64 * 1024
"""What is written, read and held at a time."""

_NO_ROOM = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE}
)
"""No room for this body: on the disk, or among the open files. The disk is well."""

_Answer = TypeVar("_Answer")


class BodyFiles:
    """The folder of bodies."""

    def __init__(
        self,
        folder: Path,
        *,
        has_room: Callable[[], bool],
        on_fatal: Callable[[str], None],
    ) -> None:
        """Make the folder where it is missing.

        Args:
            folder: Where the files lie.
            has_room: Whether a new one may be begun.
            on_fatal: Called where the disk failed otherwise than by being full.

        """
        self.folder = folder
        self._has_room = has_room
        self.on_fatal = on_fatal
        folder.mkdir(mode=0o700, exist_ok=True)
        fsync_folder(folder.parent)
        self._keeping = Lock()
        self._keepers = 0
        self._to_remove: list[str] = []
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="bodies")

    def close(self) -> None:
        """Wait for what is being written, and end the threads."""
        self._threads.shutdown()

    def sweep(self, known: set[str]) -> int:
        """Remove the files that no message knows; before mail is taken.

        Returns:
            How many there were.

        """
        orphans = [path for path in self.folder.iterdir() if path.name not in known]
        for path in orphans:
            path.unlink()
        return len(orphans)

    def writer(self) -> "BodyWriter":
        """Begin a file.

        Raises:
            PutRefused: There is no room on the disk.

        """
        if not self._has_room():
            raise PutRefused("free disk is below min_free_bytes")
        return BodyWriter(self, self.folder / secrets.token_hex(16))

    def remove(self, body: FileBody) -> None:
        """Remove a file that never became a message's."""
        self._threads.submit(self.remove_now, body.name)

    def remove_now(self, name: str) -> None:
        """Remove a file in this thread; one that is not there is no error."""
        with self._keeping:
            if self._keepers:
                self._to_remove.append(name)
                return
        (self.folder / name).unlink(missing_ok=True)

    @contextmanager
    def keep(self) -> Generator[None]:
        """Remove no file meanwhile, but afterwards: somebody takes a snapshot."""
        with self._keeping:
            self._keepers += 1
        try:
            yield
        finally:
            with self._keeping:
                self._keepers -= 1
                names: list[str] = []
                if not self._keepers:
                    names, self._to_remove = self._to_remove, []
            for name in names:
                self.remove_now(name)

    async def read(self, body: FileBody, offset: int, length: int) -> bytes:
        """Read a piece; shorter than `length` only at the end of the body.

        Raises:
            OSError: The file cannot be read.

        """
        return await self.run(lambda: self.read_now(body, offset, length))

    def read_now(self, body: FileBody, offset: int, length: int) -> bytes:
        """Read a piece in this thread.

        Raises:
            OSError: The file cannot be read.

        """
        descriptor = os.open(self.folder / body.name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(descriptor, length, offset)
        finally:
            os.close(descriptor)

    def pages_now(self, content: Content) -> Iterator[bytes]:
        """A whole message, prefix first, in pieces, read in this thread."""
        yield from _first_pieces(content)
        if isinstance(content.body, FileBody):
            for offset in range(content.skip, content.body.size, PIECE_BYTES):
                yield self.read_now(content.body, offset, PIECE_BYTES)

    async def pages(self, content: Content) -> AsyncIterator[bytes]:
        """A whole message, prefix first, in pieces."""
        for piece in _first_pieces(content):
            yield piece
        if isinstance(content.body, FileBody):
            for offset in range(content.skip, content.body.size, PIECE_BYTES):
                yield await self.read(content.body, offset, PIECE_BYTES)

    async def run(self, work: Callable[[], _Answer]) -> _Answer:
        """Do file work in a thread of ours."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def run_later(self, work: Callable[[], object]) -> None:
        """Do file work in a thread of ours, some time."""
        self._threads.submit(work)


class BodyWriter:
    """One body on its way to its file: `write`, then `finish` or `abort`."""

    __slots__ = (
        "_aborted",
        "_descriptor",
        "_files",
        "_held",
        "_path",
        "_pieces",
        "_size",
        "_turn",
    )

    def __init__(self, files: BodyFiles, path: Path) -> None:
        self._files = files
        self._path = path
        self._pieces: list[bytes] = []
        self._held = 0
        self._size = 0
        self._descriptor = -1
        self._aborted = False
        # A session that is abandoned aborts while a piece is still being written;
        # closing the descriptor under that write would let it hit another file.
        self._turn = Lock()

    async def write(self, data: bytes) -> None:
        """Take the next octets; returns when more may come.

        Raises:
            PutRefused: There is no room on the disk; the file is gone again.
            QueueError: The disk failed; the service ends.

        """
        self._pieces.append(data)
        self._held += len(data)
        if self._held >= PIECE_BYTES:
            await self._in_thread(self._write_pieces)

    async def finish(self) -> FileBody:
        """Make the file durable, its name included.

        Raises:
            PutRefused: There is no room on the disk; the file is gone again.
            QueueError: The disk failed; the service ends.

        """
        await self._in_thread(self._finish)
        return FileBody(self._path.name, self._size)

    def abort(self) -> None:
        """Throw the file away."""
        self._pieces.clear()
        self._files.run_later(self._discard)

    async def _in_thread(self, work: Callable[[], None]) -> None:
        try:
            await self._files.run(work)
        except OSError as error:
            self.abort()
            if error.errno in _NO_ROOM:
                raise PutRefused("there is no room on the disk") from error
            # After a failed fsync nobody knows what is on the disk, and a second
            # one would succeed without having written anything.
            sentence = f"the body file {self._path} cannot be written ({error})"
            self._files.on_fatal(sentence)
            raise QueueError(sentence, "look at the disk") from error

    def _write_pieces(self) -> None:
        with self._turn:
            if not self._aborted:
                self._write_held()

    def _write_held(self) -> None:
        pieces, self._pieces = self._pieces, []
        self._held = 0
        if self._descriptor < 0:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o600)
        rest = memoryview(b"".join(pieces))
        while rest:
            written = os.write(self._descriptor, rest)
            self._size += written
            rest = rest[written:]

    def _finish(self) -> None:
        with self._turn:
            if self._aborted:
                return
            self._write_held()
            os.fsync(self._descriptor)
            self._close()
        fsync_folder(self._path.parent)

    def _discard(self) -> None:
        # A write that waits for its turn would make the file anew.
        with self._turn:
            self._aborted = True
            self._close()
            self._path.unlink(missing_ok=True)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _first_pieces(content: Content) -> Iterator[bytes]:
    if content.prefix:
        yield content.prefix
    if isinstance(content.body, InlineBody):
        yield content.body.data[content.skip :]


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def link_body(old: Path, new: Path) -> None:
    """Give a whole and durable file a second name, or a copy where that cannot be."""
    try:
        os.link(old, new)
    except FileExistsError:
        pass  # From before a kill: a name here is only ever given to a whole file.
    except OSError:
        part = new.with_name(f"{new.name}.part")
        shutil.copyfile(old, part)
        with part.open("rb") as copied:
            os.fsync(copied.fileno())
        part.rename(new)
