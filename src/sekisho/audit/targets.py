"""Words to ports: HOST, HOST:PORT, [IPv6]:PORT, smtp:// and smtps://.

A name leads to all its IPv4 and IPv6 addresses. Without a port all of 25, 465, 587 and
2525 that answer are asked; 465 speaks TLS from the start, as ``smtps://`` does.
"""

import asyncio
import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import islice, product
from pathlib import Path

from sekisho.audit.target import Target
from sekisho.model.text import Text

PORTS = (25, 465, 587, 2525)
IMPLICIT_TLS_PORT = 465
KNOCK_SECONDS = 5.0
MAX_PLACES = 10_000
MAX_LINE_CHARACTERS = 1000
_WORD = re.compile(
    r"(?:(?P<scheme>smtps?)://)?"
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|(?P<host>[\w.-]+))"
    r"(?::(?P<port>\d{1,5}))?/?"
)
_BARE_SIX = re.compile(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%[\w.-]+)?")


class PlaceError(ValueError):
    """A word or a file that names no host; `hint` says how one is named."""

    hint = "a target is HOST, HOST:PORT, [IPv6]:PORT or smtps://HOST:PORT"


@dataclass(frozen=True, slots=True)
class Place:
    """What a word says.

    Attributes:
        host: A name or an address.
        ports: Which to ask.
        named: Whether the port was named.
        implicit_tls: TLS from the start at every port; else at 465 alone.

    """

    host: str
    ports: tuple[int, ...] = PORTS
    named: bool = False
    implicit_tls: bool = False


@dataclass(frozen=True, slots=True)
class Host:
    """A place with its addresses; none where the name leads nowhere.

    Attributes:
        place: What was said.
        addresses: IPv4 and IPv6.
        trouble: Why there are none.

    """

    place: Place
    addresses: tuple[str, ...]
    trouble: str = ""

    @property
    def is_here(self) -> bool:
        """Whether all its addresses are loopback."""
        return all(ip_address(_bare(one)).is_loopback for one in self.addresses)


@dataclass(frozen=True, slots=True)
class Doors:
    """Which ports of a host answer.

    Attributes:
        targets: Those that do; where none does, all that were asked.
        silent: Whether none does.
        notes: Of addresses at which a named port does not answer.

    """

    targets: tuple[Target, ...]
    silent: bool
    notes: tuple[Text, ...]


def read_place(word: str) -> Place:
    """Read one word.

    Raises:
        PlaceError: It names no host.

    """
    word = word.strip()
    if _BARE_SIX.fullmatch(word):
        word = f"[{word}]"
    found = _WORD.fullmatch(word)
    if not found or not _is_host(found["six"], found["host"]):
        raise PlaceError(f"{word!r} names no host")
    host = found["six"] or found["host"]
    implicit = found["scheme"] == "smtps"
    if found["port"] is None:
        ports = {"smtps": (IMPLICIT_TLS_PORT,), "smtp": (25,)}.get(
            found["scheme"] or "", PORTS
        )
        return Place(host, ports, bool(found["scheme"]), implicit)
    port = int(found["port"])
    if not 0 < port < 65536:  # noqa: PLR2004 - TCP
        raise PlaceError(f"{word!r} names no port that there is")
    return Place(host, (port,), named=True, implicit_tls=implicit)


def _is_host(six: str | None, host: str | None) -> bool:
    if six is None:
        return bool(host) and not str(host).startswith(("-", "."))
    with suppress(ValueError):
        return ip_address(_bare(six)).version == 6  # noqa: PLR2004 - IPv6
    return False


def read_places(file: Path) -> list[Place]:
    """Read a file with a target a line; ``#`` begins a remark.

    Raises:
        PlaceError: A line names no host, or there are too many.
        OSError: It cannot be read.

    """
    places: list[Place] = []
    with file.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            word = line[:MAX_LINE_CHARACTERS].partition("#")[0].strip()
            if not word:
                continue
            if len(places) >= MAX_PLACES:
                raise PlaceError(f"{file} names more than {MAX_PLACES} targets")
            try:
                places.append(read_place(word))
            except PlaceError as error:
                raise PlaceError(f"{file}:{number}: {error}") from error
    return places


async def resolve(places: list[Place], at_once: int = 50) -> list[Host]:
    """Find all addresses; a name that leads nowhere is told in its `Host`."""
    turns = asyncio.Semaphore(at_once)

    async def one(place: Place) -> Host:
        async with turns:
            return await _resolve(place)

    return list(await asyncio.gather(*map(one, dict.fromkeys(places))))


async def _resolve(place: Place) -> Host:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(place.host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        return Host(place, (), str(error.strerror or error))
    except UnicodeError:
        return Host(place, (), "no host name")
    return Host(place, tuple(dict.fromkeys(str(one[4][0]) for one in found)))


async def knock(host: Host, *, claimed: str = "") -> Doors:
    """Find which ports of a host answer.

    Args:
        host: Whom.
        claimed: The source that a PROXY header is to name; empty for no header.

    """
    place = host.place
    targets = [
        Target(
            host=place.host,
            address=address,
            port=port,
            implicit_tls=place.implicit_tls or port == IMPLICIT_TLS_PORT,
            proxy=proxy_header(claimed, address, port) if claimed else b"",
        )
        for address, port in product(host.addresses, place.ports)
    ]
    answers = await asyncio.gather(*map(_answers, targets))
    well = tuple(t for t, answer in zip(targets, answers, strict=True) if answer)
    if not well:
        return Doors(tuple(targets), silent=True, notes=())
    silent = [one for one in targets if one not in well] if place.named else []
    notes = [
        Text(
            f"nothing answers at {one.address} port {one.port}",
            f"{one.address} のポート {one.port} は応答なし",
        )
        for one in islice(silent, 8)
    ]
    return Doors(well, silent=False, notes=tuple(notes))


async def _answers(target: Target) -> bool:
    try:
        async with asyncio.timeout(KNOCK_SECONDS):
            _, writer = await asyncio.open_connection(target.address, target.port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


def proxy_header(claimed: str, address: str, port: int) -> bytes:
    """Write a PROXY header (version 1) that names this source."""
    source, there = ip_address(claimed), ip_address(_bare(address))
    if source.version != there.version:
        # The header has one family; where we connected to is told to nobody by it.
        there = ip_address("127.0.0.1" if source.version == 4 else "::1")  # noqa: PLR2004
    return f"PROXY TCP{source.version} {source} {there} 50000 {port}\r\n".encode()


def _bare(address: str) -> str:
    return address.partition("%")[0]
