"""How the texts of the configuration become values that cannot be wrong.

Each reader takes what TOML gave, and returns a value of `sekisho.model` (or of
`sekisho.config.values`) or raises `wrong(…)`. The annotated types below carry the
readers; `sekisho.config.schema` is written in them.
"""

import datetime as dt
import math
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Annotated, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, PlainValidator

from sekisho.config.problems import did_you_mean, wrong
from sekisho.model.address import (
    Address,
    AddressError,
    AddressPattern,
    parse_address,
    parse_pattern,
)
from sekisho.model.domain import DomainError, normal_domain, normal_literal
from sekisho.model.rules import (
    AnyIdentity,
    Clients,
    GrantedTo,
    Group,
    IPAddress,
    IPNetwork,
    User,
    unmapped,
)

STRICT = ConfigDict(
    frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True
)

_T = TypeVar("_T")
_E = TypeVar("_E", bound=Enum)

_NAME = re.compile(r"\w(?:[\w .-]{0,62}[\w.-])?")
_NUMBERS = re.compile(r"\d|[0-9A-Fa-f]{0,4}:")
_HOST_PORT = re.compile(r"(?:\[([^\[\]]+)\]|([^:\[\]]*)):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class SocketAddress:
    """An address and port to listen on; port 0 means any free one."""

    host: IPAddress
    port: int

    def __str__(self) -> str:
        if isinstance(self.host, IPv6Address):
            return f"[{self.host}]:{self.port}"
        return f"{self.host}:{self.port}"


# -- single texts ---------------------------------------------------------------------


def text(value: object, what: str = "a text in quotes") -> str:
    """Take a string; anything else is refused, without showing it."""
    if not isinstance(value, str):
        raise wrong(f"must be {what}")
    return value


def read_name(value: object) -> str:
    """Read a name: letters, digits, space, dot, dash and underscore, 1 to 64."""
    name = text(value)
    if not _NAME.fullmatch(name):
        raise wrong(
            f"{name[:80]!r} is no name",
            "1 to 64 letters, digits, spaces, dots, dashes and underscores",
        )
    return name


def read_hostname(value: object) -> str:
    """Read a host name into its normal form."""
    try:
        return normal_domain(text(value))
    except DomainError as error:
        raise wrong(str(error), 'such as "relay.example.com"') from error


def read_own_domain(value: object) -> str:
    """Read a domain name or an address literal into its normal form."""
    name = text(value)
    try:
        return normal_literal(name) if name.startswith("[") else normal_domain(name)
    except DomainError as error:
        hint = 'each domain has its own table; "*" is not taken' if "*" in name else ""
        raise wrong(str(error), hint) from error


def read_address(value: object) -> Address:
    """Read one mailbox."""
    given = text(value)
    try:
        return parse_address(given)
    except AddressError as error:
        raise wrong(f"{given!r}: {error}", 'such as "user@example.com"') from error


def read_pattern(value: object) -> AddressPattern:
    """Read a mailbox or a pattern over mailboxes."""
    given = text(value)
    try:
        return parse_pattern(given)
    except AddressError as error:
        raise wrong(
            f"{given!r}: {error}",
            '"user@example.com", "*@example.com", "*@*.example.com" or "*"',
        ) from error


def choice(*words: str) -> Callable[[object], str]:
    """Make a reader that takes one of the words."""

    def read(value: object) -> str:
        given = text(value, "one of " + ", ".join(f'"{word}"' for word in words))
        if given not in words:
            raise wrong(f"{given!r} is not known", did_you_mean(given, words))
        return given

    return read


def member(of: type[_E]) -> Callable[[object], _E]:
    """Make a reader that takes one of an enumeration's values, or a member."""
    read = choice(*(str(one.value) for one in of))

    def read_member(value: object) -> _E:
        return value if isinstance(value, of) else of(read(value))

    return read_member


# -- addresses on the network ---------------------------------------------------------


def read_socket_address(value: object) -> SocketAddress:
    """Read ``192.0.2.1:25`` or ``[2001:db8::1]:25``."""
    given = text(value, 'a text such as "0.0.0.0:25"')
    found = _HOST_PORT.fullmatch(given)
    hint = 'an address and a port, such as "127.0.0.1:2525" or "[::]:25"'
    if found is None:
        raise wrong(f"{given!r} is no address and port", hint)
    six, four, port = found.groups()
    host = six or four
    if not host:
        raise wrong(f"{given!r} names no address", f'all addresses: "0.0.0.0:{port}"')
    try:
        address = ip_address(host)
    except ValueError as error:
        raise wrong(f"{host!r} is no IP address", hint) from error
    if isinstance(address, IPv6Address) != bool(six):
        raise wrong(f"{given!r}: only an IPv6 address stands in brackets", hint)
    return SocketAddress(address, read_port(port, lowest=0))


def read_port(digits: str, lowest: int = 1) -> int:
    """Read a port number."""
    port = int(digits)
    if not lowest <= port <= 65535:  # noqa: PLR2004 - the last port
        raise wrong(f"{port} is no port", f"{lowest} to 65535")
    return port


def read_network(value: object) -> IPNetwork:
    """Read an address or a network; IPv4-mapped ones become IPv4.

    How wide a grant may be is no matter of spelling: `sekisho check` judges it.
    """
    given = text(value, 'a text such as "10.1.2.3"')
    try:
        network = ip_network(given)
    except ValueError as error:
        raise wrong(f"{given!r} is no address or network", _network_hint(given)) from (
            error
        )
    mapped = unmapped(network.network_address)
    if mapped.version != network.version:
        network = ip_network((mapped, max(network.prefixlen - 96, 0)))
    return network


def read_proxies(value: object) -> IPNetwork:
    """Read the address or network of proxies; they say who a client is.

    The whole internet is refused: anybody could then call himself anybody.
    """
    network = read_network(value)
    if network.prefixlen == 0:
        raise wrong(f"{value!r} is the whole internet", "name the proxies one by one")
    return network


def _network_hint(given: str) -> str:
    try:
        return f'did you mean "{ip_network(given, strict=False)}"?'
    except ValueError:
        return 'such as "10.1.2.3", "10.1.2.0/28" or "2001:db8::/64"'


# -- who ------------------------------------------------------------------------------


def read_who(value: object) -> GrantedTo:
    """Read one of those to whom a grant is given."""
    given = text(value)
    if given == "authenticated":
        return AnyIdentity()
    kind, colon, name = given.partition(":")
    if colon and kind in ("group", "user"):
        if not name or name != name.strip():
            raise wrong(f"{given!r} names nobody", f'such as "{kind}:scanner"')
        # Accounts' names and groups are kept in lower case; nothing else would match.
        name = account_name(name)
        return Group(name) if kind == "group" else User(name)
    if given.lower() in ("anyone", "everyone", "all", "*", "any"):
        raise wrong(
            f"{given!r}: nobody relays without papers",
            '"authenticated" is everybody with an account',
        )
    if not _NUMBERS.match(given):
        known = ("authenticated", "group:…", "user:…", "an address or network")
        raise wrong(f"{given!r} is not known", did_you_mean(given, known))
    return Clients((read_network(given),))


def account_name(name: str) -> str:
    """Bring an account's name into the form in which names are compared."""
    return unicodedata.normalize("NFC", name.lower())


def join_clients(who: tuple[GrantedTo, ...]) -> tuple[GrantedTo, ...]:
    """Put all networks of a list into one `Clients`, after the identities."""
    networks = tuple(n for one in who if isinstance(one, Clients) for n in one.networks)
    others = tuple(one for one in who if not isinstance(one, Clients))
    return (*others, Clients(networks)) if networks else others


# -- times ----------------------------------------------------------------------------


def read_expiry(value: object) -> float:
    """Read an end into Unix seconds.

    A date holds through that day, UTC; a date-time without offset is UTC.
    """
    if isinstance(value, dt.datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
        return moment.timestamp()
    if isinstance(value, dt.date):
        if value == dt.date.max:
            return math.inf
        day = value + dt.timedelta(days=1)
        return dt.datetime.combine(day, dt.time(), dt.UTC).timestamp()
    raise wrong("must be a date, without quotes", "such as 2027-06-30")


# -- the annotated types --------------------------------------------------------------

Many = Annotated[tuple[_T, ...], Field(strict=False)]
"""A TOML array."""


def _some(items: tuple[_T, ...]) -> tuple[_T, ...]:
    # Not Field(min_length=1): that would call a list empty whose one item is wrong.
    if not items:
        raise wrong("must not be an empty list")
    return items


Some = AfterValidator(_some)
"""Beside `Many`: not an empty one."""

Name = Annotated[str, PlainValidator(read_name)]
Hostname = Annotated[str, PlainValidator(read_hostname)]
OwnDomainName = Annotated[str, PlainValidator(read_own_domain)]
Mailbox = Annotated[Address, PlainValidator(read_address)]
Pattern = Annotated[AddressPattern, PlainValidator(read_pattern)]
Bind = Annotated[SocketAddress, PlainValidator(read_socket_address)]
Network = Annotated[IPNetwork, PlainValidator(read_network)]
Proxies = Annotated[IPNetwork, PlainValidator(read_proxies)]
WhoItem = Annotated[GrantedTo, PlainValidator(read_who)]
Expiry = Annotated[float, PlainValidator(read_expiry)]
