"""``sekisho queue backup`` and ``restore``: every queue folder, one snapshot each.

A backup is a folder with one folder for each queue in it, by its name in ``data_dir``.
Each worker writes its own. A message is in one queue only, so snapshots of a moment
apart lose none; only where a folder is being taken over by another worker could one
slip between them, and then no backup is made.
"""

import asyncio
import os
import shutil
from pathlib import Path

from sekisho.app.control import Arguments, NotRunning, Refusal, ask
from sekisho.app.operation import Desk, argument
from sekisho.config.schema import Config
from sekisho.queue.backup import Snapshot, back_up, remove_empty, restore_backup
from sekisho.queue.errors import QueueError
from sekisho.queue.store import Queue


async def back_up_queue(desk: Desk, arguments: Arguments) -> object:
    """Write a snapshot of this worker's queue below a folder."""
    target = Path(argument(arguments, "folder", str, ""))
    if not target.is_absolute():
        raise Refusal("a backup needs the whole path of a folder")
    queue = desk.queue
    name = queue.path.parent.name
    try:
        snapshot = await asyncio.to_thread(_back_up, queue, target, name)
    except OSError as error:
        hint = "name a folder that the service's user may write"
        raise Refusal(f"{target}: {error.strerror}", hint) from error
    except QueueError as error:
        raise Refusal(error.sentence, error.hint) from error
    return [
        {
            "queue": name,
            "messages": snapshot.messages,
            "body_files": snapshot.body_files,
        }
    ]


def _back_up(queue: Queue, target: Path, name: str) -> Snapshot:
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    return back_up(queue, target / name)


def queue_names(folder: Path) -> list[str]:
    """The queues below a folder, by name."""
    return sorted(path.parent.name for path in folder.glob("queue*/queue.db"))


def refuse_unless_whole(before: list[str], backed_up: list[str]) -> None:
    """Refuse a backup that lacks a queue that was there when it began.

    Raises:
        Refusal: It does.

    """
    missing = sorted(set(before) - set(backed_up))
    if missing:
        sentence = f"not in this backup: {', '.join(missing)}"
        hint = "another worker is taking that over; wait and back up to a new folder"
        raise Refusal(sentence, hint)


def restore_queues(config: Config, backup: Path) -> list[dict[str, object]]:
    """Make the queues of a backup, all mail held, with the service stopped.

    Raises:
        Refusal: It cannot be done; mail that is there is never overwritten.

    """
    _refuse_while_running(config)
    names = queue_names(backup)
    if not names:
        raise Refusal(f"{backup} is no backup", "name what sekisho queue backup made")
    restored: list[dict[str, object]] = []
    mask = os.umask(0o077)
    try:
        config.data_dir.mkdir(parents=True, exist_ok=True)
        # All of them first: a backup is not restored by half.
        for name in queue_names(config.data_dir):
            remove_empty(config.data_dir / name, only_look=True)
        for name in names:
            folder = config.data_dir / name
            snapshot = restore_backup(backup / name, folder)
            _give_to_owner(folder)
            restored.append({"queue": name, "messages": snapshot.messages})
    except QueueError as error:
        done = ", ".join(str(one["queue"]) for one in restored)
        hint = f"{error.hint}; restored before: {done}" if done else error.hint
        raise Refusal(error.sentence, hint) from error
    finally:
        os.umask(mask)
    return restored


def _refuse_while_running(config: Config) -> None:
    try:
        ask(config.data_dir, "ping", {})
    except NotRunning:
        return
    raise Refusal("the service is running", "stop it, then restore")


def _give_to_owner(folder: Path) -> None:
    """What root restores belongs to whom the data folder belongs to."""
    if os.geteuid() != 0:
        return
    owner = folder.parent.stat()
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, owner.st_uid, owner.st_gid)
