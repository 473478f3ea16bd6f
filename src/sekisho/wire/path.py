"""Reverse-paths and forward-paths (RFC 5321 §4.1.2), on top of `model.address`.

A path stands in angle brackets. A source route before the mailbox is read, as its
grammar must still be known (RFC 5321 §4.1.1.3, appendix C), and then refused: taking
it off and going on would decide about another mailbox than the client named.
"""

import re

from sekisho.model import replies
from sekisho.model.address import (
    MAX_PATH_OCTETS,
    NULL_PATH,
    Address,
    AddressError,
    ReversePath,
    parse_address,
)
from sekisho.model.domain import DomainError, normal_domain, normal_literal
from sekisho.model.reply import Reply

PATH = r'<(?:[^<>"\\\x00-\x20\x7f]|"(?:[^"\\]|\\.)*")*>'
"""How far a path goes: a quoted string may hold anything, brackets among it."""

_ROUTE = re.compile(r"@[^:,]*(?:,@[^:,]*)*")
_LITERAL_ROUTE = re.compile(r"\[[^\]]*\]")


def parse_reverse_path(path: str) -> ReversePath | Reply:
    """Read what `PATH` matched behind ``MAIL FROM:``.

    Returns:
        The path, or the reply that refuses it.

    """
    if path == "<>":
        return NULL_PATH
    return _mailbox(path, replies.BAD_SENDER_ADDRESS)


def parse_forward_path(path: str) -> Address | Reply:
    """Read what `PATH` matched behind ``RCPT TO:``.

    Returns:
        The mailbox, that of an unqualified ``<postmaster>`` with an empty domain
        (RFC 5321 §4.1.1.3), or the reply that refuses it.

    """
    if path.lower() == "<postmaster>":
        return Address(path[1:-1], "")
    return _mailbox(path, replies.BAD_RECIPIENT_ADDRESS)


def _mailbox(path: str, malformed: Reply) -> Address | Reply:
    inner = path[1:-1]
    try:
        if not inner.startswith("@"):
            return parse_address(inner)
        _check_route(inner)
    except (AddressError, DomainError):
        return malformed
    return replies.SOURCE_ROUTE


def _check_route(text: str) -> None:
    """Read ``@ONE,@TWO:JOE@THREE``.

    Raises:
        AddressError: The route or the mailbox behind it is malformed.
        DomainError: A host in it is malformed.

    """
    if len(text) > MAX_PATH_OCTETS:
        raise AddressError("the path is longer than 256 octets")
    hosts: list[str] = []
    # The colons of IPv6 literals are not the one that ends the route.
    masked = _LITERAL_ROUTE.sub(lambda found: "x" * len(found[0]), text)
    route = _ROUTE.match(masked)
    if route is None or not masked.startswith(":", route.end()):
        raise AddressError("the source route has no end")
    start = 0
    for masked_host in route[0].split(","):
        hosts.append(text[start + 1 : start + len(masked_host)])
        start += len(masked_host) + 1
    for host in hosts:
        (normal_literal if host.startswith("[") else normal_domain)(host)
    parse_address(text[route.end() + 1 :])
