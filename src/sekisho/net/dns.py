"""Names to hosts and addresses: what delivery asks of DNS.

Promises:

- An answer is a value: records, no such name, no such records, or a failure that may
  pass. No exception leaves here, and "could not find out" is never "does not exist":
  the one defers mail, the other bounces it.
- Bounded: seconds a question, records an answer, answers remembered. Answers are
  remembered for their TTL within bounds, negative ones too (RFC 2308), failures for
  some seconds, so that a dead name server is not asked once a message.
- Concurrent questions for the same records are one question.

MX answers come from name servers alone. The addresses of a host that the operator
named may also stand in the hosts file or be a container's name, so those are asked of
the system (`system_addresses`).
"""

# pyright: reportUnknownMemberType=false
# dnspython leaves the types of some members open.

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from traceback import clear_frames
from typing import cast

import dns.asyncresolver
import dns.exception
import dns.message
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver
import dns.rrset
from dns.rdata import Rdata
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.SOA import SOA
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA

from sekisho.model.rules import IPAddress, unmapped

MAX_RECORDS = 64
"""Records kept of one answer."""


@dataclass(frozen=True, slots=True)
class MailExchanger:
    """One MX record.

    Attributes:
        preference: Lower is tried first.
        host: Lower case, without the final dot; empty for the root of a null MX.

    """

    preference: int
    host: str


@dataclass(frozen=True, slots=True)
class NoSuchName:
    """The name does not exist (NXDOMAIN)."""


@dataclass(frozen=True, slots=True)
class NoSuchRecords:
    """The name exists and has no records of this type."""


@dataclass(frozen=True, slots=True)
class DnsFailure:
    """It could not be found out; the reason is for the log."""

    reason: str


NO_SUCH_NAME = NoSuchName()
NO_SUCH_RECORDS = NoSuchRecords()

Negative = NoSuchName | NoSuchRecords | DnsFailure
MxAnswer = tuple[MailExchanger, ...] | Negative
AddressAnswer = tuple[IPAddress, ...] | Negative


@dataclass(frozen=True, slots=True)
class DnsOptions:
    """How to ask.

    Attributes:
        servers: Name servers as address and port; empty for the system's own.
        timeout_seconds: For one question, all servers and tries together.
        max_entries: Answers remembered.
        min_ttl_seconds: A shorter TTL counts as this.
        max_ttl_seconds: A longer TTL counts as this.
        max_negative_ttl_seconds: The same for negative answers.
        failure_ttl_seconds: How long a failure is remembered.

    """

    servers: tuple[tuple[str, int], ...] = ()
    timeout_seconds: float = 10.0
    max_entries: int = 10_000
    min_ttl_seconds: float = 5.0
    max_ttl_seconds: float = 3600.0
    max_negative_ttl_seconds: float = 300.0
    failure_ttl_seconds: float = 10.0


_Records = tuple[MX | A | AAAA, ...]
_Answer = _Records | Negative
_Key = tuple[str, dns.rdatatype.RdataType]


