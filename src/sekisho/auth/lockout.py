"""Who may not try again for a while. Time is an argument.

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

A lock that ends later than twice the longest was begun by a clock that has been set
back since: it is over. So no mistake of the clock locks for years.

Against guessers with many addresses all failures together are counted as well, and
make strangers wait (`sekisho.auth.slowdown`). Known pairs and exempt addresses do not.

Where the counts are kept is given (`sekisho.shared.failures`): in memory, or in the
store of all workers, whose failure comes out of every method here and is "not now" to
the client. There, up to one guess a worker that is under way when a lock begins is
still judged.

Tables are bounded. When one is full the entry that was not touched for longest goes.
To push an entry out, an attacker needs that many other blocks, since each block is
locked after a few failures and then adds no more.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Network

from sekisho.auth.slowdown import CALM, Slowdown, Strain
from sekisho.model.rules import IPAddress, unmapped
from sekisho.shared.failures import (
    SERVICE,
    Count,
    FailureTable,
    Key,
    MemoryFailures,
)

KNOWN_SECONDS = 30 * 86400.0
MAX_KNOWN_PAIRS = 100_000
TELL_SECONDS = 3600.0
"""How often the other workers are told of a pair that goes on succeeding."""


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
        service_failures: So many failures in all make strangers wait; 0 for never.
        service_delay_seconds: They wait no longer than this.
        max_pairs: Entries kept.
        max_blocks: Entries kept.

    """

    pair_failures: int = 5
    block_failures: int = 20
    first_seconds: float = 60.0
    longest_seconds: float = 3600.0
    forget_seconds: float = 3600.0
    service_failures: int = 200
    service_delay_seconds: float = 8.0
    max_pairs: int = 50_000
    max_blocks: int = 20_000


def _block_of(client: IPAddress) -> str:
    """The block of addresses that one client can be thought to have."""
    address = unmapped(client)
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address) >> 64 << 64, 64)))


block_of = lru_cache(maxsize=4096)(_block_of)
"""The same from memory: it is asked some times a login."""


