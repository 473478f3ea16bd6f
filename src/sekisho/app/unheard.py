"""What is not written down: the sessions of the service's audit of itself.

An audit opens hundreds of them, and each line of theirs would stand between those that
an operator looks for, and in every count of refusals. What it found is one line.

Only sessions from an address that nobody else has are left out: the audit draws it by
chance for IPv4. IPv6 has one loopback address, so there all is written down.
"""

from collections.abc import Callable, Iterable

from sekisho.model.rules import IPAddress
from sekisho.observe.events import Event, SessionClosed, SessionOpened

Emit = Callable[[Event], None]


class Unheard:
    """Stands before `emit` while there are auditors, and costs nothing afterwards."""

    def __init__(self, emit: Emit, use: Callable[[Emit], None]) -> None:
        """Stand aside at first.

        Args:
            emit: Writes an event down.
            use: Has the sessions' events given to this from now on.

        """
        self._emit = emit
        self._use = use
        self._clients = frozenset[str]()
        self._sessions: set[str] = set()

    def listen_for(self, auditors: Iterable[IPAddress]) -> None:
        """Leave out what comes from these, as far as the address is theirs alone."""
        self._clients = frozenset(str(one) for one in auditors if one.version == 4)  # noqa: PLR2004
        if self._clients:
            self._use(self.emit)
        self._stand_aside()

    def emit(self, event: Event) -> None:
        """Write an event down, unless it is of such a session."""
        if isinstance(event, SessionOpened) and event.client in self._clients:
            self._sessions.add(event.session)
            return
        if getattr(event, "session", "") not in self._sessions:
            self._emit(event)
        elif isinstance(event, SessionClosed):
            self._sessions.discard(event.session)
            self._stand_aside()

    def _stand_aside(self) -> None:
        if not self._clients and not self._sessions:
            self._use(self._emit)
