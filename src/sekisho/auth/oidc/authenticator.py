"""Bearer tokens as an authenticator."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from secrets import token_bytes
from typing import Protocol

from sekisho.auth.authenticator import AuthUnavailableError, DiagnosisStep, bad
from sekisho.auth.lives import Life, Lives
from sekisho.auth.oidc.claims import (
    ClaimsError,
    Holder,
    Passed,
    Wanted,
    check_purpose,
    check_times,
    holder,
)
from sekisho.auth.oidc.diagnosis import diagnose
from sekisho.auth.oidc.document import Object
from sekisho.auth.oidc.jwt import OtherIssuerError
from sekisho.auth.sasl import Credential
from sekisho.model.identity import (
    ChainAnswer,
    Identity,
    NotMine,
    Rejected,
    Unavailable,
    Verified,
)

OF_ANOTHER = "the token is another account's"
MAX_CHECKING = 64
"""Sessions' tokens shown again at once; the others' turn comes with their next use."""


class Reader(Protocol):
    """Finds out what a token says."""

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages that `walk` passes."""
        ...

    async def read(self, token: str) -> Object:
        """Give a token's claims; see `JwtReader` and `Introspection`."""
        ...

    def walk(self, token: str) -> AsyncIterator[Passed]:
        """Pass the stages to a token's claims, for a diagnosis."""
        ...


@dataclass(frozen=True, slots=True)
class OidcOptions:
    """How one provider's tokens are judged.

    Attributes:
        name: As configured.
        wanted: What a token must say.
        recheck_seconds: How long a token counts without being shown to the provider
            again; infinite where it is read here.

    """

    name: str
    wanted: Wanted
    recheck_seconds: float = float("inf")

    @property
    def rechecks(self) -> bool:
        """Whether a token is shown again at all."""
        return self.recheck_seconds < float("inf")


class OidcAuthenticator:
    """Verifies bearer tokens of one provider.

    An identity lives as long as its token. Where the provider is asked about tokens,
    it is asked again before `recheck_seconds` are over, while the identity is in use;
    once they are over it is not current.
    """

    def __init__(
        self, reader: Reader, options: OidcOptions, clock: Callable[[], float]
    ) -> None:
        self._reader = reader
        self._options = options
        self._clock = clock
        self._lives = Lives(token_bytes)
        self._checking: dict[int, asyncio.Task[None]] = {}

    @property
    def name(self) -> str:
        """As configured."""
        return self._options.name

    @property
    def token_scope(self) -> str:
        """The scopes that a token needs, separated by spaces."""
        return " ".join(self._options.wanted.scopes)

    def credentials(self) -> frozenset[Credential]:
        """Tokens alone."""
        return frozenset({Credential.TOKEN})

    async def pretend(self) -> None:
        """Take no time: there are no passwords here."""

    async def verify_token(self, token: str, account: str) -> ChainAnswer:
        """Verify a token; raises where the provider cannot be asked."""
        generation = self._lives.generation(token.encode())
        life = self._lives.find(generation, self._clock())
        if life is None or not self._is_fresh(life, 1.0):
            try:
                life = await self._read(token, generation)
            except ClaimsError as error:
                self._lives.end(generation)
                return Rejected(str(error), account)
            except OtherIssuerError:
                return NotMine()
            self._lives.begin(life)
        if account and account != life.identity.account:
            return Rejected(OF_ANOTHER, account)
        return Verified(life.identity)

    async def diagnose_token(
        self, token: str, account: str
    ) -> AsyncIterator[DiagnosisStep | ChainAnswer]:
        """Go through a token stage by stage, and then verify it as for a client."""
        async for step in diagnose(
            self._reader, self._options.wanted, token, self._clock
        ):
            yield step
        try:
            answer = await self.verify_token(token, account)
        except AuthUnavailableError as error:
            answer = Unavailable(str(error))
        if isinstance(answer, Rejected) and answer.reason == OF_ANOTHER:
            yield bad("account", OF_ANOTHER)
        yield answer

    def is_current(self, identity: Identity) -> bool:
        """Whether its token has not run out, and still counts."""
        life = self._lives.of(identity, self._clock())
        if life is None or identity.authenticator != self.name:
            return False
        if not self._options.rechecks:
            return True
        if not self._is_fresh(life, 0.5):
            self._check_again(life)
        return self._is_fresh(life, 1.0)

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = list(self._checking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _is_fresh(self, life: Life, part: float) -> bool:
        """Whether it was looked at within a part of the time that it counts."""
        if not self._options.rechecks:
            # A signature costs less than the doubt whether its key was withdrawn.
            return False
        age = self._clock() - life.checked_at
        return 0 <= age < self._options.recheck_seconds * part

    async def _read(self, token: str, generation: int) -> Life:
        wanted = self._options.wanted
        claims = await self._reader.read(token)
        now = self._clock()
        ends = check_times(claims, now)
        check_purpose(claims, wanted)
        identity = self._identity(holder(claims, wanted), generation)
        kept = token if self._options.rechecks else ""
        return Life(identity, ends, now, kept)

    def _identity(self, found: Holder, generation: int) -> Identity:
        return Identity(
            account=found.account,
            authenticator=self.name,
            mechanism="",
            generation=generation,
            addresses=found.addresses,
            groups=found.groups,
        )

    def _check_again(self, life: Life) -> None:
        generation = life.identity.generation
        if generation in self._checking or len(self._checking) >= MAX_CHECKING:
            return
        task = asyncio.ensure_future(self._recheck(life))
        self._checking[generation] = task
        task.add_done_callback(lambda _: self._checking.pop(generation, None))

    async def _recheck(self, life: Life) -> None:
        """Show a token again; a provider that cannot be asked changes nothing."""
        generation = life.identity.generation
        try:
            again = await self._read(life.token, generation)
        except ClaimsError:
            self._lives.end(generation)
            return
        except AuthUnavailableError:
            return
        except Exception:  # noqa: BLE001 - as above; its time runs out by itself
            return
        if replace(again.identity, mechanism="") != life.identity:
            self._lives.end(generation)
        elif self._lives.find(generation, self._clock()) is life:
            life.checked_at, life.ends = again.checked_at, again.ends
