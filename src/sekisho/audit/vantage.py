"""From where it is asked: an address that servers commonly trust proves little.

Loopback, the target's own network, and private addresses often stand in a server's
list of whom it relays for (``mynetworks``), so what is accepted from there may be
refused to strangers. The verdict stays, and this is said beside it.
"""

import socket
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from sekisho.audit.target import Target
from sekisho.model.text import Text

_ROUTES = Path("/proc/net/route")
_ROUTES6 = Path("/proc/net/ipv6_route")
_GATEWAY = 0x2
_UP = 0x1

LOOPBACK = Text(
    "asked from loopback, which servers commonly trust: a stranger may be refused "
    "what was accepted here",
    "ループバックからの検査。多くのサーバーが信頼する送信元のため、"
    "外部からは拒否される可能性あり",
)
OWN_NETWORK = Text(
    "asked from the target's own network, which servers commonly trust: a stranger "
    "may be refused what was accepted here",
    "対象と同じネットワークからの検査。多くのサーバーが信頼する送信元のため、"
    "外部からは拒否される可能性あり",
)
PRIVATE = Text(
    "asked from a private address, which servers commonly trust: a stranger may be "
    "refused what was accepted here",
    "プライベートアドレスからの検査。多くのサーバーが信頼する送信元のため、"
    "外部からは拒否される可能性あり",
)


def vantage(target: Target, claimed: str = "") -> Text | None:
    """Say what is to be known of our address, or nothing where it is a stranger's.

    Args:
        target: Whom we ask.
        claimed: The source in a PROXY header, which the server sees instead of ours.

    """
    source = ip_address(claimed or own_address(target))
    there = ip_address(target.address.partition("%")[0])
    if source.is_loopback:
        return LOOPBACK
    if not claimed and (source == there or is_on_link(there)):
        return OWN_NETWORK
    return PRIVATE if source.is_private else None


def own_address(target: Target) -> str:
    """Which address of ours the target sees; no packet is sent for it."""
    if target.source is not None:
        return target.source[0]
    family = socket.AF_INET6 if ":" in target.address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((target.address, target.port))
            return str(probe.getsockname()[0]).partition("%")[0]
        except OSError:
            return "::" if family == socket.AF_INET6 else "0.0.0.0"  # noqa: S104


def is_on_link(there: IPv4Address | IPv6Address) -> bool:
    """Whether the kernel reaches it without a gateway."""
    best, on_link = -1, False
    with suppress(OSError, ValueError, IndexError):
        for network, mask, flags in _routes(there):
            if flags & _UP and int(there) & mask == network & mask and mask > best:
                best, on_link = mask, not flags & _GATEWAY
    return on_link


def _routes(there: IPv4Address | IPv6Address) -> list[tuple[int, int, int]]:
    """Give network, mask and flags of each route of its family."""
    if isinstance(there, IPv4Address):
        lines = [line.split() for line in _ROUTES.read_text().splitlines()[1:]]
        return [
            (_little(words[1]), _little(words[7]), int(words[3], 16)) for words in lines
        ]
    full = (1 << 128) - 1
    lines = [line.split() for line in _ROUTES6.read_text().splitlines()]
    return [
        (
            int(words[0], 16),
            full ^ (full >> int(words[1], 16)),
            int(words[8], 16),
        )
        for words in lines
    ]


def _little(digits: str) -> int:
    return int.from_bytes(bytes.fromhex(digits), "little")
