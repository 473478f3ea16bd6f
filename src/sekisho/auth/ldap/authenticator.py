"""A directory in the chain.

Search and bind: the account is looked up as whom we are (``bind_dn``), bound as, and
looked at again. Direct: it is bound as at once, and reads its own entry.

It is a register as well (`sekisho.auth.members`): it says what somebody may do whom
another authenticator has verified.

Where there is no such account, a decoy is bound instead, so that the directory has the
same work; what still differs is hidden by a common measure of time. Nothing but an
empty search is `NotMine`; nothing but "invalid credentials", or the entry itself, is
`Rejected`; all else is that it could not be found out.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from time import monotonic

from sekisho.auth.authenticator import AuthUnavailableError, DiagnosisStep
from sekisho.auth.ldap.diagnosis import diagnose
from sekisho.auth.ldap.directory import Directory, Refused
from sekisho.auth.ldap.entries import DirectoryAccount
from sekisho.auth.ldap.looks import Look, Looks
from sekisho.auth.ldap.names import login_of, normal_dn
from sekisho.auth.ldap.options import DirectoryOptions
from sekisho.auth.sasl import Credential
from sekisho.model.identity import ChainAnswer, Identity, NotMine, Rejected, Verified

TOTAL_SECONDS = 9.0
"""A login takes no longer; below the gatekeeper's own bound of a step."""

REFUSAL_SECONDS = 0.1
"""A refusal takes a whole number of these: what differs below that is not seen.

An entry that is found and read takes longer than none, and a directory that hashes
slowly takes longer for those whom it has.
"""


class LdapAuthenticator:
    """Verifies passwords by a directory.

    Args:
        name: As configured.
        options: See there.
        now: Unix seconds.
        clock: Monotonic seconds.

    """

    def __init__(
        self,
        name: str,
        options: DirectoryOptions,
        now: Callable[[], float],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._name = name
        self._options = options
        self._clock = clock
        self.directory = Directory(options, clock, now)
        self.looks = Looks(options.cache_seconds, clock)
        self._refresher: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def name(self) -> str:
        """As configured."""
        return self._name

    def credentials(self) -> frozenset[Credential]:
        """Passwords: a directory gives no keys away."""
        return frozenset({Credential.PASSWORD})

    async def verify_password(self, account: str, password: str) -> ChainAnswer:
        """Verify a password.

        Raises:
            AuthUnavailableError: It could not be found out.

        """
        if not password:
            # Never asked: a directory may take it for an unauthenticated bind.
            return Rejected("the password is empty", account)
        began = self._clock()
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                if self._options.user_dn:
                    answer = await self._directly(account, password, began)
                else:
                    answer = await self._found(account, password, began)
        except TimeoutError:
            raise AuthUnavailableError("the directory takes too long") from None
        if not isinstance(answer, Verified):
            spent = (self._clock() - began) % REFUSAL_SECONDS
            await asyncio.sleep(REFUSAL_SECONDS - spent)
        return answer

    async def look_up(self, account: str) -> Verified | Rejected:
        """Say who somebody is whom another has verified.

        Raises:
            AuthUnavailableError: It could not be found out.

        """
        began = self._clock()
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                found = await self.directory.look_up(account)
        except TimeoutError:
            raise AuthUnavailableError("the directory takes too long") from None
        if isinstance(found, Refused):
            return Rejected(found.reason, account)
        return self._judged(found, account, began)

    async def _found(self, account: str, password: str, began: float) -> ChainAnswer:
        entries = await self.directory.find(account)
        if len(entries) != 1:
            await self.directory.bind_in_vain(password)
            if not entries:
                return NotMine()
            return Rejected("several entries have this name", account)
        dn = entries[0].dn
        bound = await self.directory.bind(dn, password, self.directory.own_search(dn))
        if isinstance(bound, Refused):
            return Rejected(bound.reason, account)
        if normal_dn(bound.dn) != normal_dn(dn):
            raise AuthUnavailableError("the directory shows another entry")
        seen = await self.directory.look(dn, account)
        return self._judged(seen, account, began)

    async def _directly(self, account: str, password: str, began: float) -> ChainAnswer:
        login = login_of(self._options.user_dn, account)
        if not login:
            await self.directory.bind_in_vain(password)
            return Rejected("it can be no account of this directory", account)
        search = self.directory.direct_search(login, account)
        bound = await self.directory.bind(login, password, search, account)
        if isinstance(bound, Refused):
            return Rejected(bound.reason, account)
        return self._judged(bound.seen, account, began)

    def _judged(
        self, seen: DirectoryAccount | None, account: str, began: float
    ) -> Verified | Rejected:
        if seen is None:
            return Rejected("its entry has changed, or has no name", account)
        self.looks.keep(seen, account, began)
        if seen.refusal:
            return Rejected(seen.refusal, account)
        self._look_again_later()
        return Verified(self.identity(seen))

    def identity(self, seen: DirectoryAccount) -> Identity:
        """An account as an identity."""
        return Identity(
            account=seen.name,
            authenticator=self._name,
            mechanism="",
            generation=seen.generation,
            addresses=seen.addresses,
            groups=seen.groups,
        )

    async def pretend(self) -> None:
        """Take as long as a wrong password takes."""
        await asyncio.sleep(REFUSAL_SECONDS)

    def is_current(self, identity: Identity) -> bool:
        """Whether the account was there, enabled and unchanged a moment ago."""
        return self.looks.is_current(identity)

    def diagnose(
        self, account: str, password: str | None
    ) -> AsyncIterator[DiagnosisStep | Identity | ChainAnswer]:
        """Ask step by step."""
        return diagnose(self.directory, self, account, password)

    async def close(self) -> None:
        """Close all connections; who is still asking gets one of his own."""
        self._closed = True
        if self._refresher is not None:
            self._refresher.cancel()
            await asyncio.wait([self._refresher])
        self.directory.close()

    def _look_again_later(self) -> None:
        running = self._refresher is not None and not self._refresher.done()
        if self._options.looks_up and not running and not self._closed:
            self._refresher = asyncio.create_task(self._look_again())

    async def _look_again(self) -> None:
        """Look at who is in use before it is too long ago."""
        while len(self.looks):
            await asyncio.sleep(self._options.cache_seconds / 4)
            due = self.looks.due(self._options.cache_seconds / 2)
            for place in range(0, len(due), self._options.pool):
                some = due[place : place + self._options.pool]
                done = await asyncio.gather(
                    *(self._look_once(name, look) for name, look in some)
                )
                if not any(done):
                    break  # Nobody answers; what is known grows old.

    async def _look_once(self, name: str, look: Look) -> bool:
        began = self._clock()
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                seen = await self.directory.look(look.dn, look.login)
        except Exception:  # noqa: BLE001 - not known is not changed; it grows old
            return False
        usable = seen is not None and seen.name == name and not seen.refusal
        self.looks.again(name, seen.generation if seen and usable else None, began)
        return True
