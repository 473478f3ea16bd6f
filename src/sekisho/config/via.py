"""Where mail goes, as ``via`` and a domain's ``route`` spell it.

| text | meaning |
| --- | --- |
| ``mx`` | the hosts that DNS names for the recipient's domain |
| ``smarthost:NAME`` | the servers of ``[smarthost.NAME]`` |
| ``smtp://HOST[:PORT][?tls=…]`` | that host, no MX look-up; port 25 |
| ``smtps://HOST[:PORT][?tls=…]`` | TLS before the greeting; port 465 |
| ``lmtp://HOST:PORT[?tls=…]`` | an LMTP server |
| ``maildir:PATH``, ``drop:PATH`` | a folder on this machine |

``?tls=`` is ``off``, ``opportunistic`` or ``required``. Left out, it is opportunistic;
with ``smtps`` it is required, since TLS is there anyway and only the certificate is
in question.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated

from pydantic import PlainValidator, ValidationInfo

from sekisho.config.fields import choice, read_port, text
from sekisho.config.outside import read_path
from sekisho.config.problems import did_you_mean, wrong
from sekisho.model.domain import DomainError, normal_domain
from sekisho.model.route import (
    DropRoute,
    HostRoute,
    MaildirRoute,
    MxRoute,
    Route,
    Server,
    TlsPolicy,
)


@dataclass(frozen=True, slots=True)
class SmarthostName:
    """A smarthost by its name; `sekisho.config.values.routes` puts it in."""

    name: str


Target = Route | SmarthostName


@dataclass(frozen=True, slots=True)
class _Scheme:
    """What a URL's scheme says."""

    port: int | None
    implicit_tls: bool = False
    lmtp: bool = False


_SCHEMES: Mapping[str, _Scheme] = {
    "smtp": _Scheme(25),
    "smtps": _Scheme(465, implicit_tls=True),
    "lmtp": _Scheme(None, lmtp=True),
}
_FOLDERS: Mapping[str, Callable[[str], Route]] = {
    "maildir": MaildirRoute,
    "drop": DropRoute,
}
_FORMS = (
    '"mx", "smarthost:NAME", "smtp://host:25", "smtps://host:465", "lmtp://host:24", '
    '"maildir:/path" or "drop:/path"'
)
_URL = re.compile(
    r"(?P<scheme>\w+)://(?:\[(?P<six>[^\[\]/?@]+)\]|(?P<host>[^\[\]/?:@]+))"
    r"(?::(?P<port>\d{1,5}))?/?(?:\?tls=(?P<tls>\w+))?"
)


@dataclass(frozen=True, slots=True)
class Url:
    """A URL taken apart.

    Attributes:
        server: Host, port and whether TLS comes first.
        tls: As the URL says, or None.
        lmtp: Whether LMTP is spoken.

    """

    server: Server
    tls: TlsPolicy | None
    lmtp: bool


def read_url(value: object) -> Url:
    """Read ``smtp://``, ``smtps://`` and ``lmtp://`` URLs."""
    given = text(value, 'a text such as "smtp://host:25"')
    if "@" in given:
        # Not shown: a password may stand before the @.
        raise wrong(
            "a login does not belong in a URL",
            "username and password stand in [smarthost.NAME]",
        )
    found = _URL.fullmatch(given)
    if found is None:
        raise wrong(f"{given!r} is no URL of a host", 'such as "smtp://host:25"')
    scheme = _SCHEMES.get(found["scheme"])
    if scheme is None:
        hint = did_you_mean(found["scheme"], _SCHEMES)
        raise wrong(f"{found['scheme']!r} is no known scheme", hint)
    port = read_port(found["port"]) if found["port"] else scheme.port
    if port is None:
        raise wrong(f"{given!r} has no port", "an LMTP server has none by default")
    tls = None
    if found["tls"]:
        tls = TlsPolicy(choice(*(p.value for p in TlsPolicy))(found["tls"]))
    if scheme.implicit_tls and tls is TlsPolicy.OFF:
        raise wrong(f"{given!r}: smtps is TLS", 'without TLS it is "smtp://"')
    host = _ipv6(found["six"]) if found["six"] else _host(found["host"])
    return Url(Server(host, port, scheme.implicit_tls), tls, scheme.lmtp)


def _ipv6(literal: str) -> str:
    try:
        address = ip_address(literal)
    except ValueError as error:
        raise wrong(f"{literal!r} is no IPv6 address") from error
    return str(address)


def _host(name: str) -> str:
    try:
        return str(ip_address(name))
    except ValueError:
        pass
    try:
        return normal_domain(name)
    except DomainError as error:
        raise wrong(f"{name!r} is no host: {error}") from error


def read_target(value: object, info: ValidationInfo) -> Target:
    """Read a ``via`` or ``route``."""
    given = text(value, f"one of {_FORMS}")
    if given == "mx":
        return MxRoute()
    kind, colon, rest = given.partition(":")
    if not colon:
        raise wrong(f"{given!r} is no route", _FORMS)
    if kind == "smarthost":
        return SmarthostName(rest)
    if folder := _FOLDERS.get(kind):
        return folder(str(read_path(rest, info)))
    if not rest.startswith("//"):
        raise wrong(f"{given!r} is no route", _FORMS)
    url = read_url(given)
    default = TlsPolicy.REQUIRED if url.server.implicit_tls else TlsPolicy.OPPORTUNISTIC
    return HostRoute(given, (url.server,), url.tls or default, url.lmtp)


def read_smarthost_server(value: object) -> Server:
    """Read one of a smarthost's servers; TLS is said once, for all of them."""
    url = read_url(value)
    if url.lmtp:
        raise wrong("a smarthost speaks SMTP", '"smtp://…" or "smtps://…"')
    if url.tls is not None:
        raise wrong(
            "?tls= does not belong here", "the smarthost's key tls is for all servers"
        )
    return url.server


Via = Annotated[Target, PlainValidator(read_target)]
SmarthostServer = Annotated[Server, PlainValidator(read_smarthost_server)]
