"""Connections to a destination, and whether it is down, for all workers together.

*Slots.* A connection holds a byte lock of its destination; there are as many bytes as
there may be connections, so the bound holds for the service, and the kernel gives
back what a dead worker held.

*The way in.* One more byte says whether somebody is inside. A worker that knows
nothing of a destination takes it alone before it tries (others wait for what comes of
it), and holds it shared while it has a connection: then the others know as well that
the host is there. So a host that is down is tried once a step, by one worker.

*Down.* What a try came to stands in the store until the destination's next step, over
restarts of workers. Where the store or the locks fail, delivery goes on by what this
worker knows, within its own share.
"""

from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from hashlib import blake2b
from pathlib import Path

from sekisho.model.outcome import Cause, Deferred
from sekisho.model.reply import Reply
from sekisho.shared.locks import ByteLocks
from sekisho.shared.store import SharedStore, StoreUnavailableError

UNSHARED = -1
"""The slot of a connection where locks fail."""

_WAY_IN, _WAITING, _FIRST_SLOT = 0, 1, 2
_HASH_BYTES = 5


@dataclass(frozen=True, slots=True)
class Down:
    """Nobody could connect.

    Attributes:
        outcome: What the last try came to.
        until: Unix seconds of the next.
        failures: Tries in a row that failed.

    """

    outcome: Deferred
    until: float
    failures: int


class Entry(Enum):
    """Whether a worker may try a destination now."""

    FREE = auto()
    BUSY = auto()
    """Another worker is trying it: wait for what comes of that."""


class SharedDestinations:
    """What this worker and the others hold and know of destinations.

    Args:
        path: Of the locks' file.
        store: Where it stands what is down.
        most: Connections to one destination at once, of the service.
        workers: How many there are.

    Attributes:
        yields: There are fewer slots than workers: whoever has one gives it up after
            a while if others wait.

    """

    def __init__(self, path: Path, store: SharedStore, most: int, workers: int) -> None:
        self.yields = most < workers
        self._locks = ByteLocks(path)
        self._store = store
        self._most = most
        self._taken: dict[str, set[int]] = {}
        self._waiting: set[str] = set()
        self._seen: set[str] = set()

    def take(self, destination: str) -> int | None:
        """Take a slot; None where all are taken."""
        first = _place(destination) + _FIRST_SLOT
        taken = self._taken.get(destination, set())
        try:
            for slot in range(self._most):
                # Locks of one file never keep each other out.
                if slot not in taken and self._locks.take(first + slot):
                    taken.add(slot)
                    self._taken[destination] = taken
                    self.stop_waiting(destination)
                    return slot
            self._locks.take(first - _FIRST_SLOT + _WAITING, shared=True)
            self._waiting.add(destination)
        except OSError:
            return UNSHARED
        return None

    def give_back(self, destination: str, slot: int) -> None:
        """Give a slot back."""
        if slot == UNSHARED:
            return
        taken = self._taken[destination]
        taken.discard(slot)
        if not taken:
            del self._taken[destination]
        with suppress(OSError):
            self._locks.free(_place(destination) + _FIRST_SLOT + slot)

    def others_wait(self, destination: str) -> bool:
        """Whether another worker waits for a slot."""
        try:
            return self._locks.others_hold(_place(destination) + _WAITING)
        except OSError:
            return False

    def enter(self, destination: str, *, proven: bool, now: float) -> Entry | Down:
        """Ask before this worker's first connection.

        Args:
            destination: Where to.
            proven: Whether this worker was connected to it lately.
            now: Unix seconds.

        Returns:
            What is known of it; it may be tried unless that is `Down` for longer than
            now, or `BUSY`.

        """
        way_in = _place(destination) + _WAY_IN
        if not proven:
            with suppress(OSError):
                if not (
                    self._locks.take(way_in) or self._locks.take(way_in, shared=True)
                ):
                    return Entry.BUSY
        down = self._down(destination)
        if down is None:
            return Entry.FREE
        self._seen.add(destination)
        if down.until > now:
            self.left(destination)
        return down

    def came_up(self, destination: str) -> None:
        """This worker is connected."""
        with suppress(OSError):
            self._locks.take(_place(destination) + _WAY_IN, shared=True)
        if destination in self._seen:
            self._seen.discard(destination)
            with suppress(StoreUnavailableError), self._store.transaction() as file:
                file.execute("DELETE FROM down WHERE destination = ?", (destination,))

    def went_down(self, destination: str, down: Down) -> None:
        """Nobody could connect; tell the others, then let them in."""
        reply = down.outcome.reply
        row = (
            destination,
            down.until,
            down.failures,
            down.outcome.cause.name,
            reply.code,
            reply.enhanced,
            "\n".join(reply.lines),
            down.outcome.host,
        )
        with suppress(StoreUnavailableError), self._store.transaction() as file:
            file.execute(
                "INSERT OR REPLACE INTO down VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row
            )
        self.left(destination)

    def left(self, destination: str) -> None:
        """This worker has no connection any more."""
        with suppress(OSError):
            self._locks.free(_place(destination) + _WAY_IN)

    def stop_waiting(self, destination: str) -> None:
        """This worker has nothing to carry there any more."""
        if destination in self._waiting:
            self._waiting.discard(destination)
            with suppress(OSError):
                self._locks.free(_place(destination) + _WAITING)

    def forget_down(self) -> None:
        """Let everything be tried anew: an operator wants it, or the service began."""
        with suppress(StoreUnavailableError):
            if self._store.read("SELECT 1 FROM down LIMIT 1"):
                with self._store.transaction() as file:
                    file.execute("DELETE FROM down")

    def close(self) -> None:
        """Give everything back."""
        self._locks.close()

    def _down(self, destination: str) -> Down | None:
        try:
            rows = self._store.read(_DOWN, (destination,))
        except StoreUnavailableError:
            return None
        if not rows:
            return None
        until, failures, cause, code, enhanced, text, host = rows[0]
        reply = Reply(code, enhanced, tuple(text.split("\n")))
        return Down(Deferred(Cause[cause], reply, host), until, failures)


def _place(destination: str) -> int:
    """Where the bytes of a destination begin."""
    digest = blake2b(destination.encode(), digest_size=_HASH_BYTES).digest()
    return int.from_bytes(digest, "big") << 16


_DOWN = (
    "SELECT until, failures, cause, code, enhanced, text, host FROM down"
    " WHERE destination = ?"
)
