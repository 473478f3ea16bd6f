"""What this worker shares with the others, opened, wired and kept in order.

The files lie in ``data_dir``: ``shared.db`` (lockout, quotas, which destinations are
down), ``shared.counts`` (sessions and messages, mapped into memory) and
``shared.locks`` (connections to destinations). Each worker opens all three.
"""

import asyncio
from contextlib import AsyncExitStack, ExitStack, suppress
from math import ceil
from pathlib import Path
from time import monotonic
from typing import NoReturn, Protocol

from sekisho.app.clock import unix_seconds
from sekisho.app.control import Refusal
from sekisho.app.storage import SHARED_NAME
from sekisho.auth.lockout import LockoutRules
from sekisho.config.schema import Config
from sekisho.scheduler.neighbours import Alone, Neighbours
from sekisho.server.counters import ClientCounters, QuotaCounters
from sekisho.shared.counts import SharedCounts
from sekisho.shared.destinations import SharedDestinations
from sekisho.shared.failures import FailureTable, SharedFailures
from sekisho.shared.quotas import SharedShelf
from sekisho.shared.schema import SharedStoreError
from sekisho.shared.store import SharedStore, StoreUnavailableError

COUNTS_NAME = "shared.counts"
LOCKS_NAME = "shared.locks"
UPKEEP_SECONDS = 1.0
STORE = "shared store"
COUNTS = "shared counts"
_HINT = "signing in and mail under a quota are refused for now; look at data_dir"


class Operator(Protocol):
    """Who hears what goes wrong."""

    def alarm(self, about: str, detail: str, hint: str) -> None:
        """Tell an operator."""
        ...

    def settled(self, about: str) -> None:
        """Take an alarm back."""
        ...


class Sharing:
    """One worker's part in what holds for the service.

    Attributes:
        table: Where failed sign-ins are counted.
        clients: Sessions and messages by client.
        quotas: What was used of each quota.
        neighbours: Connections to destinations.
        carriers: This worker's share of the connections to one destination.

    """

    def __init__(
        self, store: SharedStore, counts: SharedCounts, neighbours: Neighbours
    ) -> None:
        self._store = store
        self._counts = counts
        self.table = failure_table(store)
        self.clients = ClientCounters(counts)
        self.quotas = QuotaCounters(SharedShelf(store))
        self.neighbours = neighbours
        self.carriers = 1

    @classmethod
    def open(
        cls, config: Config, closing: AsyncExitStack, operator: Operator, workers: int
    ) -> "Sharing":
        """Open the files, and begin to keep them in order.

        Locks and counts belong to the process: they end with it.

        Args:
            config: Where, and how much.
            closing: Closes the store.
            operator: Hears once that the store is lost, and that it is back.
            workers: How many there are.

        Raises:
            Refusal: The store cannot be used.

        """

        def changed(why: str) -> None:
            if why:
                operator.alarm(STORE, f"it cannot be used: {why}", _HINT)
            else:
                operator.settled(STORE)

        folder = config.data_dir
        try:
            store, told = SharedStore.create(folder / SHARED_NAME, changed)
        except SharedStoreError as error:
            raise Refusal(str(error), error.hint) from error
        closing.callback(store.close)
        if told:
            operator.alarm(STORE, told, "lockout and quotas have begun anew")
        counts = _counts(folder / COUNTS_NAME, operator)
        most = config.delivery.max_connections_per_destination
        neighbours = _neighbours(folder / LOCKS_NAME, store, most, workers, operator)
        if counts.is_first:
            # The service begins: what was down may have come up.
            neighbours.forget_down()
        sharing = cls(store, counts, neighbours)
        sharing.carriers = ceil(most / workers)
        running = asyncio.ensure_future(sharing.run())
        closing.callback(running.cancel)
        return sharing

    async def run(self) -> NoReturn:
        """Forget what is old, copy the WAL, and see whether a lost store is back."""
        while True:
            await asyncio.sleep(UPKEEP_SECONDS)
            now = unix_seconds()
            self._counts.tidy(monotonic())
            if self._store.is_lost:
                with suppress(StoreUnavailableError):
                    self._store.look()
            else:
                await asyncio.to_thread(self._store.upkeep, now)


def failure_table(store: SharedStore) -> FailureTable:
    """Where failed sign-ins of all workers are counted."""
    rules = LockoutRules()
    return SharedFailures(store, rules.max_pairs, rules.max_blocks)


def stored_failures(config: Config, closing: ExitStack) -> FailureTable | None:
    """Those of a service that is stopped; None where it never ran."""
    store = _stored(config, closing)
    return None if store is None else failure_table(store)


def stored_quotas(config: Config, closing: ExitStack) -> QuotaCounters:
    """Those of a service that is stopped; empty ones of one that never ran."""
    store = _stored(config, closing)
    return QuotaCounters(None if store is None else SharedShelf(store))


def _stored(config: Config, closing: ExitStack) -> SharedStore | None:
    path = config.data_dir / SHARED_NAME
    if not path.exists():
        return None
    store = SharedStore(path)
    closing.callback(store.close)
    return store


def _counts(path: Path, operator: Operator) -> SharedCounts:
    try:
        return SharedCounts(path)
    except OSError as error:
        hint = "bounds on sessions and messages hold for each worker by itself"
        operator.alarm(COUNTS, f"{path}: {error}", hint)
        return SharedCounts()


def _neighbours(
    path: Path, store: SharedStore, most: int, workers: int, operator: Operator
) -> Neighbours:
    try:
        return SharedDestinations(path, store, most, workers)
    except OSError as error:
        hint = "each worker has its own share of the connections to a destination"
        operator.alarm(COUNTS, f"{path}: {error}", hint)
        return Alone()
