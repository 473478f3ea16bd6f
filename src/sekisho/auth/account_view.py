"""The accounts in memory, for the hot path.

The view in memory is as fresh as the file at every use, whoever changed it. Before
each look-up it asks SQLite for ``PRAGMA data_version`` (2 µs), which moves when another
connection has committed. Telling each process of changes instead would be cheaper
still, but a message that got lost would keep a disabled account alive. When it has
moved, only accounts with a newer generation are read again.
"""

from sekisho.auth.account import Account
from sekisho.auth.account_rows import SELECT, read_account
from sekisho.auth.accounts_file import AccountsFile
from sekisho.auth.hashing import is_hash
from sekisho.model.identity import Identity, NotMine


class AccountView:
    """Looks accounts up, on the loop."""

    def __init__(self, reader: AccountsFile) -> None:
        self._reader = reader
        self._data_version = -1
        self._generation = -1
        self._accounts: dict[str, Account] = {}
        self._without_scram: set[str] = set()
        self._without_sha_1: set[str] = set()
        self._foreign: dict[str, str] = {}

    def find(self, name: str) -> Account | NotMine:
        """Look an account up by its prepared name, as the file is now."""
        self._refresh()
        return self._accounts.get(name) or NotMine()

    def is_current(self, identity: Identity, now: float) -> bool:
        """Whether the account is there, enabled, not expired, and unchanged since."""
        self._refresh()
        account = self._accounts.get(identity.account)
        if account is None or account.generation != identity.generation:
            return False
        if not account.enabled or account.has_expired(now):
            return False
        return not identity.credential or any(
            one.label == identity.credential and now < one.expires_at
            for one in account.app_passwords
        )

    def all_have_scram(self) -> tuple[bool, bool]:
        """Whether every enabled account can be verified by SCRAM, whatever it shows.

        Returns:
            By SCRAM-SHA-256, and by SCRAM-SHA-1; no account at all needs none.

        """
        self._refresh()
        return not self._without_scram, not self._without_sha_1

    @property
    def a_foreign_hash(self) -> str:
        """One of the hashes that were imported and not replaced yet, or nothing."""
        self._refresh()
        return next(iter(self._foreign.values()), "")

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
            self._without_sha_1.discard(name)
            self._foreign.pop(name, None)
        for row in self._reader.rows(f"{SELECT} WHERE generation > ?", since):
            account = read_account(row)
            self._accounts[account.name] = account
            self._note_kinds(account)

    def _note_kinds(self, account: Account) -> None:
        for keys, without in (
            (account.scram, self._without_scram),
            (account.scram_sha_1, self._without_sha_1),
        ):
            if account.enabled and (keys is None or account.app_passwords):
                without.add(account.name)
            else:
                without.discard(account.name)
        if is_hash(account.password_hash):
            self._foreign.pop(account.name, None)
        else:
            self._foreign[account.name] = account.password_hash
