"""Authenticators in order.

`NotMine` goes on to the next, `Unavailable` ends the search (the account might be
there, and somebody else by the same name must not stand in for it), and where all say
`NotMine` the answer is `Rejected`. An exception, or an answer of another kind, is
`Unavailable`: what we do not understand is not a yes (MS01-037), and not a no either.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from sekisho.auth.authenticator import (
    Authenticator,
    AuthUnavailableError,
    Credential,
    ScramRecord,
)
from sekisho.model.identity import (
    Answer,
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

    def credentials(self) -> frozenset[Credential]:
        """What every authenticator can verify for every account; a fault is nothing.

        A client takes the strongest mechanism and does not fall back, so what one
        authenticator cannot verify is not announced for any.
        """
        try:
            each = [frozenset(one.credentials()) for one in self._authenticators]
        except Exception:  # noqa: BLE001 - whatever it is, nothing can be verified
            return frozenset()
        return frozenset[Credential].intersection(*each)

    async def verify_password(self, account: str, password: str) -> Answer:
        """Verify; account and password prepared, and not empty."""
        found = await self._search(
            lambda one: one.verify_password(account, password), account
        )
        match found:
            case (one, Verified(Identity() as identity)) if (
                identity.authenticator == one.name
            ):
                # While the hash was computed the account may have been disabled.
                if self.is_current(identity):
                    return Verified(identity)
                return Rejected(f"{one.name}: the account has changed", account)
            case (one, answer):
                return _no_answer(one, answer)
            case Rejected() | Unavailable():
                return found

    async def scram_record(self, account: str) -> ScramRecord | Rejected | Unavailable:
        """Look SCRAM keys up."""
        found = await self._search(lambda one: one.scram_record(account), account)
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
        await self._authenticators[0].pretend()

    def is_current(self, identity: Identity) -> bool:
        """Whether the identity still is what it was; a doubt is a no."""
        one = self._by_name.get(identity.authenticator)
        try:
            return one is not None and one.is_current(identity) is True
        except Exception:  # noqa: BLE001 - whatever it is, nobody said yes
            return False

    async def _search(
        self, ask: Callable[[Authenticator], Awaitable[A]], account: str
    ) -> tuple[Authenticator, A] | Rejected | Unavailable:
        """Find the first authenticator that has something else to say than a no."""
        for one in self._authenticators:
            try:
                answer = await ask(one)
            except AuthUnavailableError as error:
                return Unavailable(f"{one.name}: {error}")
            except Exception as error:  # noqa: BLE001 - a fault is never a yes
                # Not its text: a library may have put the password there.
                return Unavailable(f"{one.name}: {type(error).__name__}")
            match answer:
                case NotMine():
                    continue
                case Rejected(reason):
                    return Rejected(f"{one.name}: {reason}", account)
                case Unavailable(reason):
                    return Unavailable(f"{one.name}: {reason}")
                case _:
                    return one, answer
        return Rejected("nobody knows the account", account)


def _no_answer(one: Authenticator, answer: object) -> Unavailable:
    return Unavailable(f"{one.name}: {type(answer).__name__} is no answer of its own")
