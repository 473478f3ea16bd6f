"""Local accounts: kept in ``accounts.db``, and in memory for the hot path.

Every change of an account gives it the next number of one counter: its generation.
An identity, a remembered success or an open session that carries another generation
is stale.

Two connections: one for look-ups, on the loop, short and never blocked (WAL); the
other lists and writes, under a lock, in whatever thread its caller chooses. A write
waits for the disk, so a running service calls those functions in a thread.
"""

import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
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
from sekisho.auth.account_rows import (
    ACCOUNT_COLUMNS,
    SELECT,
    lines,
    moment,
    read_account,
    scram_text,
)
from sekisho.auth.account_view import AccountView
from sekisho.auth.accounts_file import AccountsFile
from sekisho.auth.app_passwords import (
    COLUMNS,
    Scope,
    digest_of,
    new_app_password,
    row_of,
)
from sekisho.auth.foreign_hashes import foreign_hash
from sekisho.auth.hashing import Hasher
from sekisho.auth.lockout import KNOWN_SECONDS, MAX_KNOWN_PAIRS, Success
from sekisho.model.identity import Identity, NotMine


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
        weak: Whether a password is taken that is easy to guess.
        hashed: A hash of another program's in the password's place.
        expires_at: Unix seconds; infinite for never.

    """

    name: str
    password: str = field(default="", repr=False)
    addresses: Sequence[str] = ()
    groups: Sequence[str] = ()
    scram: bool = True
    weak: bool = False
    hashed: str = field(default="", repr=False)
    expires_at: float = float("inf")


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
        self._view = AccountView(reader)
        self.decoy_secret: bytes = reader.value("SELECT decoy_secret FROM file")
        """For `scram.decoy_keys`: made with the file, the same for all workers."""
        self.keeps_sha_1 = False
        """Whether new passwords get keys for SCRAM-SHA-1, too."""
        self._app_key: bytes = reader.value("SELECT app_key FROM file")

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

    # Looking up, on the loop; see `AccountView`

    def find(self, name: str) -> Account | NotMine:
        """Look an account up by its prepared name, as the file is now."""
        return self._view.find(name)

    def is_current(self, identity: Identity) -> bool:
        """Whether the account is there, enabled, not expired, and unchanged since."""
        return self._view.is_current(identity, self._clock())

    def all_have_scram(self) -> tuple[bool, bool]:
        """Whether every enabled account can be verified by SCRAM, of either hash."""
        return self._view.all_have_scram()

    @property
    def a_foreign_hash(self) -> str:
        """One of the hashes that were imported and not replaced yet, or nothing."""
        return self._view.a_foreign_hash

    def app_digest(self, password: str) -> str:
        """Hash what may be an app password, as `AppPassword.digest` is."""
        return digest_of(self._app_key, password)

    # Listing, in a thread where it may wait

    def list(self) -> tuple[Account, ...]:
        """All accounts, by name, with their last success."""
        return tuple(map(read_account, self._rows(f"{SELECT} ORDER BY name")))

    def get(self, name: str) -> Account:
        """One account, with its last success.

        Raises:
            AccountError: There is none by that name.

        """
        for row in self._reader.rows(f"{SELECT} WHERE name = ?", (account_name(name),)):
            return read_account(row)
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
                    f"INSERT INTO account ({ACCOUNT_COLUMNS})"  # noqa: S608 - constants
                    " VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?)",
                    (name, next_generation(), *row[1:]),
                )
        return tuple(self.get(row[0]) for row in rows)

    def set_password(
        self, name: str, password: str, *, scram: bool = True, weak: bool = False
    ) -> Account:
        """Give an account a new password, with SCRAM keys or without."""
        prepared_name = account_name(name)
        prepared = account_password(prepared_name, password, weak=weak)
        return self._change(
            prepared_name,
            "password_hash = ?, scram = ?",
            (self.hasher.hash(prepared), self._scram_text(prepared) if scram else ""),
        )

    def renew(self, account: Account, password: str) -> Account:
        """Hash a prepared password anew that an imported hash has verified."""
        return self._change(
            account.name,
            "password_hash = ?, scram = ?",
            (self.hasher.hash(password), self._scram_text(password)),
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
        return self._change(prepared, "addresses = ?", (lines(patterns),))

    def set_groups(self, name: str, groups: Sequence[str]) -> Account:
        """Say which groups an account is in, in place of those before."""
        spelled = lines(sorted(account_groups(groups)))
        return self._change(account_name(name), "groups = ?", (spelled,))

    def expire(self, name: str, at: float) -> Account:
        """Say when an account ends, in Unix seconds; infinite for never."""
        return self._change(account_name(name), "expires_at = ?", (moment(at),))

    def add_app_password(
        self, name: str, label: str, password: str, scope: Scope
    ) -> Account:
        """Add an app password that `random_app_password` made."""
        account = self.get(name)
        digest = self.app_digest(password)
        one = new_app_password(account, label, digest, scope, self._clock())
        with self._changing() as next_generation:
            self._writer.run(
                f"INSERT INTO app_password (account, {COLUMNS})"  # noqa: S608 - constants
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (account.name, *row_of(one)),
            )
            self._touch(account.name, next_generation())
        return self.get(name)

    def revoke_app_password(self, name: str, label: str) -> Account:
        """Take an app password away; sessions that came by it end."""
        account = self.get(name)
        with self._changing() as next_generation:
            gone = self._writer.run(
                "DELETE FROM app_password WHERE account = ? AND label = ?",
                (account.name, label.lower()),
            )
            if not gone:
                raise AccountError(
                    f"{account.name!r} has no app password {label[:80]!r}",
                    "sekisho user app-password list NAME shows them",
                )
            self._touch(account.name, next_generation())
        return self.get(name)

    def note_use(self, name: str, label: str) -> None:
        """Write down that an app password was used now; no generation changes."""
        with self._writing():
            self._writer.run(
                "UPDATE app_password SET last_used_at = ?"
                " WHERE account = ? AND label = ?",
                (self._clock(), name, label),
            )

    def _touch(self, name: str, generation: int) -> None:
        self._writer.run(
            "UPDATE account SET generation = ?, changed_at = ? WHERE name = ?",
            (generation, self._clock(), name),
        )

    def remove(self, name: str) -> None:
        """Remove an account."""
        prepared = account_name(name)
        with self._changing() as next_generation:
            if not self._writer.run("DELETE FROM account WHERE name = ?", (prepared,)):
                raise _no_account(name)
            self._writer.run("DELETE FROM success WHERE account = ?", (prepared,))
            self._writer.run("DELETE FROM app_password WHERE account = ?", (prepared,))
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

    def _scram_text(self, password: str) -> str:
        return scram_text(password, sha_1=self.keeps_sha_1)

    def _rows(self, statement: str, bindings: Sequence[object] = ()) -> Sequence[Any]:
        # Not by the reader: that is the loop's, and a connection is one thread's.
        with self._lock:
            return self._writer.rows(statement, bindings)

    def _new_row(self, new: NewAccount) -> tuple[Any, ...]:
        name = account_name(new.name)
        if new.hashed:
            kept, scram = foreign_hash(new.hashed), ""
        else:
            password = account_password(name, new.password, weak=new.weak)
            kept = self.hasher.hash(password)
            scram = self._scram_text(password) if new.scram else ""
        now = self._clock()
        return (
            name,
            kept,
            scram,
            lines(account_addresses(name, new.addresses)),
            lines(sorted(account_groups(new.groups))),
            now,
            now,
            moment(new.expires_at),
        )

    def _change(
        self, name: str, assignments: str, values: tuple[str | float, ...]
    ) -> Account:
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
