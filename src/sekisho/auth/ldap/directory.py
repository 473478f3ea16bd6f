"""What is asked of a directory: who an account is, and whether a password is its own.

A password is right only if all of this holds, on one connection whose server's name was
verified: the server took it; where it knows "who am I" (RFC 4532), it names the very
entry; and the account can read its own entry. A server that says yes to everybody, or
binds an empty name, fails in the second or in the third.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from sansldap import LDAPResult

from sekisho.auth.authenticator import AuthUnavailableError
from sekisho.auth.ldap.connection import (
    INVALID_CREDENTIALS,
    NO_SUCH_OBJECT,
    SUCCESS,
    Connection,
    Entry,
    Search,
    ServerRefusesError,
    require_success,
)
from sekisho.auth.ldap.entries import (
    MAX_GROUPS,
    DirectoryAccount,
    account_of,
    wanted_attributes,
)
from sekisho.auth.ldap.names import filled, is_dn, login_of, normal_dn
from sekisho.auth.ldap.options import DirectoryOptions, Server
from sekisho.auth.ldap.pool import Pool

_ANY = "(objectClass=*)"
_AD_REASON = re.compile(r"\bdata ([0-9a-f]{2,8})\b")
_AD_REASONS = {
    "525": "there is no such user",
    "52e": "the password is wrong",
    "530": "it may not sign in at this hour",
    "531": "it may not sign in from here",
    "532": "the password has expired",
    "533": "the account is disabled",
    "701": "the account has expired",
    "773": "the password must be changed first",
    "775": "the account is locked",
}


@dataclass(frozen=True, slots=True)
class Refused:
    """The directory refuses the password, or the name; why, for the log."""

    reason: str


@dataclass(frozen=True, slots=True)
class Bound:
    """It took the password.

    Attributes:
        dn: The account's entry.
        seen: What the account itself reads there; None where that was not asked, or
            where the entry describes no account.

    """

    dn: str
    seen: DirectoryAccount | None = None


class Directory:
    """Asks a directory.

    Args:
        options: See there.
        clock: Monotonic seconds.
        now: Unix seconds.

    """

    def __init__(
        self,
        options: DirectoryOptions,
        clock: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        self.options = options
        self._now = now
        self._attributes = wanted_attributes(options)

        self.lookups = Pool(
            options.servers,
            self.open_for_us,
            size=options.pool,
            attempt_seconds=options.attempt_seconds,
            clock=clock,
        )
        self.binds = Pool(
            options.servers,
            self.open,
            size=options.pool,
            attempt_seconds=options.attempt_seconds,
            clock=clock,
        )

    def close(self) -> None:
        """Close all connections."""
        self.lookups.close()
        self.binds.close()

    # -- who an account is ------------------------------------------------------------

    async def find(self, account: str, login: str = "") -> list[Entry]:
        """Find the entries of an account: none, one, or more than one."""
        search = self._account_search(self.options.base, account, login)
        return await self.lookups.use(lambda ours: ours.search(search))

    async def look(self, dn: str, account: str) -> DirectoryAccount | None:
        """Look at a known account; None where it is gone or the filter leaves it out.

        Raises:
            AuthUnavailableError: It could not be found out.

        """

        async def work(ours: Connection) -> DirectoryAccount | None:
            login = login_of(self.options.user_dn, account)
            search = self._account_search(dn, account, login, whole_tree=False)
            entry = await ours.read(search)
            return None if entry is None else await self.described(ours, entry, account)

        return await self.lookups.use(work)

    async def look_up(self, account: str) -> DirectoryAccount | Refused:
        """Look at an account by its name alone, as whom we are.

        Raises:
            AuthUnavailableError: It could not be found out.

        """
        login = login_of(self.options.user_dn, account)
        if self.options.user_dn and not login:
            return Refused("it can be no account of this directory")
        search = self.direct_search(login, account)

        async def work(ours: Connection) -> DirectoryAccount | Refused:
            match await _found(ours, search):
                case []:
                    return Refused("the directory has no such account")
                case [entry]:
                    seen = await self.described(ours, entry, account)
                case _:
                    return Refused("several entries have this name")
            if seen is None or seen.name != account:
                return Refused("its entry has another name, or several")
            return seen

        return await self.lookups.use(work)

    async def described(
        self, connection: Connection, entry: Entry, account: str
    ) -> DirectoryAccount | None:
        """Read an entry, and look up its groups."""
        options = self.options
        groups: list[str] | None = None
        if options.group_base:
            values = {"user": account, "dn": entry.dn}
            search = Search(
                options.group_base,
                filled(options.group_filter, values),
                (options.group_attribute,),
                MAX_GROUPS,
            )
            found = await connection.search(search)
            if len(found) > MAX_GROUPS:
                raise ServerRefusesError(f"more than {MAX_GROUPS} groups")
            groups = [
                name for one in found for name in one.texts(options.group_attribute)
            ]
        return account_of(entry, groups, options, self._now())

    # -- whether a password is right --------------------------------------------------

    async def bind(
        self, login: str, password: str, search: Search, describes: str = ""
    ) -> Refused | Bound:
        """Bind as an account, and prove that we are it.

        Args:
            login: As what to bind: a DN, or a userPrincipalName.
            password: Not empty.
            search: Finds its entry, as the account itself sees it.
            describes: The account whose entry is to be read as well; or empty.

        Raises:
            AuthUnavailableError: It could not be found out.

        """

        async def work(connection: Connection) -> Refused | Bound:
            result = await connection.bind(login, password)
            if result.result_code == INVALID_CREDENTIALS:
                return Refused(reason_of(result))
            if result.result_code == NO_SUCH_OBJECT:
                return Refused("there is no such entry")
            require_success(connection.server, result)
            who = await connection.who_am_i()
            found = await connection.search(search)
            entry = _only(connection.server, found)
            _require_self(who, entry, login)
            if not describes:
                return Bound(entry.dn)
            return Bound(entry.dn, await self.described(connection, entry, describes))

        return await self.binds.use(work)

    async def bind_in_vain(self, password: str) -> None:
        """Take as long as a wrong password; a yes to that is a server's fault.

        Raises:
            AuthUnavailableError: The server says yes, or cannot be asked.

        """
        decoy = self.options.decoy_dn

        async def work(connection: Connection) -> LDAPResult:
            return await connection.bind(decoy, password)

        result = await self.binds.use(work)
        if result.result_code == SUCCESS:
            raise AuthUnavailableError("the directory takes any name and password")
        if result.result_code not in (INVALID_CREDENTIALS, NO_SUCH_OBJECT):
            raise AuthUnavailableError(
                f"the directory answers a wrong password with {int(result.result_code)}"
            )

    def own_search(self, dn: str) -> Search:
        """Finds the entry of a DN, whatever the configured filter is."""
        return Search(dn, _ANY, self._attributes, 1, whole_tree=False)

    def direct_search(self, login: str, account: str) -> Search:
        """Finds the entry of somebody who binds directly, or in the whole tree."""
        if is_dn(login):
            return self._account_search(login, account, login, whole_tree=False)
        return self._account_search(self.options.base, account, login)

    def _account_search(
        self, base: str, account: str, login: str, *, whole_tree: bool = True
    ) -> Search:
        values = {"user": account, "login": login}
        return Search(
            base, filled(self.options.filter, values), self._attributes, 1, whole_tree
        )

    # -- connections ------------------------------------------------------------------

    async def open(self, server: Server) -> Connection:
        """Open a connection on which nobody is bound."""
        return await Connection.open(server, self.options.tls)

    async def open_for_us(self, server: Server) -> Connection:
        """Open a connection that is bound as whom we are."""
        connection = await self.open(server)
        options = self.options
        if not options.bind_dn:
            return connection
        try:
            result = await connection.bind(options.bind_dn, options.bind_password)
            _require_us(server, result)
        except BaseException:
            connection.close()
            raise
        return connection


def _require_us(server: Server, result: LDAPResult) -> None:
    """Insist on our own bind; that it is refused says nothing about an account."""
    if result.result_code == INVALID_CREDENTIALS:
        raise ServerRefusesError(f"{server}: it refuses bind_dn: {reason_of(result)}")
    require_success(server, result)


async def _found(ours: Connection, search: Search) -> list[Entry]:
    """Search; an entry looked up by its own DN may well not be there."""
    if search.whole_tree:
        return await ours.search(search)
    entry = await ours.read(search)
    return [] if entry is None else [entry]


def _only(server: Server, found: list[Entry]) -> Entry:
    match found:
        case [entry]:
            return entry
        case _:
            shown = "several entries" if found else "no entry"
            raise ServerRefusesError(
                f"{server}: it took the password, but shows {shown} to the account"
            )


def _require_self(who: str | None, entry: Entry, name: str) -> None:
    """Hold who the server says we are against the entry.

    Raises:
        ServerRefusesError: We are somebody else, or nobody.

    """
    if who is None:
        return
    kind, _, value = who.partition(":")
    match kind.lower():
        case "dn":
            same = normal_dn(value) == normal_dn(entry.dn)
        case "u":
            # Active Directory says DOMAIN\name.
            own = entry.text("sAMAccountName").casefold()
            same = bool(own) and value.rpartition("\\")[2].casefold() == own
        case _:
            same = False
    if is_dn(name):
        same = same and normal_dn(name) == normal_dn(entry.dn)
    if not same:
        raise ServerRefusesError(
            "the directory took the password, and then says that we are "
            + ("nobody" if not who else "somebody else")
        )


def reason_of(result: LDAPResult) -> str:
    """Why a bind was refused, as far as it says."""
    found = _AD_REASON.search(result.diagnostics_message)
    return _AD_REASONS.get(found[1] if found else "", "the password is wrong")
