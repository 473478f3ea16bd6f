"""How the texts of the configuration become values that cannot be wrong.

Each reader takes what TOML gave, and returns a value of `sekisho.model` (or of
`sekisho.config.values`) or raises `wrong(…)`. The annotated types below carry the
readers; `sekisho.config.schema` is written in them.
"""

import datetime
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, Field, PlainValidator, TypeAdapter, ValidationInfo

from sekisho.config.problems import Problem, did_you_mean, wrong
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
    RecipientCheck,
    User,
    unmapped,
)

MAX_FILE_BYTES = 16 * 1024 * 1024
"""Of the configuration and of each list that it names."""

MAX_SECRET_BYTES = 64 * 1024

STRICT = ConfigDict(
    frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True
)

_T = TypeVar("_T")
_E = TypeVar("_E", bound=Enum)

_NAME = re.compile(r"\w(?:[\w .-]{0,62}[\w.-])?")
# Only after a space: # may stand in a local part.
_COMMENT = re.compile(r"(?:^|\s)#.*")
_HOST_PORT = re.compile(r"(?:\[([^\[\]]+)\]|([^:\[\]]*)):(\d{1,5})")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a value may refer to outside the file.

    Attributes:
        folder: The configuration's, from which relative paths start.
        env: The environment.
        problems: Where mistakes in other files are reported.

    """

    folder: Path
    env: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list[Problem])


def surroundings(info: ValidationInfo) -> Surroundings:
    """Take the surroundings that the loader handed to pydantic."""
    given = info.context
    if not isinstance(given, Surroundings):
        raise TypeError("a configuration is read by load_config")
    return given


class Secret:
    """A text that is never shown: not by repr, not by str, not in an error."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the text, to the one place that sends it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"


@dataclass(frozen=True, slots=True)
class SocketAddress:
    """An address and port to listen on; port 0 means any free one."""

    host: IPAddress
    port: int

    def __str__(self) -> str:
        if isinstance(self.host, IPv6Address):
            return f"[{self.host}]:{self.port}"
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Recipients:
    """Which mailboxes an own domain has; see `sekisho.model.rules.OwnDomain`."""

    check: RecipientCheck = RecipientCheck.CALLOUT
    addresses: frozenset[tuple[str, str]] = frozenset()
    patterns: tuple[AddressPattern, ...] = ()


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

    A network that is the whole internet is refused: nobody means that.
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
    if network.prefixlen == 0:
        raise wrong(f"{given!r} is the whole internet", "name the addresses one by one")
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
        return Group(name) if kind == "group" else User(account_name(name))
    if given.lower() in ("anyone", "everyone", "all", "*", "any"):
        raise wrong(
            f"{given!r}: nobody relays without papers",
            '"authenticated" is everybody with an account',
        )
    if not given[:1].isdigit() and ":" not in given:
        known = ("authenticated", "group:NAME", "user:NAME", "an address or network")
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
    if isinstance(value, datetime.datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=datetime.UTC)
        return moment.timestamp()
    if isinstance(value, datetime.date):
        if value == datetime.date.max:
            return math.inf
        day = value + datetime.timedelta(days=1)
        return datetime.datetime.combine(day, datetime.time(), datetime.UTC).timestamp()
    raise wrong("must be a date, without quotes", "such as 2027-06-30")


# -- files and secrets ----------------------------------------------------------------


def read_path(value: object, info: ValidationInfo) -> Path:
    """Read a path; a relative one starts at the configuration's folder."""
    given = text(value, "a path in quotes")
    if not given or "\0" in given:
        raise wrong(f"{given!r} is no path")
    return (surroundings(info).folder / given).absolute()


def _referred(value: object, keys: tuple[str, ...]) -> tuple[str, str] | None:
    """Take ``{ file = "…" }`` or ``{ env = "…" }`` apart."""
    match value:
        case {**rest} if len(rest) == 1:
            ((key, name),) = rest.items()
            if key in keys and isinstance(name, str) and name:
                return str(key), name
    return None


