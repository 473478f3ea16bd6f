"""What lies in ``data_dir``, and how it is opened."""

import os
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

from sekisho.auth.accounts import AccountStore
from sekisho.auth.hashing import Hasher
from sekisho.config.schema import Config
from sekisho.config.values import routes, service_limits
from sekisho.delivery.routing import destination_for
from sekisho.queue.store import Queue, QueueOptions

ACCOUNTS_NAME = "accounts.db"
QUEUE_NAME = "queue"
TIMELINE_NAME = "timeline.db"


def timeline_path(config: Config) -> Path:
    """The timelines of messages."""
    return config.data_dir / TIMELINE_NAME


def open_accounts(
    config: Config, clock: Callable[[], float], closing: ExitStack | AsyncExitStack
) -> AccountStore:
    """Open the local accounts.

    Raises:
        AccountError: They cannot be used.

    """
    _make(config.data_dir)
    store = AccountStore.open(config.data_dir / ACCOUNTS_NAME, Hasher(), clock)
    closing.callback(store.close)
    return store


def open_queue(config: Config) -> Queue:
    """Open the queue; the caller is its one owner and closes it.

    Raises:
        QueueError: Another process owns it, it is damaged, or newer.

    """
    _make(config.data_dir)
    table = routes(config)
    options = QueueOptions(
        min_free_bytes=service_limits(config).min_free_bytes,
        destinations=lambda address, path: str(destination_for(table, address, path)),
    )
    # Its files hold mail; whatever the folder's mode came to be, they are ours alone.
    mask = os.umask(0o077)
    try:
        return Queue.open(config.data_dir / QUEUE_NAME, options=options)
    finally:
        os.umask(mask)


def _make(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
