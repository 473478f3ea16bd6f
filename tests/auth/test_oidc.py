"""Only a token that the provider has made, for us, and that still holds, is a yes."""

import asyncio
import hmac
import json
import re
import time
import warnings
from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from auth.support import CONTEXT, Clock
from peers.oidc import (
    AUDIENCE,
    CLIENT_ID,
    CLIENT_SECRET,
    FAULTS,
    LIFETIME,
    SCOPE,
    OidcProvider,
    b64url,
)
from sekisho.auth.gatekeeper import Gatekeeper, GatekeeperOptions
from sekisho.auth.lockout import Lockout, LockoutRules
from sekisho.auth.oidc.authenticator import OidcAuthenticator, OidcOptions, Reader
from sekisho.auth.oidc.claims import LEEWAY_SECONDS, MAX_VALUES, Wanted
from sekisho.auth.oidc.introspection import Introspection
from sekisho.auth.oidc.jwt import JwtReader
from sekisho.auth.oidc.keys import MAX_KEYS, REFETCH_SECONDS, KeySource
from sekisho.auth.oidc.provider import Login, Provider
from sekisho.auth.sasl import Challenge
from sekisho.model.address import parse_pattern
from sekisho.model.identity import (
    Answer,
    Rejected,
    Unavailable,
    Verified,
)

USER = "user@own.test"
FRESH = 600.0
RECHECK = 60.0
SECONDS = 0.5


@dataclass
class Desk:
    """A gatekeeper of one provider."""

    provider: OidcProvider
    keeper: Gatekeeper
    one: OidcAuthenticator
    clock: Clock

    async def show(self, token: str, account: str = "") -> Answer:
        """Show a token by OAUTHBEARER, and hear the whole exchange out."""
        name = f"a={account}" if account else ""
        exchange = self.keeper.begin("OAUTHBEARER", CONTEXT)
        answer = await exchange.step(
            f"n,{name},\x01auth=Bearer {token}\x01\x01".encode()
        )
        if isinstance(answer, Challenge):
            assert json.loads(answer.data)["status"] == "invalid_token"
            answer = await exchange.step(b"\x01")
        assert not isinstance(answer, Challenge)
        assert token not in repr(answer)
        return answer

    async def refused(self, token: str, account: str = "") -> str:
        answer = await self.show(token, account)
        assert isinstance(answer, Rejected), answer
        return answer.reason


@asynccontextmanager
async def desk_of(
    provider: OidcProvider,
    *,
    introspection: bool = False,
    algorithms: tuple[str, ...] = ("RS256", "ES256", "PS256"),
    **wanted: Any,
) -> AsyncGenerator[Desk]:
    clock = Clock(time.time())
    async with AsyncExitStack() as closing:
        asked = Provider(provider.ca, seconds=SECONDS)
        closing.push_async_callback(asked.close)
        reader: Reader
        if introspection:
            login = Login(CLIENT_ID, CLIENT_SECRET)
            url = f"{provider.url}/introspect"
            reader = Introspection(asked, url, login, provider.issuer)
        else:
            source = KeySource(lambda: asked.get(f"{provider.url}/keys"), clock, FRESH)
            closing.push_async_callback(source.close)
            reader = JwtReader(provider.issuer, algorithms, source)
        wanted = {"audience": (AUDIENCE,), "scopes": (SCOPE,), **wanted}
        recheck = RECHECK if introspection else float("inf")
        options = OidcOptions("idp", Wanted(provider.issuer, **wanted), recheck)
        one = OidcAuthenticator(reader, options, clock)
        closing.push_async_callback(one.close)
        keeper = Gatekeeper(
            [one],
            Lockout(LockoutRules(pair_failures=10_000, block_failures=10_000)),
            clock=clock,
            options=GatekeeperOptions(decoy_secret=b"s" * 32),
        )
        yield Desk(provider, keeper, one, clock)


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[OidcProvider]:
    with OidcProvider(tmp_path) as serving:
        yield serving


# -- what is a yes --------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256"])
async def test_a_token_of_the_provider_is_its_user(
    provider: OidcProvider, algorithm: str
) -> None:
    provider.rotate("EC" if algorithm == "ES256" else "RSA")
    header = {"alg": algorithm}
    async with desk_of(provider, groups="groups") as desk:
        answer = await desk.show(provider.token(header=header), USER)
        assert isinstance(answer, Verified)
        assert answer.identity.account == USER
        assert answer.identity.groups == {"staff"}
        assert answer.identity.addresses == (parse_pattern(USER),)
        assert answer.identity.mechanism == "OAUTHBEARER"
        again = provider.token(header=header)
        assert isinstance(await desk.show(again), Verified)
        assert provider.count("/keys") == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "application/at+JWT", ...])
