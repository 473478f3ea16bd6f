"""App passwords: narrower than their account, revocable, and as hard to guess."""

import asyncio
from ipaddress import ip_address
from typing import Any

import pytest

from auth.support import CONTEXT, NAME, Clock, plain
from replacing import replace
from sekisho.auth.account import Account, AccountError
from sekisho.auth.accounts import AccountStore, NewAccount
from sekisho.auth.app_passwords import (
    MAX_APP_PASSWORDS,
    MAX_NETWORKS,
    Scope,
    digest_of,
    random_app_password,
)
from sekisho.auth.gatekeeper import Gatekeeper
from sekisho.auth.hashing import HashingPool
from sekisho.auth.local import LocalAuthenticator
from sekisho.model.address import parse_address
from sekisho.model.identity import Rejected, Verified


def made(store: AccountStore, label: str = "printer", **scope: Any) -> str:
    password = random_app_password()
    store.add_app_password(NAME, label, password, Scope(**scope))
    return password


async def answer(keeper: Gatekeeper, password: str) -> object:
    return await keeper.begin("PLAIN", CONTEXT).step(plain(NAME, password))


@pytest.mark.asyncio
async def test_an_app_password_verifies_with_and_without_its_dashes(
    keeper: Gatekeeper, store: AccountStore
) -> None:
    password = made(store)
    for spelled in (password, password.replace("-", ""), password.replace("-", " ")):
        match await answer(keeper, spelled):
            case Verified(identity):
                assert identity.credential == "printer"
                assert identity.addresses == store.get(NAME).addresses
            case other:
                pytest.fail(f"{other}")


@pytest.mark.asyncio
async def test_a_revoked_one_is_refused_at_once_and_its_sessions_are_stale(
    keeper: Gatekeeper, store: AccountStore
) -> None:
    password = made(store)
    found = await answer(keeper, password)
    assert isinstance(found, Verified)
    store.revoke_app_password(NAME, "Printer")
    assert not keeper.is_current(found.identity)
    assert isinstance(await answer(keeper, password), Rejected)
    with pytest.raises(AccountError, match="no app password"):
        store.revoke_app_password(NAME, "printer")


@pytest.mark.asyncio
async def test_one_that_expires_is_refused_from_that_moment_on(
    keeper: Gatekeeper, store: AccountStore, pool: HashingPool, clock: Clock
) -> None:
    password = made(store, expires_at=clock() + 10)
    found = await answer(keeper, password)
    assert isinstance(found, Verified)
    clock.move(10)
    assert not keeper.is_current(found.identity)
    assert isinstance(await answer(keeper, password), Rejected)
    # Not only because the chain looks once more at whom it lets in.
    local = LocalAuthenticator(store, pool, clock=clock)
    assert isinstance(await local.verify_password(NAME, password), Rejected)


@pytest.mark.asyncio
async def test_it_is_refused_from_other_networks_also_when_remembered(
    keeper: Gatekeeper, store: AccountStore
) -> None:
    other = ip_address("198.51.100.7")
    assert CONTEXT.client != other
    password = made(store, networks=[f"{CONTEXT.client}/32"])
    assert isinstance(await answer(keeper, password), Verified)
    elsewhere = replace(CONTEXT, client=other)
    found = await keeper.begin("PLAIN", elsewhere).step(plain(NAME, password))
    assert isinstance(found, Rejected)
    assert "is not for" in found.reason


@pytest.mark.asyncio
async def test_it_is_narrowed_to_its_addresses(
    keeper: Gatekeeper, store: AccountStore
) -> None:
    store.set_addresses(NAME, ["*@scan.example.com"])
    password = made(store, addresses=["one@scan.example.com"])
    found = await answer(keeper, password)
    assert isinstance(found, Verified)
    assert found.identity.owns(parse_address("one@scan.example.com"))
    assert not found.identity.owns(parse_address("two@scan.example.com"))
    with pytest.raises(AccountError, match="may not send"):
        made(store, "wide", addresses=["*"])


@pytest.mark.asyncio
async def test_its_bound_of_messages_goes_with_whoever_used_it(
    keeper: Gatekeeper, store: AccountStore
) -> None:
    found = await answer(keeper, made(store, max_messages_per_day=7))
    assert isinstance(found, Verified)
    assert found.identity.max_messages_per_day == 7


