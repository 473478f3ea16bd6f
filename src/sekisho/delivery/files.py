"""Messages as files on this machine, durable before anybody calls them delivered.

Written to a name of its own, fsynced, renamed to its place, and the folder fsynced:
without the first a power cut leaves an empty file, without the last no file at all.
All of it in a thread; the loop never waits for a disk.
"""

import asyncio
import errno
import os
from collections.abc import AsyncIterable, Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from sekisho.model.address import ReversePath
from sekisho.model.envelope import Recipient
from sekisho.model.outcome import Cause, Deferred, Delivered, Outcome
from sekisho.model.reply import reply

STORED = reply(250, "2.0.0", "Stored")
DISK_FULL = reply(452, "4.3.1", "No room left for local delivery")
NOT_STORED = reply(451, "4.3.0", "Local delivery failed")

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_BATCH_BYTES = 512 * 1024


class NewFile:
    """A file that appears under its name whole, or not at all."""

    def __init__(self, temporary: Path, final: Path) -> None:
        self._temporary = temporary
        self._final = final
        self._file: BinaryIO | None = None

    def write(self, pieces: Sequence[bytes]) -> None:
        """Append; blocks.

        Raises:
            OSError: The disk says no.

        """
        if self._file is None:
            descriptor = os.open(
                self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode=0o600
            )
            self._file = os.fdopen(descriptor, "wb")
        self._file.writelines(pieces)

    def commit(self) -> None:
        """Make it durable, and visible under its name; blocks.

        Raises:
            OSError: The disk says no; it may be there, and is not to be relied on.

        """
        if self._file is None:
            self.write(())
        file = self._file
        if file is not None:
            file.flush()
            os.fsync(file.fileno())
            file.close()
        self._temporary.rename(self._final)
        _sync_folder(self._final.parent)

    def discard(self) -> None:
        """Leave nothing behind; blocks, and is well after `commit` too."""
        try:
            if self._file is not None:
                self._file.close()
        except OSError:
            pass  # What was buffered could not be written: it goes anyway.
        self._temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder for the service alone, where it is missing, durably; blocks.

    Raises:
        OSError: It cannot be made.

    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    _sync_folder(folder.parent)


async def store(
    new_file: Callable[[], NewFile],
    pieces: AsyncIterable[bytes],
    *,
    place: str,
    count: int,
) -> list[Outcome]:
    """Store one message for some recipients.

    Args:
        new_file: Makes the folders and the file; called in a thread.
        pieces: The whole file.
        place: For the outcomes.
        count: How many recipients.

    """
    outcome: Outcome
    try:
        await _write(new_file, pieces)
        outcome = Delivered(place, STORED)
    except OSError as error:
        words = DISK_FULL if error.errno in _FULL else NOT_STORED
        outcome = Deferred(Cause.LOCAL, words, place)
    return [outcome] * count


async def _write(new_file: Callable[[], NewFile], pieces: AsyncIterable[bytes]) -> None:
    file: NewFile | None = None
    batch: list[bytes] = []
    size = 0
    try:
        async for piece in pieces:
            batch.append(piece)
            size += len(piece)
            if size >= _BATCH_BYTES:
                file = await asyncio.to_thread(_append, file or new_file, batch)
                batch, size = [], 0
        await asyncio.to_thread(_finish, file or new_file, batch)
    except BaseException:
        if file is not None:
            await asyncio.to_thread(file.discard)
        raise


def _append(file: NewFile | Callable[[], NewFile], pieces: Sequence[bytes]) -> NewFile:
    made = file if isinstance(file, NewFile) else file()
    try:
        made.write(pieces)
    except OSError:
        made.discard()
        raise
    return made


def _finish(file: NewFile | Callable[[], NewFile], pieces: Sequence[bytes]) -> None:
    made = _append(file, pieces)
    try:
        made.commit()
    except OSError:
        made.discard()
        raise


def envelope_fields(
    reverse_path: ReversePath, name: str, recipients: Sequence[Recipient]
) -> bytes:
    """Write the envelope as header fields (RFC 5321 §4.4 names Return-Path)."""
    lines = [f"Return-Path: <{reverse_path}>\r\n"]
    lines += [f"{name}: {recipient.address}\r\n" for recipient in recipients]
    return "".join(lines).encode()
