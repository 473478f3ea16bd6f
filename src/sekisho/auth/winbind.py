"""NTLM for old devices of a domain, verified by winbind through Samba's ``ntlm_auth``.

Off unless it is configured, and never for local accounts: NTLM proves a domain's
account to a member of that domain. The helper speaks lines (``squid-2.5-ntlmssp``):
``YR`` and ``KK`` with the client's message in base64, answered by ``TT`` (a challenge),
``AF`` (verified, with the name), ``NA`` (not verified, with a status) or ``BH`` (it is
broken). ``NA`` is a refusal only with a status that is about the client: it also says
so that no domain controller answers. Whatever else comes, or does not come in time, is
"unavailable". The name that the helper gives must be the one that the client claimed: a
mapping to a guest is a refusal.
"""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from sekisho.auth.authenticator import AuthUnavailableError
from sekisho.auth.context import AuthContext
from sekisho.auth.members import Members
from sekisho.auth.ntlmssp import (
    Claimed,
    NtlmError,
    check_negotiate,
    read_authenticate,
)
from sekisho.auth.precis import PreparationError, prepare_name
from sekisho.auth.sasl import Challenge, Credential
from sekisho.model.identity import ChainAnswer, Identity, Rejected

MAX_HELPERS = 16
"""At once: each is a process."""

ANSWER_SECONDS = 8.0
MAX_ANSWER_OCTETS = 128 * 1024

_REFUSED = frozenset(
    f"NT_STATUS_{status}"
    for status in (
        "ACCOUNT_DISABLED",
        "ACCOUNT_EXPIRED",
        "ACCOUNT_LOCKED_OUT",
        "ACCOUNT_RESTRICTION",
        "INVALID_LOGON_HOURS",
        "INVALID_PARAMETER",
        "INVALID_WORKSTATION",
        "LOGON_FAILURE",
        "LOGON_TYPE_NOT_GRANTED",
        "NO_SUCH_USER",
        "NTLM_BLOCKED",
        "PASSWORD_EXPIRED",
        "PASSWORD_MUST_CHANGE",
        "WRONG_PASSWORD",
    )
)
"""Statuses (MS-ERREF) that are about the client, or what it has sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WinbindOptions:
    """Who is asked, and for whom.

    Attributes:
        command: The helper and its arguments.
        domains: Names of domains whose accounts are taken, in upper case.

    """

    command: Sequence[str]
    domains: frozenset[str]


class WinbindAuthenticator:
    """Verifies NTLM by winbind.

    Args:
        options: See there.
        members: Those whom it has verified.

    """

    def __init__(self, options: WinbindOptions, members: Members) -> None:
        self.options = options
        self.members = members
        self.places = asyncio.Semaphore(MAX_HELPERS)
        self.ending: set[asyncio.Future[int]] = set()
        """Helpers that were told to end, until they are reaped."""

    @property
    def name(self) -> str:
        """As configured."""
        return self.members.name

    def credentials(self) -> frozenset[Credential]:
        """NTLM alone."""
        return frozenset({Credential.NTLM})

    async def pretend(self) -> None:
        """Nothing: whoever is no account is refused by the same helper."""

    def is_current(self, identity: Identity) -> bool:
        """Whether the sign-in still holds."""
        return self.members.is_current(identity)

    def accept(self, mechanism: str, context: AuthContext) -> "NtlmAcceptor":
        """Begin an exchange."""
        del mechanism, context
        if self.places.locked():
            raise AuthUnavailableError("too many exchanges are under way")
        return NtlmAcceptor(self)


class NtlmAcceptor:
    """One exchange, with a helper of its own."""

    def __init__(self, owner: WinbindAuthenticator) -> None:
        self.account = ""
        self._owner = owner
        self._helper: asyncio.subprocess.Process | None = None
        self._has_place = False

    async def step(self, response: bytes) -> Challenge | ChainAnswer:
        """Take the client's message: NEGOTIATE first, then AUTHENTICATE."""
        try:
            if self._helper is None:
                check_negotiate(response)
                return await self._challenge(response)
            claimed = read_authenticate(response)
            self.account = prepare_name(claimed.user)
        except (NtlmError, PreparationError) as error:
            return Rejected(str(error), self.account)
        if claimed.domain.upper() not in self._owner.options.domains:
            return Rejected("the domain is none of ours", self.account)
        return await self._verify(response, claimed)

    def close(self) -> None:
        """End the helper."""
        helper, self._helper = self._helper, None
        if helper is not None:
            with suppress(ProcessLookupError):
                helper.kill()
            ending = asyncio.ensure_future(helper.wait())
            self._owner.ending.add(ending)
            ending.add_done_callback(self._owner.ending.discard)
        if self._has_place:
            self._has_place = False
            self._owner.places.release()

    async def _challenge(self, message: bytes) -> Challenge:
        await self._owner.places.acquire()
        self._has_place = True
        try:
            self._helper = await asyncio.create_subprocess_exec(
                *self._owner.options.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=MAX_ANSWER_OCTETS,
            )
        except OSError as error:
            raise AuthUnavailableError(f"the helper: {error.strerror}") from error
        kind, rest = await self._ask(self._helper, "YR", message)
        if kind != "TT":
            raise AuthUnavailableError(f"the helper answered {kind!r} to NEGOTIATE")
        try:
            return Challenge(b64decode(rest, validate=True))
        except ValueError as error:
            raise AuthUnavailableError("the helper's challenge is no base64") from error

    async def _verify(self, message: bytes, claimed: Claimed) -> ChainAnswer:
        assert self._helper is not None  # noqa: S101 - step has seen to it
        kind, rest = await self._ask(self._helper, "KK", message)
        if kind == "NA" and (status := rest.strip()) in _REFUSED:
            return Rejected(f"winbind refuses it: {status}", self.account)
        if kind != "AF":
            raise AuthUnavailableError(f"the helper answered {kind!r} {rest[:80]!r}")
        # DOMAIN\user, or user alone where winbind uses its default domain.
        domain, _, user = rest.strip().rpartition("\\")
        try:
            account = prepare_name(user)
        except PreparationError as error:
            raise AuthUnavailableError("the helper gave no name") from error
        is_theirs = domain.upper() in ("", claimed.domain.upper())
        if account != self.account or not is_theirs:
            return Rejected("winbind takes it for another account", self.account)
        groups = frozenset({claimed.domain.lower()})
        return await self._owner.members.admit(account, groups=groups)

    @staticmethod
    async def _ask(
        helper: asyncio.subprocess.Process, what: str, message: bytes
    ) -> tuple[str, str]:
        assert helper.stdin is not None  # noqa: S101 - both are pipes
        assert helper.stdout is not None  # noqa: S101
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                helper.stdin.write(f"{what} {b64encode(message).decode()}\n".encode())
                await helper.stdin.drain()
                line = await helper.stdout.readline()
        except (OSError, TimeoutError, ValueError) as error:
            raise AuthUnavailableError("the helper does not answer") from error
        if not line.endswith(b"\n"):
            raise AuthUnavailableError("the helper has ended")
        kind, _, rest = line.decode("utf-8", "replace").rstrip("\n").partition(" ")
        return kind, rest
