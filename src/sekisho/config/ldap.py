"""``[[authenticator]] kind = "ldap"``: the accounts of a directory."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, PlainValidator

from sekisho.config.fields import Many, Name, Some, member, text
from sekisho.config.outside import FilePath, SecretText
from sekisho.config.problems import wrong
from sekisho.config.table import Table

_PORTS = {"ldaps": 636, "ldap": 389}
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}|[0-2](?:\.[0-9]{1,9}){1,20}")
_PART = re.compile(r"[A-Za-z0-9.-]+ *= *\S")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
MAX_TEXT = 4096


class Profile(Enum):
    """Whose attributes say what an account is."""

    ACTIVE_DIRECTORY = "active-directory"
    OPENLDAP = "openldap"


class Protection(Enum):
    """Whether a connection without TLS will do."""

    REQUIRED = "required"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class LdapServer:
    """A directory's server; `implicit` where TLS comes first."""

    host: str
    port: int
    implicit: bool


def read_server(value: object) -> LdapServer:
    """Read ``ldaps://HOST[:PORT]`` or ``ldap://HOST[:PORT]``."""
    given = text(value, 'a text such as "ldaps://dc1.example.com"')
    hint = '"ldaps://dc1.example.com" or "ldap://dc1.example.com:389"'
    try:
        parts = urlsplit(given)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise wrong(f"{given!r} is no URL", hint) from error
    if parts.scheme not in _PORTS or not host or port == 0:
        raise wrong(f"{given!r} is no server of a directory", hint)
    if parts.username is not None or parts.path.strip("/") or parts.query:
        # Not shown: a password may stand there.
        raise wrong("only scheme, host and port belong in the URL", hint)
    return LdapServer(host, port or _PORTS[parts.scheme], parts.scheme == "ldaps")


def read_dn(value: object) -> str:
    """Read a distinguished name."""
    given = text(value)
    if not _PART.match(given) or len(given) > MAX_TEXT or "\0" in given:
        raise wrong(f"{given[:80]!r} is no DN", 'such as "ou=people,dc=example,dc=com"')
    return given


def read_login(value: object) -> str:
    """Read as what somebody binds."""
    given = text(value)
    if not given or len(given) > MAX_TEXT or "\0" in given:
        raise wrong("names nobody", 'such as "cn=sekisho,dc=example,dc=com"')
    return given


def read_user_dn(value: object) -> str:
    """Read the template of a direct bind."""
    given = read_login(value)
    hint = '"uid={user},ou=people,dc=example,dc=com" or "{user}@example.com"'
    _require_placeholders(given, ("user",), hint)
    if "=" not in given and "@" not in given:
        raise wrong(f"{given!r} is neither a DN nor a user principal name", hint)
    return given


def read_filter(value: object) -> str:
    """Read the filter that finds an account."""
    return _filter(value, ("user", "login"), "(uid={user})")


def read_group_filter(value: object) -> str:
    """Read the filter that finds an account's groups."""
    return _filter(value, ("user", "dn"), "(member={dn})")


def read_attribute(value: object) -> str:
    """Read an attribute's name."""
    given = text(value)
    if not _ATTRIBUTE.fullmatch(given):
        raise wrong(f"{given[:80]!r} is no attribute", 'such as "mail"')
    return given


def _filter(value: object, known: tuple[str, ...], example: str) -> str:
    given = text(value)
    _require_placeholders(given, known, f"such as {example!r}")
    depth = 0
    for character in given:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth < 0:
            break
    if depth or not (given.startswith("(") and given.endswith(")")):
        raise wrong("the filter's parentheses do not fit together", f"as in {example}")
    return given


def _require_placeholders(given: str, known: tuple[str, ...], hint: str) -> None:
    found = _PLACEHOLDER.findall(given)
    if unknown := [name for name in found if name not in known]:
        raise wrong(f"{{{unknown[0]}}} is not known here", hint)
    if not found:
        names = " or ".join(f"{{{name}}}" for name in known)
        raise wrong(f"holds no {names}, so it would be the same for all", hint)


