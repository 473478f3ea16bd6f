"""What the store is told from outside."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sekisho.model.address import Address, ReversePath
from sekisho.queue.space import free_bytes


def _destination_by_domain(address: Address, _reverse_path: ReversePath) -> str:
    return address.domain


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """What the store is told from outside.

    Attributes:
        min_free_bytes: Free disk below which new mail is refused (452).
        destinations: Names where a recipient's mail goes: ``str(Destination)``.
        wal_bytes: From this length on the WAL is copied into the file.
        measure: Free bytes below a folder.
        clock: Seconds that never go back.

    """

    min_free_bytes: int = 256 * 1024 * 1024
    destinations: Callable[[Address, ReversePath], str] = _destination_by_domain
    wal_bytes: int = 16 * 1024 * 1024
    measure: Callable[[Path], int] = free_bytes
    clock: Callable[[], float] = time.monotonic