async def test_the_types_of_access_tokens_are_taken(
    provider: OidcProvider, typ: object
) -> None:
    async with desk_of(provider) as desk:
        assert isinstance(
            await desk.show(provider.token(header={"typ": typ})), Verified
        )


@pytest.mark.asyncio
async def test_entra_and_keycloak_say_it_in_their_ways(provider: OidcProvider) -> None:
    entra: dict[str, Any] = {
        "account": "upn",
        "groups": "roles",
        "addresses": ("upn",),
        "require": {"azp": ("the-mail-client",)},
    }
    async with desk_of(provider, **entra) as desk:
        token = provider.token(
            aud=["api://x", AUDIENCE],
            scp=f"{SCOPE} other",
            scope=...,
            upn="Anna@own.test",
            azp="the-mail-client",
            roles=["Mail.Send"],
            email_verified=...,
        )
        answer = await desk.show(token)
        assert isinstance(answer, Verified)
        assert answer.identity.account == "anna@own.test"
        assert answer.identity.groups == {"Mail.Send"}
        assert "azp" in await desk.refused(provider.token(upn="a", azp="other"))
    keycloak: dict[str, Any] = {
        "groups": "realm_access.roles",
        "account": "preferred_username",
    }
    async with desk_of(provider, **keycloak) as desk:
        token = provider.token(realm_access={"roles": ["sender"]}, typ="Bearer")
        answer = await desk.show(token)
        assert isinstance(answer, Verified)
        assert answer.identity.groups == {"sender"}


# -- forged tokens --------------------------------------------------------------------


def unsigned(provider: OidcProvider, algorithm: str) -> str:
    header = json.dumps({"alg": algorithm, "typ": "JWT", "kid": provider.keys[-1].kid})
    return (
        f"{b64url(header.encode())}.{b64url(json.dumps(provider.claims()).encode())}."
    )


@pytest.mark.asyncio
@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", "RS256"])
async def test_a_token_without_a_signature_is_none(
    provider: OidcProvider, algorithm: str
) -> None:
    async with desk_of(provider) as desk:
        for tail in ("", "AA", "none"):
            await desk.refused(unsigned(provider, algorithm) + tail)


@pytest.mark.asyncio
async def test_the_public_key_is_no_shared_secret(provider: OidcProvider) -> None:
    public = provider.keys[-1]
    assert isinstance(public, RSAKey)
    pem = public.as_pem(private=False)
    for secret in (pem, pem.strip(), public.as_der(private=False)):
        head = json.dumps({"alg": "HS256", "typ": "JWT", "kid": public.kid}).encode()
        said = f"{b64url(head)}.{b64url(json.dumps(provider.claims()).encode())}"
        mac = hmac.digest(secret, said.encode(), "sha256")
        async with desk_of(provider) as desk:
            assert "does not count" in await desk.refused(f"{said}.{b64url(mac)}")


@pytest.mark.asyncio
async def test_a_shared_secret_that_is_published_is_no_key(
    provider: OidcProvider,
) -> None:
    secret = OctKey.generate_key(256, {"kid": "shared"})
    provider.published.append(dict(secret.as_dict()))
    async with desk_of(provider) as desk:
        await desk.refused(provider.token(key=secret, header={"kid": "shared"}))


@pytest.mark.asyncio
async def test_a_token_brings_no_key_along(provider: OidcProvider) -> None:
    with OidcProvider() as attacker:
        own = attacker.keys[-1]
        for header in (
            {"jku": f"{attacker.url}/keys"},
            {"jku": f"{attacker.url}/keys", "kid": ...},
            {"x5u": f"{attacker.url}/keys"},
            {"jwk": own.as_dict(private=False)},
            {"jwk": own.as_dict(private=False), "kid": ...},
            {"x5c": ["MIIB"], "x5t": "AA"},
            {"kid": "../../../dev/null"},
            {"kid": "' OR 1=1 --"},
            {"kid": f"{attacker.url}/keys"},
        ):
            async with desk_of(provider) as desk:
                await desk.refused(provider.token(key=own, header=header))
        assert attacker.asked == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["exp"]},
        {"crit": ["b64"], "b64": False},
        {"kid": 7},
        {"kid": ["key-0"]},
        {"typ": "logout+jwt"},
        {"typ": "dpop+jwt"},
        {"typ": 1},
        {"alg": "RS384"},
        {"alg": "PS512"},
    ],
    ids=repr,
)
async def test_headers_that_do_not_count(
    provider: OidcProvider, header: dict[str, object]
) -> None:
    async with desk_of(provider) as desk:
        reason = await desk.refused(provider.token(header=header))
        assert "the signature is wrong" not in reason


