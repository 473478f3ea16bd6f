"""Who checks credentials: the authenticators of the configuration, and their doors.

One row a kind: a builder that takes the kind's table and what it may use, and gives an
authenticator. What it opens it gives to ``closing``. `sekisho.app.roster` keeps them.
"""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from sekisho.auth.account import account_name
from sekisho.auth.accounts import AccountStore
from sekisho.auth.authenticator import Authenticator
from sekisho.auth.certificate import (
    CertificateAuthenticator,
    CertificateOptions,
    Listed,
    borne,
)
from sekisho.auth.gatekeeper import Door
from sekisho.auth.hashing import HashingPool
from sekisho.auth.local import LocalAuthenticator
from sekisho.auth.members import Register
from sekisho.config.authenticators import Authenticator as AuthenticatorTable
from sekisho.config.certificates import Certificate
from sekisho.config.ldap import Ldap
from sekisho.config.oidc import Oidc
from sekisho.config.schema import Config
from sekisho.net.tls import verifying_context

if TYPE_CHECKING:
    from sekisho.config.kerberos import Kerberos, Winbind
    from sekisho.config.plugin import Plugin


@dataclass(frozen=True, slots=True)
class Workshop:
    """What builders may use.

    Attributes:
        config: All of it.
        accounts: The local accounts.
        hashing: Threads for what must not hold the loop up.
        clock: Unix seconds.
        closing: Closes what was opened, before the worker ends.
        registers: Directories that are there, by name.

    """

    config: Config
    accounts: AccountStore
    hashing: HashingPool
    clock: Callable[[], float]
    closing: AsyncExitStack
    registers: Mapping[str, Register]


Build = Callable[[AuthenticatorTable, Workshop], Authenticator]


def _local(table: AuthenticatorTable, given: Workshop) -> Authenticator:
    return LocalAuthenticator(
        given.accounts, given.hashing, table.name, clock=given.clock
    )


def _oidc(table: AuthenticatorTable, given: Workshop) -> Authenticator:
    # Here, as most services have none: an HTTP client is a tenth of a start.
    from sekisho.app.token_authenticators import build_oidc  # noqa: PLC0415 - see above

    return build_oidc(cast("Oidc", table), given.clock, given.closing)


def _certificate(table: AuthenticatorTable, given: Workshop) -> Authenticator:
    one = cast("Certificate", table)
    accounts = given.accounts if one.accounts == "local" else None
    listed = {
        borne(user.bears): Listed(
            account_name(user.account), user.addresses, frozenset(user.groups)
        )
        for user in one.users
    }
    options = CertificateOptions(one.name, one.by, listed)
    return CertificateAuthenticator(options, accounts, given.clock)


def _ldap(table: AuthenticatorTable, given: Workshop) -> Authenticator:
    # Imported here: reading LDAP's messages is nothing that every command needs.
    from sekisho.app.directories import build_ldap  # noqa: PLC0415 - see above

    return build_ldap(cast("Ldap", table), given)


def _kerberos(table: AuthenticatorTable, given: Workshop) -> Authenticator:
    # Imported here, like the one below: few services have it.
    from sekisho.app.tickets import build_kerberos  # noqa: PLC0415 - see above

    return build_kerberos(cast("Kerberos", table), given)


def _winbind(table: AuthenticatorTable, given: Workshop) -> Authenticator:
    from sekisho.app.tickets import build_winbind  # noqa: PLC0415 - as above

    return build_winbind(cast("Winbind", table), given)


def _plugin(table: AuthenticatorTable, given: Workshop) -> Authenticator:
    from sekisho.app.plugins import build_plugin  # noqa: PLC0415 - as above

    return build_plugin(cast("Plugin", table), given)


_BUILDERS: Mapping[str, Build] = {
    "kerberos": _kerberos,
    "winbind": _winbind,
    "oidc": _oidc,
    "certificate": _certificate,
    "ldap": _ldap,
    "local": _local,
}


def build(table: AuthenticatorTable, given: Workshop) -> Authenticator:
    """Build one.

    Raises:
        Refusal: It cannot be built.
        AccountError: An account that it lists cannot be one.
        TlsFilesError: A file cannot be used.

    """
    return _BUILDERS.get(table.kind, _plugin)(table, given)


def read_listed_accounts(config: Config) -> None:
    """See that certificates are listed for names that an account can have.

    Raises:
        AccountError: One is none.

    """
    for one in config.authenticators:
        if isinstance(one, Certificate):
            for user in one.users:
                account_name(user.account)


def read_authorities_asked(config: Config) -> None:
    """See that the authorities by which directories and providers are verified exist.

    Raises:
        TlsFilesError: A file cannot be used.

    """
    for one in config.authenticators:
        if isinstance(one, Ldap | Oidc) and one.ca is not None:
            verifying_context(one.ca)


def doors(config: Config) -> dict[str, Door]:
    """What differs by listener."""
    return {
        one.name: Door(one.authenticators, one.mechanisms)
        for one in config.listeners
        if one.authenticators or one.mechanisms
    }
