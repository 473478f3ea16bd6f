"""Only a provider's own, strong, public keys count, and only while they are fresh."""

import asyncio
import warnings
from collections.abc import Mapping
from typing import Any, cast

import pytest
from joserfc.jwk import ECKey, RSAKey

from auth.support import Clock
from sekisho.auth.authenticator import AuthUnavailableError
from sekisho.auth.oidc.document import Object
from sekisho.auth.oidc.keys import (
    MAX_KEYS,
    REFETCH_SECONDS,
    RETRY_SECONDS,
    KeySource,
    PublicKey,
    usable_keys,
)

FRESH = 600.0
with warnings.catch_warnings(action="ignore"):
    EC = cast("Mapping[str, Any]", ECKey.generate_key("P-256").as_dict(private=False))
    RSA, WEAK = (
        cast("Mapping[str, Any]", RSAKey.generate_key(bits).as_dict(private=False))
        for bits in (2048, 2040)
    )


def named(kid: str, **changes: object) -> dict[str, object]:
    return {**EC, "kid": kid, **changes}


def first(entry: Mapping[str, object]) -> PublicKey | None:
    found = list(usable_keys({"keys": [entry]}))
    return found[0] if found else None


# -- which keys -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "kid", "algorithm"),
    [
        ({}, "", ""),
        ({"kid": "a"}, "a", ""),
        ({"alg": "ES256"}, "", "ES256"),
        ({"use": "sig"}, "", ""),
        ({"key_ops": ["verify"]}, "", ""),
        ({"key_ops": ["sign", "verify"]}, "", ""),
        ({"x5c": ["MIIB"], "x5t": 7, "anything": {}}, "", ""),
    ],
    ids=repr,
)
def test_a_key_for_signatures_is_taken(
    changes: dict[str, object], kid: str, algorithm: str
) -> None:
    for kind, entry in (("EC", EC), ("RSA", RSA)):
        bare = {k: v for k, v in entry.items() if k != "kid"}
        found = first({**bare, **changes})
        assert found is not None
        assert (found.kid, found.kind, found.algorithm) == (kid, kind, algorithm)


@pytest.mark.parametrize(
    "changes",
    [
        {"kty": "oct", "k": "AAAA"},
        {"kty": "OKP"},
        {"kty": None},
        {"kty": ["EC"]},
        {"kty": {}},
        {"kid": None},
        {"kid": 1},
        {"alg": None},
        {"alg": 1},
        {"use": "enc"},
        {"use": None},
        {"use": ["sig"]},
        {"key_ops": "verify"},
        {"key_ops": None},
        {"key_ops": []},
        {"key_ops": ["sign", "encrypt"]},
        {"crv": "P-0", "e": "AA"},
        {"x": 7, "n": 7},
        {"x": None, "n": None},
        {"x": "!", "n": "!"},
        {"x": "AAAA", "n": "AAAA"},
    ],
    ids=repr,
)
def test_what_is_no_public_key_for_signatures_is_passed_over(
    changes: dict[str, object],
) -> None:
    for entry in (EC, RSA):
        assert first({**entry, **changes}) is None
    found = list(usable_keys({"keys": [{**EC, **changes}, named("good")]}))
    assert [one.kid for one in found] == ["good"]


def test_a_weak_key_is_none() -> None:
    assert first(RSA) is not None
    with warnings.catch_warnings(action="ignore"):
        assert first(WEAK) is None


def test_a_private_key_is_taken_as_its_public_half() -> None:
    private = ECKey.generate_key("P-256").as_dict(private=True)
    found = first(cast("Mapping[str, object]", private))
    assert found is not None
    assert not found.key.is_private


@pytest.mark.parametrize("listed", [..., None, "all", 1, {"0": dict(EC)}])
def test_what_is_no_list_of_keys_is_no_answer(listed: object) -> None:
    with pytest.raises(AuthUnavailableError, match="no list"):
        list(usable_keys({} if listed is ... else {"keys": listed}))


def test_entries_that_are_no_objects_are_passed_over() -> None:
    found = list(usable_keys({"keys": [None, 1, "EC", [dict(EC)], named("a")]}))
    assert [one.kid for one in found] == ["a"]


def test_so_many_keys_and_no_more() -> None:
    entry: Object = {}
    assert not list(usable_keys({"keys": [entry] * MAX_KEYS}))
    with pytest.raises(AuthUnavailableError, match="more than"):
        list(usable_keys({"keys": [entry] * (MAX_KEYS + 1)}))


