"""A small house of rules, and facts about who comes to it."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from replacing import replace
from sekisho.model.address import (
    NULL_PATH,
    Address,
    AddressPattern,
    ReversePath,
    parse_address,
    parse_pattern,
)
from sekisho.model.facts import (
    Facts,
    HeaderFacts,
    Malformation,
    Offered,
    QuotaKey,
    Standing,
    Usage,
)
from sekisho.model.identity import NOBODY, Identity, Who
from sekisho.model.rules import (
    AnyIdentity,
    Clients,
    Grant,
    GrantedTo,
    Group,
    IPAddress,
    IPNetwork,
    ListenerRule,
    OwnDomain,
    RecipientCheck,
    Role,
    Rules,
    User,
)

NOW = 1_000_000.0
STRANGER = "203.0.113.99"
SHOP = "10.1.2.3"
PRINTER = "10.0.8.21"


def address(text: str) -> Address:
    return Address("postmaster", "") if text == "postmaster" else parse_address(text)


def path(text: str) -> ReversePath:
    return parse_address(text) if text else NULL_PATH


def who_of(text: str) -> GrantedTo:
    match text.split(":", 1):
        case ["authenticated"]:
            return AnyIdentity()
        case ["group", name]:
            return Group(name)
        case ["user", name]:
            return User(name)
        case _:
            return Clients((ip_network(text),))


def grant(
    name: str,
    *who: str,
    listeners: Iterable[str] = (),
    senders: Iterable[str] = (),
    recipients: Iterable[str] = ("*",),
    **more: Any,
) -> Grant:
    return Grant(
        name,
        tuple(who_of(one) for one in who),
        frozenset(listeners),
        tuple(map(parse_pattern, senders)),
        tuple(map(parse_pattern, recipients)),
        **more,
    )


def lane(*who: str, **more: Any) -> Grant:
    more = {"senders": ["scanner@example.com"], "recipients": ["*@example.com"]} | more
    return grant("listener:printers", *(who or (PRINTER,)), **more)


def house(
    *grants: Grant,
    domains: Iterable[OwnDomain] = (OwnDomain("example.com", RecipientCheck.ANY),),
    printers: Grant | None = None,
    gateways: Iterable[str] = (),
    bridges: Iterable[str] = (),
    postmaster: str = "postmaster@example.com",
    max_hops: int = 100,
) -> Rules:
    return Rules(
        hostname="relay.example.com",
        postmaster=parse_address(postmaster),
        listeners={
            "mx": ListenerRule("mx", Role.MX),
            "submission": ListenerRule("submission", Role.SUBMISSION),
            "submissions": ListenerRule("submissions", Role.SUBMISSION),
            "printers": ListenerRule("printers", Role.LEGACY, lane=printers or lane()),
        },
        domains={own.name: own for own in domains},
        grants=grants,
        max_hops=max_hops,
        gateways=frozenset(map(ip_address, gateways)),
        bridges=tuple(map(ip_network, bridges)),
    )


ENDS = NOW + 5
BOX = grant(
    "box",
    "10.1.2.0/29",
    listeners=["mx"],
    senders=["a@y.example", "b@y.example"],
    recipients=["*@y.example", "boss@z.example"],
    expires_at=ENDS,
)
"""A grant that ends, for some addresses at two domains."""
STAFF = grant("staff", "authenticated")
SHOP_GRANT = grant("web shop", SHOP, listeners=["mx"], senders=["shop@example.com"])
ALICE = Identity(
    "alice",
    "local",
    "PLAIN",
    1,
    (parse_pattern("alice@example.com"), parse_pattern("*@alice.example")),
    frozenset({"editors"}),
)


def facts(
    listener: str,
    sender: str,
    *recipients: str,
    client: str = STRANGER,
    who: Who = NOBODY,
    tls: bool | None = None,
    standing: Standing = Standing.EXISTS,
    header: HeaderFacts | None = None,
    usage: Mapping[QuotaKey, Usage] | None = None,
    now: float = NOW,
) -> Facts:
    return Facts(
        listener=listener,
        client=ip_address(client),
        tls=who is not NOBODY if tls is None else tls,
        reverse_path=path(sender),
        now=now,
        who=who,
        recipients=tuple(Offered(address(one), standing) for one in recipients),
        header=header,
        usage=usage or {},
    )


def header(
    author: str = "",
    sender: str = "",
    malformation: Malformation = Malformation.NONE,
    hops: int = 0,
) -> HeaderFacts:
    return HeaderFacts(
        parse_address(author) if author else None,
        parse_address(sender) if sender else None,
        malformation,
        hops,
    )


def at(one: Facts, now: float) -> Facts:
    return replace(one, now=now)


def network(text: str) -> IPNetwork:
    return ip_network(text)


def ip(text: str) -> IPAddress:
    return ip_address(text)


def pattern(text: str) -> AddressPattern:
    return parse_pattern(text)