Server = Annotated[LdapServer, PlainValidator(read_server)]
Dn = Annotated[str, PlainValidator(read_dn)]
Login = Annotated[str, PlainValidator(read_login)]
UserDn = Annotated[str, PlainValidator(read_user_dn)]
AccountFilter = Annotated[str, PlainValidator(read_filter)]
GroupFilter = Annotated[str, PlainValidator(read_group_filter)]
Attribute = Annotated[str, PlainValidator(read_attribute)]


class Ldap(Table):
    """The accounts of a directory: Active Directory, OpenLDAP and the like.

    Clients give a password by PLAIN or LOGIN, and the directory verifies it. Either an
    account is looked up first, as ``bind_dn`` (or as nobody), and then bound as; or it
    is bound as directly, where ``user_dn`` says how. While no server answers as it
    should, the answer is 454.

    Attributes:
        kind: ``ldap``.
        name: Shown in the log.
        servers: ``ldaps://HOST`` or ``ldap://HOST``, with ``:PORT`` if need be; the
            next is asked where one does not answer. Over ``ldap://`` TLS is started
            before anything else is said.
        tls: ``off``: nothing is encrypted; on this machine alone, with ``accept_risk``.
        ca: PEM file of the authorities that the servers' certificates are verified by;
            the system's if left out.
        accept_risk: Why ``tls = "off"`` is right.
        profile: Whose attributes say what an account is: it gives the defaults below.
        base: The DN below which the accounts are.
        bind_dn: As whom accounts are looked up; as nobody if left out. A DN, or with
            Active Directory a user principal name.
        bind_password: A text, ``{ file = "…" }`` or ``{ env = "…" }``.
        user_dn: Direct bind: ``uid={user},ou=people,dc=example,dc=com`` or
            ``{user}@example.com``. Without ``bind_dn`` beside it accounts cannot be
            looked at again, and a session ends ``cache_seconds`` after its login.
        filter: Finds an account; ``{user}`` stands for its name, ``{login}`` for what
            ``user_dn`` came to. By profile: persons by ``sAMAccountName`` or
            ``userPrincipalName``, or ``(uid={user})``. Several entries for one name
            are a refusal.
        account: The attribute whose only value is the account's name; by profile
            ``sAMAccountName`` or ``uid``.
        addresses: Attributes whose values the account may send from, by profile
            ``mail`` and ``proxyAddresses`` (those with ``smtp:``), or ``mail``.
        group_base: The DN below which the groups are. If left out, those of
            ``memberOf`` count by the first part of their DNs, wherever they are.
        group_filter: Finds the groups of an account; ``{dn}`` stands for its DN. By
            profile: nested membership, or any of ``member``, ``uniqueMember`` and
            ``memberUid``.
        group: The attribute that is a group's name; by profile ``sAMAccountName`` or
            ``cn``.
        decoy_dn: Bound in vain where a name is unknown, so that it takes as long as a
            wrong password. Give an account that nobody uses, where the directory hashes
            slowly; if left out, a DN that is not there.
        timeout_seconds: A server that takes longer is passed over.
        connections: So many at most, of each kind: for look-ups and for logins.
        cache_seconds: So long an account counts as unchanged; those in use are looked
            at again before.

    """

    kind: Literal["ldap"]
    name: Name = "ldap"
    servers: Annotated[Many[Server], Some]
    tls: Annotated[Protection, PlainValidator(member(Protection))] = Protection.REQUIRED
    ca: FilePath | None = None
    accept_risk: str = ""
    profile: Annotated[Profile, PlainValidator(member(Profile))]
    base: Dn
    bind_dn: Login | None = None
    bind_password: SecretText | None = None
    user_dn: UserDn | None = None
    filter: AccountFilter | None = None
    account: Attribute | None = None
    addresses: Many[Attribute] | None = None
    group_base: Dn | None = None
    group_filter: GroupFilter | None = None
    group: Attribute | None = None
    decoy_dn: Dn | None = None
    timeout_seconds: Annotated[float, Field(ge=0.1, le=4)] = 3.0
    connections: Annotated[int, Field(ge=1, le=256)] = 8
    cache_seconds: Annotated[float, Field(ge=1, le=3600)] = 60.0
