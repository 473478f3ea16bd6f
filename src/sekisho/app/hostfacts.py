"""What this machine says of its own network: default gateways and container bridges.

Container engines and port forwarding make strangers arrive with the address of a
gateway or a bridge. A range in a grant never matches one of these; see
`sekisho.policy.closed`. What cannot be read (another operating system, a sandbox) is
told, so that `check` can say what it could not see.
"""

import fcntl
import ipaddress
import re
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sekisho.model.rules import IPAddress, IPNetwork, unmapped
from sekisho.policy.closed import HostFacts

_SIOCGIFADDR = 0x8915
_SIOCGIFNETMASK = 0x891B
_LOCAL_IPV4 = re.compile(r"\|-- ([0-9.]+)\n\s+/32 host LOCAL")
_Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface
_BRIDGE_NAMES = ("docker", "br-", "podman", "cni", "lxcbr", "lxdbr", "virbr")


@dataclass(frozen=True, slots=True)
class Seen:
    """What this machine shows.

    Attributes:
        facts: For `policy`.
        unseen: What could not be looked at, in words.

    """

    facts: HostFacts
    unseen: tuple[str, ...] = ()


def look_at_host(root: Path = Path("/")) -> Seen:
    """Look at this machine.

    Args:
        root: Where ``proc`` and ``sys`` are, for tests.

    """
    gateways: set[IPAddress] = set()
    bridges: set[IPNetwork] = set()
    unseen: list[str] = []
    for look in (_ipv4_gateways, _ipv6_gateways):
        try:
            gateways |= look(root)
        except OSError as error:
            unseen.append(f"{error.filename}: {error.strerror}")
    try:
        for interface in _bridges(root):
            gateways.add(interface.ip)
            bridges.add(interface.network)
    except OSError as error:
        unseen.append(f"{error.filename}: {error.strerror}")
    return Seen(
        HostFacts(
            frozenset(unmapped(one) for one in gateways),
            tuple(sorted(bridges, key=lambda one: (one.version, int(one[0])))),
        ),
        tuple(unseen),
    )


def _ipv4_gateways(root: Path) -> set[IPAddress]:
    lines = (root / "proc/net/route").read_text().splitlines()[1:]
    rows = [line.split() for line in lines]
    return {
        ipaddress.IPv4Address(struct.pack("=I", int(row[2], 16)))
        for row in rows
        if row[1] == "00000000" and int(row[2], 16)
    }


def _ipv6_gateways(root: Path) -> set[IPAddress]:
    path = root / "proc/net/ipv6_route"
    if not path.exists():
        return set()  # A machine without IPv6 has no IPv6 gateway.
    rows = [line.split() for line in path.read_text().splitlines()]
    return {
        ipaddress.IPv6Address(int(row[4], 16))
        for row in rows
        if int(row[0], 16) == 0 and row[1] == "00" and int(row[4], 16)
    }


def _bridges(root: Path) -> Iterator[_Interface]:
    for interface in (root / "sys/class/net").iterdir():
        is_bridge = (interface / "bridge").exists()
        if is_bridge or interface.name.startswith(_BRIDGE_NAMES):
            yield from _addresses_of(root, interface.name)


def _addresses_of(root: Path, name: str) -> Iterator[_Interface]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            address = _asked(probe, _SIOCGIFADDR, name)
            mask = _asked(probe, _SIOCGIFNETMASK, name)
        except OSError:
            pass  # It has no IPv4 address.
        else:
            yield ipaddress.IPv4Interface(f"{address}/{mask}")
    path = root / "proc/net/if_inet6"
    if path.exists():
        for row in (line.split() for line in path.read_text().splitlines()):
            if row[5] == name:
                yield ipaddress.IPv6Interface((int(row[0], 16), int(row[2], 16)))


def _asked(probe: socket.socket, question: int, name: str) -> ipaddress.IPv4Address:
    request = struct.pack("256s", name.encode()[:15])
    return ipaddress.IPv4Address(fcntl.ioctl(probe.fileno(), question, request)[20:24])


def own_addresses(root: Path = Path("/")) -> set[IPAddress]:
    """This machine's addresses; those that can be read."""
    found: set[IPAddress] = set()
    with suppress(OSError):
        trie = (root / "proc/net/fib_trie").read_text()
        found |= {ipaddress.IPv4Address(one) for one in _LOCAL_IPV4.findall(trie)}
    with suppress(OSError):
        for line in (root / "proc/net/if_inet6").read_text().splitlines():
            found.add(ipaddress.IPv6Address(int(line.split()[0], 16)))
    return found
