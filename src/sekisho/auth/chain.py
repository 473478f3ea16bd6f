"""Authenticators in order.

`NotMine` goes on to the next, `Unavailable` ends the search (the account might be
there, and somebody else by the same name must not stand in for it), and where all say
`NotMine` the answer is `Rejected`. An exception, or an answer of another kind, is
`Unavailable`: what we do not understand is not a yes (MS01-037), and not a no either.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import TypeVar, cast

from sekisho.auth.authenticator import (
    Acceptor,
    AcceptsTickets,
    Authenticator,
    AuthUnavailableError,
    ChecksCertificates,
    ChecksPasswords,
    ChecksTokens,
    KeepsScramKeys,
    KeepsScramSha1Keys,
    KeysAnswer,
    ScramRecord,
)
from sekisho.auth.context import AuthContext
from sekisho.auth.sasl import Challenge, Credential
from sekisho.model.identity import (
    Answer,
    ChainAnswer,
    Identity,
    NotMine,
    Rejected,
    Unavailable,
    Verified,
)

A = TypeVar("A")


class Chain:
    """Asks authenticators in order.

    Raises:
        ValueError: There is none, or two have one name.

    """

    def __init__(self, authenticators: Sequence[Authenticator]) -> None:
        self._authenticators = tuple(authenticators)
        self._by_name = {one.name: one for one in authenticators}
        if not authenticators or len(self._by_name) != len(self._authenticators):
            raise ValueError("a chain needs authenticators, each with its own name")

    @property
    def names(self) -> tuple[str, ...]:
        """In order."""
        return tuple(self._by_name)

    def only(self, names: Sequence[str]) -> "Chain":
        """The chain of some of them, in this chain's order."""
        return Chain([one for one in self._authenticators if one.name in names])

    def credentials(self) -> frozenset[Credential]:
        """What every authenticator can verify for every account; a fault is nothing.

        A client takes the strongest mechanism and does not fall back, so what one
        authenticator cannot verify is not announced for any.
        """
        return _common(self._each())

    def some_credentials(self) -> frozenset[Credential]:
        """What at least one of them can verify; a fault is nothing."""
        return frozenset[Credential].union(*self._each())

    def _each(self) -> tuple[frozenset[Credential], ...]:
        return tuple([_credentials(one) for one in self._authenticators])

    async def verify_password(self, account: str, password: str) -> Answer:
        """Verify; account and password prepared, and not empty."""

        def ask(one: Authenticator) -> Awaitable[ChainAnswer]:
            return cast("ChecksPasswords", one).verify_password(account, password)

        return await self._verify(Credential.PASSWORD, ask, account)

    async def verify_token(self, token: str, account: str) -> Answer:
        """Verify a bearer token, of this account if it is not empty."""

        def ask(one: Authenticator) -> Awaitable[ChainAnswer]:
            return cast("ChecksTokens", one).verify_token(token, account)

        return await self._verify(Credential.TOKEN, ask, account)

    @property
    def token_scope(self) -> str:
        """What scope a token needs for the first who can verify one; may be empty."""
        for one in self._authenticators:
            if Credential.TOKEN in _credentials(one):
                return cast("ChecksTokens", one).token_scope
        return ""

    async def verify_certificate(self, certificate: bytes, account: str) -> Answer:
        """Say whose a client's certificate is, and whether it may be this account."""

        def ask(one: Authenticator) -> Awaitable[ChainAnswer]:
            return cast("ChecksCertificates", one).verify_certificate(
                certificate, account
            )

        return await self._verify(Credential.CERTIFICATE, ask, account)

    def acceptor(
        self, credential: Credential, mechanism: str, context: AuthContext
    ) -> "CheckedAcceptor":
        """Begin an exchange of tickets with the first that takes them.

        Raises:
            AuthUnavailableError: There is none.

        """
        for one in self._authenticators:
            if credential in one.credentials():
                acceptor = cast("AcceptsTickets", one).accept(mechanism, context)
                return CheckedAcceptor(self, one, acceptor)
        raise AuthUnavailableError("nobody takes such tickets")

    async def _verify(
        self,
        credential: Credential,
        ask: Callable[[Authenticator], Awaitable[ChainAnswer]],
        account: str,
    ) -> Answer:
        found = await self._search(credential, ask, account)
        match found:
            case (one, answer):
                return self.judged(one, answer)
            case Rejected() | Unavailable():
                return found

    def judged(self, one: Authenticator, answer: object) -> Answer:
        """Take an answer of an authenticator for what it is, and for no more."""
        match answer:
            case Verified(Identity() as identity) if identity.authenticator == one.name:
                # While it was found out the account may have been disabled.
                if self.is_current(identity):
                    return Verified(identity)
                return Rejected(
                    f"{one.name}: the account has changed", identity.account
                )
            case Unavailable(reason):
                return Unavailable(f"{one.name}: {reason}")
            case _:
                return _no_answer(one, answer)

    async def scram_record(
        self, account: str, credential: Credential = Credential.SCRAM_SHA_256
    ) -> ScramRecord | Rejected | Unavailable:
        """Look SCRAM keys up, those of this hash."""

        def ask(one: Authenticator) -> Awaitable[KeysAnswer]:
            if credential is Credential.SCRAM_SHA_1:
                return cast("KeepsScramSha1Keys", one).scram_sha_1_record(account)
            return cast("KeepsScramKeys", one).scram_record(account)

        found = await self._search(credential, ask, account)
        match found:
            case (one, ScramRecord(identity=Identity() as identity) as record) if (
                identity.authenticator == one.name
            ):
                return record
            case (one, answer):
                return _no_answer(one, answer)
            case Rejected() | Unavailable():
                return found

    async def pretend(self) -> None:
        """Take as long as a wrong password takes."""
        checking = (
            one
            for one in self._authenticators
            if Credential.PASSWORD in _credentials(one)
        )
        await next(checking, self._authenticators[0]).pretend()

    def is_current(self, identity: Identity) -> bool:
        """Whether the identity still is what it was; a doubt is a no."""
        one = self._by_name.get(identity.authenticator)
        try:
            return one is not None and one.is_current(identity) is True
        except Exception:  # noqa: BLE001 - whatever it is, nobody said yes
            return False

    async def _search(
        self,
        credential: Credential,
        ask: Callable[[Authenticator], Awaitable[A]],
        account: str,
    ) -> tuple[Authenticator, A] | Rejected | Unavailable:
        """Find the first authenticator that has something else to say than a no."""
        for one in self._authenticators:
            try:
                if credential not in one.credentials():
                    continue
                answer = await ask(one)
            except AuthUnavailableError as error:
                return Unavailable(f"{one.name}: {error}")
            except Exception as error:  # noqa: BLE001 - a fault is never a yes
                # Not its text: a library may have put the password there.
                return Unavailable(f"{one.name}: {type(error).__name__}")
            match answer:
                case NotMine():
                    continue
                case Rejected(reason, claimed):
                    return Rejected(f"{one.name}: {reason}", account or claimed)
                case Unavailable(reason):
                    return Unavailable(f"{one.name}: {reason}")
                case _:
                    return one, answer
        return Rejected("nobody knows the account, or can verify it so", account)


