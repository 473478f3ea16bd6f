"""Counting by client and by quota, for the service as a whole.

Sessions and messages are counted by client block (one IPv4 address, one IPv6 /64:
whoever has one IPv6 address has the whole /64), in memory that all workers share
(`sekisho.shared.counts`).

Quotas are counted where all workers see them (`sekisho.shared.quotas`). At the end of
the content the decision looks and counts within one transaction: two sessions of two
workers cannot both use the last. What cost nothing to decide costs nothing here: the
transaction begins when a quota is first looked at.
"""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sekisho.model.facts import QuotaKey, Usage
from sekisho.model.rules import IPAddress
from sekisho.shared.counts import SharedCounts
from sekisho.shared.quotas import MemoryShelf, Shelf, Windows

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


def client_block(address: IPAddress) -> int:
    """What counts as one client: an IPv4 address (below zero), an IPv6 /64."""
    number = int(address)
    return ~number if isinstance(address, IPv4Address) else number >> 64


class ClientCounters:
    """Sessions at once and messages an hour, by client."""

    def __init__(self, counts: SharedCounts | None = None) -> None:
        """Count.

        Args:
            counts: Where; memory of this process if left out.

        """
        self._counts = counts or SharedCounts()

    @property
    def sessions(self) -> int:
        """How many there are."""
        return self._counts.sessions

    def opened(self, client: IPAddress) -> int:
        """Count a session and tell how many this client has now."""
        return self._counts.opened(client_block(client))

    def sessions_of(self, client: IPAddress) -> int:
        """How many sessions this client has now."""
        return self._counts.sessions_of(client_block(client))

    def closed(self, client: IPAddress) -> None:
        """Count a session off."""
        self._counts.closed(client_block(client))

    def sent(self, client: IPAddress, now: float) -> None:
        """Count a message of a client without papers; in seconds nobody can set."""
        self._counts.sent(client_block(client), now)

    def messages_last_hour(self, client: IPAddress, now: float) -> int:
        """How many messages this client sent without papers in the last hour."""
        return self._counts.messages_of(client_block(client), now)


class QuotaCounters:
    """What was used of each quota. Its size is bounded by grants times accounts.

    Where the shelf is shared every method raises `StoreUnavailableError` while it is
    lost, and so does what they give; then nothing was counted.
    """

    def __init__(self, shelf: Shelf | None = None) -> None:
        """Count.

        Args:
            shelf: Where; memory of this process if left out.

        """
        self._shelf = shelf or MemoryShelf()

    def look(self) -> None:
        """See whether quotas can be counted now."""
        self._shelf.look()

    def view(self, now: float) -> Mapping[QuotaKey, Usage]:
        """What was used, as `policy` looks at it; counted only where it looks."""
        return _View(self._shelf, now)

    def counting(self, now: float) -> "Counting":
        """The same to decide by and to add to, without anybody in between."""
        return Counting(self._shelf, now)

    def give_back(self, used: Sequence[tuple[QuotaKey, int]], now: float) -> None:
        """Take back messages that were counted at that time and then not accepted."""
        if used:
            with self.counting(now) as counting:
                for key, recipients in used:
                    counting.add(key, -1, -recipients)

    def forget(self, key: QuotaKey, now: float) -> bool:
        """Count a quota from nothing again. Returns whether there was anything."""
        with self._shelf.changing():
            if self._shelf.get(key) is None:
                return False
            self._shelf.put(key, Windows([], []), now)
            return True


class _View(Mapping[QuotaKey, Usage]):
    """What was used, at one moment."""

    def __init__(self, shelf: Shelf, now: float) -> None:
        self._shelf, self._now = shelf, now

    def __getitem__(self, key: QuotaKey) -> Usage:
        windows = self._shelf.get(key)
        if windows is None:
            raise KeyError(key)
        return windows.usage(self._now)

    def __iter__(self) -> Iterator[QuotaKey]:
        return iter(self._shelf.keys())

    def __len__(self) -> int:
        return len(self._shelf.keys())


class Counting(_View):
    """What was used, and nobody else adds to it until this ends."""

    def __init__(self, shelf: Shelf, now: float) -> None:
        super().__init__(shelf, now)
        self._changing: AbstractContextManager[object] | None = None

    def __getitem__(self, key: QuotaKey) -> Usage:
        self._begin()
        return super().__getitem__(key)

    def add(self, key: QuotaKey, messages: int, recipients: int) -> None:
        """Count messages, to so many recipients by this grant."""
        self._begin()
        windows = self._shelf.get(key) or Windows([], [])
        windows.add(messages, recipients, self._now)
        self._shelf.put(key, windows, self._now)

    def _begin(self) -> None:
        if self._changing is None:
            changing = self._shelf.changing()
            changing.__enter__()
            self._changing = changing

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._changing is not None:
            self._changing.__exit__(kind, error, trace)
