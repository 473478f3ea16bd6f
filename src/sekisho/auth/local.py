"""Local accounts as an authenticator."""

import asyncio
from collections.abc import AsyncIterator, Callable

from sekisho.auth.account import Account, AccountError, AppPassword
from sekisho.auth.accounts import AccountStore
from sekisho.auth.app_passwords import found_by
from sekisho.auth.authenticator import (
    DiagnosisStep,
    KeysAnswer,
    ScramRecord,
    bad,
    good,
)
from sekisho.auth.foreign_hashes import check_foreign, is_foreign
from sekisho.auth.hashing import HashingPool, PasswordCheck, is_hash
from sekisho.auth.sasl import Credential, ScramKeys
from sekisho.model.identity import ChainAnswer, Identity, NotMine, Rejected, Verified

NOTE_USE_SECONDS = 60.0
"""How often the use of one app password is written down."""

_PASSWORD, _SHA_256, _SHA_1 = (
    frozenset({one})
    for one in (
        Credential.PASSWORD,
        Credential.SCRAM_SHA_256,
        Credential.SCRAM_SHA_1,
    )
)
_ABLE = {
    (True, True): _PASSWORD | _SHA_256 | _SHA_1,
    (True, False): _PASSWORD | _SHA_256,
    (False, True): _PASSWORD | _SHA_1,
    (False, False): _PASSWORD,
}
"""What can be verified while all accounts have keys for SCRAM-SHA-256, for -SHA-1."""


class LocalAuthenticator:
    """Verifies against an `AccountStore`.

    Whoever asks about no account, a disabled one or a wrong password waits for one
    hash, no less and no more; and for one more of the kind that was imported, as long
    as there are such.
    """

    def __init__(
        self,
        store: AccountStore,
        pool: HashingPool,
        name: str = "local",
        *,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._pool = pool
        self._name = name
        self._clock = clock
        self._noted: dict[tuple[str, str], float] = {}
        self._noting: set[asyncio.Future[None]] = set()

    @property
    def name(self) -> str:
        """As configured."""
        return self._name

    def credentials(self) -> frozenset[Credential]:
        """SCRAM only while every enabled account can be verified by it."""
        return _ABLE[self._store.all_have_scram()]

    async def verify_password(self, account: str, password: str) -> ChainAnswer:
        """Verify a password; raises where the file or the pool cannot be used."""
        found = self._store.find(account)
        if isinstance(found, NotMine):
            await self.pretend()
            return found
        digest = self._store.app_digest(password)
        app_password = found_by(digest, found.app_passwords)
        if (reason := self._unusable(found, app_password)) is not None:
            await self.pretend()
            return Rejected(reason, account)
        if app_password is not None:
            self._note_use(found, app_password)
            return Verified(self._identity(found, app_password))
        match await self._check(found, password):
            case PasswordCheck.RIGHT:
                return await self._verified(found, password)
            case PasswordCheck.WRONG:
                return Rejected("the password is wrong", account)

    async def scram_record(self, account: str) -> KeysAnswer:
        """Look keys up; from memory, so in no measurable time."""
        match self._store.find(account):
            case NotMine() as not_mine:
                return not_mine
            case Account(scram=ScramKeys() as keys) as found:
                return ScramRecord(keys, self._identity(found))
            case Account():
                return Rejected("the account has no SCRAM keys", account)

    async def scram_sha_1_record(self, account: str) -> KeysAnswer:
        """Look the older keys up, likewise."""
        match self._store.find(account):
            case NotMine() as not_mine:
                return not_mine
            case Account(scram_sha_1=ScramKeys() as keys) as found:
                return ScramRecord(keys, self._identity(found))
            case Account():
                return Rejected("the account has no SCRAM-SHA-1 keys", account)

    async def pretend(self) -> None:
        """Check a password against hashes that none fits."""
        await self._pool.run(self._check_both, self._store.hasher.decoy, "", "-")

    def is_current(self, identity: Identity) -> bool:
        """Whether the account is there, enabled and unchanged."""
        return self._store.is_current(identity)

    async def diagnose(
        self, account: str, password: str | None
    ) -> AsyncIterator[DiagnosisStep | Identity | ChainAnswer]:
        """Look the account up, and verify it where there is a password."""
        found = self._store.find(account)
        if isinstance(found, NotMine):
            yield bad("found", "there is no such account")
            yield found
            return
        yield good("found", found.name)
        if (reason := self._unusable(found, None)) is not None:
            yield bad("enabled", reason)
            yield Rejected(reason, account)
            return
        yield good("enabled", "yes")
        yield self._identity(found)
        if password is not None:
            yield await self.verify_password(account, password)

    def _unusable(self, found: Account, app_password: AppPassword | None) -> str | None:
        now = self._clock()
        if not found.enabled:
            return "the account is disabled"
        if found.has_expired(now):
            return "the account has expired"
        if app_password is not None:
            if now >= app_password.expires_at:
                return f"the app password {app_password.label!r} has expired"
            return None
        if is_hash(found.password_hash) or is_foreign(found.password_hash):
            return None
        return "the account has no password"

    async def _check(self, found: Account, password: str) -> PasswordCheck:
        kept = found.password_hash
        ours, foreign = (kept, "") if is_hash(kept) else ("", kept)
        return await self._pool.run(self._check_both, ours, foreign, password)

    def _check_both(self, ours: str, foreign: str, password: str) -> PasswordCheck:
        """Check against the one that there is, and as long against a decoy."""
        hasher = self._store.hasher
        check = hasher.check(ours or hasher.decoy, password)
        if decoy := foreign or self._store.a_foreign_hash:
            other = check_foreign(decoy, password)
            return other if foreign else check
        return check

    async def _verified(self, found: Account, password: str) -> ChainAnswer:
        if is_hash(found.password_hash):
            return Verified(self._identity(found))
        try:
            renewed = await self._pool.run(self._store.renew, found, password)
        except AccountError:
            renewed = found  # It is as it was, and taken as it was.
        return Verified(self._identity(renewed))

    def _note_use(self, found: Account, used: AppPassword) -> None:
        key, now = (found.name, used.label), self._clock()
        if now - self._noted.get(key, float("-inf")) < NOTE_USE_SECONDS:
            return
        self._noted[key] = now
        noting = asyncio.ensure_future(self._pool.run(self._store.note_use, *key))
        self._noting.add(noting)
        noting.add_done_callback(self._noted_down)

    def _noted_down(self, noting: "asyncio.Future[None]") -> None:
        # Where it could not be written, the next use is: no login must fail for it.
        self._noting.discard(noting)
        if not noting.cancelled():
            noting.exception()

    def _identity(
        self, account: Account, app_password: AppPassword | None = None
    ) -> Identity:
        used = app_password or _OWN_PASSWORD
        return Identity(
            account=account.name,
            authenticator=self._name,
            mechanism="",
            generation=account.generation,
            addresses=used.addresses or account.addresses,
            groups=account.groups,
            credential=used.label,
            networks=used.networks,
            max_messages_per_day=used.max_messages_per_day,
        )


_OWN_PASSWORD = AppPassword(label="", digest="")
