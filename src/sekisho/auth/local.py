"""Local accounts as an authenticator."""

from sekisho.auth.account import Account
from sekisho.auth.accounts import AccountStore
from sekisho.auth.authenticator import KeysAnswer, ScramRecord
from sekisho.auth.hashing import HashingPool, PasswordCheck, is_hash
from sekisho.auth.sasl import Credential, ScramKeys
from sekisho.model.identity import ChainAnswer, Identity, NotMine, Rejected, Verified


class LocalAuthenticator:
    """Verifies against an `AccountStore`.

    Whoever asks about no account, a disabled one or a wrong password waits for one
    hash, no less and no more.
    """

    def __init__(
        self, store: AccountStore, pool: HashingPool, name: str = "local"
    ) -> None:
        self._store = store
        self._pool = pool
        self._name = name

    @property
    def name(self) -> str:
        """As configured."""
        return self._name

    def credentials(self) -> frozenset[Credential]:
        """SCRAM only while every enabled account has keys for it."""
        if self._store.all_have_scram:
            return frozenset({Credential.PASSWORD, Credential.SCRAM_SHA_256})
        return frozenset({Credential.PASSWORD})

    async def verify_password(self, account: str, password: str) -> ChainAnswer:
        """Verify a password; raises where the file or the pool cannot be used."""
        match self._store.find(account):
            case NotMine() as not_mine:
                await self.pretend()
                return not_mine
            case Account(enabled=True, password_hash=kept) as found if is_hash(kept):
                hasher = self._store.hasher
                match await self._pool.run(hasher.check, kept, password):
                    case PasswordCheck.RIGHT:
                        return Verified(self._identity(found))
                    case PasswordCheck.WRONG:
                        return Rejected("the password is wrong", account)
            case Account():
                await self.pretend()
                return Rejected("the account is disabled", account)

    async def scram_record(self, account: str) -> KeysAnswer:
        """Look keys up; from memory, so in no measurable time."""
        match self._store.find(account):
            case NotMine() as not_mine:
                return not_mine
            case Account(scram=ScramKeys() as keys) as found:
                return ScramRecord(keys, self._identity(found))
            case Account():
                return Rejected("the account has no SCRAM keys", account)

    async def pretend(self) -> None:
        """Check a password against a hash that none fits."""
        hasher = self._store.hasher
        await self._pool.run(hasher.check, hasher.decoy, "-")

    def is_current(self, identity: Identity) -> bool:
        """Whether the account is there, enabled and unchanged."""
        return self._store.is_current(identity)

    def _identity(self, account: Account) -> Identity:
        return Identity(
            account=account.name,
            authenticator=self._name,
            mechanism="",
            generation=account.generation,
            addresses=account.addresses,
            groups=account.groups,
        )