@pytest.mark.asyncio
async def test_only_pinned_algorithms_count(provider: OidcProvider) -> None:
    async with desk_of(provider, algorithms=("ES256",)) as desk:
        assert "does not count" in await desk.refused(provider.token())


@pytest.mark.asyncio
async def test_a_signature_covers_every_octet(provider: OidcProvider) -> None:
    async with desk_of(provider) as desk:
        good = provider.token()
        assert isinstance(await desk.show(good), Verified)
        head, body, signature = good.split(".")
        other = b64url(json.dumps(provider.claims(preferred_username="ceo")).encode())
        for forged in (
            f"{head}.{other}.{signature}",
            f"{head}.{body}.{signature[:-4]}",
            f"{head}.{body}.AA{signature[2:]}",
            f"{head}.{body}.{signature}.",
            f"{head}.{body}",
            f"{head}.{body}.{signature}.a.b",
            f".{body}.{signature}",
            f"{head}..{signature}",
            "a.b.c",
            "x",
        ):
            assert forged != good
            await desk.refused(forged)


@pytest.mark.asyncio
async def test_a_key_of_another_kind_or_purpose_is_none(provider: OidcProvider) -> None:
    signer = provider.keys[-1]
    public = dict(signer.as_dict(private=False))
    for change in (
        {"use": "enc"},
        {"key_ops": ["encrypt"]},
        {"key_ops": "verify"},
        {"alg": "RS512"},
        {"alg": 1},
        {"kid": 1},
        {"kty": "oct", "k": "AA"},
        {"kty": "EC"},
        {"kty": ["RSA"]},
        {"n": 5},
        {"n": "!"},
        {"e": "AA"},
    ):
        provider.published = [{**public, **change}]
        async with desk_of(provider) as desk:
            answer = await desk.show(provider.token())
            assert isinstance(answer, Rejected | Unavailable)
    with warnings.catch_warnings(action="ignore"):
        weak = RSAKey.generate_key(1024, {"kid": signer.kid or ""})
    provider.published = [dict(weak.as_dict(private=False))]
    async with desk_of(provider) as desk:
        assert isinstance(await desk.show(provider.token(key=weak)), Unavailable)


@pytest.mark.asyncio
async def test_a_name_of_two_keys_is_none(provider: OidcProvider) -> None:
    other = RSAKey.generate_key(2048, {"kid": provider.keys[-1].kid or ""})
    provider.published.append(dict(other.as_dict(private=False)))
    async with desk_of(provider) as desk:
        assert "no such key" in await desk.refused(provider.token())


@pytest.mark.asyncio
async def test_without_a_name_there_must_be_one_key(provider: OidcProvider) -> None:
    async with desk_of(provider) as desk:
        bare = {"kid": ...}
        assert isinstance(await desk.show(provider.token(header=bare)), Verified)
        elliptic = ECKey.generate_key("P-256", {"kid": "e"})
        provider.published.append(dict(elliptic.as_dict(private=False)))
        assert isinstance(await desk.show(provider.token(header=bare)), Verified)


# -- tokens that are not for us -------------------------------------------------------

