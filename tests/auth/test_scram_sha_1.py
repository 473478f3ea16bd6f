"""SCRAM-SHA-1 is there for old programs, and off (RFC 5802)."""

from binascii import a2b_base64

import pytest

from auth.keepers import local_gatekeeper
from auth.support import CONTEXT, NAME, PASSWORD, Clock, b64, say, scram, scram_client
from sekisho.auth.accounts import AccountStore, NewAccount
from sekisho.auth.gatekeeper import Door, Gatekeeper
from sekisho.auth.hashing import HashingPool
from sekisho.auth.sasl import Challenge, Proven
from sekisho.auth.scram import _client_final, derive_keys
from sekisho.model.identity import Rejected, Verified

SHA_1 = ("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1")
EVERY = (*SHA_1, "SCRAM-SHA-256", "PLAIN")


@pytest.fixture
def named(store: AccountStore, pool: HashingPool, clock: Clock) -> Gatekeeper:
    """Whose front door's listener names it."""
    doors = {CONTEXT.listener: Door(mechanisms=EVERY)}
    return local_gatekeeper(store, pool, clock=clock, doors=doors)


def test_rfc_5802_vector() -> None:
    nonce = "fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j"
    salt = "QSXCR+Q6sek8bf92"
    keys = derive_keys("pencil", a2b_base64(salt), 4096, "sha1")
    assert b64(keys.salt) == salt
    step = _client_final(
        f"c=biws,r={nonce},p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        "user",
        (nonce, "biws"),
        keys,
        f"n=user,r=fyko+d2lbbFgONRv9qkxdawL,r={nonce},s={salt},i=4096",
        "sha1",
    )
    assert step == Proven("user", b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")


def test_it_is_off_unless_a_listener_names_it(
    keeper: Gatekeeper, named: Gatekeeper, store: AccountStore
) -> None:
    store.keeps_sha_1 = True
    store.set_password(NAME, PASSWORD)
    assert not {*SHA_1} & {*keeper.mechanisms()}
    assert named.mechanisms(CONTEXT.listener) == (*("SCRAM-SHA-256", *SHA_1, "PLAIN"),)


def test_it_is_off_while_an_account_has_no_such_keys(
    named: Gatekeeper, store: AccountStore
) -> None:
    assert not {*SHA_1} & {*named.mechanisms(CONTEXT.listener)}
    store.keeps_sha_1 = True
    store.set_password(NAME, PASSWORD)
    assert {*SHA_1} <= {*named.mechanisms(CONTEXT.listener)}
    store.add(NewAccount("late", PASSWORD, scram=False))
    assert not {*SHA_1} & {*named.mechanisms(CONTEXT.listener)}
    store.disable("late")
    assert {*SHA_1} <= {*named.mechanisms(CONTEXT.listener)}
    store.keeps_sha_1 = False
    store.set_password(NAME, PASSWORD)
    assert not {*SHA_1} & {*named.mechanisms(CONTEXT.listener)}


@pytest.mark.asyncio
async def test_another_client_signs_in_by_it_and_by_nothing_less(
    named: Gatekeeper, store: AccountStore
) -> None:
    store.keeps_sha_1 = True
    store.set_password(NAME, PASSWORD)
    for mechanism in ("SCRAM-SHA-1", "SCRAM-SHA-256"):
        answer = await scram(named.begin(mechanism, CONTEXT), scram_client(mechanism))
        assert isinstance(answer, Verified)
        assert answer.identity.mechanism == mechanism
        wrong = scram_client(mechanism, NAME, "wrong")
        assert isinstance(await scram(named.begin(mechanism, CONTEXT), wrong), Rejected)
    # A proof of one hash is none of the other's.
    other = scram_client("SCRAM-SHA-256")
    assert isinstance(await scram(named.begin("SCRAM-SHA-1", CONTEXT), other), Rejected)


@pytest.mark.asyncio
async def test_an_unknown_account_has_a_salt_of_its_own_for_each_hash(
    named: Gatekeeper, store: AccountStore
) -> None:
    store.keeps_sha_1 = True
    store.set_password(NAME, PASSWORD)
    seen: dict[str, set[str]] = {}
    for mechanism in ("SCRAM-SHA-1", "SCRAM-SHA-256") * 2:
        for name in (NAME, "nobody"):
            challenge = await say(named, mechanism, [f"n,,n={name},r=abc".encode()])
            assert isinstance(challenge, Challenge)
            _, salt, count = challenge.data.decode().split(",")
            seen.setdefault(f"{mechanism} {name}", set()).add(f"{salt} {count}")
    assert [len(one) for one in seen.values()] == [1, 1, 1, 1]
    assert len({one for each in seen.values() for one in each}) == 4
    assert len({len(one) for each in seen.values() for one in each}) == 1
