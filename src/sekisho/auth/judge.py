"""What becomes of a claim: lockout, memory, authenticators, and the count.

Every way through here takes the time of one wrong password, whoever claims what:
an account that is locked out, unknown or disabled costs a hash like any other.
"""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from secrets import token_bytes
from typing import assert_never

from sekisho.auth.authenticator import ScramRecord
from sekisho.auth.chain import Chain, CheckedAcceptor
from sekisho.auth.context import AuthContext
from sekisho.auth.hashing import expected
from sekisho.auth.lockout import Free, Locked, Lockout, Success, block_of
from sekisho.auth.memory import LONGEST_SECONDS, SuccessMemory
from sekisho.auth.sasl import (
    CertificateClaimed,
    Credential,
    PasswordGiven,
    PasswordHopeless,
    ScramKeys,
    TokenGiven,
)
from sekisho.auth.scram import DEFAULT_ITERATIONS, decoy_keys, hash_of
from sekisho.auth.turns import Turns
from sekisho.auth.waits import Waits
from sekisho.model.identity import (
    NOBODY,
    Answer,
    Identity,
    Rejected,
    Unavailable,
    Verified,
    Who,
)
from sekisho.model.rules import IPAddress

_SAVE_EVERY_SECONDS = 60.0


async def _keep_nothing(_batch: Sequence[Success]) -> None:
    """Store successes nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatekeeperOptions:
    """How patient the gatekeeper is, and what it remembers.

    Attributes:
        decoy_secret: For the SCRAM keys of unknown accounts: the same in all workers
            and after each restart (`AccountStore.decoy_secret`).
        step_seconds: Longer than this no step takes; then it is `Unavailable`.
        remember_seconds: How long a verified password needs no hashing; at most 60.
        remembered: So many at most.
        keep_successes: Stores who succeeded from where, once a minute at most.
        randomness: Gives so many random octets.
        sleep: Waits so many seconds.

    """

    decoy_secret: bytes = field(repr=False)
    step_seconds: float = 10.0
    remember_seconds: float = LONGEST_SECONDS
    remembered: int = 4096
    keep_successes: Callable[[Sequence[Success]], Awaitable[None]] = _keep_nothing
    randomness: Callable[[int], bytes] = token_bytes
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True, slots=True)
class Found:
    """SCRAM keys, and whose they are; `Rejected` where they are decoys."""

    keys: ScramKeys
    owner: Identity | Rejected


class Judge:
    """Judges claims. What it raises is "unavailable" to `Exchange`.

    Args:
        chain: Who is asked.
        lockout: Who may not try for a while.
        clock: Unix seconds.
        options: See there.

    """

    def __init__(
        self,
        chain: Chain,
        lockout: Lockout,
        clock: Callable[[], float],
        options: GatekeeperOptions,
    ) -> None:
        self.options = options
        self._chain = chain
        self._lockout = lockout
        self._clock = clock
        self._memory = SuccessMemory(
            options.randomness(32), options.remember_seconds, options.remembered
        )
        self._turns = Turns()
        self._waits = Waits(options.sleep)
        self._saved_at = float("-inf")
        self._saving: asyncio.Future[None] | None = None

    def over(self, chain: Chain) -> "Judge":
        """The same judge, who asks another chain."""
        other = copy.copy(self)
        other._chain = chain  # noqa: SLF001 - its own
        return other

    async def password(
        self, given: PasswordGiven, mechanism: str, client: IPAddress
    ) -> Answer:
        """Judge a claim by password.

        Strangers wait before the memory is asked: it would answer at once, and to those
        who find no place to wait it would do so uncounted.
        """
        await self._wait(given.account, client)
        who = self._remembered(given, client)
        if isinstance(who, Identity):
            return self._verified(who, mechanism, client)
        if self._lockout.exempts(client):
            # Nothing is counted, and all clients behind it would share one turn.
            return await self._by_chain(given, mechanism, client)
        async with self._turns.of(block_of(client)):
            # The one before may have been the same client's other session.
            who = self._remembered(given, client)
            if isinstance(who, Identity):
                return self._verified(who, mechanism, client)
            return await self._by_chain(given, mechanism, client)

    async def hopeless(self, given: PasswordHopeless, client: IPAddress) -> Answer:
        """Refuse what can be no password, in the time of a wrong one."""
        await self._wait(given.account, client)
        await self._chain.pretend()
        return self.refuse(given.reason, given.account, client)

    async def scram_keys(
        self, account: str, credential: Credential, client: IPAddress
    ) -> Found | Unavailable:
        """Look an account's SCRAM keys up; decoys stand in where there are none.

        Here strangers wait, as the proof is judged as soon as it comes.
        """
        await self._wait(account, client)
        record = await self._chain.scram_record(account, credential)
        # Made for real accounts as well: making them takes time.
        secret, hashed = self.options.decoy_secret, hash_of(credential)
        decoys = decoy_keys(secret, account, DEFAULT_ITERATIONS, hashed)
        match record:
            case ScramRecord(keys, identity):
                return Found(keys, identity)
            case Rejected():
                return Found(decoys, record)
            case Unavailable():
                return record
            case _:
                assert_never(record)

    def proof(
        self, owner: Identity | Rejected, mechanism: str, client: IPAddress
    ) -> Answer:
        """Judge the owner of keys that the client has proved to hold."""
        match owner:
            case Rejected(reason, account):
                return self.refuse(reason, account, client)
            case Identity(account):
                pass
            case _:
                assert_never(owner)
        match self._lockout.standing(account, client, self._clock()):
            case Locked() as locked:
                return Rejected(locked.reason, account)
            case Free() if self._chain.is_current(owner):
                return self._verified(owner, mechanism, client)
            case Free():
                return self.refuse("the account is disabled", account, client)

    async def token(
        self, given: TokenGiven, mechanism: str, client: IPAddress
    ) -> Answer:
        """Judge a bearer token."""
        if (locked := self.locked(given.account, client)) is not None:
            return locked
        answer = await self._chain.verify_token(given.token, given.account)
        return await self.shown(answer, given.account, mechanism, client)

    @property
    def token_scope(self) -> str:
        """What scope a token needs; for the error that a client is told."""
        return self._chain.token_scope

    async def certificate(
        self,
        claimed: CertificateClaimed,
        certificate: bytes,
        mechanism: str,
        client: IPAddress,
    ) -> Answer:
        """Judge a claim by the client's TLS certificate; an empty one is none."""
        if (locked := self.locked(claimed.account, client)) is not None:
            return locked
        if not certificate:
            return self.refuse("there is no certificate", claimed.account, client)
        answer = await self._chain.verify_certificate(certificate, claimed.account)
        return await self.shown(answer, claimed.account, mechanism, client)

    def acceptor(
        self, credential: Credential, mechanism: str, context: AuthContext
    ) -> CheckedAcceptor:
        """Begin an exchange of tickets."""
        return self._chain.acceptor(credential, mechanism, context)

    async def shown(
        self, answer: Answer, claimed: str, mechanism: str, client: IPAddress
    ) -> Answer:
        """Judge what an authenticator said of a token, a certificate or a ticket.

        Only the answer says whose they are: so strangers wait after it.
        """
        match answer:
            case Verified(identity):
                await self._wait(identity.account, client)
                if (locked := self.locked(identity.account, client)) is not None:
                    return locked
                return self._verified(identity, mechanism, client)
            case Rejected(reason, account):
                await self._wait(account or claimed, client)
                return self.refuse(reason, account or claimed, client)
            case Unavailable():
                return answer
            case _:
                assert_never(answer)

    def locked(self, account: str, client: IPAddress) -> Rejected | None:
        """The refusal of a client that is locked out."""
        match self._lockout.standing(account, client, self._clock()):
            case Locked() as locked:
                return Rejected(locked.reason, account)
            case Free():
                return None

    def refuse(self, reason: str, account: str, client: IPAddress) -> Rejected:
        """Reject, and count it unless the client is locked out already."""
        now = self._clock()
        match self._lockout.standing(account, client, now):
            case Locked() as locked:
                return Rejected(locked.reason, account)
            case Free():
                self._lockout.failed(account, client, now)
                return Rejected(reason, account)

    def patience(self) -> float:
        """How long a step may take now: as ever, and as long as strangers wait."""
        strain = self._lockout.strain(self._clock())
        return self.options.step_seconds + strain.seconds

    def is_current(self, identity: Identity) -> bool:
        """Whether the account is there, enabled and unchanged."""
        return self._chain.is_current(identity)

    async def save_successes(self) -> None:
        """Store who succeeded since the last time.

        Losing some is harmless: their clients are not known for 30 days, and a lock
        of their block would stop them.
        """
        self._saved_at = self._clock()
        batch = self._lockout.unsaved()
        if not batch:
            return
        try:
            await self.options.keep_successes(batch)
        except Exception:  # noqa: BLE001 - see above; no login must fail for it
            return

    async def _wait(self, account: str, client: IPAddress) -> None:
        """Have a stranger wait while the whole service is being guessed at."""
        seconds = self._lockout.delay(account, client, self._clock())
        await self._waits.wait(block_of(client), seconds)

    def _remembered(self, given: PasswordGiven, client: IPAddress) -> Who:
        """Who was verified so a moment ago, is current, and is not locked out."""
        now = self._clock()
        if isinstance(self._lockout.standing(given.account, client, now), Locked):
            return NOBODY
        for name in self._chain.names:
            who = self._memory.find(name, given.account, given.password, now)
            if isinstance(who, Identity) and self._chain.is_current(who):
                return who
        return NOBODY

    async def _by_chain(
        self, given: PasswordGiven, mechanism: str, client: IPAddress
    ) -> Answer:
        account, password = given.account, given.password
        match self._lockout.standing(account, client, self._clock()):
            case Locked() as locked:
                # Nobody is asked: a directory would count it against the account.
                await self._chain.pretend()
                return Rejected(locked.reason, account)
            case Free():
                known = self._lockout.knows(account, client, self._clock())
                with expected(is_known=known):
                    answer = await self._chain.verify_password(account, password)
        match answer:
            case Verified(identity):
                identity = replace(identity, mechanism=mechanism)
                self._memory.keep(identity, account, password, self._clock())
                return self._verified(identity, mechanism, client)
            case Rejected(reason):
                return self.refuse(reason, account, client)
            case Unavailable():
                return answer
            case _:
                assert_never(answer)

    def _verified(
        self, identity: Identity, mechanism: str, client: IPAddress
    ) -> Verified | Rejected:
        if not identity.may_come_from(client):
            reason = f"the app password {identity.credential!r} is not for {client}"
            return self.refuse(reason, identity.account, client)
        now = self._clock()
        self._lockout.succeeded(identity.account, client, now)
        if now - self._saved_at >= _SAVE_EVERY_SECONDS:
            self._saved_at = now
            # Kept, or the task could be collected before it is done.
            self._saving = asyncio.ensure_future(self.save_successes())
        if identity.mechanism != mechanism:
            identity = replace(identity, mechanism=mechanism)
        return Verified(identity)
