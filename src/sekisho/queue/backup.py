"""A snapshot of a running queue, and a queue made from one.

**Backup.** A read transaction fixes what the snapshot holds. While it is young, body
files are not removed (`BodyFiles.keep`): each that it names is linked (or copied) into
the backup. Then removals go on, and the pages are copied out of the same transaction,
some at a time; the writer never waits for it. The WAL grows meanwhile by what is
written meanwhile. A backup is built under another name and renamed when it is whole
and on disk.

**Restore.** All mail that waits starts held: what was delivered since the backup would
go out again. It is built beside the queue and renamed into place, too.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import apsw

from sekisho.queue.bodies import fsync_folder, link_body
from sekisho.queue.errors import QueueError
from sekisho.queue.file import QueueFile
from sekisho.queue.options import QueueOptions
from sekisho.queue.records import WAITING, State
from sekisho.queue.schema import copy_pages, damaged, open_reader, open_writer
from sekisho.queue.sqlite import Connection
from sekisho.queue.store import Queue

PAGES_A_STEP = 1000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a backup holds, or what was restored from it."""

    messages: int
    body_files: int


def back_up(
    queue: Queue,
    target: Path,
    told: Callable[[int, int], None] = lambda _left, _all: None,
) -> Snapshot:
    """Write a snapshot of a queue that may be running, in this thread.

    Args:
        queue: Open.
        target: A folder that is not there yet.
        told: Called now and then: pages left, pages in all.

    Raises:
        QueueError: The target is there, or it cannot be written.

    """
    if target.exists():
        raise QueueError(f"{target} is there already", "name a new folder")
    part = target.with_name(f"{target.name}.part")
    source = open_reader(queue.path)
    try:
        shutil.rmtree(part, ignore_errors=True)
        (part / "bodies").mkdir(mode=0o700, parents=True)
        part.chmod(0o700)
        with queue.bodies.keep():
            source.execute("BEGIN").fetchall()
            snapshot = Snapshot(_count(source), _link_bodies(source, queue, part))
        (part / "queue.db").touch(mode=0o600)
        copy_pages(source, part / "queue.db", PAGES_A_STEP, told)
        _sync(part)
        part.rename(target)
        fsync_folder(target.parent)
    except (OSError, apsw.Error) as error:
        sentence = f"the backup {target} cannot be written ({error})"
        raise QueueError(sentence, "look at the rights and the room there") from error
    finally:
        source.close()
    return snapshot


def restore_backup(backup: Path, folder: Path) -> Snapshot:
    """Make a queue folder of a backup, with all its mail held; the service is stopped.

    Args:
        backup: As `back_up` made it; it stays as it is.
        folder: The queue's. There may be an empty queue in it.

    Raises:
        QueueError: There is mail in the folder, somebody uses it, or the backup is
            none, damaged, or newer than we are.

    """
    if not (backup / "queue.db").is_file():
        raise QueueError(f"{backup} is no backup of a queue", "name another folder")
    part = folder.with_name(f"{folder.name}.restoring")
    try:
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(backup, part)
        snapshot = _hold_all(part)
        _sync(part)
        if folder.exists():
            remove_empty(folder)
        part.rename(folder)
        fsync_folder(folder.parent)
    except OSError as error:
        sentence = f"{backup} cannot be restored ({error})"
        raise QueueError(sentence, "look at the rights and the room there") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return snapshot


def _hold_all(folder: Path) -> Snapshot:
    path = folder / "queue.db"
    connection = open_writer(path)
    try:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchall()[0]
        if verdict != "ok":
            raise damaged(path, ValueError(verdict))
        connection.execute(
            "UPDATE recipient SET state = ? WHERE state IN (?, ?)",
            (int(State.HELD), *map(int, WAITING)),
        )
        query = "SELECT file FROM message WHERE file IS NOT NULL"
        files = [file for (file,) in connection.execute(query)]
        missing = [one for one in files if not (folder / "bodies" / one).is_file()]
        if missing:
            raise damaged(path, ValueError(f"{len(missing)} body files are missing"))
        return Snapshot(_count(connection), len(files))
    except apsw.CorruptError as error:
        raise damaged(path, error) from error
    finally:
        connection.close()


def remove_empty(folder: Path, *, only_look: bool = False) -> None:
    """Remove a queue folder without mail.

    Raises:
        QueueError: There is mail in it, or somebody uses it.

    """
    file = QueueFile(folder, QueueOptions().destinations)
    if file.has_mail():
        file.close()
        raise QueueError(
            f"there is mail in {folder}", "move that folder away first, and keep it"
        )
    if only_look:
        file.close()
    else:
        file.close_and_remove()


def _count(connection: Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM message").fetchall()[0][0])


def _link_bodies(source: Connection, queue: Queue, part: Path) -> int:
    count = 0
    for (file,) in source.execute("SELECT file FROM message WHERE file IS NOT NULL"):
        link_body(queue.bodies.folder / file, part / "bodies" / file)
        count += 1
    return count


def _sync(folder: Path) -> None:
    with (folder / "queue.db").open("rb") as file:
        os.fsync(file.fileno())
    for body in (folder / "bodies").iterdir():
        with body.open("rb") as file:
            os.fsync(file.fileno())
    fsync_folder(folder / "bodies")
    fsync_folder(folder)