class DnsResolver:
    """Asks name servers, and remembers."""

    def __init__(self, options: DnsOptions, clock: Callable[[], float]) -> None:
        """Prepare; nothing is asked yet.

        Args:
            options: How to ask.
            clock: Monotonic seconds.

        """
        self._options = options
        self._clock = clock
        self._resolver = _dnspython_resolver(options)
        self._remembered: OrderedDict[_Key, tuple[float, _Answer]] = OrderedDict()
        self._asking: dict[_Key, asyncio.Task[_Answer]] = {}

    async def mail_exchangers(self, domain: str) -> MxAnswer:
        """Give the MX records of a domain, in no order."""
        answer = await self._ask(domain, dns.rdatatype.MX)
        if not isinstance(answer, tuple):
            return answer
        return tuple(
            MailExchanger(record.preference, _text(record.exchange))
            for record in answer
            if isinstance(record, MX)
        )

    async def addresses(self, host: str) -> AddressAnswer:
        """Give all addresses of a host, IPv6 before IPv4.

        One of the two may fail: the other's addresses are then all that is known.
        """
        answers = await asyncio.gather(
            self._ask(host, dns.rdatatype.AAAA), self._ask(host, dns.rdatatype.A)
        )
        found = tuple(
            unmapped(ip_address(record.address))
            for answer in answers
            if isinstance(answer, tuple)
            for record in answer
            if isinstance(record, A | AAAA)
        )
        return found or _worst(answers)

    async def system_addresses(self, host: str) -> AddressAnswer:
        """Give the addresses of a host that the operator named, hosts file included."""
        ask = asyncio.get_running_loop().getaddrinfo(
            host, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )
        try:
            found = await asyncio.wait_for(ask, self._options.timeout_seconds)
        except TimeoutError:
            return DnsFailure("the system's resolver timed out")
        except (OSError, UnicodeError) as error:
            return DnsFailure(str(error))
        addresses = (entry[4][0] for entry in found)
        # A zone (fe80::1%eth0) is no part of the address as we compare it.
        distinct = dict.fromkeys(str(a).partition("%")[0] for a in addresses)
        return tuple(unmapped(ip_address(a)) for a in distinct)[:MAX_RECORDS]

    async def _ask(self, name: str, kind: dns.rdatatype.RdataType) -> _Answer:
        key = (name, kind)
        if (entry := self._remembered.get(key)) is not None:
            if self._clock() < entry[0]:
                self._remembered.move_to_end(key)
                return entry[1]
            del self._remembered[key]
        task = self._asking.get(key)
        if task is None:
            task = asyncio.ensure_future(self._look_up(key))
            self._asking[key] = task
        # Whoever stops waiting must not end the question for the others.
        return await asyncio.shield(task)

    async def _look_up(self, key: _Key) -> _Answer:
        try:
            answer, ttl = await self._query(*key)
            self._remembered[key] = (self._clock() + ttl, answer)
            while len(self._remembered) > self._options.max_entries:
                self._remembered.popitem(last=False)
            return answer
        finally:
            del self._asking[key]

    async def _query(
        self, name: str, kind: dns.rdatatype.RdataType
    ) -> tuple[_Answer, float]:
        options = self._options
        try:
            found = await self._resolver.resolve(
                dns.name.from_text(name),
                kind,
                lifetime=options.timeout_seconds,
                raise_on_no_answer=False,
                search=False,
            )
        except dns.resolver.NXDOMAIN as error:
            ttl = _negative_ttl(_response(error))
            _let_go(error)
            return NO_SUCH_NAME, self._bounded(ttl, options.max_negative_ttl_seconds)
        except (dns.exception.DNSException, OSError, ValueError) as error:
            reason = str(error) or type(error).__name__
            _let_go(error)
            return DnsFailure(reason), options.failure_ttl_seconds
        if found.rrset is None:
            ttl = _negative_ttl(found.response)
            return NO_SUCH_RECORDS, self._bounded(ttl, options.max_negative_ttl_seconds)
        records: list[MX | A | AAAA] = [
            record for record in _each(found.rrset) if isinstance(record, MX | A | AAAA)
        ]
        ttl = found.rrset.ttl
        return tuple(records[:MAX_RECORDS]), self._bounded(ttl, options.max_ttl_seconds)

    def _bounded(self, ttl: float, upper: float) -> float:
        return max(self._options.min_ttl_seconds, min(ttl, upper))


def _dnspython_resolver(options: DnsOptions) -> dns.asyncresolver.Resolver:
    if options.servers:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = [
            dns.nameserver.Do53Nameserver(address, port)
            for address, port in options.servers
        ]
    else:
        try:
            resolver = dns.asyncresolver.Resolver()
        except dns.resolver.NoResolverConfiguration:
            # Every question then is a DnsFailure, which defers: the file may come.
            resolver = dns.asyncresolver.Resolver(configure=False)
    # Our own memory knows failures too; a second one would only hide its bounds.
    resolver.cache = None
    return resolver


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower() if name != dns.name.root else ""


def _each(rrset: dns.rrset.RRset) -> Iterable[Rdata]:
    """Give the records: dnspython leaves the type of what it iterates open."""
    return cast("Iterable[Rdata]", rrset)


def _response(error: dns.resolver.NXDOMAIN) -> dns.message.Message | None:
    """Give the answer behind NXDOMAIN: that to the first name asked."""
    responses = cast(
        "Mapping[dns.name.Name, dns.message.Message]",
        error.kwargs.get("responses") or {},
    )
    return next(iter(responses.values()), None)


def _let_go(error: BaseException) -> None:
    """Break the circles of what dnspython raises: error, frames, errors in them.

    They hold sockets, timers and tasks: 60 objects a question, and while no name
    server answers that is every question.
    """
    seen: set[int] = set()
    errors: list[BaseException | None] = [error]
    while errors:
        one = errors.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        kept = cast("Mapping[str, object]", getattr(one, "kwargs", {})).get("errors")
        for tried in cast("Sequence[Sequence[object]]", kept or ()):
            errors += [part for part in tried if isinstance(part, BaseException)]
        errors += (one.__context__, one.__cause__)
        clear_frames(one.__traceback__)
        one.__traceback__ = one.__context__ = one.__cause__ = None


def _negative_ttl(response: dns.message.Message | None) -> float:
    """Seconds a negative answer holds: RFC 2308 §5."""
    for rrset in response.authority if response is not None else ():
        for record in _each(rrset):
            if isinstance(record, SOA):
                return min(rrset.ttl, record.minimum)
    return 0


def _worst(answers: Sequence[_Answer]) -> Negative:
    """Of two negative answers: a failure hides what the other would have said."""
    for kind in (DnsFailure, NoSuchRecords):
        for answer in answers:
            if isinstance(answer, kind):
                return answer
    return NO_SUCH_NAME
