"""Local accounts: kept in ``accounts.db``, and in memory for the hot path.

Every change of an account gives it the next number of one counter: its generation.
An identity, a remembered success or an open session that carries another generation
is stale.

The view in memory is as fresh as the file at every use, whoever changed it. Before
each look-up it asks SQLite for ``PRAGMA data_version`` (2 µs), which moves when another
connection has committed. Telling each process of changes instead would be cheaper
still, but a message that got lost would keep a disabled account alive. When it has
moved, only accounts with a newer generation are read again.

Two connections: one for look-ups, on the loop, short and never blocked (WAL); the
other lists and writes, under a lock, in whatever thread its caller chooses. A write
waits for the disk, so a running service calls those functions in a thread.
"""

import re
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import urandom
from pathlib import Path
from typing import Any, Self

import apsw

from sekisho.auth.account import (
    Account,
    AccountError,
    account_addresses,
    account_groups,
    account_name,
    account_password,
)
from sekisho.auth.accounts_file import AccountsFile
from sekisho.auth.hashing import Hasher
from sekisho.auth.lockout import KNOWN_SECONDS, MAX_KNOWN_PAIRS, Success
from sekisho.auth.sasl import ScramKeys
from sekisho.auth.scram import DEFAULT_ITERATIONS, SALT_OCTETS, derive_keys
from sekisho.model.address import parse_pattern
from sekisho.model.identity import Identity, NotMine

_COLUMNS = (
    "name, generation, enabled, password_hash, scram, addresses, groups,"
    " created_at, changed_at"
)
_LAST_SUCCESS = (
    "coalesce((SELECT max(at) FROM success WHERE success.account = account.name), 0)"
)
_SELECT = f"SELECT {_COLUMNS}, {_LAST_SUCCESS} FROM account"  # noqa: S608 - constants
_SCRAM = re.compile(r"SCRAM-SHA-256\$(\d+):([^:$]+)\$([^:$]+):([^:$]+)")

