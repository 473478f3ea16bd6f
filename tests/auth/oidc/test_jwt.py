"""Only what the pinned algorithm and the provider's own key have signed is read."""

import hmac
import json
from collections.abc import Mapping

import pytest
from joserfc.jwk import ECKey, RSAKey

from peers.oidc import Signer, b64url, signature
from sekisho.auth.oidc.claims import ClaimsError
from sekisho.auth.oidc.document import Object
from sekisho.auth.oidc.jwt import MAX_HEADER_OCTETS, JwtReader, OtherIssuerError
from sekisho.auth.oidc.keys import KeySource
from sekisho.auth.token_mechanisms import MAX_TOKEN_OCTETS

ISSUER = "https://idp.test"
KEY = ECKey.generate_key("P-256", {"kid": "k"})
OTHER = ECKey.generate_key("P-256", {"kid": "other"})
CLAIMS: Object = {"iss": ISSUER, "exp": 1, "sub": "u"}
HEADER: Object = {"alg": "ES256", "kid": "k"}

pytestmark = pytest.mark.asyncio


def reader(*algorithms: str) -> JwtReader:
    async def fetch() -> Object:
        return {"keys": [KEY.as_dict(private=False)]}

    source = KeySource(fetch, lambda: 0.0, 60.0)
    return JwtReader(ISSUER, algorithms or ("ES256", "RS256"), source)


def without(values: Mapping[str, object]) -> bytes:
    return json.dumps({k: v for k, v in values.items() if v is not ...}).encode()


def signed(head: bytes, body: bytes, key: Signer = KEY, by: str = "ES256") -> str:
    said = f"{b64url(head)}.{b64url(body)}"
    return f"{said}.{b64url(signature(key, by, said.encode()))}"


def token(
    header: Object | None = None, claims: Object | None = None, key: Signer = KEY
) -> str:
    return signed(
        without({**HEADER, **(header or {})}),
        without({**CLAIMS, **(claims or {})}),
        key,
    )


async def refused(text: str, *algorithms: str) -> str:
    with pytest.raises(ClaimsError) as caught:
        await reader(*algorithms).read(text)
    return str(caught.value)


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"kid": ...},
        {"kid": ""},
        {"typ": "JWT"},
        {"typ": "jwt"},
        {"typ": "application/jwt"},
        {"typ": "at+JWT"},
        {"typ": "application/at+jwt"},
        {"unheard-of": 1},
        {"jku": "https://evil.test/keys"},
    ],
    ids=repr,
)
async def test_a_token_of_the_provider_is_read(header: Object) -> None:
    assert await reader().read(token(header)) == CLAIMS


async def test_the_stages_are_those_that_are_passed() -> None:
    passed = [one async for one in reader().walk(token())]
    assert len(passed) == len(JwtReader.stages)
    assert [dict(one.claims) for one in passed] == [{}, {}, CLAIMS]
    assert "ES256" in passed[0].detail


@pytest.mark.parametrize(
    "header",
    [
        {"alg": ...},
        {"alg": None},
        {"alg": ["ES256"]},
        {"alg": {"ES256": 1}},
        {"alg": ""},
        {"alg": "none"},
        {"alg": "None"},
        {"alg": "es256"},
        {"alg": "ES384"},
        {"alg": "ES512"},
        {"alg": "HS256"},
        {"alg": "RS256"},
        {"kid": "other"},
        {"kid": None},
        {"kid": 7},
        {"kid": ["k"]},
        {"kid": "K"},
        {"crit": []},
        {"crit": ["exp"]},
        {"b64": True},
        {"b64": False},
        {"typ": None},
        {"typ": 1},
        {"typ": ""},
        {"typ": "logout+jwt"},
        {"typ": "dpop+jwt"},
        {"typ": "id_token"},
        {"typ": "at"},
    ],
    ids=repr,
)
async def test_headers_that_do_not_count(header: Object) -> None:
    assert "signature is wrong" not in await refused(token(header))


async def test_only_the_algorithms_that_are_pinned_count() -> None:
    assert "does not count" in await refused(token(), "RS256")
    assert "does not count" in await refused(token({"alg": "RS256"}), "ES256")


@pytest.mark.parametrize("algorithm", ["HS256", "none", "RS256", "PS256", "ES256"])
async def test_a_signature_by_anything_else_is_wrong(algorithm: str) -> None:
    head = without({**HEADER, "alg": algorithm})
    await refused(signed(head, without(CLAIMS), OTHER), algorithm)
    said = f"{b64url(head)}.{b64url(without(CLAIMS))}"
    public = KEY.as_pem(private=False)
    macs = [
        hmac.digest(secret, said.encode(), "sha256")
        for secret in (public, public.strip(), b"", KEY.as_der(private=False))
    ]
    for tail in ("", "AA", *map(b64url, [bytes(64), b"\xff" * 64, *macs])):
        await refused(f"{said}.{tail}", algorithm)