@pytest.mark.asyncio
async def test_while_there_are_some_scram_is_not_announced(
    keeper: Gatekeeper, store: AccountStore
) -> None:
    assert "SCRAM-SHA-256" in keeper.mechanisms()
    made(store)
    assert keeper.mechanisms() == ("PLAIN", "LOGIN")
    store.revoke_app_password(NAME, "printer")
    assert "SCRAM-SHA-256" in keeper.mechanisms()


@pytest.mark.asyncio
async def test_a_disabled_or_expired_account_has_no_use_of_them(
    keeper: Gatekeeper, store: AccountStore, clock: Clock
) -> None:
    password = made(store)
    store.disable(NAME)
    assert isinstance(await answer(keeper, password), Rejected)
    store.enable(NAME)
    store.expire(NAME, clock() + 5)
    found = await answer(keeper, password)
    assert isinstance(found, Verified)
    clock.move(5)
    assert isinstance(await answer(keeper, password), Rejected)
    assert not keeper.is_current(found.identity)


@pytest.mark.asyncio
async def test_its_last_use_is_written_down(
    keeper: Gatekeeper, store: AccountStore, clock: Clock
) -> None:
    password = made(store)
    before = store.get(NAME).generation
    assert isinstance(await answer(keeper, password), Verified)
    for _ in range(100):
        if store.get(NAME).app_passwords[0].last_used_at:
            break
        await asyncio.sleep(0.01)
    used = store.get(NAME)
    assert used.app_passwords[0].last_used_at == clock()
    assert used.generation == before


def test_bounds_and_rules(store: AccountStore, clock: Clock) -> None:
    made(store)
    cases: tuple[tuple[dict[str, Any], str, str], ...] = (
        ({}, "printer", "already"),
        ({}, "two words", "label"),
        ({"networks": ["10.0.0.1/8"]}, "n", "network is wrong"),
        ({"networks": ["10.0.0.1"] * (MAX_NETWORKS + 1)}, "n", "at most"),
        ({"addresses": ["no address"]}, "a", "no address"),
        ({"expires_at": clock()}, "e", "expired already"),
        ({"max_messages_per_day": -1}, "m", "not below 0"),
    )
    for scope, label, words in cases:
        with pytest.raises(AccountError, match=words):
            made(store, label, **scope)
    for number in range(1, MAX_APP_PASSWORDS):
        made(store, f"p{number}")
    with pytest.raises(AccountError, match="at most"):
        made(store, "one-more")


def test_it_is_random_enough_and_kept_under_a_key() -> None:
    some = {random_app_password() for _ in range(200)}
    assert len(some) == 200
    assert all(len(one.replace("-", "")) == 30 for one in some)  # 31 ** 30 > 2 ** 148
    one = some.pop()
    assert digest_of(b"a" * 32, one) != digest_of(b"b" * 32, one)


def test_an_account_that_is_removed_takes_them_along(store: AccountStore) -> None:
    password = made(store)
    store.remove(NAME)
    again = store.add(NewAccount(NAME, "correct horse battery"))
    assert again.app_passwords == ()
    assert password not in repr(again)


def test_each_password_and_each_key_has_a_digest_of_its_own() -> None:
    password = random_app_password()
    digest = digest_of(b"key", password)
    assert digest == digest_of(b"key", password.replace("-", " "))
    for key, other in (
        (b"key", random_app_password()),
        (b"key", password[:-1]),
        (b"key", password.swapcase()),
        (b"key", ""),
        (b"another", password),
    ):
        assert digest_of(key, other) != digest


def test_what_an_app_password_may_is_kept_as_it_was_said(store: AccountStore) -> None:
    texts = tuple(f"192.0.2.{number}/32" for number in range(MAX_NETWORKS))
    store.set_addresses(NAME, ["a@own.test", "b@own.test"])
    made(store, addresses=("a@own.test", "b@own.test"), networks=texts)
    account = store.find(NAME)
    assert isinstance(account, Account)
    (kept,) = account.app_passwords
    assert list(map(str, kept.addresses)) == ["a@own.test", "b@own.test"]
    assert list(map(str, kept.networks)) == list(texts)
