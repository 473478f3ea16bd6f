"""Kerberos as an authenticator: by ticket (GSSAPI, GSS-SPNEGO) and by password.

Kerberos says who somebody is and no more: what an account may send from, and until
when it is relied on, is not its to say (`sekisho.auth.members`).

A wrong password and an unknown principal are different questions to a KDC, and take
different times. So what is refused is answered at the next beat of a slow clock.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

from sekisho.auth.context import AuthContext
from sekisho.auth.kerberos.acceptor import KerberosAcceptor
from sekisho.auth.kerberos.gss import GssRefusedError, Library, Shown
from sekisho.auth.members import Members
from sekisho.auth.precis import PreparationError, prepare_name
from sekisho.auth.sasl import Credential
from sekisho.model.identity import (
    ChainAnswer,
    Identity,
    NotMine,
    Rejected,
    Verified,
)

BEAT_SECONDS = 0.25
_PRINCIPAL = re.compile(r"([^/@\\\s]+)@([^/@\\\s]+)")
"""A user's: no instance (``user/admin``, ``host/…``), nothing escaped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KerberosOptions:
    """Whose tickets, and what they must be.

    Attributes:
        realms: Whose principals are accounts here; the first is asked for passwords.
        passwords: Whether passwords are verified too.
        needs_binding: Whether a ticket must be bound to the TLS session.

    """

    realms: tuple[str, ...]
    passwords: bool
    needs_binding: bool


@dataclass(frozen=True, slots=True)
class Tools:
    """What it uses.

    Attributes:
        library: Kerberos.
        run: Calls the library in a thread; raises where too many wait.

    """

    library: Library
    run: Callable[..., Awaitable[Any]]


class KerberosAuthenticator:
    """Verifies by Kerberos.

    Args:
        options: See there.
        tools: See there.
        members: Those whom it has verified.

    """

    def __init__(
        self, options: KerberosOptions, tools: Tools, members: Members
    ) -> None:
        self._options = options
        self._tools = tools
        self._members = members

    @property
    def name(self) -> str:
        """As configured."""
        return self._members.name

    def credentials(self) -> frozenset[Credential]:
        """Tickets, and passwords where they are wanted."""
        able = {Credential.KERBEROS}
        if self._options.passwords:
            able.add(Credential.PASSWORD)
        return frozenset(able)

    async def verify_password(self, account: str, password: str) -> ChainAnswer:
        """Verify a password by a ticket for our own service."""
        begun = asyncio.get_running_loop().time()
        user, at, realm = account.partition("@")
        ours = self._realm(realm) if at else self._options.realms[0]
        answer: ChainAnswer = NotMine()
        if ours and _PRINCIPAL.fullmatch(f"{user}@{ours}"):
            answer = await self._ask(f"{user}@{ours}", account, password)
        if not isinstance(answer, Verified):
            await _wait_for_the_beat(begun)
        return answer

    async def pretend(self) -> None:
        """Take as long as a refusal."""
        await asyncio.sleep(BEAT_SECONDS)

    def is_current(self, identity: Identity) -> bool:
        """Whether the sign-in still holds."""
        return self._members.is_current(identity)

    def accept(self, mechanism: str, context: AuthContext) -> KerberosAcceptor:
        """Begin an exchange of tickets."""
        return KerberosAcceptor(
            self,
            self._tools.library,
            self._tools.run,
            context.channel_binding,
            negotiates=mechanism == "GSS-SPNEGO",
        )

    def account_of(self, principal: str) -> str:
        """The account of a principal.

        Raises:
            PreparationError: It is no user of a realm of ours.

        """
        found = _PRINCIPAL.fullmatch(principal)
        if found is None:
            raise PreparationError("the principal is no user's")
        if found[2] not in self._options.realms:
            raise PreparationError("the realm is none of ours")
        return prepare_name(found[1])

    async def judge(self, shown: Shown) -> ChainAnswer:
        """Say who has shown a ticket."""
        try:
            account = self.account_of(shown.principal)
        except PreparationError as error:
            return Rejected(str(error))
        if self._options.needs_binding and not shown.is_bound:
            return Rejected("the ticket is not bound to this TLS session", account)
        return await self._members.admit(account, shown.lifetime)

    async def _ask(self, principal: str, account: str, password: str) -> ChainAnswer:
        library = self._tools.library
        try:
            shown: Shown = await self._tools.run(
                library.check_password, principal, password
            )
        except GssRefusedError as error:
            return NotMine() if error.unknown else Rejected(str(error), account)
        ours = self.account_of(shown.principal)
        return await self._members.admit(ours, shown.lifetime)

    def _realm(self, given: str) -> str:
        """The realm of ours that is spelled so, in whatever case; or nothing."""
        return next((r for r in self._options.realms if r.lower() == given), "")


async def _wait_for_the_beat(begun: float) -> None:
    loop = asyncio.get_running_loop()
    beats = max(1, ceil((loop.time() - begun) / BEAT_SECONDS))
    await asyncio.sleep(begun + beats * BEAT_SECONDS - loop.time())
