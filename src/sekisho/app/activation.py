"""Sockets handed over by a service manager (``sd_listen_fds(3)``).

``LISTEN_FDS`` of them begin at descriptor 3, if ``LISTEN_PID`` is us, and
``LISTEN_FDNAMES`` has their names. One belongs to the listener of its name, else to the
one that is bound to its address; what belongs to none is an error, since somebody
believes that it is served.
"""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

FIRST_DESCRIPTOR = 3
_VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


@dataclass(frozen=True, slots=True)
class Given:
    """One socket, and the name it came with."""

    name: str
    socket: socket.socket

    @property
    def address(self) -> str:
        """As `sekisho.app.ports.spelled` has it."""
        return spelled(self.socket)


def given_sockets(env: Mapping[str, str], pid: int) -> list[Given]:
    """Take the sockets that the environment tells of.

    Raises:
        ValueError: What it says cannot be.

    """
    if env.get("LISTEN_PID") != str(pid):
        return []
    count = int(env.get("LISTEN_FDS", "0"))
    names = env.get("LISTEN_FDNAMES", "").split(":")
    given: list[Given] = []
    for number in range(count):
        descriptor = FIRST_DESCRIPTOR + number
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - the library's signature
        one = socket.socket(fileno=descriptor)
        one.setblocking(False)  # noqa: FBT003 - as above
        if one.family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
            name = names[number] if number < len(names) else ""
            given.append(Given(name, one))
    return given


def without_activation(env: Mapping[str, str]) -> dict[str, str]:
    """The environment for processes that are handed nothing."""
    return {key: value for key, value in env.items() if key not in _VARIABLES}


def spelled(bound: socket.socket) -> str:
    """The address of a bound socket, as the configuration spells it."""
    if bound.family == socket.AF_UNIX:
        return str(bound.getsockname())
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