class CheckedAcceptor:
    """An authenticator's acceptor; its answers are taken for no more than they are."""

    def __init__(self, chain: Chain, one: Authenticator, acceptor: Acceptor) -> None:
        self._chain = chain
        self._one = one
        self._acceptor = acceptor

    @property
    def account(self) -> str:
        """Whom the client claims to be, as far as is known."""
        return self._acceptor.account

    async def step(self, response: bytes) -> Challenge | Answer:
        """Take the client's next token."""
        name = self._one.name
        try:
            answer = await self._acceptor.step(response)
        except AuthUnavailableError as error:
            return Unavailable(f"{name}: {error}")
        except Exception as error:  # noqa: BLE001 - a fault is never a yes
            return Unavailable(f"{name}: {type(error).__name__}")
        match answer:
            case Challenge():
                return answer
            case NotMine():
                return Rejected(f"{name}: it has no such account", self.account)
            case Rejected(reason, account):
                return Rejected(f"{name}: {reason}", account or self.account)
            case _:
                return self._chain.judged(self._one, answer)

    def close(self) -> None:
        """Let go of what is held."""
        self._acceptor.close()


@lru_cache(maxsize=64)
def _common(each: tuple[frozenset[Credential], ...]) -> frozenset[Credential]:
    return frozenset[Credential].intersection(*each)


def _credentials(one: Authenticator) -> frozenset[Credential]:
    try:
        return frozenset(one.credentials())
    except Exception:  # noqa: BLE001 - whatever it is, nothing can be verified
        return frozenset()


def _no_answer(one: Authenticator, answer: object) -> Unavailable:
    return Unavailable(f"{one.name}: {type(answer).__name__} is no answer of its own")
