"""Counting by client and by quota, bounded in memory.

Sessions are counted by client block (one IPv4 address, one IPv6 /64: whoever has one
IPv6 address has the whole /64). Messages are counted in sliding windows of small
buckets: a bound "per hour" holds for any hour, to the width of a bucket, and not only
from full hour to full hour.
"""

from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from sekisho.model.facts import QuotaKey, Usage
from sekisho.model.rules import IPAddress

HOUR, DAY = 3600, 86_400
_BUCKETS = 60
MAX_REMEMBERED_CLIENTS = 50_000
"""Clients whose message rate is remembered; the longest idle ones are forgotten."""


@lru_cache(maxsize=4096)
def client_block(address: IPAddress) -> int | str:
    """What counts as one client: an IPv4 address, an IPv6 /64."""
    return str(address) if address.version == 4 else int(address) >> 64  # noqa: PLR2004


@dataclass(slots=True)
class Window:
    """How many in the last `width` seconds, in buckets of a sixtieth of that."""

    width: int
    total: int = 0
    buckets: deque[list[int]] = field(default_factory=deque[list[int]])

    def add(self, now: float, amount: int = 1) -> None:
        """Count something that happened now."""
        bucket = int(now * _BUCKETS // self.width)
        if self.buckets and self.buckets[-1][0] == bucket:
            self.buckets[-1][1] += amount
        else:
            self.buckets.append([bucket, amount])
        self.total += amount

    def count(self, now: float) -> int:
        """How many; what is older than the width is forgotten."""
        oldest = int(now * _BUCKETS // self.width) - _BUCKETS
        while self.buckets and self.buckets[0][0] <= oldest:
            self.total -= self.buckets.popleft()[1]
        return self.total


class ClientCounters:
    """Sessions at once and messages an hour, by client."""

    def __init__(self) -> None:
        self.sessions = 0
        self._sessions: dict[int | str, int] = defaultdict(int)
        self._messages: OrderedDict[int | str, Window] = OrderedDict()

    def opened(self, client: IPAddress) -> int:
        """Count a session and tell how many this client has now."""
        self.sessions += 1
        block = client_block(client)
        self._sessions[block] += 1
        return self._sessions[block]

    def sessions_of(self, client: IPAddress) -> int:
        """How many sessions this client has now."""
        return self._sessions.get(client_block(client), 0)

    def closed(self, client: IPAddress) -> None:
        """Count a session off."""
        self.sessions -= 1
        block = client_block(client)
        left = self._sessions[block] - 1
        if left > 0:
            self._sessions[block] = left
        else:
            del self._sessions[block]

    def sent(self, client: IPAddress, now: float) -> None:
        """Count a message of a client without papers."""
        block = client_block(client)
        window = self._messages.get(block)
        if window is None:
            window = self._messages[block] = Window(HOUR)
            if len(self._messages) > MAX_REMEMBERED_CLIENTS:
                self._messages.popitem(last=False)
        else:
            self._messages.move_to_end(block)
        window.add(now)

    def messages_last_hour(self, client: IPAddress, now: float) -> int:
        """How many messages this client sent without papers in the last hour."""
        window = self._messages.get(client_block(client))
        return window.count(now) if window else 0


@dataclass(slots=True)
class _Quota:
    messages_hour: Window = field(default_factory=lambda: Window(HOUR))
    messages_day: Window = field(default_factory=lambda: Window(DAY))
    recipients_hour: Window = field(default_factory=lambda: Window(HOUR))
    recipients_day: Window = field(default_factory=lambda: Window(DAY))

    def windows(self) -> tuple[Window, Window, Window, Window]:
        return (
            self.messages_hour,
            self.messages_day,
            self.recipients_hour,
            self.recipients_day,
        )


class QuotaCounters:
    """What was used of each quota. Its size is bounded by grants times accounts."""

    def __init__(self) -> None:
        self._quotas: dict[QuotaKey, _Quota] = {}

    def add(self, key: QuotaKey, recipients: int, now: float) -> None:
        """Count one message that was accepted, to so many recipients by this grant."""
        quota = self._quotas.setdefault(key, _Quota())
        quota.messages_hour.add(now)
        quota.messages_day.add(now)
        quota.recipients_hour.add(now, recipients)
        quota.recipients_day.add(now, recipients)

    def usage(self, key: QuotaKey, now: float) -> Usage | None:
        """What was used, None for a quota that nobody used yet."""
        quota = self._quotas.get(key)
        return quota and Usage(*(window.count(now) for window in quota.windows()))

    def view(self, now: float) -> Mapping[QuotaKey, Usage]:
        """What was used, as `policy` looks at it; counted only where it looks."""
        return _View(self, now) if self._quotas else _NOTHING_USED

    def __iter__(self) -> Iterator[QuotaKey]:
        return iter(self._quotas)

    def __len__(self) -> int:
        return len(self._quotas)


class _View(Mapping[QuotaKey, Usage]):
    """`QuotaCounters` at one moment."""

    def __init__(self, counters: QuotaCounters, now: float) -> None:
        self._counters, self._now = counters, now

    def __getitem__(self, key: QuotaKey) -> Usage:
        usage = self._counters.usage(key, self._now)
        if usage is None:
            raise KeyError(key)
        return usage

    def __iter__(self) -> Iterator[QuotaKey]:
        return iter(self._counters)

    def __len__(self) -> int:
        return len(self._counters)


_NOTHING_USED: Mapping[QuotaKey, Usage] = {}
