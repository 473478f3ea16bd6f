"""Tokens that can be read here: signed JWT (RFC 7519, RFC 7515, RFC 9068, RFC 8725).

The configuration says which signatures count; what a token's header proposes is held
against that before anything else. Keys come from the provider alone: ``jwk``, ``jku``,
``x5c`` and ``x5u`` in a header are never looked at. Extensions that must be understood
(``crit``) are not.
"""

import re
from base64 import urlsafe_b64decode
from binascii import Error
from collections.abc import AsyncIterator, Sequence

from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry, deserialize_compact

from sekisho.auth.oidc.claims import ClaimsError, Passed
from sekisho.auth.oidc.document import DocumentError, Object, read_object
from sekisho.auth.oidc.keys import KeySource, PublicKey
from sekisho.auth.token_mechanisms import MAX_TOKEN_OCTETS

MAX_HEADER_OCTETS = 4096
_PARTS = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+")
_TYPES = ("at+jwt", "application/at+jwt", "jwt", "application/jwt")


class OtherIssuerError(Exception):
    """The token says that another provider has made it."""


class JwtReader:
    """Reads tokens of one provider.

    Args:
        issuer: Its name.
        algorithms: Of signatures that count.
        keys: Its keys.

    """

    stages = ("token", "key", "signature")

    def __init__(self, issuer: str, algorithms: Sequence[str], keys: KeySource) -> None:
        self._issuer = issuer
        self._keys = keys
        self._registries = {one: _registry(one) for one in algorithms}

    async def read(self, token: str) -> Object:
        """Give the claims of a token whose signature is right.

        Raises:
            ClaimsError: It is no token, or its signature is wrong.
            OtherIssuerError: It is of another provider, as it says itself.
            AuthUnavailableError: The keys cannot be had.

        """
        claims: Object = {}
        async for passed in self.walk(token):
            claims = passed.claims
        return claims

    async def walk(self, token: str) -> AsyncIterator[Passed]:
        """Read a token step by step; raises as `read` does where it stops."""
        algorithm, kid = self._header(token)
        yield Passed(f"it is signed by {algorithm}")
        key = await self._keys.find(kid, algorithm)
        if key is None:
            raise ClaimsError("the provider has no such key")
        yield Passed("the provider has it")
        claims = self._verified(token, algorithm, key)
        if claims.get("iss") != self._issuer:
            raise ClaimsError("the token is of another issuer")
        if "exp" not in claims:
            raise ClaimsError("the token never expires")
        yield Passed("it is right", claims)

    def _header(self, token: str) -> tuple[str, str]:
        """What the header proposes, as far as it may; nothing is verified yet."""
        parts = _PARTS.fullmatch(token)
        if parts is None:
            raise ClaimsError("it is no signed JWT")
        header, claims = _part(parts[1]), _part(parts[2])
        algorithm, kid = header.get("alg"), header.get("kid", "")
        if not isinstance(algorithm, str) or algorithm not in self._registries:
            raise ClaimsError("the signature is of a kind that does not count")
        if not isinstance(kid, str):
            raise ClaimsError("the key's name is none")
        if "crit" in header or "b64" in header:
            raise ClaimsError("the token wants an extension")
        kind = header.get("typ", "JWT")
        if not isinstance(kind, str) or kind.lower() not in _TYPES:
            raise ClaimsError("it is no access token")
        if claims.get("iss") != self._issuer:
            raise OtherIssuerError
        return algorithm, kid

    def _verified(self, token: str, algorithm: str, key: PublicKey) -> Object:
        try:
            found = deserialize_compact(
                token, key.key, registry=self._registries[algorithm]
            )
            return read_object(found.payload)
        except (JoseError, DocumentError, ValueError, TypeError):
            raise ClaimsError("the signature is wrong") from None


def _registry(algorithm: str) -> JWSRegistry:
    registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    registry.max_header_length = MAX_HEADER_OCTETS
    registry.max_payload_length = MAX_TOKEN_OCTETS
    registry.max_signature_length = MAX_TOKEN_OCTETS
    return registry


def _part(text: str) -> Object:
    try:
        return read_object(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (DocumentError, Error):
        raise ClaimsError("it is no signed JWT") from None