LATE = int(time.time()) - int(LEEWAY_SECONDS) - 60
SOON = int(time.time()) + int(LEEWAY_SECONDS) + 3600


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "changes",
    [
        {"exp": LATE},
        {"exp": ...},
        {"exp": "2099-01-01"},
        {"exp": None},
        {"exp": True},
        {"exp": 10**400},
        {"exp": [SOON]},
        {"nbf": SOON},
        {"nbf": "soon"},
        {"iat": SOON},
        {"iss": "https://evil.test"},
        {"iss": ...},
        {"iss": ["https://evil.test"]},
        {"aud": "another"},
        {"aud": ["another", 7]},
        {"aud": ["sekisho", 7]},
        {"aud": ...},
        {"aud": {"sekisho": True}},
        {"aud": [f"x{n}" for n in range(MAX_VALUES)] + [AUDIENCE]},
        {"scope": "openid"},
        {"scope": ...},
        {"scope": f"x{SCOPE}"},
        {"scope": {"smtp.send": True}},
        {"preferred_username": ...},
        {"preferred_username": ""},
        {"preferred_username": 7},
        {"preferred_username": ["user@own.test"]},
        {"preferred_username": "a b"},
        {"preferred_username": "a\0b"},
        {"preferred_username": "x" * 300},
        {"cnf": {"jkt": "x"}},
        {"at_hash": "x"},
        {"events": {}},
    ],
    # Not by their times, which differ in the processes that share the tests.
    ids=lambda changes: re.sub(r"\d{9,}", "N", repr(changes))[:60],
)
@pytest.mark.parametrize("introspection", [False, True], ids=["jwt", "introspection"])
async def test_a_token_that_is_not_for_us_is_refused(
    provider: OidcProvider, changes: dict[str, object], introspection: bool
) -> None:
    never_there = changes in ({"exp": ...}, {"iss": ...}) and introspection
    async with desk_of(provider, introspection=introspection) as desk:
        token = provider.handle(**changes)
        if not introspection:
            token = provider.token(
                payload=json.dumps(provider.claims(**changes)).encode()
            )
        answer = await desk.show(token)
        if never_there:  # an answer of the provider itself need not say these
            assert isinstance(answer, Verified)
        elif changes == {"exp": 10**400} and not introspection:
            assert isinstance(answer, Rejected | Unavailable)
        else:
            assert isinstance(answer, Rejected), answer
            assert "has changed" not in answer.reason


@pytest.mark.asyncio
async def test_a_member_that_stands_there_twice_makes_it_no_token(
    provider: OidcProvider,
) -> None:
    good = json.dumps(provider.claims())
    for tail in ('"preferred_username": "ceo"}', '"exp": NaN}', '"x": Infinity}'):
        payload = f"{good[:-1]}, {tail}".encode()
        async with desk_of(provider) as desk:
            assert "no signed JWT" in await desk.refused(
                provider.token(payload=payload)
            )
    _, body, signature = provider.token().split(".")
    twice = urlsafe_b64encode(b'{"alg":"RS256","alg":"none","kid":"key-0"}')
    async with desk_of(provider) as desk:
        await desk.refused(f"{twice.decode().rstrip('=')}.{body}.{signature}")


@pytest.mark.asyncio
@pytest.mark.parametrize("introspection", [False, True], ids=["jwt", "introspection"])
async def test_another_users_token_is_refused(
    provider: OidcProvider, introspection: bool
) -> None:
    async with desk_of(provider, introspection=introspection) as desk:
        token = (provider.handle if introspection else provider.token)()
        for _ in range(2):
            assert "another account" in await desk.refused(token, "ceo@own.test")
        assert isinstance(await desk.show(token, USER), Verified)


@pytest.mark.asyncio
async def test_an_address_counts_once_it_is_verified(provider: OidcProvider) -> None:
    async with desk_of(provider, account="email") as desk:
        for doubt in (False, "true", 1, None, ...):
            reason = await desk.refused(provider.token(email_verified=doubt))
            assert "not verified" in reason
        answer = await desk.show(provider.token())
        assert isinstance(answer, Verified)
    async with desk_of(provider) as desk:
        answer = await desk.show(provider.token(email_verified=False))
        assert isinstance(answer, Verified)
        assert answer.identity.addresses == ()


@pytest.mark.asyncio
async def test_accounts_of_other_domains_are_refused(provider: OidcProvider) -> None:
    async with desk_of(provider, domains=("own.test",)) as desk:
        for name in ("user", "user@other.test", "user@own.test.evil.test"):
            await desk.refused(provider.token(preferred_username=name))
        assert isinstance(await desk.show(provider.token()), Verified)


@pytest.mark.asyncio
async def test_a_token_of_another_issuer_is_the_next_ones_matter(
    provider: OidcProvider,
) -> None:
    async with desk_of(provider) as desk:
        token = provider.token(iss="https://other.test")
        assert "nobody knows" in await desk.refused(token)
        assert provider.asked == []


# -- the life of an identity ----------------------------------------------------------


