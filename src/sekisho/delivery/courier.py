"""The courier: from a destination to a carrier.

Rules:

- Hosts are tried in order, each at all its addresses, until one is ready for a
  message. A refused or broken connection, a greeting or EHLO refused with 4yz or 5yz
  and a time-out lead to the next. When none is left, the outcome is `Failed` only
  where every host refused for good.
- Opportunistic TLS: unverified, and after a failed handshake the same host once more
  in plain text, over a new connection (RFC 7435). Required TLS: chain and name are
  verified, and nothing goes in plain text. `smtps` never falls back.
- Our login goes under TLS alone. One that is refused with 5yz ends the search: trying
  it at the other servers would lock the account out.
- All attempts together are bounded in number and time.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import ip_address
from typing import assert_never

from sekisho.delivery.carrier import Carrier, SmtpCarrier
from sekisho.delivery.connection import Connection, Peer, open_connection
from sekisho.delivery.content import Bodies
from sekisho.delivery.drop import DropCarrier
from sekisho.delivery.maildir import MaildirCarrier
from sekisho.delivery.mx import (
    LOOK_UP_FAILED,
    OwnHost,
    Resolver,
    mail_hosts,
)
from sekisho.model.outcome import Cause, Deferred, Failed
from sekisho.model.reply import reply
from sekisho.model.route import (
    Credentials,
    Destination,
    DropRoute,
    HostRoute,
    MaildirRoute,
    MxRoute,
    Server,
    TlsPolicy,
)
from sekisho.model.rules import IPAddress
from sekisho.net.dns import MailExchanger
from sekisho.session.client_events import ClientProfile, ClientTimeouts

TOOK_TOO_LONG = reply(451, "4.4.1", "No host of the destination was ready in time")

_REFUSED_FOR_GOOD = 500


@dataclass(frozen=True, slots=True)
class CourierOptions:
    """How to reach hosts.

    Attributes:
        hostname: Ours, for EHLO and the names of Maildir files.
        own: Where mail never goes by MX.
        connect_seconds: For one TCP connection.
        handshake_seconds: For one TLS handshake.
        total_seconds: For all hosts of a destination.
        max_attempts: Addresses tried of a destination.
        mx_port: 25; tests have no right to it.
        timeouts: Of the dialogue.

    """

    hostname: str
    own: OwnHost = field(default_factory=OwnHost)
    connect_seconds: float = 30.0
    handshake_seconds: float = 30.0
    total_seconds: float = 900.0
    max_attempts: int = 8
    mx_port: int = 25
    timeouts: ClientTimeouts = field(default_factory=ClientTimeouts)


@dataclass(frozen=True, slots=True)
class CourierTools:
    """What the courier takes from outside.

    Attributes:
        resolver: DNS.
        bodies: Where bodies in files are read.
        verifying: TLS context for `TlsPolicy.REQUIRED`.
        opportunistic: TLS context for the rest.
        shuffle: Randomness among equal MX records.
        token: Random lower-case hex digits, at least 16: names and nonces.
        clock: Unix seconds, for the names of Maildir files.

    """

    resolver: Resolver
    bodies: Bodies
    verifying: ssl.SSLContext
    opportunistic: ssl.SSLContext
    shuffle: Callable[[list[MailExchanger]], None]
    token: Callable[[], str]
    clock: Callable[[], float]


@dataclass(frozen=True, slots=True)
class _Manner:
    """How all hosts of a route are spoken to; fields as those of `HostRoute`."""

    tls: TlsPolicy
    lmtp: bool = False
    credentials: Credentials | None = None


@dataclass(frozen=True, slots=True)
class _Host:
    """One host to try, and how its addresses are found."""

    server: Server
    addresses: Callable[[], Awaitable[Sequence[IPAddress]]]


class Courier:
    """Opens the way to destinations."""

    def __init__(self, options: CourierOptions, tools: CourierTools) -> None:
        self._options = options
        self._tools = tools

    async def connect(self, destination: Destination) -> Carrier | Deferred | Failed:
        """Come to where a message can be handed over.

        Returns:
            A carrier, or why there is none; never raises for what DNS or a host
            does.

        """
        match destination.route:
            case MaildirRoute(path=path):
                return MaildirCarrier(path, self._options.hostname, self._tools)
            case DropRoute(path=path):
                return DropCarrier(path, self._tools)
            case MxRoute() | HostRoute():
                opened = await self.open(destination)
                if not isinstance(opened, Connection):
                    return opened
                reconnect = partial(self.open, destination)
                return SmtpCarrier(opened, self._tools.bodies, reconnect)
            case _:
                assert_never(destination.route)

    async def open(self, destination: Destination) -> Connection | Deferred | Failed:
        """Connect to the first host of an SMTP or LMTP destination that is ready."""
        try:
            async with asyncio.timeout(self._options.total_seconds):
                return await self._open(destination)
        except TimeoutError:
            return Deferred(Cause.TIMEOUT, TOOK_TOO_LONG)

    async def _open(self, destination: Destination) -> Connection | Deferred | Failed:
        match destination.route:
            case MxRoute(tls=tls):
                return await self._open_mx(destination.domain, _Manner(tls))
            case HostRoute() as route:
                hosts = [self._named(server) for server in route.servers]
                manner = _Manner(route.tls, route.lmtp, route.credentials)
                return await self._first_ready(hosts, manner)
            case _:
                raise TypeError(f"{destination} has no host")

    async def _open_mx(
        self, domain: str, manner: _Manner
    ) -> Connection | Deferred | Failed:
        tools = self._tools
        found = await mail_hosts(
            domain, tools.resolver, self._options.own, tools.shuffle
        )
        if not isinstance(found, tuple):
            return found
        hosts = [
            _Host(Server(host.name, self._options.mx_port), _known(host.addresses))
            for host in found
        ]
        return await self._first_ready(hosts, manner)

    def _named(self, server: Server) -> _Host:
        try:
            return _Host(server, _known((ip_address(server.host),)))
        except ValueError:
            return _Host(server, partial(self._look_up, server.host))

    async def _look_up(self, host: str) -> Sequence[IPAddress]:
        answer = await self._tools.resolver.system_addresses(host)
        return answer if isinstance(answer, tuple) else ()

    async def _first_ready(
        self, hosts: Sequence[_Host], manner: _Manner
    ) -> Connection | Deferred | Failed:
        failures: list[Deferred | Failed] = []
        attempts = self._options.max_attempts
        for host in hosts:
            addresses = await host.addresses()
            if not addresses:
                # The operator's word, or an MX a moment ago: never for good.
                name = host.server.host
                failures.append(Deferred(Cause.DNS, LOOK_UP_FAILED, name))
            for address in addresses[:attempts]:
                attempts -= 1
                opened = await self._open_at(host.server, address, manner)
                if isinstance(opened, Connection) or _ends_the_search(opened):
                    return opened
                failures.append(opened)
        deferred = [failure for failure in failures if isinstance(failure, Deferred)]
        return (deferred or failures)[-1]

    async def _open_at(
        self, server: Server, address: IPAddress, manner: _Manner
    ) -> Connection | Deferred | Failed:
        options, tools = self._options, self._tools
        verified = manner.tls is TlsPolicy.REQUIRED
        peer = Peer(
            profile=ClientProfile(
                hostname=options.hostname,
                host=server.host,
                tls=manner.tls,
                lmtp=manner.lmtp,
                credentials=manner.credentials,
                nonce=tools.token(),
                timeouts=options.timeouts,
            ),
            address=address,
            port=server.port,
            context=tools.verifying if verified else tools.opportunistic,
            implicit_tls=server.implicit_tls,
            connect_seconds=options.connect_seconds,
            handshake_seconds=options.handshake_seconds,
        )
        opened = await open_connection(peer)
        if (
            isinstance(opened, Deferred)
            and opened.cause is Cause.TLS
            and manner.tls is TlsPolicy.OPPORTUNISTIC
            and not (server.implicit_tls or manner.credentials)
        ):
            plain = replace(peer, profile=replace(peer.profile, tls=TlsPolicy.OFF))
            return await open_connection(plain)
        return opened


def _known(
    addresses: Sequence[IPAddress],
) -> Callable[[], Awaitable[Sequence[IPAddress]]]:
    async def give() -> Sequence[IPAddress]:
        return addresses

    return give


def _ends_the_search(failure: Deferred | Failed) -> bool:
    return (
        failure.cause is Cause.UPSTREAM_AUTH and failure.reply.code >= _REFUSED_FOR_GOOD
    )
