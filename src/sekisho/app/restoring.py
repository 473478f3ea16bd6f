"""``sekisho queue restore``: a data folder made of a backup, the service being stopped.

Nothing that is there is overwritten: mail in a queue refuses the whole restore, and
accounts that are there stay as they are.
"""

import os
import shutil
from pathlib import Path
from typing import Any

import msgspec

from sekisho.app.backups import MANIFEST, SHARED_FILES, Manifest, queue_names
from sekisho.app.control import NotRunning, Refusal, ask
from sekisho.app.snapshots import put_back
from sekisho.app.stopped import known_accounts
from sekisho.app.storage import ACCOUNTS_NAME
from sekisho.config.schema import Config
from sekisho.queue.backup import remove_empty, restore_backup
from sekisho.queue.errors import QueueError


def restore_all(config: Config, backup: Path) -> dict[str, Any]:
    """Make queues and shared files of a backup, all mail held.

    Returns:
        ``queues`` with their ``messages``, and of ``files`` whether each was
        ``restored``, or was there and is ``kept``.

    Raises:
        Refusal: It cannot be done.

    """
    _refuse_while_running(config)
    manifest = _manifest(backup)
    mask = os.umask(0o077)
    try:
        config.data_dir.mkdir(parents=True, exist_ok=True)
        queues = _restore_queues(config.data_dir, backup, manifest.queues)
        files = {
            name: _restore_file(config, backup, name)
            for name in SHARED_FILES
            if name in manifest.files
        }
    except OSError as error:
        raise Refusal(f"{backup} cannot be restored ({error})") from error
    finally:
        os.umask(mask)
    return {"queues": queues, "files": files}


def _manifest(backup: Path) -> Manifest:
    try:
        manifest = msgspec.json.decode((backup / MANIFEST).read_bytes(), type=Manifest)
    except FileNotFoundError as error:
        sentence = f"{backup} is no backup, or none that came to its end"
        raise Refusal(sentence, "name what sekisho queue backup made") from error
    except (OSError, msgspec.MsgspecError) as error:
        raise Refusal(f"{backup / MANIFEST} cannot be read ({error})") from error
    missing = sorted(set(manifest.queues) - set(queue_names(backup)))
    missing += [one for one in manifest.files if not (backup / one).is_file()]
    if missing:
        raise Refusal(f"{backup} is not whole: it lacks {', '.join(missing)}")
    return manifest


def _restore_queues(
    data_dir: Path, backup: Path, names: list[str]
) -> list[dict[str, object]]:
    restored: list[dict[str, object]] = []
    try:
        # All of them first: a backup is not restored by half.
        for name in queue_names(data_dir):
            remove_empty(data_dir / name, only_look=True)
        for name in names:
            folder = data_dir / name
            snapshot = restore_backup(backup / name, folder)
            _give_to_owner(folder)
            restored.append({"queue": name, "messages": snapshot.messages})
    except QueueError as error:
        done = ", ".join(str(one["queue"]) for one in restored)
        hint = f"{error.hint}; restored before: {done}" if done else error.hint
        raise Refusal(error.sentence, hint) from error
    return restored


def _restore_file(config: Config, backup: Path, name: str) -> str:
    target = config.data_dir / name
    if target.exists() and (name != ACCOUNTS_NAME or not _has_no_accounts(config)):
        return "kept"
    put_back(backup / name, target)
    _give_to_owner(target)
    return "restored"


def _has_no_accounts(config: Config) -> bool:
    accounts, problems = known_accounts(config)
    return not accounts and not problems


def _refuse_while_running(config: Config) -> None:
    try:
        ask(config.data_dir, "ping", {})
    except NotRunning:
        return
    raise Refusal("the service is running", "stop it, then restore")


def _give_to_owner(path: Path) -> None:
    """What root restores belongs to whom the data folder belongs to."""
    if os.geteuid() != 0:
        return
    owner = path.parent.stat()
    for one in (path, *path.rglob("*")):
        shutil.chown(one, owner.st_uid, owner.st_gid)