Row = tuple[str, int, int, str, str, str, str, float, float, float]


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What an account is made of.

    Attributes:
        name: As spelled; an address may stand for it, and is then its first address.
        password: As spelled.
        addresses: Addresses and patterns.
        groups: Names.
        scram: Whether SCRAM keys are kept beside the hash. They are the weaker copy:
            quicker to guess from, were the file stolen.

    """

    name: str
    password: str = field(repr=False)
    addresses: Sequence[str] = ()
    groups: Sequence[str] = ()
    scram: bool = True


class AccountStore:
    """The accounts of one file. Make it by `open`.

    Functions that change raise `AccountError`: with a sentence for the operator, and
    with nothing changed.
    """

    def __init__(
        self,
        reader: AccountsFile,
        writer: AccountsFile,
        hasher: Hasher,
        clock: Callable[[], float],
    ) -> None:
        self.hasher = hasher
        self._reader = reader
        self._writer = writer
        self._clock = clock
        self._lock = threading.Lock()
        self._data_version = -1
        self._generation = -1
        self._accounts: dict[str, Account] = {}
        self._without_scram: set[str] = set()
        self.decoy_secret: bytes = reader.value("SELECT decoy_secret FROM file")
        """For `scram.decoy_keys`: made with the file, the same for all workers."""

    @classmethod
    def open(cls, path: Path, hasher: Hasher, clock: Callable[[], float]) -> Self:
        """Open ``accounts.db``, made where it is missing.

        Raises:
            AccountError: It cannot be used, or was written by a newer Sekisho.

        """
        reader = AccountsFile(path)
        try:
            writer = AccountsFile(path)
        except BaseException:
            reader.close()
            raise
        return cls(reader, writer, hasher, clock)

    def close(self) -> None:
        """Close the file; every later look-up raises, so nobody is verified."""
        with self._lock:
            self._reader.close()
            self._writer.close()

    # Looking up, on the loop

    def find(self, name: str) -> Account | NotMine:
        """Look an account up by its prepared name, as the file is now."""
        self._refresh()
        return self._accounts.get(name) or NotMine()

    def is_current(self, identity: Identity) -> bool:
        """Whether the account is there, enabled, and unchanged since."""
        self._refresh()
        account = self._accounts.get(identity.account)
        return (
            account is not None
            and account.enabled
            and account.generation == identity.generation
        )

    @property
    def all_have_scram(self) -> bool:
        """Whether every enabled account has SCRAM keys."""
        self._refresh()
        return not self._without_scram

    def _refresh(self) -> None:
        data_version: int = self._reader.value("PRAGMA data_version")
        if data_version == self._data_version:
            return
        # One transaction, or accounts and removals could be of different times.
        with self._reader.transaction("DEFERRED"):
            generation: int = self._reader.value("SELECT generation FROM file")
            if generation != self._generation:
                self._read_changes()
        self._generation = generation
        self._data_version = data_version

    def _read_changes(self) -> None:
        since = (self._generation,)
        gone = "SELECT name FROM removed WHERE generation > ?"
        for (name,) in self._reader.rows(gone, since):
            self._accounts.pop(name, None)
            self._without_scram.discard(name)
        for row in self._reader.rows(f"{_SELECT} WHERE generation > ?", since):
            account = _account(row)
            self._accounts[account.name] = account
            if account.enabled and account.scram is None:
                self._without_scram.add(account.name)
            else:
                self._without_scram.discard(account.name)

    # Listing, in a thread where it may wait

    def list(self) -> tuple[Account, ...]:
        """All accounts, by name, with their last success."""
        return tuple(map(_account, self._rows(f"{_SELECT} ORDER BY name")))

    def get(self, name: str) -> Account:
        """One account, with its last success.

        Raises:
            AccountError: There is none by that name.

        """
        for row in self._reader.rows(
            f"{_SELECT} WHERE name = ?", (account_name(name),)
        ):
            return _account(row)
        raise _no_account(name)

    # Changing, in a thread

    def add(self, new: NewAccount) -> Account:
        """Add an account."""
        return self.add_all([new])[0]

    def add_all(self, new: Iterable[NewAccount]) -> tuple[Account, ...]:
        """Add many accounts, or, if one of them is wrong, none."""
        rows = [self._new_row(one) for one in new]
        with self._changing() as next_generation:
            for row in rows:
                name = row[0]
                if self._writer.rows("SELECT 1 FROM account WHERE name = ?", (name,)):
                    raise AccountError(
                        f"there is an account {name!r} already",
                        "Change it, or remove it first",
                    )
                self._writer.run("DELETE FROM removed WHERE name = ?", (name,))
                self._writer.run(
                    f"INSERT INTO account ({_COLUMNS})"  # noqa: S608 - constants
                    " VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?)",
                    (name, next_generation(), *row[1:]),
                )
        return tuple(self.get(row[0]) for row in rows)

    def set_password(self, name: str, password: str, *, scram: bool = True) -> Account:
        """Give an account a new password, with SCRAM keys or without."""
        prepared_name = account_name(name)
        prepared = account_password(prepared_name, password)
        return self._change(
            prepared_name,
            "password_hash = ?, scram = ?",
            (self.hasher.hash(prepared), _scram_text(prepared) if scram else ""),
        )

    def drop_scram(self, name: str) -> Account:
        """Throw an account's SCRAM keys away; a new password can bring them back."""
        return self._change(account_name(name), "scram = ''", ())

    def enable(self, name: str) -> Account:
        """Let an account be used."""
        return self._change(account_name(name), "enabled = 1", ())

    def disable(self, name: str) -> Account:
        """Let an account not be used, from now on, open sessions included."""
        return self._change(account_name(name), "enabled = 0", ())

    def set_addresses(self, name: str, addresses: Sequence[str]) -> Account:
        """Say which mailboxes an account may send from, in place of those before."""
        prepared = account_name(name)
        patterns = account_addresses(prepared, addresses)
        return self._change(prepared, "addresses = ?", (_lines(patterns),))

    def set_groups(self, name: str, groups: Sequence[str]) -> Account:
        """Say which groups an account is in, in place of those before."""
        lines = _lines(sorted(account_groups(groups)))
        return self._change(account_name(name), "groups = ?", (lines,))

    def remove(self, name: str) -> None:
        """Remove an account."""
        prepared = account_name(name)
        with self._changing() as next_generation:
            if not self._writer.run("DELETE FROM account WHERE name = ?", (prepared,)):
                raise _no_account(name)
            self._writer.run("DELETE FROM success WHERE account = ?", (prepared,))
            self._writer.run(
                "INSERT INTO removed VALUES (?, ?)", (prepared, next_generation())
            )

    # Successes of the last 30 days

    def successes(self) -> tuple[Success, ...]:
        """Which account logged in from which address block, and when last."""
        since = self._clock() - KNOWN_SECONDS
        rows = self._rows(
            "SELECT account, block, at FROM success WHERE at > ? ORDER BY at", (since,)
        )
        return tuple(Success(*row) for row in rows)

    def keep_successes(self, batch: Sequence[Success]) -> None:
        """Write successes down, and forget old ones; no generation changes."""
        with self._writing():
            self._writer.run_many(
                "INSERT INTO success SELECT name, ?2, ?3 FROM account WHERE name = ?1"
                " ON CONFLICT DO UPDATE SET at = max(at, excluded.at)",
                [(one.account, one.block, one.at) for one in batch],
            )
            self._writer.run(
                "DELETE FROM success WHERE at < ?", (self._clock() - KNOWN_SECONDS,)
            )
            self._writer.run(
                "DELETE FROM success WHERE (account, block) IN (SELECT account, block"
                " FROM success ORDER BY at DESC LIMIT -1 OFFSET ?)",
                (MAX_KNOWN_PAIRS,),
            )

    # How it is done

    def _rows(self, statement: str, bindings: Sequence[object] = ()) -> Sequence[Any]:
        # Not by the reader: that is the loop's, and a connection is one thread's.
        with self._lock:
            return self._writer.rows(statement, bindings)

    def _new_row(self, new: NewAccount) -> tuple[str, str, str, str, str, float, float]:
        name = account_name(new.name)
        password = account_password(name, new.password)
        now = self._clock()
        return (
            name,
            self.hasher.hash(password),
            _scram_text(password) if new.scram else "",
            _lines(account_addresses(name, new.addresses)),
            _lines(sorted(account_groups(new.groups))),
            now,
            now,
        )

    def _change(self, name: str, assignments: str, values: tuple[str, ...]) -> Account:
        with self._changing() as next_generation:
            changed = self._writer.run(
                f"UPDATE account SET {assignments}, generation = ?, changed_at = ?"  # noqa: S608 - assignments are ours
                " WHERE name = ?",
                (*values, next_generation(), self._clock(), name),
            )
            if not changed:
                raise _no_account(name)
        return self.get(name)

    @contextmanager
    def _changing(self) -> Generator[Callable[[], int]]:
        """Write in one transaction, with generations to give out."""
        with self._writing():
            given: int = self._writer.value("SELECT generation FROM file")

            def next_generation() -> int:
                nonlocal given
                given += 1
                return given

            yield next_generation
            self._writer.run("UPDATE file SET generation = ?", (given,))

    @contextmanager
    def _writing(self) -> Generator[None]:
        try:
            with self._lock, self._writer.transaction("IMMEDIATE"):
                yield
        except apsw.Error as error:
            raise AccountError(
                f"the accounts' file could not be written: {error}",
                "Nothing was changed; look at the disk, and try again",
            ) from error


