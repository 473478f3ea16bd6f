"""``kind = "kerberos"`` and ``kind = "winbind"``: accounts of a Kerberos realm."""

import re
from typing import Annotated, Literal

from pydantic import Field, PlainValidator

from sekisho.config.fields import Many, Name, Some, text
from sekisho.config.outside import FilePath
from sekisho.config.problems import wrong
from sekisho.config.table import Table
from sekisho.model.address import AddressError, parse_pattern

_REALM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
DEFAULT_HELPER = ("/usr/bin/ntlm_auth", "--helper-protocol=squid-2.5-ntlmssp")


def read_user_pattern(value: object) -> str:
    """Read an address pattern in which ``{user}`` stands for the account's name."""
    given = text(value, 'a text such as "{user}@example.com"')
    try:
        parse_pattern(given.replace("{user}", "user"))
    except AddressError as error:
        raise wrong(f"{given!r}: {error}", '"{user}@example.com"') from error
    return given


def read_realm(value: object) -> str:
    """Read a realm's or a domain's name; it is in upper case."""
    given = text(value, 'a text such as "EXAMPLE.COM"')
    if (
        not given
        or not given.isascii()
        or any(c.isspace() or c in "/@\\" for c in given)
    ):
        raise wrong(f"{given!r} is no realm", 'such as "EXAMPLE.COM"')
    return given


UserPattern = Annotated[str, PlainValidator(read_user_pattern)]
Realm = Annotated[str, PlainValidator(read_realm)]
Lasting = Annotated[float, Field(ge=60, le=86_400)]


class Kerberos(Table):
    """Accounts of a Kerberos realm: by ticket (GSSAPI, GSS-SPNEGO) and by password.

    Kerberos says who somebody is, not what he may do: that comes of ``directory``, or
    of ``addresses``. It needs the package ``gssapi``, which ``pip install
    sekisho[kerberos]`` brings. While no KDC can be reached, passwords are answered 454;
    tickets need none. While the directory cannot be reached, both are.

    Attributes:
        kind: ``kerberos``.
        name: Shown in the log.
        realms: Whose users are accounts here; the first is asked for passwords of
            names without a realm.
        keytab: Our keys, of ``smtp/HOST``; readable by the service's user alone.
        service: The host that tickets are for; ``hostname`` if left out.
        krb5_conf: The library's own configuration; the system's if left out.
        passwords: Whether PLAIN and LOGIN are verified by the KDC.
        require_channel_binding: Refuse tickets that are not bound to the TLS session.
            Off only for clients that cannot do it.
        directory: The ``name`` of an authenticator of the kind ``ldap``: groups and
            addresses are those of its entry, and who is not there, or is disabled
            there, is refused. For one realm alone.
        addresses: What an account may send from where there is no ``directory``;
            ``{user}`` is its name.
        session_seconds: A sign-in lasts no longer: Kerberos by itself does not tell of
            accounts that were disabled meanwhile.

    """

    kind: Literal["kerberos"]
    name: Name = "kerberos"
    realms: Annotated[Many[Realm], Some]
    keytab: FilePath
    service: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    krb5_conf: FilePath | None = None
    passwords: bool = True
    require_channel_binding: bool = True
    directory: Name | None = None
    addresses: Many[UserPattern] = ()
    session_seconds: Lasting = 600.0


class Winbind(Table):
    """NTLM for old devices of a Windows domain, verified by Samba's winbind.

    Only for machines that are members of the domain, and only NTLMv2: set
    ``ntlm auth = ntlmv2-only`` on the domain's controllers too. Local accounts are
    never verified so. Give such devices a listener of their own.

    Attributes:
        kind: ``winbind``.
        name: Shown in the log.
        domains: NetBIOS names of the domains whose accounts are taken.
        helper: ``ntlm_auth`` and its arguments.
        directory: As with ``kerberos``, for one domain alone.
        addresses: What an account may send from where there is no ``directory``;
            ``{user}`` is its name.
        session_seconds: A sign-in lasts no longer.

    """

    kind: Literal["winbind"]
    name: Name = "winbind"
    domains: Annotated[Many[Realm], Some]
    helper: Annotated[Many[Annotated[str, Field(min_length=1)]], Some] = DEFAULT_HELPER
    directory: Name | None = None
    addresses: Many[UserPattern] = ()
    session_seconds: Lasting = 600.0
