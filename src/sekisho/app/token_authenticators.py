"""``kind = "oidc"``, put together; imported where a configuration has one."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from sekisho.auth.oidc.authenticator import OidcAuthenticator, OidcOptions, Reader
from sekisho.auth.oidc.claims import Wanted
from sekisho.auth.oidc.document import Object
from sekisho.auth.oidc.introspection import Introspection
from sekisho.auth.oidc.jwt import JwtReader
from sekisho.auth.oidc.keys import KeySource
from sekisho.auth.oidc.provider import Login, Provider
from sekisho.config.oidc import Oidc

Clock = Callable[[], float]


def build_oidc(table: Oidc, clock: Clock, closing: AsyncExitStack) -> OidcAuthenticator:
    """Build one.

    Args:
        table: What the configuration says.
        clock: Unix seconds.
        closing: Closes what was opened.

    Raises:
        TlsFilesError: The provider's authorities cannot be used.

    """
    provider = Provider(table.ca)
    closing.push_async_callback(provider.close)
    reads_here = table.jwks is not None
    reader: Reader = (
        _jwt_reader(table, provider, clock, closing)
        if reads_here
        else _introspection(table, provider)
    )
    wanted = Wanted(
        issuer=table.issuer,
        audience=table.audience,
        scopes=table.scopes,
        require=table.require,
        account=table.account,
        domains=table.domains,
        addresses=table.addresses,
        groups=table.groups or "",
    )
    recheck = float("inf") if reads_here else table.recheck_seconds
    made = OidcAuthenticator(reader, OidcOptions(table.name, wanted, recheck), clock)
    closing.push_async_callback(made.close)
    return made


def _jwt_reader(
    table: Oidc, provider: Provider, clock: Clock, closing: AsyncExitStack
) -> JwtReader:
    url = table.jwks or ""

    def fetch() -> Awaitable[Object]:
        return provider.get(url)

    keys = KeySource(fetch, clock, table.keys_seconds)
    closing.push_async_callback(keys.close)
    return JwtReader(table.issuer, table.algorithms, keys)


def _introspection(table: Oidc, provider: Provider) -> Introspection:
    secret = table.client_secret
    login = Login(table.client_id or "", secret.reveal() if secret else "")
    return Introspection(provider, table.introspection or "", login, table.issuer)