def _no_account(name: str) -> AccountError:
    return AccountError(f"there is no account {name[:254]!r}")


def _lines(values: Iterable[object]) -> str:
    # Neither names nor patterns hold a newline: no control characters are in them.
    return "\n".join(str(value) for value in values)


def _account(row: Row) -> Account:
    return Account(
        name=row[0],
        generation=row[1],
        enabled=row[2] == 1,
        password_hash=row[3],
        scram=_scram_keys(row[4]),
        addresses=tuple(parse_pattern(text) for text in row[5].splitlines()),
        groups=frozenset(row[6].splitlines()),
        created_at=row[7],
        changed_at=row[8],
        last_success=row[9],
    )


def _scram_text(password: str) -> str:
    """Make SCRAM keys in the form of RFC 5803."""
    keys = derive_keys(password, urandom(SALT_OCTETS), DEFAULT_ITERATIONS)
    salt, stored, server = (
        b64encode(part).decode()
        for part in (keys.salt, keys.stored_key, keys.server_key)
    )
    return f"SCRAM-SHA-256${keys.iterations}:{salt}${stored}:{server}"


def _scram_keys(text: str) -> ScramKeys | None:
    found = _SCRAM.fullmatch(text)
    if found is None:
        return None
    salt, stored, server = (b64decode(found[n]) for n in (2, 3, 4))
    return ScramKeys(salt, int(found[1]), stored, server)
