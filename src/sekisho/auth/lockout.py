"""Who may not try again for a while. Pure: time is an argument.

What is counted are failures of *pairs* of an account and a block of client addresses,
then of *blocks* whatever the account. An account by itself is never locked: whoever
knows a name could lock its owner out, and that is an attack too. So

- failures from one block never touch another block's clients;
- a pair that succeeded within the last 30 days is not stopped by its block's lock:
  what neighbours do with other names is not its fault;
- a default gateway is no client: behind it, all clients look alike (a container's
  bridge, a NAT), and a lock would hit them all. Such addresses are exempt.

A block is one IPv4 address, and an IPv6 /64. An IPv4 /24 is shared by strangers as
often as not, and whoever really owns one gains a factor of 256 at a few tries an
hour. An IPv6 /64 is the least that anybody is given, and its 2⁶⁴ addresses cost
nothing.

While a lock lasts nothing is counted; otherwise a program with an old password would
lengthen it for ever. Each failure after it ends locks for twice as long, up to a
bound; an hour of quiet forgets.

Tables are bounded. When one is full the entry that was not touched for longest goes.
To push an entry out, an attacker needs that many other blocks, since each block is
locked after a few failures and then adds no more.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Network

from sekisho.model.rules import IPAddress, unmapped

KNOWN_SECONDS = 30 * 86400.0
MAX_KNOWN_PAIRS = 100_000


@dataclass(frozen=True, slots=True)
class Success:
    """An account logged in from a block, last at this time (Unix seconds)."""

    account: str
    block: str
    at: float


@dataclass(frozen=True, slots=True)
class Free:
    """It may try."""


@dataclass(frozen=True, slots=True)
class Locked:
    """It may not.

    Attributes:
        account: Prepared name; empty where the block as a whole is locked.
        block: Address, or IPv6 network.
        until: Unix seconds.
        failures: How many led to it.

    """

    account: str
    block: str
    until: float
    failures: int

    @property
    def reason(self) -> str:
        """For the log."""
        whose = f"account {self.account!r} from {self.block}"
        what = whose if self.account else f"clients at {self.block}"
        return f"locked out after {self.failures} failures: {what}"


FREE = Free()


@dataclass(frozen=True, slots=True, kw_only=True)
class LockoutRules:
    """When to lock, and for how long.

    Attributes:
        pair_failures: So many failures of a pair lock it.
        block_failures: So many failures of a block lock it.
        first_seconds: How long the first lock lasts; each next one twice as long.
        longest_seconds: But no longer than this.
        forget_seconds: So much time without a failure and without a lock forgets.
        max_pairs: Entries kept.
        max_blocks: Entries kept.

    """

    pair_failures: int = 5
    block_failures: int = 20
    first_seconds: float = 60.0
    longest_seconds: float = 3600.0
    forget_seconds: float = 3600.0
    max_pairs: int = 50_000
    max_blocks: int = 20_000


@dataclass(slots=True)
class _Count:
    failures: int = 0
    quiet_since: float = 0.0
    locked_until: float = 0.0


_Key = tuple[str, str]
"""Account (empty for a whole block) and block."""


class _Counts:
    """Failures by key."""

    def __init__(self, threshold: int, bound: int, rules: LockoutRules) -> None:
        self._threshold = threshold
        self._bound = bound
        self._rules = rules
        self._counts: OrderedDict[_Key, _Count] = OrderedDict()

    def standing(self, key: _Key, now: float) -> Free | Locked:
        count = self._counts.get(key)
        if count is None or count.locked_until <= now:
            return FREE
        return Locked(*key, count.locked_until, count.failures)

    def failed(self, key: _Key, now: float) -> None:
        count = self._counts.setdefault(key, _Count())
        self._counts.move_to_end(key)
        if now - count.quiet_since > self._rules.forget_seconds:
            count.failures = 0
        count.failures += 1
        count.quiet_since = now
        beyond = count.failures - self._threshold
        if beyond >= 0:
            # The exponent is bounded before it is used: 2.0 ** 1100 overflows.
            seconds = self._rules.first_seconds * 2.0 ** min(beyond, 30)
            count.locked_until = now + min(seconds, self._rules.longest_seconds)
            count.quiet_since = count.locked_until
        if len(self._counts) > self._bound:
            self._counts.popitem(last=False)

    def clear(self, key: _Key) -> None:
        self._counts.pop(key, None)

    def locked(self, now: float) -> list[Locked]:
        return [
            Locked(*key, count.locked_until, count.failures)
            for key, count in self._counts.items()
            if count.locked_until > now
        ]


def block_of(client: IPAddress) -> str:
    """The block of addresses that one client can be thought to have."""
    address = unmapped(client)
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address) >> 64 << 64, 64)))


class Lockout:
    """Counts, locks, and remembers who succeeded.

    Args:
        rules: When to lock.
        exempt: Default gateways and their like; never locked.
        known: Successes of the last 30 days, as they were stored.

    """

    def __init__(
        self,
        rules: LockoutRules,
        exempt: Collection[IPAddress] = (),
        known: Iterable[Success] = (),
    ) -> None:
        self._exempt = frozenset(block_of(address) for address in exempt)
        self._pairs = _Counts(rules.pair_failures, rules.max_pairs, rules)
        self._blocks = _Counts(rules.block_failures, rules.max_blocks, rules)
        self._known: OrderedDict[_Key, float] = OrderedDict()
        self._unsaved: dict[_Key, float] = {}
        for success in sorted(known, key=lambda success: success.at):
            self._remember((success.account, success.block), success.at)

    def exempts(self, client: IPAddress) -> bool:
        """Whether nothing is counted for the client, and it is never locked."""
        return block_of(client) in self._exempt

    def standing(self, account: str, client: IPAddress, now: float) -> Free | Locked:
        """Whether the client may try this account.

        Args:
            account: Prepared name.
            client: Its address.
            now: Unix seconds.

        """
        block = block_of(client)
        match self._pairs.standing((account, block), now):
            case Locked() as locked:
                return locked
            case Free() if self._is_known((account, block), now):
                return FREE
            case Free():
                return self._blocks.standing(("", block), now)

    def failed(self, account: str, client: IPAddress, now: float) -> None:
        """Count a failure, of an attempt that was not locked out."""
        block = block_of(client)
        if block in self._exempt:
            return
        if account:
            self._pairs.failed((account, block), now)
        self._blocks.failed(("", block), now)

    def succeeded(self, account: str, client: IPAddress, now: float) -> None:
        """Clear the pair, and know it for 30 days.

        The block keeps its count: otherwise whoever has one account could guess at
        all others, and log in with it in between.
        """
        key = (account, block_of(client))
        self._pairs.clear(key)
        self._remember(key, now)
        self._unsaved[key] = now

    def unsaved(self) -> list[Success]:
        """Successes to be stored: handed over once, each pair with its last time."""
        batch = [Success(*key, at) for key, at in self._unsaved.items()]
        self._unsaved.clear()
        return batch

    def locked(self, now: float) -> list[Locked]:
        """Who is locked out, for the operator."""
        return self._pairs.locked(now) + self._blocks.locked(now)

    def unlock(self, *, account: str = "", block: str = "", now: float) -> list[Locked]:
        """Lift locks, at an operator's word.

        Args:
            account: Of this account only; empty for any.
            block: Of this block only, as `Locked.block` spells it; empty for any.
            now: Unix seconds.

        Returns:
            What was lifted. Their counts begin anew.

        """
        lifted = [
            lock
            for lock in self.locked(now)
            if account in ("", lock.account) and block in ("", lock.block)
        ]
        for lock in lifted:
            counts = self._pairs if lock.account else self._blocks
            counts.clear((lock.account, lock.block))
        return lifted

    def _is_known(self, key: _Key, now: float) -> bool:
        return now - self._known.get(key, float("-inf")) < KNOWN_SECONDS

    def _remember(self, key: _Key, at: float) -> None:
        self._known[key] = at
        self._known.move_to_end(key)
        if len(self._known) > MAX_KNOWN_PAIRS:
            oldest, _ = self._known.popitem(last=False)
            self._unsaved.pop(oldest, None)
