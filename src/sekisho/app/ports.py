"""The ports: bound by the supervisor, once a worker, and kept open by it.

Each worker has a socket of its own on every address (``SO_REUSEPORT``), so that the
kernel deals connections out to all of them. The supervisor keeps its copies: what waits
in a dead worker's socket goes to its replacement. With ``SO_REUSEPORT`` a second
service could bind the same port unseen, so each address is first bound without it.

A socket that a service manager handed over (`sekisho.app.activation`) and the Unix
socket of ``sekisho sendmail`` are one for all workers.
"""

import errno
import itertools
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sekisho.app.activation import Given, spelled
from sekisho.app.control import Refusal
from sekisho.app.orders import Opened
from sekisho.app.submission import bind_submission, submit_socket
from sekisho.config.fields import SocketAddress
from sekisho.config.schema import Config
from sekisho.config.values import SUBMIT_LISTENER
from sekisho.net.ports import BACKLOG, bind

Key = tuple[str, str]
"""A listener, and one of its addresses as the configuration spells it."""

_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
_WAIT_SECONDS = 1.5
"""For a port whose last owner is just ending (a killed service's workers)."""


@dataclass(frozen=True, slots=True)
class Place:
    """One address that is served: its number, and a socket a worker, or one for all."""

    number: int
    sockets: Sequence[socket.socket]

    def of_worker(self, number: int) -> socket.socket:
        """The socket that a worker is to serve."""
        return self.sockets[number % len(self.sockets)]

    def close(self) -> None:
        """Close the supervisor's copies."""
        for one in self.sockets:
            one.close()


@dataclass(frozen=True, slots=True)
class Moved:
    """What a change of the configuration does to the ports."""

    opened: dict[Key, Place]
    closed: dict[Key, Place]


class Ports:
    """All sockets of the service."""

    def __init__(self, workers: int, given: Sequence[Given] = ()) -> None:
        """Have none yet.

        Args:
            workers: How many workers share them.
            given: Those of the service manager.

        """
        self._workers = workers
        self._given = list(given)
        self._places: dict[Key, Place] = {}
        self._numbers = itertools.count(1)

    def bind(self, config: Config) -> Moved:
        """Bind what a configuration has more than there is.

        Nothing is closed and nothing is served before `take`.

        Raises:
            Refusal: An address cannot be bound; then nothing has changed.

        """
        opened: dict[Key, Place] = {}
        wanted: set[Key] = set()
        try:
            for key, address in _wanted(config):
                wanted.add(key)
                if key not in self._places and key not in opened:
                    has_one = any(name == key[0] for name, _ in opened)
                    sockets = self._sockets(key, address, may_lack_ipv6=has_one)
                    if sockets:
                        opened[key] = Place(next(self._numbers), sockets)
        except Refusal:
            for place in opened.values():
                place.close()
            raise
        closed = {key: one for key, one in self._places.items() if key not in wanted}
        return Moved(opened, closed)

    def take(self, moved: Moved) -> None:
        """Carry a change out, on the supervisor's side."""
        self._places |= moved.opened
        for key, place in moved.closed.items():
            del self._places[key]
            _close(key, place)

    def of_worker(self, number: int) -> tuple[list[Opened], list[socket.socket]]:
        """What a worker is to serve."""
        return self.part(self._places, number)

    @staticmethod
    def part(
        places: dict[Key, Place], number: int
    ) -> tuple[list[Opened], list[socket.socket]]:
        """A worker's part of some places."""
        opened = [Opened(name, one.number) for (name, _), one in places.items()]
        return opened, [one.of_worker(number) for one in places.values()]

    def addresses(self) -> dict[str, list[str]]:
        """Where each listener is bound."""
        found: dict[str, list[str]] = {}
        for (name, _), place in self._places.items():
            found.setdefault(name, []).append(spelled(place.sockets[0]))
        return found

    def given_to_nobody(self) -> list[str]:
        """Sockets of the service manager that belong to no listener."""
        return [f"{one.name or 'unnamed'} ({one.address})" for one in self._given]

    def close(self) -> None:
        """Close all of them."""
        for key, place in self._places.items():
            _close(key, place)
        self._places.clear()

    def _sockets(
        self, key: Key, address: SocketAddress | Path, *, may_lack_ipv6: bool
    ) -> list[socket.socket]:
        if (given := self._take_given(key)) is not None:
            return [given]
        if isinstance(address, Path):
            return [_bound_submission(address)]
        try:
            return _bound(str(address.host), address.port, self._workers)
        except OSError as error:
            is_any = address.host.is_unspecified
            if error.errno in _NO_IPV6 and is_any and may_lack_ipv6:
                return []  # This machine has no IPv6, and IPv4 is served.
            sentence = f"listener {key[0]!r}: {address}: {error.strerror}"
            hint = "is another service there? ports below 1024 need a privilege"
            raise Refusal(sentence, hint) from error

    def _take_given(self, key: Key) -> socket.socket | None:
        name, address = key
        by_name = [one for one in self._given if one.name == name]
        by_address = [one for one in self._given if one.address == address]
        for one in by_address + by_name:
            self._given.remove(one)
            one.socket.listen(BACKLOG)
            return one.socket
        return None


def _wanted(config: Config) -> Iterator[tuple[Key, SocketAddress | Path]]:
    for listener in config.listeners:
        for address in listener.bind:
            yield (listener.name, str(address)), address
    path = submit_socket(config)
    yield (SUBMIT_LISTENER, str(path)), path


def _bound(host: str, port: int, workers: int) -> list[socket.socket]:
    if port:
        _probe(host, port)
    bound = [bind(host, port, reuse_port=True)]
    port = bound[0].getsockname()[1]
    bound += [bind(host, port, reuse_port=True) for _ in range(workers - 1)]
    return bound


def _probe(host: str, port: int) -> None:
    """See that nobody else is there, whom ``SO_REUSEPORT`` would hide."""
    end = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            bind(host, port).close()
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return


def _bound_submission(path: Path) -> socket.socket:
    try:
        return bind_submission(path)
    except OSError as error:
        sentence = f"[sendmail] socket: {path}: {error.strerror}"
        raise Refusal(sentence, "its folder must be there, and ours") from error


def _close(key: Key, place: Place) -> None:
    place.close()
    if key[0] == SUBMIT_LISTENER:
        with suppress(OSError):
            Path(key[1]).unlink()
