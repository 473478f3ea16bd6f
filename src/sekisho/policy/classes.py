"""Representatives: one mailbox or client for each class that the rules tell apart.

The decision looks at a mailbox only to compare it with own domains and with patterns,
so one mailbox stands for all that compare alike. A representative of a pattern is as
general as the pattern: of ``*@example.com`` it is a mailbox that no narrower pattern
names, and of ``*`` one in a domain that no rule names.
"""

from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from itertools import count

from sekisho.model.address import NULL_PATH, Address, AddressPattern, ReversePath
from sekisho.model.facts import Offered, Standing
from sekisho.model.rules import (
    Grant,
    IPAddress,
    OwnDomain,
    RecipientCheck,
    Rules,
    unmapped,
)
from sekisho.policy.clients import address_of
from sekisho.policy.closed import Strangers, lanes, spans_of, walls

_STRANGE = {
    "IPv4": ("203.0.113.7", "198.51.100.7", "192.0.2.7"),
    "IPv6": ("2001:db8::7", "2001:db8:ffff::7", "2600::7"),
    "IPv4 mapped into IPv6": ("::ffff:203.0.113.9", "::ffff:198.51.100.9"),
    "IPv4 loopback": ("127.0.0.1", "127.0.0.2", "127.255.255.254"),
    "IPv6 loopback": ("::1",),
    "private 10/8": ("10.0.0.1", "10.99.99.99", "10.255.255.254"),
    "private 172.16/12": ("172.17.0.1", "172.31.255.254"),
    "private 192.168/16": ("192.168.0.1", "192.168.255.254"),
    "private IPv6": ("fd00::1", "fdff:ffff::1"),
    "link-local IPv4": ("169.254.0.1", "169.254.255.254"),
    "link-local IPv6": ("fe80::1", "febf::1"),
    "all zeros": ("0.0.0.0",),  # noqa: S104 - a client address, nothing is bound
    "last IPv4": ("255.255.255.255",),
}
"""Kind of client → addresses to try; the first that is a stranger stands for it."""


def stranger_clients(rules: Rules) -> list[IPAddress]:
    """One stranger of each kind, and every gateway that is one."""
    strangers = Strangers(rules)
    found: list[IPAddress] = []
    for candidates in _STRANGE.values():
        for text in candidates:
            client = unmapped(ip_address(text))
            if strangers.holds(client):
                found.append(client)
                break
    found += [w.first_address for w in walls(rules) if strangers.holds(w.first_address)]
    return list(dict.fromkeys(found))


def strangers_at_edges(grant: Grant, strangers: Strangers) -> Iterator[IPAddress]:
    """Just outside what a grant names, and inside where it must not match."""
    for span in spans_of(grant):
        top = 2 ** (32 if span.version == 4 else 128) - 1  # noqa: PLR2004 - IP
        edges = (span.first - 1, span.first, span.last, span.last + 1)
        for number in dict.fromkeys(edges):
            if 0 <= number <= top:
                client = address_of(span.version, number)
                if strangers.holds(client):
                    yield client


