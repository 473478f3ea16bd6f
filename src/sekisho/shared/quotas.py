"""What was used of quotas, kept in one process's memory or for all workers.

A bound "per hour" holds for any hour, not only from full hour to full hour: use is
kept in sixtieths of the hour and of the day. All of one quota is one row, read and
written whole: two rows an hour would be a walk, and this is one look-up.

Where the clock was set back, use lies in the future. Up to a window ahead it counts,
so it counts for two windows at most; further ahead it was another clock's, and is
forgotten: an account must not wait for years for a clock that was once wrong.
"""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol, cast

import msgspec

from sekisho.model.facts import QuotaKey, Usage
from sekisho.shared.store import SharedStore

if TYPE_CHECKING:
    from sekisho.shared.sqlite import Connection

HOUR, DAY = 3600, 86_400
BUCKETS = 60

Bucket = tuple[int, int, int]
"""Number of the sixtieth, messages, recipients."""


class Windows(msgspec.Struct, array_like=True):
    """Use of one quota in the last hour and the last day; oldest first."""

    hour: list[Bucket] = []
    day: list[Bucket] = []

    def add(self, messages: int, recipients: int, now: float) -> None:
        """Count use that happened now; less than nothing gives use back."""
        _add(self.hour, HOUR, (messages, recipients), now)
        _add(self.day, DAY, (messages, recipients), now)

    def usage(self, now: float) -> Usage:
        """How much was used."""
        messages_hour, recipients_hour = _sums(self.hour, HOUR, now)
        messages_day, recipients_day = _sums(self.day, DAY, now)
        return Usage(messages_hour, messages_day, recipients_hour, recipients_day)


def _add(buckets: list[Bucket], width: int, used: tuple[int, int], now: float) -> None:
    number = int(now * BUCKETS // width)
    messages, recipients = used
    while buckets and buckets[-1][0] > number + BUCKETS:
        del buckets[-1]
    # A clock that was set back counts in the last bucket there is.
    if buckets and buckets[-1][0] >= number:
        number, so_far, to_so_far = buckets.pop()
        messages, recipients = so_far + messages, to_so_far + recipients
    buckets.append((number, max(0, messages), max(0, recipients)))
    while buckets[0][0] <= number - BUCKETS:
        del buckets[0]


def _sums(buckets: list[Bucket], width: int, now: float) -> tuple[int, int]:
    current = int(now * BUCKETS // width)
    messages = recipients = 0
    for number, some, to_some in buckets:
        if current - BUCKETS < number <= current + BUCKETS:
            messages += some
            recipients += to_some
    return messages, recipients


class Shelf(Protocol):
    """Keeps windows. Whatever fails raises; then nothing was changed."""

    def look(self) -> None:
        """See whether it can be used."""
        ...

    def get(self, key: QuotaKey) -> Windows | None:
        """The windows of a quota, None where nobody used it yet."""
        ...

    def changing(self) -> AbstractContextManager[object]:
        """Keep all others from changing, until what was put is kept."""
        ...

    def put(self, key: QuotaKey, windows: Windows, now: float) -> None:
        """Keep windows; only while `changing`."""
        ...

    def keys(self) -> list[QuotaKey]:
        """The quotas that somebody used."""
        ...


class MemoryShelf:
    """Windows of one process."""

    def __init__(self) -> None:
        self._windows: dict[QuotaKey, Windows] = {}

    def look(self) -> None:
        """See `Shelf`."""

    def get(self, key: QuotaKey) -> Windows | None:
        """See `Shelf`."""
        return self._windows.get(key)

    @contextmanager
    def changing(self) -> Generator[None]:
        """See `Shelf`."""
        yield

    def put(self, key: QuotaKey, windows: Windows, now: float) -> None:
        """See `Shelf`."""
        del now
        self._windows[key] = windows

    def keys(self) -> list[QuotaKey]:
        """See `Shelf`."""
        return list(self._windows)


class SharedShelf:
    """Windows of all workers. All methods raise `StoreUnavailableError`."""

    def __init__(self, store: SharedStore) -> None:
        self._store = store
        self._changing: Connection | None = None
        self._decode = msgspec.msgpack.Decoder(Windows).decode
        self._encode = msgspec.msgpack.Encoder().encode

    def look(self) -> None:
        """See `Shelf`."""
        self._store.look()

    def get(self, key: QuotaKey) -> Windows | None:
        """See `Shelf`."""
        bindings = (key.grant, key.account)
        if self._changing is not None:
            rows = self._changing.execute(_GET, bindings).fetchall()
        else:
            rows = self._store.read(_GET, bindings)
        return self._decode(cast("bytes", rows[0][0])) if rows else None

    @contextmanager
    def changing(self) -> Generator[None]:
        """See `Shelf`."""
        with self._store.transaction() as connection:
            self._changing = connection
            try:
                yield
            finally:
                self._changing = None

    def put(self, key: QuotaKey, windows: Windows, now: float) -> None:
        """See `Shelf`."""
        assert self._changing is not None, "windows are put while changing"  # noqa: S101
        row = (key.grant, key.account, now, self._encode(windows))
        self._changing.execute(_PUT, row)

    def keys(self) -> list[QuotaKey]:
        """See `Shelf`."""
        return [QuotaKey(*row) for row in self._store.read(_KEYS)]


_GET = "SELECT windows FROM quota WHERE grant_name = ? AND account = ?"
_PUT = "INSERT OR REPLACE INTO quota VALUES (?, ?, ?, ?)"
_KEYS = "SELECT grant_name, account FROM quota"
