"""``sekisho queue backup``: every queue folder, the accounts, and what workers share.

A backup is a folder:

| in it | what it is |
| --- | --- |
| one folder for each queue, by its name in ``data_dir`` | its worker's snapshot |
| ``accounts.db`` | accounts, app passwords, and the keys that those were hashed with |
| ``shared.db`` | lockouts and what was used of quotas |
| ``backup.json`` | written last: without it the backup is not whole |

Three operations, so that none takes long however large the queues are: all workers
begin; they are asked how far they are; then one of them does the rest. A message is in
one queue only, so snapshots of a moment apart lose none; only where a folder is being
taken over by another worker could one slip between them, and then no backup is made.
"""

import asyncio
import os
from pathlib import Path

import msgspec

from sekisho.app.control import Arguments, Refusal
from sekisho.app.operation import Desk, argument, spelled_time
from sekisho.app.snapshots import take_snapshot
from sekisho.app.storage import ACCOUNTS_NAME, SHARED_NAME
from sekisho.queue.bodies import fsync_folder

MANIFEST = "backup.json"
SHARED_FILES = (ACCOUNTS_NAME, SHARED_NAME)


class Manifest(msgspec.Struct):
    """What says that a backup is whole.

    Attributes:
        made_at: When it was (RFC 3339).
        queues: Of which it has a folder.
        files: Which of `SHARED_FILES` are in it.

    """

    made_at: str
    queues: list[str]
    files: list[str]


async def begin(desk: Desk, arguments: Arguments) -> object:
    """Begin to write a snapshot of this worker's queue below a folder."""
    folder = _folder(arguments)
    if (folder / MANIFEST).exists():
        raise Refusal(f"{folder} is a backup already", "name a new folder")
    target = folder / desk.queue.path.parent.name
    desk.backup.begin(desk.queue, target)
    if not desk.is_running:
        await desk.backup.wait()
    return [await desk.backup.state(desk.queue, target)]


async def state(desk: Desk, arguments: Arguments) -> object:
    """Say how far it is."""
    target = _folder(arguments) / desk.queue.path.parent.name
    return [await desk.backup.state(desk.queue, target)]


async def finish(desk: Desk, arguments: Arguments) -> object:
    """Add what all workers share, and write that the backup is whole."""
    folder = _folder(arguments)
    queues = argument(arguments, "queues", list[str], [])
    missing = sorted(one for one in queues if not (folder / one).is_dir())
    if missing or not queues:
        raise Refusal(f"not in this backup: {', '.join(missing) or 'any queue'}")
    data_dir = desk.queue.path.parent.parent
    return await asyncio.to_thread(_finish, data_dir, folder, queues, desk.clock())


def _finish(data_dir: Path, folder: Path, queues: list[str], now: float) -> Manifest:
    files = [one for one in SHARED_FILES if (data_dir / one).exists()]
    for name in files:
        take_snapshot(data_dir / name, folder / name)
    manifest = Manifest(spelled_time(now), queues, files)
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
    try:
        descriptor = os.open(folder / MANIFEST, flags, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(manifest) + b"\n")
            file.flush()
            os.fsync(descriptor)
        fsync_folder(folder)
    except OSError as error:
        raise Refusal(f"{folder / MANIFEST}: {error.strerror}") from error
    return manifest


def _folder(arguments: Arguments) -> Path:
    folder = Path(argument(arguments, "folder", str, ""))
    if not folder.is_absolute():
        raise Refusal("a backup needs the whole path of a folder")
    return folder


def queue_names(folder: Path) -> list[str]:
    """The queues below a folder, by name."""
    return sorted(path.parent.name for path in folder.glob("queue*/queue.db"))
