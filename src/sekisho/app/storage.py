"""What lies in ``data_dir``, and how it is opened.

Worker 0 has ``queue`` and ``timeline.db``, worker N ``queue-N`` and ``timeline-N.db``.
Those of workers that are no more are left over: their mail is taken over by worker 0.
"""

import asyncio
import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

from sekisho.auth.accounts import AccountStore
from sekisho.auth.hashing import Hasher
from sekisho.config.schema import Config
from sekisho.config.values import offers_scram_sha_1, routes, service_limits
from sekisho.delivery.routing import destination_for
from sekisho.model.route import Routes
from sekisho.queue.errors import QueueError
from sekisho.queue.store import Queue, QueueOptions

ACCOUNTS_NAME = "accounts.db"
SHARED_NAME = "shared.db"
QUEUE_NAME = "queue"
TIMELINE_NAME = "timeline.db"
LOCK_NAME = "service.lock"
RoutesNow = Callable[[], Routes] | None


LOCK_SECONDS = 60.0
"""How long a worker waits for its queue: the last owner may still be draining."""

_NUMBERED = re.compile(r"(queue|timeline)(?:-([1-9][0-9]{0,3}))?(?:\.db)?")


def queue_folder(data_dir: Path, number: int) -> Path:
    """The queue of a worker."""
    return data_dir / (f"{QUEUE_NAME}-{number}" if number else QUEUE_NAME)


def timeline_path(data_dir: Path, number: int) -> Path:
    """The timelines that a worker writes."""
    return data_dir / (f"timeline-{number}.db" if number else TIMELINE_NAME)


def queue_folders(data_dir: Path) -> list[Path]:
    """All queues that are there, worker 0's always first."""
    numbers = {0, *_numbers(data_dir, QUEUE_NAME)}
    return [queue_folder(data_dir, number) for number in sorted(numbers)]


def leftover_queues(data_dir: Path, workers: int) -> list[Path]:
    """Queues of workers that are no more."""
    numbers = sorted(_numbers(data_dir, QUEUE_NAME))
    return [queue_folder(data_dir, one) for one in numbers if one >= workers]


def timeline_paths(data_dir: Path, *, least: int = 0) -> list[Path]:
    """All timelines that are there, from a worker's number on."""
    numbers = sorted(_numbers(data_dir, "timeline"))
    return [timeline_path(data_dir, one) for one in numbers if one >= least]


def _numbers(data_dir: Path, kind: str) -> Iterator[int]:
    for entry in data_dir.iterdir() if data_dir.is_dir() else ():
        found = _NUMBERED.fullmatch(entry.name)
        if found and found[1] == kind and entry.is_dir() == (kind == QUEUE_NAME):
            yield int(found[2] or 0)


def open_accounts(
    config: Config, clock: Callable[[], float], closing: ExitStack | AsyncExitStack
) -> AccountStore:
    """Open the local accounts.

    Raises:
        AccountError: They cannot be used.

    """
    _make(config.data_dir)
    store = AccountStore.open(config.data_dir / ACCOUNTS_NAME, Hasher(), clock)
    store.keeps_sha_1 = offers_scram_sha_1(config)
    closing.callback(store.close)
    return store


def open_queue(config: Config, number: int = 0, routes_now: RoutesNow = None) -> Queue:
    """Open a worker's queue; the caller is its one owner and closes it.

    Args:
        config: Where, and how much disk is to stay free.
        number: The worker's.
        routes_now: Gives the routes as they are; else they are the configuration's.

    Raises:
        QueueError: Another process owns it, it is damaged, or newer.

    """
    folder = queue_folder(config.data_dir, number)
    return open_queue_folder(config, folder, routes_now)


def open_queue_folder(
    config: Config, folder: Path, routes_now: RoutesNow = None
) -> Queue:
    """Open any queue folder, as `open_queue` does a worker's.

    Raises:
        QueueError: As there.

    """
    _make(config.data_dir)
    table = routes(config)
    current = routes_now or (lambda: table)
    options = QueueOptions(
        min_free_bytes=service_limits(config).min_free_bytes,
        destinations=lambda address, path: str(
            destination_for(current(), address, path)
        ),
    )
    # Its files hold mail; whatever the folder's mode came to be, they are ours alone.
    mask = os.umask(0o077)
    try:
        return Queue.open(folder, options=options)
    finally:
        os.umask(mask)


async def wait_for_queue(config: Config, number: int) -> None:
    """Wait for the last owner of a queue to end, within `LOCK_SECONDS`.

    Who is still there then is told by `open_queue`.
    """
    path = queue_folder(config.data_dir, number) / "queue.lock"
    for _ in range(int(LOCK_SECONDS / 0.1)):
        if not path.exists() or _is_free(path):
            return
        await asyncio.sleep(0.1)


def _is_free(path: Path) -> bool:
    with path.open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def own_service(
    data_dir: Path, closing: ExitStack | AsyncExitStack, owner: int = -1
) -> None:
    """Be the one service on a data folder; the kernel's lock ends with the process.

    Args:
        data_dir: The folder.
        closing: Lets it go.
        owner: User id of the lock's file, -1 for ours.

    Raises:
        QueueError: Another one is.

    """
    _make(data_dir)
    path = data_dir / LOCK_NAME
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    closing.callback(os.close, descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        process = os.read(descriptor, 32).decode("ascii", "replace").strip()
        raise QueueError(
            f"{data_dir} is in use by process {process or 'unknown'}",
            "stop that service first, or give this one a data_dir of its own",
        ) from None
    os.ftruncate(descriptor, 0)
    if owner >= 0:
        os.fchown(descriptor, owner, -1)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)


def _make(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