def _file_bytes(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise wrong(f'the file "{path}" cannot be read: {error.strerror}') from error
    if len(data) > limit:
        raise wrong(f'the file "{path}" is larger than {limit} octets')
    return data


def read_secret(value: object, info: ValidationInfo) -> Secret:
    """Read a secret, from where it is said to be.

    One line end at the end of a file is not part of it.
    """
    outside = surroundings(info)
    if isinstance(value, str):
        secret = value
    else:
        match _referred(value, ("file", "env")):
            case ("file", name):
                raw = _file_bytes(outside.folder / name, MAX_SECRET_BYTES)
                secret = raw.decode("utf-8", "replace").removesuffix("\n")
                secret = secret.removesuffix("\r")
            case ("env", name):
                secret = outside.env.get(name, "")
            case _:
                raise wrong(
                    "must be a secret",
                    'a text, { file = "…" } or { env = "…" }',
                )
    if not secret or "\0" in secret or "\ufffd" in secret:
        raise wrong("the secret is empty, or is no UTF-8 text")
    return Secret(secret)


def read_recipients(value: object, info: ValidationInfo) -> Recipients:
    """Read ``"callout"``, ``"any"``, a list, or ``{ file = "…" }``."""
    if isinstance(value, str):
        return Recipients(RecipientCheck(choice("callout", "any")(value)))
    if isinstance(value, list):
        return _listed(_PATTERNS.validate_python(value, context=info.context))
    if reference := _referred(value, ("file",)):
        return _listed(_patterns_of_file(reference[1], surroundings(info)))
    raise wrong(
        "must say which recipients there are",
        '"callout", "any", a list of addresses, or { file = "…" }',
    )


def _patterns_of_file(name: str, outside: Surroundings) -> tuple[AddressPattern, ...]:
    raw = _file_bytes(outside.folder / name, MAX_FILE_BYTES)
    patterns: list[AddressPattern] = []
    for number, line in enumerate(raw.decode("utf-8-sig", "replace").split("\n"), 1):
        if not (entry := _COMMENT.sub("", line).strip()):
            continue
        try:
            patterns.append(parse_pattern(entry))
        except AddressError as error:
            shown = str(outside.folder / name)
            message = f"{entry!r}: {error}"
            outside.problems.append(Problem(shown, number, "", message))
    return tuple(patterns)


def _listed(patterns: tuple[AddressPattern, ...]) -> Recipients:
    single = [p for p in patterns if p.local_part != "*"]
    return Recipients(
        RecipientCheck.LISTED,
        frozenset((p.local_part, p.domain) for p in single),
        tuple(p for p in patterns if p.local_part == "*"),
    )


# -- the annotated types --------------------------------------------------------------

Many = Annotated[tuple[_T, ...], Field(strict=False)]
"""A TOML array."""

Name = Annotated[str, PlainValidator(read_name)]
Hostname = Annotated[str, PlainValidator(read_hostname)]
OwnDomainName = Annotated[str, PlainValidator(read_own_domain)]
Mailbox = Annotated[Address, PlainValidator(read_address)]
Pattern = Annotated[AddressPattern, PlainValidator(read_pattern)]
Bind = Annotated[SocketAddress, PlainValidator(read_socket_address)]
Network = Annotated[IPNetwork, PlainValidator(read_network)]
WhoItem = Annotated[GrantedTo, PlainValidator(read_who)]
Expiry = Annotated[float, PlainValidator(read_expiry)]
FilePath = Annotated[Path, PlainValidator(read_path)]
SecretText = Annotated[Secret, PlainValidator(read_secret)]
RecipientsOf = Annotated[Recipients, PlainValidator(read_recipients)]

_PATTERNS: TypeAdapter[Any] = TypeAdapter(Many[Pattern], config=STRICT)
