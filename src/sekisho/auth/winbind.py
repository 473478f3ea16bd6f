"""NTLM for old devices of a domain, verified by winbind through Samba's ``ntlm_auth``.

Off unless it is configured, and never for local accounts: NTLM proves a domain's
account to a member of that domain. The helper speaks lines (``squid-2.5-ntlmssp``):
``YR`` and ``KK`` with the client's message in base64, answered by ``TT`` (a challenge),
``AF`` (verified, with the name), ``NA`` (refused) or ``BH`` (it is broken). Whatever
else comes, or does not come in time, is "unavailable". The name that the helper gives
must be the one that the client claimed: a mapping to a guest is a refusal.
"""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sekisho.auth.authenticator import AuthUnavailableError
from sekisho.auth.context import AuthContext
from sekisho.auth.lives import Life, Lives
from sekisho.auth.ntlmssp import (
    Claimed,
    NtlmError,
    check_negotiate,
    read_authenticate,
)
from sekisho.auth.precis import PreparationError, prepare_name
from sekisho.auth.sasl import Challenge, Credential
from sekisho.model.address import AddressPattern
from sekisho.model.identity import ChainAnswer, Identity, Rejected, Verified

MAX_HELPERS = 16
"""At once: each is a process."""

ANSWER_SECONDS = 8.0
MAX_ANSWER_OCTETS = 128 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class WinbindOptions:
    """Who is asked, and for whom.

    Attributes:
        name: As configured.
        command: The helper and its arguments.
        domains: Names of domains whose accounts are taken, in upper case.
        addresses: Gives what an account may send from.
        session_seconds: How long a sign-in lasts.

    """

    name: str
    command: Sequence[str]
    domains: frozenset[str]
    addresses: Callable[[str], tuple[AddressPattern, ...]]
    session_seconds: float


class WinbindAuthenticator:
    """Verifies NTLM by winbind."""

    def __init__(
        self,
        options: WinbindOptions,
        lives: Lives,
        clock: Callable[[], float],
        randomness: Callable[[int], bytes],
    ) -> None:
        self.options = options
        self.lives = lives
        self.clock = clock
        self.randomness = randomness
        self.places = asyncio.Semaphore(MAX_HELPERS)
        self.ending: set[asyncio.Future[int]] = set()
        """Helpers that were told to end, until they are reaped."""

    @property
    def name(self) -> str:
        """As configured."""
        return self.options.name

    def credentials(self) -> frozenset[Credential]:
        """NTLM alone."""
        return frozenset({Credential.NTLM})

    async def pretend(self) -> None:
        """Nothing: whoever is no account is refused by the same helper."""

    def is_current(self, identity: Identity) -> bool:
        """Whether the sign-in's time is not over."""
        return self.lives.of(identity, self.clock()) is not None

    def accept(self, mechanism: str, context: AuthContext) -> "NtlmAcceptor":
        """Begin an exchange."""
        del mechanism, context
        if self.places.locked():
            raise AuthUnavailableError("too many exchanges are under way")
        return NtlmAcceptor(self)

    def verified(self, claimed: Claimed, account: str) -> Verified:
        """Begin the life of somebody whom the helper has verified."""
        now = self.clock()
        ends = now + self.options.session_seconds
        shown = self.randomness(16)
        identity = Identity(
            account=account,
            authenticator=self.name,
            mechanism="",
            generation=self.lives.generation(shown),
            addresses=self.options.addresses(account),
            groups=frozenset({claimed.domain.lower()} if claimed.domain else ()),
        )
        self.lives.begin(Life(identity, ends, now))
        return Verified(identity)


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
        if kind == "NA":
            return Rejected("winbind refuses it", self.account)
        if kind != "AF":
            raise AuthUnavailableError(f"the helper answered {kind!r}")
        # DOMAIN\user, or user alone where winbind uses its default domain.
        given = rest.strip().rpartition("\\")[2]
        try:
            account = prepare_name(given)
        except PreparationError as error:
            raise AuthUnavailableError("the helper gave no name") from error
        if account != self.account:
            return Rejected("winbind takes it for another account", self.account)
        return self._owner.verified(claimed, account)

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