@pytest.mark.asyncio
async def test_an_identity_ends_with_its_token(provider: OidcProvider) -> None:
    async with desk_of(provider) as desk:
        answer = await desk.show(provider.token())
        assert isinstance(answer, Verified)
        assert desk.keeper.is_current(answer.identity)
        desk.clock.move(LIFETIME - 1)
        assert desk.keeper.is_current(answer.identity)
        desk.clock.move(LEEWAY_SECONDS + 2)
        assert not desk.keeper.is_current(answer.identity)


async def settled(desk: Desk) -> None:
    while desk.one._checking:
        await asyncio.gather(*desk.one._checking.values(), return_exceptions=True)
        await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_a_token_is_shown_again_while_it_is_in_use(
    provider: OidcProvider,
) -> None:
    async with desk_of(provider, introspection=True) as desk:
        token = provider.handle()
        answer = await desk.show(token)
        assert isinstance(answer, Verified)
        assert isinstance(await desk.show(token), Verified)
        assert provider.count("/introspect") == 1
        for _ in range(3):
            desk.clock.move(RECHECK * 0.75)
            assert desk.keeper.is_current(answer.identity)
            await settled(desk)
        assert provider.count("/introspect") == 4
        provider.opaque[token] = {"active": False}
        desk.clock.move(RECHECK * 0.75)
        assert desk.keeper.is_current(answer.identity)
        await settled(desk)
        assert not desk.keeper.is_current(answer.identity)
        await desk.refused(token)


@pytest.mark.asyncio
@pytest.mark.parametrize("fault", ["500", "reset", "wrong type"])
async def test_a_provider_that_is_gone_keeps_nobody_current(
    provider: OidcProvider, fault: str
) -> None:
    async with desk_of(provider, introspection=True) as desk:
        answer = await desk.show(provider.handle())
        assert isinstance(answer, Verified)
        provider.fault = fault
        desk.clock.move(RECHECK * 0.75)
        assert desk.keeper.is_current(answer.identity)
        await settled(desk)
        assert desk.keeper.is_current(answer.identity)
        desk.clock.move(RECHECK * 0.5)
        assert not desk.keeper.is_current(answer.identity)


@pytest.mark.asyncio
async def test_a_user_who_has_changed_signs_in_anew(provider: OidcProvider) -> None:
    async with desk_of(provider, introspection=True, groups="groups") as desk:
        token = provider.handle()
        answer = await desk.show(token)
        assert isinstance(answer, Verified)
        provider.opaque[token] = {"active": True, **provider.claims(groups=[])}
        desk.clock.move(RECHECK * 0.75)
        desk.keeper.is_current(answer.identity)
        await settled(desk)
        assert not desk.keeper.is_current(answer.identity)


# -- faults ---------------------------------------------------------------------------


REASONS = {
    "time-out": "the provider takes too long",
    "slow drip": "the provider takes too long",
    "huge body": "the provider's answer has more than",
    "redirect": "the provider answers with status 302",
    "moved": "the provider answers with status 308",
    "500": "the provider answers with status 500",
    "401": "the provider refuses our login",
    "wrong type": "the provider's answer is not of type JSON",
    "no type": "the provider's answer is not of type JSON",
    "compressed": "the provider's answer is compressed",
    "no JSON": "the provider's answer: it is no JSON",
    "twice": "the provider's answer: ",
    "NaN": "the provider's answer: ",
}


@pytest.mark.asyncio
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("introspection", [False, True], ids=["jwt", "introspection"])
async def test_a_provider_that_fails_is_unavailable(
    provider: OidcProvider, introspection: bool, fault: str
) -> None:
    async with desk_of(provider, introspection=introspection) as desk:
        token = (provider.handle if introspection else provider.token)()
        provider.fault = fault
        began = time.monotonic()
        answer = await desk.show(token)
        assert isinstance(answer, Unavailable), answer
        assert answer.reason.startswith(f"idp: {REASONS.get(fault, '')}")
        assert time.monotonic() - began < SECONDS + 1
        assert CLIENT_SECRET not in answer.reason
        assert desk.keeper.lockout.locked(desk.clock()) == []
        provider.fault = ""
        desk.clock.move(2)
        assert isinstance(await desk.show(token), Verified)
        provider.fault = fault
        desk.clock.move(FRESH + 1 if not introspection else RECHECK + 1)
        token = (provider.handle if introspection else provider.token)(exp=SOON)
        assert isinstance(await desk.show(token), Unavailable)


@pytest.mark.asyncio
async def test_a_provider_that_is_not_there_is_unavailable(
    provider: OidcProvider,
) -> None:
    provider.stop()
    for introspection in (False, True):
        async with desk_of(provider, introspection=introspection) as desk:
            answer = await desk.show(provider.token())
            assert answer == Unavailable(
                "idp: the provider cannot be asked: ConnectError"
            )


