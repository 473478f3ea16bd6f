"""Tokens that only the provider can read: it is shown them (RFC 7662)."""

from collections.abc import AsyncIterator

from sekisho.auth.authenticator import AuthUnavailableError
from sekisho.auth.oidc.claims import ClaimsError, Passed
from sekisho.auth.oidc.document import Object
from sekisho.auth.oidc.provider import Login, Provider


class Introspection:
    """Shows tokens to one provider.

    Args:
        provider: Who is asked.
        url: Where.
        login: Ours there.
        issuer: The provider's name.

    """

    def __init__(self, provider: Provider, url: str, login: Login, issuer: str) -> None:
        self._provider = provider
        self._url = url
        self._login = login
        self._issuer = issuer

    stages = ("asked",)

    async def walk(self, token: str) -> AsyncIterator[Passed]:
        """Show a token; raises as `read` does where that is the end of it."""
        yield Passed("the provider vouches for the token", await self.read(token))

    async def read(self, token: str) -> Object:
        """Give the claims of a token that the provider vouches for.

        Raises:
            ClaimsError: It does not vouch for it.
            AuthUnavailableError: It could not be asked, or its answer is none.

        """
        form = {"token": token, "token_type_hint": "access_token"}
        claims = await self._provider.post(self._url, form, self._login)
        match claims.get("active"):
            case True:
                pass
            case False:
                raise ClaimsError("the provider does not vouch for the token")
            case _:
                # "false", 0 and null are no answer; nor are "true" and 1.
                raise AuthUnavailableError("the provider's answer says neither")
        if claims.get("iss", self._issuer) != self._issuer:
            raise ClaimsError("the token is of another issuer")
        kind = claims.get("token_type", "Bearer")
        if not isinstance(kind, str) or kind.lower() not in ("bearer", "access_token"):
            raise ClaimsError("it is no bearer token")
        return claims