async def test_a_signature_covers_every_octet() -> None:
    head, body, tail = token().split(".")
    ceo = b64url(without({**CLAIMS, "sub": "ceo"}))
    other_head = b64url(without({**HEADER, "x": 1}))
    for forged in (
        f"{head}.{ceo}.{tail}",
        f"{other_head}.{body}.{tail}",
        f"{head}.{body}.{tail[:-4]}",
        f"{head}.{body}.AAAA{tail[4:]}",
    ):
        assert "signature is wrong" in await refused(forged)


async def test_what_is_no_token_is_none() -> None:
    good = token()
    head, body, tail = good.split(".")
    for text in (
        "",
        "x",
        "a.b.c",
        "..",
        f"{head}.{body}",
        f"{head}.{body}.",
        f".{body}.{tail}",
        f"{head}..{tail}",
        f"{good}.",
        f"{good}.a.b",
        f"{good}=",
        f"{good}\n",
        f" {good}",
        f"{head}+.{body}.{tail}",
    ):
        assert "no signed JWT" in await refused(text)


@pytest.mark.parametrize(
    "octets",
    [
        b"[]",
        b"7",
        b'"x"',
        b"null",
        b"{",
        b"",
        b'{"iss": "https://idp.test", "exp": NaN}',
        b'{"iss": "https://idp.test", "iss": "https://idp.test", "exp": 1}',
        b'{"iss": "https://idp.test", "exp": 1, "x": "\xff"}',
    ],
    ids=repr,
)
async def test_parts_that_are_no_objects_make_it_none(octets: bytes) -> None:
    await refused(signed(without(HEADER), octets))
    await refused(signed(octets, without(CLAIMS)))


@pytest.mark.parametrize(
    "issuer",
    [
        "https://evil.test",
        "https://idp.test/",
        "HTTPS://IDP.TEST",
        "",
        None,
        ...,
        7,
        ["https://idp.test"],
    ],
)
async def test_a_token_of_another_issuer_is_not_ours(issuer: object) -> None:
    with pytest.raises(OtherIssuerError):
        await reader().read(token(claims={"iss": issuer}))


async def test_an_issuer_counts_once_it_is_verified() -> None:
    """What was read before the signature is never what counts."""

    class Loose(JwtReader):
        def _header(self, token: str) -> tuple[str, str]:
            return "ES256", "k"

    async def fetch() -> Object:
        return {"keys": [KEY.as_dict(private=False)]}

    loose = Loose(ISSUER, ("ES256",), KeySource(fetch, lambda: 0.0, 60.0))
    assert await loose.read(token()) == CLAIMS
    for issuer in ("https://evil.test", ...):
        with pytest.raises(ClaimsError, match="another issuer"):
            await loose.read(token(claims={"iss": issuer}))


async def test_an_algorithm_is_pinned_where_the_signature_is_verified() -> None:
    """Were the header looked at nowhere else, one key would not verify another way."""
    rsa = RSAKey.generate_key(2048, {"kid": "k"})

    class Loose(JwtReader):
        def _header(self, token: str) -> tuple[str, str]:
            return "PS256", "k"

    async def fetch() -> Object:
        return {"keys": [rsa.as_dict(private=False)]}

    loose = Loose(ISSUER, ("PS256",), KeySource(fetch, lambda: 0.0, 60.0))
    for algorithm in ("PS256", "RS256"):
        head = without({"alg": algorithm, "kid": "k"})
        shown = signed(head, without(CLAIMS), rsa, algorithm)
        if algorithm == "PS256":
            assert await loose.read(shown) == CLAIMS
            continue
        with pytest.raises(ClaimsError, match="signature is wrong"):
            await loose.read(shown)


async def test_a_token_without_an_end_is_none() -> None:
    assert "never expires" in await refused(token(claims={"exp": ...}))
    assert await reader().read(token(claims={"exp": None})) == {**CLAIMS, "exp": None}


async def test_headers_and_claims_have_their_bounds() -> None:
    def header(octets: int) -> str:
        return token({"x": "y" * (octets - len(without({**HEADER, "x": ""})))})

    def claims(octets: int) -> str:
        return token(claims={"x": "y" * (octets - len(without({**CLAIMS, "x": ""})))})

    # As they stand in the token: four octets there are three of these.
    assert await reader().read(header(MAX_HEADER_OCTETS * 3 // 4))
    await refused(header(MAX_HEADER_OCTETS * 3 // 4 + 1))
    assert await reader().read(claims(MAX_TOKEN_OCTETS * 3 // 4))
    await refused(claims(MAX_TOKEN_OCTETS * 3 // 4 + 1))
