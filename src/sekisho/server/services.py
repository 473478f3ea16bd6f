"""What a connection needs of the rest of the service, handed in by `app`.

The server room imports neither the scheduler nor the wiring; it meets them through
the values and callables here. `Services.policy` and the listeners' profiles may be
replaced while sessions run: each MAIL looks at them as they are then.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address
from time import monotonic
from typing import Protocol

from sekisho.auth.gatekeeper import Gatekeeper
from sekisho.model.address import Address
from sekisho.model.facts import Standing
from sekisho.model.identity import Identity, Who
from sekisho.model.ids import MessageId
from sekisho.model.limits import ServiceLimits
from sekisho.model.message import Message
from sekisho.model.rules import IPAddress, IPNetwork, Role, TlsMode, unmapped
from sekisho.net.tls import ServerTls
from sekisho.observe.events import Event
from sekisho.policy.decide import Policy
from sekisho.queue.store import Queue
from sekisho.server.bell import Bell
from sekisho.server.counters import ClientCounters, QuotaCounters
from sekisho.session.extensions import SessionProfile


class Callout(Protocol):
    """Asks the host of an own domain whether it knows a recipient."""

    def ask(self, address: Address) -> Awaitable[Standing]:
        """Answer, from memory where it is remembered; never raises."""
        ...


@dataclass(slots=True)
class ListenerContext:
    """One listener, as its connections see it.

    Attributes:
        profile: For the session machine.
        tls_mode: How it comes to TLS.
        offers_auth: Whether AUTH is announced on it.
        proxies: From these, and from nobody else, a PROXY header is taken.
        identify: For a Unix socket: who a user of this machine is. Such a client
            has shown its papers to the kernel, and needs no TLS.

    """

    name: str
    profile: SessionProfile
    tls_mode: TlsMode
    offers_auth: bool
    proxies: tuple[IPNetwork, ...] = ()
    identify: Callable[[int], Who] | None = None

    @property
    def adds_missing_fields(self) -> bool:
        """Whether Date and Message-ID are added (RFC 6409 §8): never for mx."""
        return self.profile.role is not Role.MX


@dataclass(slots=True)
class Services:
    """Everything that outlives a connection.

    Time-outs and what is counted by the hour in memory go by `ticks`, which nobody can
    set; `clock` is for what is written down (unix seconds). From `auditors` the service
    audits itself now: it may say PROXY there, for its own address and no other.
    """

    policy: Policy
    gatekeeper: Gatekeeper
    is_current: Callable[[Identity], bool]
    queue: Queue
    callout: Callout
    emit: Callable[[Event], None]
    accepted: Callable[[Message], None]
    new_id: Callable[[float], MessageId]
    clock: Callable[[], float]
    limits: ServiceLimits
    clients: ClientCounters
    quotas: QuotaCounters
    listeners: Mapping[str, ListenerContext] = field(
        default_factory=dict[str, ListenerContext]
    )
    tls: ServerTls | None = None
    shows_user: bool = False
    draining: bool = False
    auditors: frozenset[IPAddress] = frozenset()
    buffered_bytes: int = 0
    bell: Bell = field(default_factory=Bell)
    ticks: Callable[[], float] = monotonic


@lru_cache(maxsize=1024)
def client_address(host: str) -> IPAddress:
    """The address of a peer as the operating system spells it, unmapped."""
    return unmapped(ip_address(host.partition("%")[0]))


def is_one_of(address: IPAddress, networks: Iterable[IPNetwork]) -> bool:
    """Whether the address lies in one of the networks."""
    return any(address in network for network in networks)