class Lockout:
    """Counts, locks, and remembers who succeeded.

    Args:
        rules: When to lock.
        exempt: Default gateways and their like; never locked.
        known: Successes of the last 30 days, as they were stored.
        table: Where failures are counted; memory of its own if left out.

    """

    def __init__(
        self,
        rules: LockoutRules,
        exempt: Collection[IPAddress] = (),
        known: Iterable[Success] = (),
        table: FailureTable | None = None,
    ) -> None:
        self._exempt = self._always = frozenset(map(block_of, exempt))
        self._rules = rules
        self._slowdown = Slowdown(
            rules.service_failures, rules.service_delay_seconds, rules.forget_seconds
        )
        self._table = table or MemoryFailures(rules.max_pairs, rules.max_blocks)
        self._known: OrderedDict[Key, float] = OrderedDict()
        self._told: dict[Key, float] = {}
        self._unsaved: dict[Key, float] = {}
        for success in sorted(known, key=lambda success: success.at):
            self._remember((success.account, success.block), success.at)

    def exempts(self, client: IPAddress) -> bool:
        """Whether nothing is counted for the client, and it is never locked."""
        return block_of(client) in self._exempt

    def spare(self, auditors: Iterable[IPAddress]) -> None:
        """Count nothing of the service's own audit, besides those exempt for ever."""
        self._exempt = self._always | frozenset(map(block_of, auditors))

    def standing(self, account: str, client: IPAddress, now: float) -> Free | Locked:
        """Whether the client may try this account.

        Args:
            account: Prepared name.
            client: Its address.
            now: Unix seconds.

        """
        block = block_of(client)
        match self._standing((account, block), now):
            case Locked() as locked:
                return locked
            case Free() if self._is_known((account, block), now):
                return FREE
            case Free():
                pass
        of_block = self._standing(("", block), now)
        if of_block is not FREE and self._is_known_elsewhere((account, block), now):
            return FREE
        return of_block

    def knows(self, account: str, client: IPAddress, now: float) -> bool:
        """Whether the account has signed in from there within 30 days."""
        key = (account, block_of(client))
        return self._is_known(key, now) or self._is_known_elsewhere(key, now)

    def strain(self, now: float) -> Strain:
        """What all failures together come to."""
        if not self._rules.service_failures:
            return CALM
        return self._slowdown.strain(self._table.get(SERVICE), now)

    def delay(self, account: str, client: IPAddress, now: float) -> float:
        """How long the client has to wait before this account is judged."""
        seconds = self.strain(now).seconds
        if not seconds or self.exempts(client) or self.knows(account, client, now):
            return 0.0
        return seconds

    def failed(self, account: str, client: IPAddress, now: float) -> None:
        """Count a failure, of an attempt that was not locked out."""
        block = block_of(client)
        if block in self._exempt:
            return
        keys = [(account, block), ("", block)] if account else [("", block)]
        if self._rules.service_failures:
            keys.append(SERVICE)
        self._table.change(keys, lambda key, count: self._failed(key, count, now))

    def succeeded(self, account: str, client: IPAddress, now: float) -> None:
        """Clear the pair, and know it for 30 days.

        The block keeps its count: otherwise whoever has one account could guess at
        all others, and log in with it in between.
        """
        key = (account, block_of(client))
        self._table.remove([key])
        if now - self._told.get(key, float("-inf")) >= TELL_SECONDS:
            self._table.know(key, now)
            self._told[key] = now
        self._remember(key, now)
        self._unsaved[key] = now

    def unsaved(self) -> list[Success]:
        """Successes to be stored: handed over once, each pair with its last time."""
        batch = [Success(*key, at) for key, at in self._unsaved.items()]
        self._unsaved.clear()
        return batch

    def locked(self, now: float) -> list[Locked]:
        """Who is locked out, for the operator."""
        return [
            Locked(*key, count.locked_until, count.failures)
            for key, count in self._table.locked(now)
            if key != SERVICE and self._locks(count, now)
        ]

    def unlock(self, *, account: str = "", block: str = "", now: float) -> list[Locked]:
        """Lift locks, at an operator's word.

        Args:
            account: Of this account only; empty for any.
            block: Of this block only, as `Locked.block` spells it; empty for any.
            now: Unix seconds.

        Returns:
            What was lifted. Their counts begin anew; that of the service does too
            where neither is given.

        """
        if not account and not block:
            self.end_delay(now)
        lifted = [
            lock
            for lock in self.locked(now)
            if account in ("", lock.account) and block in ("", lock.block)
        ]
        self._table.remove([(lock.account, lock.block) for lock in lifted])
        return lifted

    def end_delay(self, now: float) -> bool:
        """Have strangers wait no longer; whether they did."""
        did = bool(self.strain(now).seconds)
        self._table.remove([SERVICE])
        return did

    def _standing(self, key: Key, now: float) -> Free | Locked:
        count = self._table.get(key)
        if not self._locks(count, now):
            return FREE
        return Locked(*key, count.locked_until, count.failures)

    def _locks(self, count: Count, now: float) -> bool:
        return now < count.locked_until <= now + 2 * self._rules.longest_seconds

    def _failed(self, key: Key, count: Count, now: float) -> Count:
        """Make the next count of one more failure."""
        if key == SERVICE:
            return self._slowdown.failed(count, now)
        rules = self._rules
        if self._locks(count, now):
            return count  # Another worker's failure has locked it meanwhile.
        quiet = now - count.quiet_since > rules.forget_seconds
        failures = 1 if quiet else count.failures + 1
        beyond = failures - (rules.pair_failures if key[0] else rules.block_failures)
        if beyond < 0:
            return Count(failures, now, count.locked_until)
        # The exponent is bounded before it is used: 2.0 ** 1100 overflows.
        seconds = rules.first_seconds * 2.0 ** min(beyond, 30)
        until = now + min(seconds, rules.longest_seconds)
        return Count(failures, until, until)

    def _is_known(self, key: Key, now: float) -> bool:
        return now - self._known.get(key, float("-inf")) < KNOWN_SECONDS

    def _is_known_elsewhere(self, key: Key, now: float) -> bool:
        """Whether it succeeded by another worker; looked for only where it matters."""
        at = self._table.knows(key)
        if now - at >= KNOWN_SECONDS:
            return False
        self._remember(key, at)
        return True

    def _remember(self, key: Key, at: float) -> None:
        self._known[key] = at
        self._known.move_to_end(key)
        if len(self._known) > MAX_KNOWN_PAIRS:
            oldest, _ = self._known.popitem(last=False)
            self._unsaved.pop(oldest, None)
            self._told.pop(oldest, None)
