"""Authenticators of Kerberos realms and Windows domains, from their tables."""

import asyncio
from collections.abc import Callable
from secrets import token_bytes
from typing import TYPE_CHECKING

from sekisho.app.control import Refusal
from sekisho.auth.authenticator import Authenticator
from sekisho.auth.hashing import HashingPool
from sekisho.auth.kerberos.authenticator import (
    KerberosAuthenticator,
    KerberosOptions,
    Tools,
)
from sekisho.auth.kerberos.gss import (
    KerberosMissingError,
    Library,
    prepare_environment,
)
from sekisho.auth.members import MemberOptions, Members
from sekisho.auth.winbind import WinbindAuthenticator, WinbindOptions
from sekisho.config.kerberos import Kerberos, Winbind
from sekisho.model.address import AddressPattern, parse_pattern

if TYPE_CHECKING:
    from sekisho.app.authenticators import Workshop

_THREADS = 4
"""A KDC that is slow holds up to so many calls; passwords of others have their own."""


def build_kerberos(table: Kerberos, given: "Workshop") -> Authenticator:
    """Build the authenticator of a realm.

    Raises:
        Refusal: The library is not there.

    """
    prepare_environment(table.krb5_conf, given.config.data_dir)
    service = f"smtp@{table.service or given.config.hostname}"
    try:
        library = Library(table.keytab, service)
    except KerberosMissingError as error:
        raise Refusal(
            f"{table.name}: Kerberos needs the package gssapi",
            "pip install 'sekisho[kerberos]' (and Debian's libkrb5-dev and gcc)",
        ) from error
    pool = HashingPool(threads=_THREADS, gives_way=False)
    # In a thread: it waits for a KDC that is just being asked.
    given.closing.push_async_callback(asyncio.to_thread, pool.close)
    options = KerberosOptions(
        realms=table.realms,
        passwords=table.passwords,
        needs_binding=table.require_channel_binding,
    )
    tools = Tools(library, pool.run)
    return KerberosAuthenticator(options, tools, _members(table, given))


def build_winbind(table: Winbind, given: "Workshop") -> Authenticator:
    """Build the authenticator of a Windows domain's old devices."""
    domains = frozenset(one.upper() for one in table.domains)
    options = WinbindOptions(command=table.helper, domains=domains)
    return WinbindAuthenticator(options, _members(table, given))


def _members(table: Kerberos | Winbind, given: "Workshop") -> Members:
    options = MemberOptions(
        name=table.name,
        session_seconds=table.session_seconds,
        addresses=addresses_of_users(table.addresses),
    )
    name = table.directory
    register = None if name is None else given.registers[name]
    return Members(options, register, given.clock, token_bytes)


def addresses_of_users(
    patterns: tuple[str, ...],
) -> Callable[[str], tuple[AddressPattern, ...]]:
    """Say what a user may send from: patterns in which ``{user}`` is his name."""

    def of(account: str) -> tuple[AddressPattern, ...]:
        user = account.partition("@")[0]
        # A principal may be called by a star; in an address it would be a pattern.
        fixed = tuple(one for one in patterns if "{user}" not in one)
        mine = fixed if "*" in user else patterns
        return tuple(parse_pattern(one.replace("{user}", user)) for one in mine)

    return of