class Mailboxes:
    """Makes representatives that collide with nothing in the rules.

    Attributes:
        foreign: A domain that no rule names.
        local: A local part that no rule names.

    """

    __slots__ = ("_rules", "foreign", "local")

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        patterns = _patterns(rules)
        domains = {pattern.domain for pattern in patterns} | set(rules.domains)
        self.foreign = next(
            name
            for name in _numbered("elsewhere.example", "")
            if not any(_is_at_or_below(name, domain) for domain in domains)
        )
        locals_ = {pattern.local_part for pattern in patterns}
        locals_.update(
            key[0] for own in rules.domains.values() for key in own.recipients
        )
        self.local = next(n for n in _numbered("someone", "") if n not in locals_)

    def of(self, pattern: AddressPattern) -> Address:
        """A mailbox of a pattern, as general as it can be."""
        local = self.local if pattern.local_part == "*" else pattern.local_part
        domain = pattern.domain
        if domain == "*":
            domain = self.foreign
        elif domain.startswith("*."):
            labels = _numbered("below", domain[1:])
            domain = next(n for n in labels if n not in self._rules.domains)
        return Address(local, domain)

    def known_of(self, pattern: AddressPattern) -> Address:
        """The same as a recipient: where the domain is ours, one that exists."""
        address = self.of(pattern)
        own = self._rules.domains.get(address.domain)
        if own is None or own.check is not RecipientCheck.LISTED:
            return address
        if pattern.local_part != "*" or not own.recipients:
            return address
        return Address(*min(own.recipients))

    def senders(self) -> list[ReversePath]:
        """Every class of reverse-path that has nothing to do with a grant."""
        senders: list[ReversePath] = [NULL_PATH, Address(self.local, self.foreign)]
        for own in _one_each(
            self._rules, lambda own: own.accept_own_senders_from_outside
        ):
            senders += [
                Address(self.local, own.name),
                Address("postmaster", own.name),
                Address(self.local, f"below.{own.name}"),
            ]
        return [*senders, Address(self.local, "[127.0.0.1]")]

    def recipients(self) -> list[Address]:
        """Every class of forward-path, odd forms included, but those of grants."""
        local, foreign = self.local, self.foreign
        there = f"{local}@{foreign}"
        recipients = [
            Address(local, foreign),
            Address("postmaster", foreign),
            Address("postmaster", ""),
            *(Address(local, literal) for literal in _LITERALS),
        ]
        for own in _one_each(self._rules, lambda own: (own.check, not own.patterns)):
            ours = own.name
            odd = [form.format(local=local, there=foreign) for form in _ODD_LOCAL_PARTS]
            recipients += [
                Address(local, ours),
                Address("postmaster", ours),
                Address(there, ours),
                *(Address(form, ours) for form in odd),
                # Ours only by its looks.
                Address(local, f"below.{ours}"),
                Address(local, f"evil-{ours}"),
                Address(local, f"{ours}.{foreign}"),
                Address(f"{local}@{ours}", foreign),
                Address(f"{local}%{ours}", foreign),
                Address(f"{ours}!{local}", foreign),
            ]
        return recipients


_ODD_LOCAL_PARTS = (
    "{local}%{there}",
    "{local}%40{there}",
    "{there}!{local}",
    "{there}!{local}%{there}",
    "IMCEASMTP-{local}+40{there}",
    "SRS0=HHH=TT={there}={local}",
    "prvs=0000={local}",
    "|/bin/true",
    ":include:/etc/x",
)
"""Local parts that other servers have read as addresses elsewhere (RLY-026 to 038)."""

_LITERALS = ("[127.0.0.1]", "[203.0.113.7]", "[IPv6:::1]", "[IPv6:2001:db8::7]")


def _one_each(rules: Rules, kind: Callable[[OwnDomain], object]) -> list[OwnDomain]:
    """One own domain of each kind."""
    classes: dict[object, OwnDomain] = {}
    for own in rules.domains.values():
        classes.setdefault(kind(own), own)
    return list(classes.values())


def _is_at_or_below(name: str, domain: str) -> bool:
    return name == domain or (domain.startswith("*.") and name.endswith(domain[1:]))


def offered(address: Address) -> tuple[Offered]:
    """A recipient at its best: the host that knows it says that it exists."""
    return (Offered(address, Standing.EXISTS),)


def is_ours(rules: Rules, address: Address) -> bool:
    """Whether mail for it is no relaying: our domains, and the postmaster."""
    if address.domain in rules.domains or address.key == rules.postmaster.key:
        return True
    return not address.domain


def _patterns(rules: Rules) -> list[AddressPattern]:
    grants = [*rules.grants, *lanes(rules)]
    named: list[Sequence[AddressPattern]] = [grant.senders for grant in grants]
    named += [grant.recipients for grant in grants]
    named += [own.patterns for own in rules.domains.values()]
    return [pattern for patterns in named for pattern in patterns]


def _numbered(first: str, rest: str) -> Iterator[str]:
    yield first + rest
    yield from (f"{first}-{number}{rest}" for number in count(1))
