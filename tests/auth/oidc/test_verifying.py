"""A token is its account's, until it ends, is withdrawn or has changed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from auth.support import Clock
from sekisho.auth.authenticator import AuthUnavailableError
from sekisho.auth.oidc.authenticator import (
    MAX_CHECKING,
    OF_ANOTHER,
    OidcAuthenticator,
    OidcOptions,
)
from sekisho.auth.oidc.claims import LEEWAY_SECONDS, ClaimsError, Passed, Wanted
from sekisho.auth.oidc.document import Object
from sekisho.auth.oidc.jwt import OtherIssuerError
from sekisho.auth.sasl import Credential
from sekisho.model.address import parse_pattern
from sekisho.model.identity import Identity, NotMine, Rejected, Unavailable, Verified

RECHECK = 60.0
LIFETIME = 1000.0
pytestmark = pytest.mark.asyncio


class Reading:
    """A reader that knows tokens by themselves."""

    stages = ("read",)

    def __init__(self, clock: Clock) -> None:
        self.tokens: dict[str, dict[str, object]] = {}
        self.asked: list[str] = []
        self.fault: Callable[[], Exception] | None = None
        self.ends = clock() + LIFETIME

    def give(self, token: str = "t", **claims: object) -> str:
        self.tokens[token] = {
            "preferred_username": "anna",
            "exp": self.ends,
            "aud": "us",
            "scope": "a b",
            "groups": ["staff"],
            "email": "anna@own.test",
            "email_verified": True,
        } | claims
        return token

    async def read(self, token: str) -> Object:
        self.asked.append(token)
        await asyncio.sleep(0)
        if self.fault is not None:
            raise self.fault()
        if token not in self.tokens:
            raise ClaimsError("it is no token")
        return self.tokens[token]

    async def walk(self, token: str) -> AsyncIterator[Passed]:
        yield Passed("it is right", await self.read(token))


class Desk:
    """An authenticator, its reader and its clock."""

    def __init__(self, recheck: float = RECHECK) -> None:
        self.clock = Clock()
        self.reader = Reading(self.clock)
        wanted = Wanted("i", audience=("us",), scopes=("a", "b"), groups="groups")
        options = OidcOptions("idp", wanted, recheck)
        self.one = OidcAuthenticator(self.reader, options, self.clock)

    async def show(self, token: str = "t", account: str = "") -> Identity:
        answer = await self.one.verify_token(token, account)
        assert isinstance(answer, Verified), answer
        return answer.identity

    async def refused(self, token: str = "t", account: str = "") -> str:
        answer = await self.one.verify_token(token, account)
        assert isinstance(answer, Rejected), answer
        return answer.reason

    async def settle(self) -> None:
        for _ in range(8):
            await asyncio.sleep(0)


BOTH = pytest.mark.parametrize("recheck", [RECHECK, float("inf")])


@BOTH
async def test_a_token_is_its_accounts(recheck: float) -> None:
    desk = Desk(recheck)
    desk.reader.give()
    for account in ("", "anna"):
        identity = await desk.show(account=account)
        assert (identity.account, identity.authenticator) == ("anna", "idp")
        assert identity.groups == {"staff"}
        assert identity.addresses == (parse_pattern("anna@own.test"),)
        assert desk.one.is_current(identity)
    assert desk.one.name == "idp"
    assert desk.one.token_scope == "a b"
    assert desk.one.credentials() == {Credential.TOKEN}
    await desk.one.pretend()


@BOTH
@pytest.mark.parametrize("account", ["ceo", "anna@own.test", "Anna", "ann", " "])
async def test_another_users_token_is_refused(recheck: float, account: str) -> None:
    desk = Desk(recheck)
    desk.reader.give()
    for _ in range(2):
        assert await desk.refused(account=account) == OF_ANOTHER
    await desk.show()
    assert await desk.refused(account=account) == OF_ANOTHER


@BOTH
@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 0},
        {"nbf": 1e10},
        {"aud": "them"},
        {"scope": "a"},
        {"cnf": {}},
        {"preferred_username": None},
    ],
    ids=repr,
)
async def test_what_a_token_says_is_held_against_what_is_wanted(
    recheck: float, claims: dict[str, Any]
) -> None:
    desk = Desk(recheck)
    desk.reader.give(**claims)
    for _ in range(2):
        await desk.refused()
    await desk.refused("another")


@BOTH
async def test_a_token_of_another_issuer_is_the_next_ones_matter(
    recheck: float,
) -> None:
    desk = Desk(recheck)
    desk.reader.fault = OtherIssuerError
    assert isinstance(await desk.one.verify_token("t", ""), NotMine)


@BOTH
async def test_a_provider_that_cannot_be_asked_lets_nobody_in(recheck: float) -> None:
    desk = Desk(recheck)
    desk.reader.give()
    desk.reader.fault = lambda: AuthUnavailableError("gone")
    with pytest.raises(AuthUnavailableError):
        await desk.one.verify_token("t", "")
    desk.reader.fault = None
    await desk.show()


@BOTH
async def test_an_identity_ends_with_its_token(recheck: float) -> None:
    desk = Desk(recheck)
    desk.reader.give(exp=desk.clock() + 30)
    identity = await desk.show()
    desk.clock.move(30 + LEEWAY_SECONDS - 1)
    assert desk.one.is_current(identity)
    desk.clock.move(1)
    assert not desk.one.is_current(identity)
    await desk.refused()


async def test_a_token_read_here_is_read_each_time() -> None:
    desk = Desk(float("inf"))
    desk.reader.give()
    identity = await desk.show()
    await desk.show()
    assert len(desk.reader.asked) == 2
    desk.clock.move(LIFETIME / 2)
    assert desk.one.is_current(identity)
    await desk.settle()
    assert len(desk.reader.asked) == 2
    del desk.reader.tokens["t"]
    await desk.refused()
    assert not desk.one.is_current(identity), "a token that is refused is over"


async def test_a_token_counts_so_long_without_being_shown_again() -> None:
    desk = Desk()
    desk.reader.give()
    await desk.show()
    del desk.reader.tokens["t"]
    desk.clock.move(RECHECK - 1)
    await desk.show()
    assert len(desk.reader.asked) == 1
    desk.clock.move(1)
    await desk.refused()


async def test_a_clock_that_was_set_back_proves_nothing() -> None:
    desk = Desk()
    desk.reader.give()
    identity = await desk.show()
    desk.clock.move(-1)
    assert not desk.one.is_current(identity)
    await desk.settle()
    assert desk.one.is_current(identity), "it was shown again"


@pytest.mark.parametrize("other", ["authenticator", "account", "generation"])
async def test_only_what_was_verified_here_is_current(other: str) -> None:
    desk = Desk()
    desk.reader.give()
    identity = await desk.show()
    assert not desk.one.is_current(replace(identity, authenticator="other"))
    assert not desk.one.is_current(replace(identity, account="ceo"))
    assert not desk.one.is_current(replace(identity, generation=7))
    assert desk.one.is_current(replace(identity, mechanism=other))


async def test_a_token_is_shown_again_in_half_its_time() -> None:
    desk = Desk()
    desk.reader.give()
    identity = await desk.show()
    desk.clock.move(RECHECK / 2 - 1)
    assert desk.one.is_current(identity)
    await desk.settle()
    assert desk.reader.asked == ["t"]
    for count in (2, 3, 4):
        desk.clock.move(RECHECK / 2)
        for _ in range(3):
            assert desk.one.is_current(identity)
        await desk.settle()
        assert desk.reader.asked == ["t"] * count


@pytest.mark.parametrize(
    "changes",
    [
        {"preferred_username": "ceo"},
        {"groups": []},
        {"groups": ["staff", "more"]},
        {"email": "ceo@own.test"},
        {"exp": 0},
        {"aud": "them"},
        {"scope": "a"},
        {"cnf": {}},
    ],
    ids=repr,
)
async def test_a_token_that_says_something_else_is_over(
    changes: dict[str, Any],
) -> None:
    desk = Desk()
    desk.reader.give()
    identity = await desk.show()
    desk.reader.give(**changes)
    desk.clock.move(RECHECK / 2)
    assert desk.one.is_current(identity)
    await desk.settle()
    assert not desk.one.is_current(identity)


async def test_a_token_that_is_withdrawn_is_over() -> None:
    desk = Desk()
    desk.reader.give()
    identity = await desk.show()
    del desk.reader.tokens["t"]
    desk.clock.move(RECHECK / 2)
    assert desk.one.is_current(identity)
    await desk.settle()
    assert not desk.one.is_current(identity)
    desk.reader.give()
    assert not desk.one.is_current(identity)


async def test_a_token_whose_end_has_come_nearer_ends_then() -> None:
    desk = Desk()
    desk.reader.give()
    identity = await desk.show()
    desk.clock.move(RECHECK / 2)
    desk.reader.give(exp=desk.clock() + 5)
    assert desk.one.is_current(identity)
    await desk.settle()
    assert desk.one.is_current(identity)
    desk.clock.move(5 + LEEWAY_SECONDS)
    assert not desk.one.is_current(identity)


@pytest.mark.parametrize("kind", [AuthUnavailableError, RuntimeError, OtherIssuerError])
async def test_a_provider_that_is_gone_keeps_nobody_current(
    kind: type[Exception],
) -> None:
    desk = Desk()
    desk.reader.give()
    identity = await desk.show()
    desk.reader.fault = kind
    desk.clock.move(RECHECK / 2)
    assert desk.one.is_current(identity)
    await desk.settle()
    desk.clock.move(RECHECK / 2 - 1)
    assert desk.one.is_current(identity)
    await desk.settle()
    desk.clock.move(1)
    assert not desk.one.is_current(identity)
    await desk.settle()
    desk.reader.fault = None
    assert not desk.one.is_current(identity)
    await desk.settle()
    assert desk.one.is_current(identity), "it is asked again once it is back"


async def test_a_token_that_ended_while_it_was_shown_stays_over() -> None:
    desk = Desk()
    desk.reader.give()
    identity = await desk.show()
    desk.clock.move(RECHECK / 2)
    assert desk.one.is_current(identity)
    desk.one._lives.end(identity.generation)
    await desk.settle()
    assert not desk.one.is_current(identity)


async def test_so_many_are_shown_at_once_and_no_more() -> None:
    desk = Desk()
    names = [desk.reader.give(f"t{n}") for n in range(MAX_CHECKING + 1)]
    identities = [await desk.show(name) for name in names]
    desk.reader.asked.clear()
    desk.clock.move(RECHECK / 2)
    assert all(desk.one.is_current(one) for one in identities)
    await desk.settle()
    assert desk.reader.asked == names[:-1]
    assert all(desk.one.is_current(one) for one in identities)
    await desk.settle()
    assert desk.reader.asked == names


async def test_what_is_under_way_ends_with_it() -> None:
    desk = Desk()
    desk.reader.give()
    identity = await desk.show()
    desk.clock.move(RECHECK / 2)
    assert desk.one.is_current(identity)
    await desk.one.close()
    await desk.settle()
    assert not desk.one._checking
    desk.clock.move(RECHECK / 2)
    assert not desk.one.is_current(identity)
    await desk.one.close()


@pytest.mark.parametrize("fault", [None, AuthUnavailableError])
async def test_a_diagnosis_ends_with_the_answer(fault: type[Exception] | None) -> None:
    desk = Desk()
    desk.reader.give()
    desk.reader.fault = fault
    *_, answer = [one async for one in desk.one.diagnose_token("t", "anna")]
    assert isinstance(answer, Unavailable if fault else Verified)
    *steps, answer = [one async for one in desk.one.diagnose_token("t", "ceo")]
    assert isinstance(answer, Unavailable if fault else Rejected)
    assert (OF_ANOTHER in repr(steps)) == (fault is None)
    assert set(desk.reader.asked) == {"t"}
