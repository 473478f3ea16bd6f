"""What is to be known of a directory before it is asked."""

from dataclasses import dataclass, field
from enum import Enum
from ssl import SSLContext


class Channel(Enum):
    """How a connection is protected."""

    IMPLICIT = "ldaps"
    STARTTLS = "starttls"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True)
class Server:
    """One of the servers."""

    host: str
    port: int
    channel: Channel

    def __str__(self) -> str:
        scheme = "ldaps" if self.channel is Channel.IMPLICIT else "ldap"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"


class Dialect(Enum):
    """Whose attributes say whether an account may be used."""

    ACTIVE_DIRECTORY = "active-directory"
    OPENLDAP = "openldap"


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryOptions:
    """How a directory is asked, and what its entries mean.

    Attributes:
        servers: In the order in which they are tried.
        tls: Verifies chain and name; unused on channels in clear.
        dialect: Whose attributes count.
        base: Below it are the accounts.
        user_dn: Direct bind: as what an account binds, with ``{user}`` in it. Empty
            for search and bind.
        bind_dn: As whom we look accounts up; empty for anonymous.
        bind_password: Its password.
        filter: Finds an account: ``{user}`` and ``{login}`` (what `user_dn` came to)
            stand escaped in it.
        account_attribute: Its value is the account's name.
        address_attributes: Their values are the account's addresses.
        group_base: Below it are the groups; empty to take them from ``memberOf``.
        group_filter: Finds an account's groups: ``{user}``, ``{dn}``.
        group_attribute: Its value is a group's name.
        decoy_dn: Bound in vain where there is no account, as a wrong password would.
        attempt_seconds: So long one server is waited for.
        pool: Connections at most, of each of the two kinds.
        cache_seconds: How long an account counts as unchanged.

    """

    servers: tuple[Server, ...]
    tls: SSLContext
    dialect: Dialect
    base: str
    user_dn: str = ""
    bind_dn: str = ""
    bind_password: str = field(default="", repr=False)
    filter: str
    account_attribute: str
    address_attributes: tuple[str, ...]
    group_base: str = ""
    group_filter: str = ""
    group_attribute: str = "cn"
    decoy_dn: str = ""
    attempt_seconds: float = 3.0
    pool: int = 8
    cache_seconds: float = 60.0

    @property
    def looks_up(self) -> bool:
        """Whether accounts can be looked up without their passwords."""
        return not self.user_dn or bool(self.bind_dn)
