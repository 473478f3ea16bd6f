"""The hosts that take a domain's mail (RFC 5321 §5, RFC 7505).

- Sorted by preference, shuffled within one; without MX records the domain itself is
  its host. A null MX and a domain that does not exist are failures for good; what
  could not be looked up is not.
- Never to ourselves: where our name or an address on which our own port 25 listens
  appears, it and all of equal or worse preference are dropped (RFC 5321 §5.1). None
  left is a loop.
- Private and loopback addresses are taken as they are: inner domains are routed by
  inner DNS. Nothing but port 25 can be reached through them. The unspecified address
  and multicast are no hosts; the former would be ourselves under another name.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol

from sekisho.model.outcome import Cause, Deferred, Failed
from sekisho.model.reply import reply
from sekisho.model.rules import IPAddress
from sekisho.net.dns import (
    AddressAnswer,
    DnsFailure,
    MailExchanger,
    MxAnswer,
    NoSuchName,
    NoSuchRecords,
)

MAX_HOSTS = 10
"""Hosts of one domain that are looked at."""

NO_SUCH_DOMAIN = reply(550, "5.1.2", "The domain does not exist")
NO_HOST = reply(550, "5.1.2", "The domain has no mail host and no address")
NULL_MX = reply(556, "5.1.10", "The domain says that it takes no mail (null MX)")
LOOPS = reply(554, "5.4.6", "Mail for the domain comes back to this host")
NO_ADDRESS = reply(550, "5.4.4", "No mail host of the domain has an address")
LOOK_UP_FAILED = reply(451, "4.4.3", "The domain's mail hosts could not be looked up")


class Resolver(Protocol):
    """What delivery asks of names; `sekisho.net.dns.DnsResolver` is one."""

    async def mail_exchangers(self, domain: str) -> MxAnswer:
        """Give MX records, in no order."""
        ...

    async def addresses(self, host: str) -> AddressAnswer:
        """Give the addresses that DNS knows."""
        ...

    async def system_addresses(self, host: str) -> AddressAnswer:
        """Give the addresses that this machine knows, hosts file included."""
        ...


@dataclass(frozen=True, slots=True)
class OwnHost:
    """What we are called, and where our port 25 listens.

    Attributes:
        names: Host names, lower case.
        addresses: Unmapped; the machine's own for a listener on all of them.

    """

    names: frozenset[str] = frozenset()
    addresses: frozenset[IPAddress] = frozenset()


@dataclass(frozen=True, slots=True)
class MailHost:
    """One host to try.

    Attributes:
        name: For the certificate and for people.
        addresses: At least one, in the order to try.

    """

    name: str
    addresses: tuple[IPAddress, ...]


MailHosts = tuple[MailHost, ...] | Deferred | Failed


async def mail_hosts(
    domain: str,
    resolver: Resolver,
    own: OwnHost,
    shuffle: Callable[[list[MailExchanger]], None],
) -> MailHosts:
    """Find the hosts of a domain, best first.

    Args:
        domain: Normal form, a literal in brackets included.
        resolver: See there.
        own: To which mail never goes.
        shuffle: Shuffles a list in place: the randomness of RFC 5321 §5.1.

    """
    if domain.startswith("["):
        return _literal(domain, own)
    answer = await resolver.mail_exchangers(domain)
    match answer:
        case NoSuchName():
            return Failed(Cause.DNS, NO_SUCH_DOMAIN)
        case DnsFailure():
            return Deferred(Cause.DNS, LOOK_UP_FAILED)
        case NoSuchRecords():
            implicit = [MailExchanger(0, domain)]
            return await _located(implicit, resolver, own, Failed(Cause.DNS, NO_HOST))
        case _:
            exchangers = [exchanger for exchanger in answer if exchanger.host]
    if not exchangers:
        return Failed(Cause.NULL_MX, NULL_MX)
    shuffle(exchangers)
    exchangers.sort(key=lambda exchanger: exchanger.preference)
    return await _located(exchangers, resolver, own, Failed(Cause.DNS, NO_ADDRESS))


def _literal(domain: str, own: OwnHost) -> MailHosts:
    address = ip_address(domain[1:-1].removeprefix("IPv6:"))
    if address in own.addresses:
        return Failed(Cause.LOOP, LOOPS)
    if not _is_host(address):
        return Failed(Cause.DNS, NO_ADDRESS)
    return (MailHost(str(address), (address,)),)


async def _located(
    exchangers: Sequence[MailExchanger],
    resolver: Resolver,
    own: OwnHost,
    none_found: Failed,
) -> MailHosts:
    """Look up the addresses, drop ourselves and what is no better."""
    exchangers = _better_than(
        exchangers, [e.preference for e in exchangers if e.host in own.names]
    )[:MAX_HOSTS]
    answers = await asyncio.gather(*(resolver.addresses(e.host) for e in exchangers))
    found = {
        exchanger: answer
        for exchanger, answer in zip(exchangers, answers, strict=True)
        if isinstance(answer, tuple)
    }
    ours = [e.preference for e, a in found.items() if own.addresses.intersection(a)]
    remaining = _better_than(exchangers, ours)
    if not remaining:
        return Failed(Cause.LOOP, LOOPS)
    hosts = tuple(
        MailHost(exchanger.host, usable)
        for exchanger in remaining
        if (usable := tuple(a for a in found.get(exchanger, ()) if _is_host(a)))
    )
    if hosts:
        return hosts
    if any(isinstance(answer, DnsFailure) for answer in answers):
        return Deferred(Cause.DNS, LOOK_UP_FAILED)
    return none_found


def _better_than(
    exchangers: Sequence[MailExchanger], ours: Sequence[int]
) -> Sequence[MailExchanger]:
    if not ours:
        return exchangers
    bound = min(ours)
    return [exchanger for exchanger in exchangers if exchanger.preference < bound]


def _is_host(address: IPAddress) -> bool:
    return not (address.is_unspecified or address.is_multicast)
