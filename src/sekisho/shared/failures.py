"""Where failed sign-ins are counted: in one process's memory, or for all workers.

What a failure does to a count is for `sekisho.auth.lockout` to say; here it is only
kept. A change of several counts is one transaction, in which the rule sees them as
they are: two workers never count from the same number. Tables are bounded, and the
entry that was not touched for longest goes first.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from sekisho.shared.sqlite import Connection
from sekisho.shared.store import SharedStore

Key = tuple[str, str]
"""Account (empty for a whole block) and block (empty for the whole service)."""

SERVICE: Key = ("", "")
"""It is kept among the blocks, and never the one that goes: each failure touches it."""


@dataclass(frozen=True, slots=True)
class Count:
    """Failures of one key.

    Attributes:
        failures: So many since the last quiet.
        quiet_since: When the last was, or when its lock ends.
        locked_until: Unix seconds.

    """

    failures: int = 0
    quiet_since: float = 0.0
    locked_until: float = 0.0


NONE = Count()

Rule = Callable[[Key, Count], Count]
"""What a failure makes of a count."""


class FailureTable(Protocol):
    """Keeps counts. Whatever fails raises; then nothing was changed."""

    def get(self, key: Key) -> Count:
        """The count of a key; `NONE` where there is none."""
        ...

    def change(self, keys: Collection[Key], rule: Rule) -> None:
        """Make the next count of each key, all at once."""
        ...

    def remove(self, keys: Collection[Key]) -> None:
        """Forget counts."""
        ...

    def locked(self, now: float) -> list[tuple[Key, Count]]:
        """Which keys are locked."""
        ...

    def knows(self, key: Key) -> float:
        """When a pair last succeeded anywhere, as far as it was told; else -inf."""
        ...

    def know(self, key: Key, at: float) -> None:
        """Note that a pair succeeded."""
        ...


class MemoryFailures:
    """Counts of one process."""

    def __init__(self, max_pairs: int, max_blocks: int) -> None:
        self._bounds = {"pair": max_pairs, "block": max_blocks}
        self._tables: dict[str, OrderedDict[Key, Count]] = {
            name: OrderedDict() for name in self._bounds
        }

    def get(self, key: Key) -> Count:
        """See `FailureTable`."""
        return self._tables[_table(key)].get(key, NONE)

    def change(self, keys: Collection[Key], rule: Rule) -> None:
        """See `FailureTable`."""
        for key in keys:
            name = _table(key)
            table = self._tables[name]
            table[key] = rule(key, table.get(key, NONE))
            table.move_to_end(key)
            if len(table) > self._bounds[name]:
                table.popitem(last=False)

    def remove(self, keys: Collection[Key]) -> None:
        """See `FailureTable`."""
        for key in keys:
            self._tables[_table(key)].pop(key, None)

    def locked(self, now: float) -> list[tuple[Key, Count]]:
        """See `FailureTable`."""
        return [
            (key, count)
            for table in self._tables.values()
            for key, count in table.items()
            if count.locked_until > now
        ]

    def knows(self, key: Key) -> float:
        """Whoever uses this table remembers by himself."""
        del key
        return float("-inf")

    def know(self, key: Key, at: float) -> None:
        """Whoever uses this table remembers by himself."""
        del key, at

    def sizes(self) -> tuple[int, int]:
        """How many pairs and blocks there are."""
        return len(self._tables["pair"]), len(self._tables["block"])


class SharedFailures:
    """Counts of all workers. All methods raise `StoreUnavailableError`."""

    def __init__(self, store: SharedStore, max_pairs: int, max_blocks: int) -> None:
        self._store = store
        self._bounds = {"pair": max_pairs, "block": max_blocks}

    def get(self, key: Key) -> Count:
        """See `FailureTable`."""
        rows = self._store.read(_GET[_table(key)], key)
        return Count(*rows[0]) if rows else NONE

    def change(self, keys: Collection[Key], rule: Rule) -> None:
        """See `FailureTable`."""
        with self._store.transaction() as connection:
            for key in keys:
                self._change(connection, key, rule)

    def _change(self, connection: Connection, key: Key, rule: Rule) -> None:
        name = _table(key)
        rows = connection.execute(_GET[name], key).fetchall()
        count = rule(key, Count(*rows[0]) if rows else NONE)
        connection.execute(_DELETE[name], key)
        # A new row has the highest number: the order of numbers is that of use.
        values = (*key, count.failures, count.quiet_since, count.locked_until)
        connection.execute(_INSERT[name], values)
        if not rows:
            _tally(connection, name, 1)
            self._keep_bound(connection, name)

    def _keep_bound(self, connection: Connection, name: str) -> None:
        ((entries,),) = connection.execute(_TALLY, (name,)).fetchall()
        if entries > self._bounds[name]:
            connection.execute(_DELETE_OLDEST[name], (entries - self._bounds[name],))
            _tally(connection, name, -connection.changes())

    def remove(self, keys: Collection[Key]) -> None:
        """See `FailureTable`; where there is nothing to forget nothing is written."""
        there = [key for key in keys if self._store.read(_GET[_table(key)], key)]
        if not there:
            return
        with self._store.transaction() as connection:
            for key in there:
                connection.execute(_DELETE[_table(key)], key)
                _tally(connection, _table(key), -connection.changes())

    def locked(self, now: float) -> list[tuple[Key, Count]]:
        """See `FailureTable`."""
        return [
            ((account, block), Count(*count))
            for name in self._bounds
            for account, block, *count in self._store.read(_LOCKED[name], (now,))
        ]

    def knows(self, key: Key) -> float:
        """See `FailureTable`."""
        rows = self._store.read(_KNOWS, key)
        return float(rows[0][0]) if rows else float("-inf")

    def know(self, key: Key, at: float) -> None:
        """See `FailureTable`."""
        with self._store.transaction() as connection:
            connection.execute(_KNOW, (*key, at))

    def sizes(self) -> tuple[int, int]:
        """How many pairs and blocks there are."""
        found = dict(self._store.read("SELECT kind, entries FROM tally"))
        return found["pair"], found["block"]


def _table(key: Key) -> str:
    return "pair" if key[0] else "block"


def _tally(connection: Connection, name: str, more: int) -> None:
    connection.execute(
        "UPDATE tally SET entries = entries + ? WHERE kind = ?", (more, name)
    )


def _for_both(statement: str) -> dict[str, str]:
    return {name: statement.format(table=name) for name in ("pair", "block")}


_GET = _for_both(
    "SELECT failures, quiet_since, locked_until FROM {table}"
    " WHERE account = ? AND block = ?"
)
_DELETE = _for_both("DELETE FROM {table} WHERE account = ? AND block = ?")
_DELETE_OLDEST = _for_both(
    "DELETE FROM {table} WHERE seq IN (SELECT seq FROM {table} ORDER BY seq LIMIT ?)"
)
_INSERT = _for_both(
    "INSERT INTO {table}(account, block, failures, quiet_since, locked_until)"
    " VALUES (?, ?, ?, ?, ?)"
)
_LOCKED = _for_both(
    "SELECT account, block, failures, quiet_since, locked_until FROM {table}"
    " WHERE locked_until > ? ORDER BY seq"
)
_TALLY = "SELECT entries FROM tally WHERE kind = ?"
_KNOWS = "SELECT at FROM known WHERE account = ? AND block = ?"
_KNOW = "INSERT OR REPLACE INTO known VALUES (?, ?, ?)"