def test_a_key_fits_its_kind_its_algorithm_and_its_name() -> None:
    rsa, ec = first({**RSA, "kid": "a"}), first(named("a"))
    one = first(named("a", alg="ES256"))
    bare = first({k: v for k, v in EC.items() if k != "kid"})
    assert rsa is not None
    assert ec is not None
    assert one is not None
    assert bare is not None
    for algorithm in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"):
        assert rsa.fits("a", algorithm)
        assert not ec.fits("a", algorithm)
    for algorithm in ("ES256", "ES384"):
        assert ec.fits("a", algorithm)
        assert not rsa.fits("a", algorithm)
    for algorithm in ("HS256", "none", "", "EdDSA", "es256"):
        assert not any(key.fits("a", algorithm) for key in (rsa, ec, one, bare))
    assert one.fits("a", "ES256")
    assert not one.fits("a", "ES384")
    assert ec.fits("", "ES256")
    assert bare.fits("", "ES256")
    for name in ("b", "A", "aa"):
        assert not ec.fits(name, "ES256")
        assert not bare.fits(name, "ES256")


# -- how long -------------------------------------------------------------------------


class Provider:
    """What it publishes, how often it was asked, and whether it can be."""

    def __init__(self, *entries: Mapping[str, object]) -> None:
        self.document: Object = {"keys": list(entries)}
        self.asked = 0
        self.fails = False
        self.clock = Clock()
        self.source = KeySource(self.fetch, self.clock, FRESH)

    async def fetch(self) -> Object:
        self.asked += 1
        await asyncio.sleep(0)
        if self.fails:
            raise AuthUnavailableError("gone")
        return self.document

    async def has(self, kid: str) -> bool:
        found = await self.source.find(kid, "ES256")
        assert found is None or kid in ("", found.kid)
        return found is not None

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_keys_are_fetched_once_while_they_are_fresh() -> None:
    provider = Provider(named("a"))
    assert all(await asyncio.gather(*(provider.has("a") for _ in range(5))))
    provider.clock.move(FRESH / 2 - 1)
    assert await provider.has("a")
    await provider.settle()
    assert provider.asked == 1


@pytest.mark.asyncio
async def test_a_name_of_two_keys_is_none() -> None:
    provider = Provider(named("a"), named("a", alg="ES256"), named("b"))
    assert not await provider.has("a")
    assert not await provider.has("")
    assert await provider.has("b")


@pytest.mark.asyncio
async def test_a_withdrawn_key_does_not_outlive_its_time() -> None:
    provider = Provider(named("a"))
    assert await provider.has("a")
    provider.document = {"keys": [named("b")]}
    provider.clock.move(FRESH)
    assert not await provider.has("a")
    assert await provider.has("b")
    assert provider.asked == 2


@pytest.mark.asyncio
async def test_a_withdrawn_key_ends_sooner_where_its_provider_is_asked() -> None:
    provider = Provider(named("a"))
    assert await provider.has("a")
    provider.document = {"keys": [named("b")]}
    provider.clock.move(FRESH / 2)
    assert await provider.has("a")
    await provider.settle()
    assert provider.asked == 2
    assert not await provider.has("a")


@pytest.mark.asyncio
async def test_keys_are_over_where_nobody_can_be_asked() -> None:
    provider = Provider(named("a"))
    assert await provider.has("a")
    provider.fails = True
    provider.clock.move(FRESH - 1)
    assert await provider.has("a")
    await provider.settle()
    for _ in range(3):
        provider.clock.move(RETRY_SECONDS)
        with pytest.raises(AuthUnavailableError):
            await provider.has("a")
    asked = provider.asked
    provider.clock.move(RETRY_SECONDS / 2)
    with pytest.raises(AuthUnavailableError, match="just now"):
        await provider.has("a")
    assert provider.asked == asked
    provider.fails = False
    provider.clock.move(RETRY_SECONDS / 2)
    assert await provider.has("a")
    provider.clock.move(-2 * FRESH)  # proves nothing about their age
    assert await provider.has("a")
    assert provider.asked == asked + 2


@pytest.mark.asyncio
async def test_an_unknown_name_is_looked_for_once_in_a_while() -> None:
    provider = Provider(named("a"))
    assert not await provider.has("b")
    provider.document = {"keys": [named("b")]}
    provider.clock.move(REFETCH_SECONDS - 1)
    assert not await provider.has("b")
    assert provider.asked == 1
    provider.clock.move(1)
    assert await provider.has("b")
    assert not await provider.has("a")
    assert not await provider.has("c")
    assert provider.asked == 2


@pytest.mark.asyncio
async def test_a_provider_without_a_usable_key_is_no_answer() -> None:
    provider = Provider(named("a"))
    provider.document = {"keys": [named("a", use="enc")]}
    with pytest.raises(AuthUnavailableError, match="no key"):
        await provider.has("a")


@pytest.mark.asyncio
async def test_a_source_that_is_closed_fetches_no_more() -> None:
    provider = Provider(named("a"))
    waiting = asyncio.ensure_future(provider.has("a"))
    await asyncio.sleep(0)
    await provider.source.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await Provider().source.close()