@pytest.mark.asyncio
async def test_a_certificate_of_somebody_else_is_unavailable(
    provider: OidcProvider, tmp_path: Path
) -> None:
    with OidcProvider(tmp_path / "other") as other:
        provider.ca = other.ca
        async with desk_of(provider) as desk:
            assert isinstance(await desk.show(provider.token()), Unavailable)
        provider.ca = None
        async with desk_of(provider) as desk:
            assert isinstance(await desk.show(provider.token()), Unavailable)
    assert provider.asked == []


@pytest.mark.asyncio
async def test_our_login_is_sent_and_a_wrong_one_is_unavailable(
    provider: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk_of(provider, introspection=True) as desk:
        assert isinstance(await desk.show(provider.handle()), Verified)
        monkeypatch.setattr("peers.oidc.CLIENT_SECRET", "another")
        answer = await desk.show(provider.handle())
        assert answer == Unavailable("idp: the provider refuses our login")


# -- the keys -------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_new_key_is_looked_for_once_in_a_while(provider: OidcProvider) -> None:
    async with desk_of(provider) as desk:
        assert isinstance(await desk.show(provider.token()), Verified)
        provider.rotate()
        assert "no such key" in await desk.refused(provider.token())
        assert provider.count("/keys") == 1
        desk.clock.move(REFETCH_SECONDS)
        assert isinstance(await desk.show(provider.token()), Verified)
        assert provider.count("/keys") == 2
        for number in range(20):
            await desk.refused(provider.token(header={"kid": f"made up {number}"}))
        assert provider.count("/keys") == 2
        # The old key is gone with the fetch: a token of it does not count any more.
        old = provider.token(key=provider.keys[0], header={"kid": "key-0"})
        assert "no such key" in await desk.refused(old)


@pytest.mark.asyncio
async def test_an_unknown_key_is_unavailable_while_nobody_can_be_asked(
    provider: OidcProvider,
) -> None:
    async with desk_of(provider) as desk:
        assert isinstance(await desk.show(provider.token()), Verified)
        provider.rotate()
        provider.fault = "500"
        desk.clock.move(REFETCH_SECONDS)
        assert isinstance(await desk.show(provider.token()), Unavailable)


@pytest.mark.asyncio
async def test_keys_are_renewed_beside_the_work_and_end_with_their_time(
    provider: OidcProvider,
) -> None:
    async with desk_of(provider) as desk:
        assert isinstance(await desk.show(provider.token()), Verified)
        desk.clock.move(FRESH * 0.6)
        provider.fault = "500"
        assert isinstance(await desk.show(provider.token(exp=SOON)), Verified)
        await asyncio.sleep(0.1)
        desk.clock.move(FRESH * 0.5)
        assert isinstance(await desk.show(provider.token(exp=SOON)), Unavailable)
        asked = provider.count("/keys")
        assert isinstance(await desk.show(provider.token(exp=SOON)), Unavailable)
        assert provider.count("/keys") == asked  # not again within a second
        provider.fault = ""
        desk.clock.move(2)
        assert isinstance(await desk.show(provider.token(exp=SOON)), Verified)
        # A clock that was set back proves nothing about the keys' age.
        desk.clock.move(-2 * FRESH)
        assert isinstance(await desk.show(provider.token(iat=0)), Verified)
        assert provider.count("/keys") == asked + 2


@pytest.mark.asyncio
async def test_many_at_once_fetch_once(provider: OidcProvider) -> None:
    async with desk_of(provider) as desk:
        answers = await asyncio.gather(
            *(desk.show(provider.token()) for _ in range(20))
        )
        assert all(isinstance(one, Verified) for one in answers)
        assert provider.count("/keys") == 1


@pytest.mark.asyncio
async def test_more_keys_than_the_bound_are_unavailable(provider: OidcProvider) -> None:
    own = provider.published[0]
    provider.published = [own, *({"kty": "oct"} for _ in range(MAX_KEYS - 1))]
    async with desk_of(provider) as desk:
        assert isinstance(await desk.show(provider.token()), Verified)
    provider.published.append({"kty": "oct"})
    async with desk_of(provider) as desk:
        answer = await desk.show(provider.token())
        assert answer == Unavailable(f"idp: the provider has more than {MAX_KEYS} keys")
