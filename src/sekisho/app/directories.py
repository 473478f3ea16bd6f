"""A directory's authenticator, from its table: what a profile gives by default."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sekisho.app.control import Refusal
from sekisho.auth.authenticator import Authenticator
from sekisho.auth.ldap.authenticator import LdapAuthenticator
from sekisho.auth.ldap.names import is_dn
from sekisho.auth.ldap.options import Channel, Dialect, DirectoryOptions, Server
from sekisho.config.ldap import Ldap, Profile, Protection
from sekisho.net.tls import TlsFilesError, verifying_context

if TYPE_CHECKING:
    from sekisho.app.authenticators import Workshop


@dataclass(frozen=True, slots=True)
class _Profile:
    """A row: what holds where the table says nothing.

    Attributes:
        filter: Where accounts are looked up.
        direct: Where they bind as a DN.
        login: Where they bind as a user principal name.
        group_filter: Where there is a ``group_base``.

    """

    account: str
    addresses: tuple[str, ...]
    filter: str
    direct: str
    login: str
    group_filter: str
    group: str


_PEOPLE = "(objectCategory=person)(objectClass=user)"
_PROFILES: Mapping[Profile, _Profile] = {
    Profile.ACTIVE_DIRECTORY: _Profile(
        account="sAMAccountName",
        addresses=("mail", "proxyAddresses"),
        filter=f"(&{_PEOPLE}(|(sAMAccountName={{user}})(userPrincipalName={{user}})))",
        direct=f"(&{_PEOPLE})",
        login=f"(&{_PEOPLE}(|(sAMAccountName={{user}})(userPrincipalName={{login}})))",
        # LDAP_MATCHING_RULE_IN_CHAIN: groups within groups.
        group_filter="(member:1.2.840.113556.1.4.1941:={dn})",
        group="sAMAccountName",
    ),
    Profile.OPENLDAP: _Profile(
        account="uid",
        addresses=("mail",),
        filter="(uid={user})",
        direct="(objectClass=*)",
        login="(uid={user})",
        group_filter="(|(member={dn})(uniqueMember={dn})(memberUid={user}))",
        group="cn",
    ),
}


def directory_options(table: Ldap) -> DirectoryOptions:
    """Fill in what the table leaves to its profile.

    Raises:
        Refusal: The authorities' file cannot be used.

    """
    profile = _PROFILES[table.profile]
    try:
        tls = verifying_context(table.ca)
    except TlsFilesError as error:
        raise Refusal(f"{table.name}: {error}", error.hint) from error
    password = table.bind_password
    return DirectoryOptions(
        servers=tuple(
            Server(
                one.host, one.port, _channel(one.implicit, table.tls is Protection.OFF)
            )
            for one in table.servers
        ),
        tls=tls,
        dialect=Dialect(table.profile.value),
        base=table.base,
        user_dn=table.user_dn or "",
        bind_dn=table.bind_dn or "",
        bind_password=password.reveal() if password else "",
        filter=table.filter or _filter(profile, table.user_dn or ""),
        account_attribute=table.account or profile.account,
        address_attributes=(
            profile.addresses if table.addresses is None else table.addresses
        ),
        group_base=table.group_base or "",
        group_filter=table.group_filter or profile.group_filter,
        group_attribute=table.group or profile.group,
        decoy_dn=table.decoy_dn or f"cn=no-such-account,{table.base}",
        attempt_seconds=table.timeout_seconds,
        pool=table.connections,
        cache_seconds=table.cache_seconds,
    )


def _channel(implicit: bool, clear: bool) -> Channel:  # noqa: FBT001 - two keys
    if implicit:
        return Channel.IMPLICIT
    return Channel.CLEAR if clear else Channel.STARTTLS


def _filter(profile: _Profile, user_dn: str) -> str:
    if not user_dn:
        return profile.filter
    return profile.direct if is_dn(user_dn) else profile.login


def build_ldap(table: Ldap, given: "Workshop") -> Authenticator:
    """Build a directory's authenticator, of which others may ask who somebody is."""
    one = LdapAuthenticator(table.name, directory_options(table), given.clock)
    given.closing.push_async_callback(one.close)
    return one
