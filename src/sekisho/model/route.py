"""Where the mail of a domain goes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import assert_never

from sekisho.model.address import AddressPattern


class TlsPolicy(Enum):
    """How much TLS towards the next host matters."""

    OFF = "off"
    OPPORTUNISTIC = "opportunistic"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Server:
    """One host and port, no MX look-up.

    Attributes:
        host: A name, or an address without brackets.
        port: 1 to 65535.
        implicit_tls: Whether TLS comes before the greeting (smtps).

    """

    host: str
    port: int
    implicit_tls: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Our login at an upstream host; never shown."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class MxRoute:
    """The hosts that DNS names for the domain (RFC 5321 §5)."""

    tls: TlsPolicy = TlsPolicy.OPPORTUNISTIC


@dataclass(frozen=True, slots=True)
class HostRoute:
    """Named hosts, tried in order: a smarthost, an inner server, an LMTP server.

    Attributes:
        name: For people: ``smarthost:provider`` or the URL.
        servers: At least one.
        tls: With `TlsPolicy.REQUIRED` the certificate is verified.
        lmtp: Whether LMTP (RFC 2033) is spoken.
        credentials: Our login, or None. Sent under TLS only.

    """

    name: str
    servers: tuple[Server, ...]
    tls: TlsPolicy = TlsPolicy.OPPORTUNISTIC
    lmtp: bool = False
    credentials: Credentials | None = None


@dataclass(frozen=True, slots=True)
class MaildirRoute:
    """A Maildir on this machine; one for all its mail."""

    path: str


@dataclass(frozen=True, slots=True)
class DropRoute:
    """A folder in which each message becomes one ``.eml`` file."""

    path: str


Route = MxRoute | HostRoute | MaildirRoute | DropRoute


@dataclass(frozen=True, slots=True)
class Destination:
    """What mail may share one connection: equal destinations, equal treatment.

    Attributes:
        route: Where to.
        domain: For an `MxRoute` the recipient's domain; empty for the others, which
            take the mail of any domain over one connection.

    """

    route: Route
    domain: str = ""
    _name: str = field(init=False, repr=False, compare=False)
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out once what every message asks for."""
        object.__setattr__(self, "_name", _name_of(self.route, self.domain))
        object.__setattr__(self, "_hash", hash((self.route, self.domain)))

    def __str__(self) -> str:
        return self._name

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[type["Destination"], tuple[Route, str]]:
        """Be made anew in another process: strings have another hash there."""
        return Destination, (self.route, self.domain)


def _name_of(route: Route, domain: str) -> str:
    match route:
        case MxRoute():
            return domain
        case HostRoute(name=name):
            return name
        case MaildirRoute(path=path):
            return f"maildir:{path}"
        case DropRoute(path=path):
            return f"drop:{path}"
        case _:
            assert_never(route)


@dataclass(frozen=True, slots=True)
class RouteRule:
    """One ``[[route]]``: the first that matches wins.

    Attributes:
        to: Forward-paths.
        sender: Reverse-paths; ``<>`` matches only ``*``.
        route: Where to.
        destination: That of all its mail; None where each domain is one by itself.

    """

    to: AddressPattern
    sender: AddressPattern
    route: Route
    destination: Destination | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the destination once."""
        by_mx = isinstance(self.route, MxRoute)
        one = None if by_mx else Destination(self.route)
        object.__setattr__(self, "destination", one)


@dataclass(frozen=True, slots=True)
class Routes:
    """All routes: own domains first, then the rules in order, then MX.

    Attributes:
        domains: The routes of own domains.
        rules: In order.
        own: The destinations of own domains.

    """

    domains: Mapping[str, Route] = field(default_factory=dict[str, Route])
    rules: tuple[RouteRule, ...] = ()
    own: Mapping[str, Destination] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the destinations once."""
        own = {
            domain: Destination(route, domain if isinstance(route, MxRoute) else "")
            for domain, route in self.domains.items()
        }
        object.__setattr__(self, "own", own)
