"""Snapshots of SQLite files that are in use, and putting them back.

The copy is made page by page out of one read transaction, so that it is the file of
one moment; whoever writes does not wait for it. It is its owner's alone from its first
octet, and on disk when it has its name.
"""

import os
import shutil
from pathlib import Path

import apsw

from sekisho.app.control import Refusal
from sekisho.queue.bodies import fsync_folder
from sekisho.queue.schema import copy_pages
from sekisho.queue.sqlite import connect

_WAIT_MILLISECONDS = 5000
_ALL_AT_ONCE = -1
"""Pages a step: these files are small, and one step sees one state."""


def take_snapshot(source: Path, target: Path) -> None:
    """Copy a SQLite file that may be written meanwhile.

    Raises:
        Refusal: It cannot be read, or the copy cannot be written.

    """
    part = target.with_name(f"{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        _copy_pages(source, part)
        _sync(part)
        part.rename(target)
        fsync_folder(target.parent)
    except (OSError, apsw.Error) as error:
        sentence = f"{source.name} cannot be copied to {target.parent} ({error})"
        raise Refusal(sentence, "look at the rights and the room there") from error


def put_back(snapshot: Path, target: Path) -> None:
    """Put a snapshot in a file's place; nobody has it open.

    Raises:
        OSError: It cannot be written.

    """
    part = target.with_name(f"{target.name}.restoring")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as copy, snapshot.open("rb") as source:
        shutil.copyfileobj(source, copy)
    _sync(part)
    for suffix in ("-wal", "-shm"):
        Path(f"{target}{suffix}").unlink(missing_ok=True)
    part.rename(target)
    fsync_folder(target.parent)


def _copy_pages(source: Path, target: Path) -> None:
    old = connect(str(source), apsw.SQLITE_OPEN_READWRITE)
    try:
        old.set_busy_timeout(_WAIT_MILLISECONDS)
        copy_pages(old, target, _ALL_AT_ONCE, lambda _left, _pages: None)
    finally:
        old.close()


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
