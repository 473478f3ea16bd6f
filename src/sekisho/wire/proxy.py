"""The PROXY protocol, versions 1 and 2: who is behind a proxy of ours.

The header comes before all else on a connection, TLS included. Nothing in it is
secret or proved: it may be believed only from addresses that the listener names, and
is then a must. What does not begin as a header, or is longer than one may be, is an
error and not "no header": guessing would let a client choose its address.

Source: "The PROXY protocol, versions 1 & 2" of HAProxy's documentation, §2.1, §2.2.
"""

import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import (
    AddressValueError,
    IPv4Address,
    IPv6Address,
)

from sekisho.model.rules import IPAddress

MAX_V1_OCTETS = 107
MAX_V2_BODY_OCTETS = 4096

_V1_PREFIX = b"PROXY "
_V2_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_V2_HEAD = struct.Struct("!12sBBH")
_V1 = re.compile(
    rb"(TCP[46]) ([0-9A-Fa-f:.]{2,39}) ([0-9A-Fa-f:.]{2,39})"
    rb" (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4})"
)
_MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class NeedMore:
    """The header is not whole yet."""


@dataclass(frozen=True, slots=True)
class ProxyError:
    """This is no header that we can believe: close.

    Attributes:
        reason: For the log.

    """

    reason: str


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """A whole header.

    Attributes:
        source: The client, or None where the proxy speaks for itself or does not
            say (LOCAL, UNKNOWN, UNSPEC): then the connection's own peer counts.
        source_port: 0 where `source` is None.
        destination: Where the client connected to, or None likewise.
        destination_port: 0 where `destination` is None.
        consumed: Octets of the header; what follows is the client's.

    """

    source: IPAddress | None
    source_port: int
    destination: IPAddress | None
    destination_port: int
    consumed: int

    @property
    def local(self) -> bool:
        """Whether the header names no client."""
        return self.source is None


ProxyAnswer = NeedMore | ProxyHeader | ProxyError
_NEED_MORE = NeedMore()


def parse_proxy(data: bytes) -> ProxyAnswer:
    """Read the header from all that came so far on a connection."""
    for start, parse in ((_V2_SIGNATURE, _version_2), (_V1_PREFIX, _version_1)):
        if data.startswith(start):
            return parse(data)
        if start.startswith(data):
            return _NEED_MORE
    return ProxyError("the connection does not begin with a header")


def _nobody(consumed: int) -> ProxyHeader:
    return ProxyHeader(None, 0, None, 0, consumed)


def _version_1(data: bytes) -> ProxyAnswer:
    end = data.find(b"\r\n", 0, MAX_V1_OCTETS)
    if end < 0:
        if len(data) < MAX_V1_OCTETS:
            return _NEED_MORE
        return ProxyError("version 1: the line is too long")
    text = data[len(_V1_PREFIX) : end]
    if text == b"UNKNOWN" or text.startswith(b"UNKNOWN "):
        return _nobody(end + 2)
    found = _V1.fullmatch(text)
    if found is None:
        return ProxyError("version 1: the line is malformed")
    return _line(found, end + 2)


def _line(found: re.Match[bytes], consumed: int) -> ProxyAnswer:
    family, source, destination, *ports = (part.decode() for part in found.groups())
    address = IPv4Address if family == "TCP4" else IPv6Address
    source_port, destination_port = (int(port) for port in ports)
    if max(source_port, destination_port) > _MAX_PORT:
        return ProxyError("version 1: no port has this number")
    try:
        return ProxyHeader(
            address(source),
            source_port,
            address(destination),
            destination_port,
            consumed,
        )
    except AddressValueError:
        return ProxyError("version 1: an address is malformed")


@dataclass(frozen=True, slots=True)
class _Family:
    """How addresses of one kind stand in a header of version 2."""

    layout: struct.Struct
    address: Callable[[bytes], IPAddress]


_FAMILIES: Mapping[int, _Family] = {
    0x11: _Family(struct.Struct("!4s4sHH"), IPv4Address),
    0x21: _Family(struct.Struct("!16s16sHH"), IPv6Address),
}
"""TCP over IPv4 and over IPv6; nobody speaks SMTP over the rest."""

_UNSPECIFIED = 0x00
_LOCAL, _PROXY = 0x20, 0x21


def _version_2(data: bytes) -> ProxyAnswer:
    if len(data) < _V2_HEAD.size:
        return _NEED_MORE
    _, command, family, octets = _V2_HEAD.unpack_from(data)
    if command not in (_LOCAL, _PROXY):
        return ProxyError("version 2: unknown version or command")
    if octets > MAX_V2_BODY_OCTETS:
        return ProxyError("version 2: the header is too long")
    consumed = _V2_HEAD.size + octets
    if len(data) < consumed:
        return _NEED_MORE
    if command == _LOCAL or family == _UNSPECIFIED:
        return _nobody(consumed)
    return _addresses(data, family, octets)


def _addresses(data: bytes, family: int, octets: int) -> ProxyAnswer:
    row = _FAMILIES.get(family)
    if row is None or octets < row.layout.size:
        return ProxyError("version 2: the addresses are none of TCP")
    # Behind the addresses come TLVs, of which we need none.
    source, destination, *ports = row.layout.unpack_from(data, _V2_HEAD.size)
    return ProxyHeader(
        row.address(source),
        ports[0],
        row.address(destination),
        ports[1],
        _V2_HEAD.size + octets,
    )
