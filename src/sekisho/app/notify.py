"""The service manager's side channel (``sd_notify(3)``): a datagram, or nothing.

Where ``NOTIFY_SOCKET`` is not set nobody listens, and nothing is sent. A manager that
does not take it is no reason to stop carrying mail.
"""

import socket
import time
from collections.abc import Mapping
from contextlib import suppress

_MICROSECONDS = 1_000_000


class Notify:
    """Tells the service manager how the service is."""

    def __init__(self, env: Mapping[str, str], pid: int) -> None:
        """Read where to tell, and how often the watchdog wants to hear."""
        name = env.get("NOTIFY_SOCKET", "")
        # "@" stands for the zero octet of a name that is not in the file system.
        self._address = "\0" + name[1:] if name.startswith("@") else name
        self.watchdog_seconds = _watchdog(env, pid)

    def ready(self, status: str) -> None:
        """Say that every port is served; also after a reload."""
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """Say that the configuration is read anew."""
        now = int(time.clock_gettime(time.CLOCK_MONOTONIC) * _MICROSECONDS)
        self._send(f"RELOADING=1\nMONOTONIC_USEC={now}\nSTATUS=reloading")

    def stopping(self) -> None:
        """Say that it drains."""
        self._send("STOPPING=1\nSTATUS=draining")

    def status(self, text: str) -> None:
        """Say in words how it is."""
        self._send(f"STATUS={text}")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out,
        ):
            out.setblocking(False)  # noqa: FBT003 - the standard library's signature
            out.sendto(text.encode(), self._address)


def _watchdog(env: Mapping[str, str], pid: int) -> float:
    """Seconds between signs of life: half of what the manager allows; 0 for none."""
    if env.get("WATCHDOG_PID", str(pid)) != str(pid):
        return 0.0
    allowed = env.get("WATCHDOG_USEC", "")
    return int(allowed) / _MICROSECONDS / 2 if allowed.isdecimal() else 0.0
