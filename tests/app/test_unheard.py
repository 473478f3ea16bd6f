"""What the service's audit of itself does is not written down; all else is."""

from ipaddress import ip_address

from sekisho.app.unheard import Emit, Unheard
from sekisho.observe.events import (
    Event,
    SessionClosed,
    SessionOpened,
    TlsStarted,
    WorkerStarted,
)

AUDITOR = ip_address("127.83.1.2")


class Log:
    """What is written down, and by whom."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.used: list[Emit] = []
        self.unheard = Unheard(self.events.append, self.used.append)

    def emit(self, *events: Event) -> None:
        for event in events:
            self.used[-1](event)


def opened(session: str, client: str) -> Event:
    return SessionOpened(session=session, listener="mx", client=client)


def closed(session: str, client: str) -> Event:
    return SessionClosed(session=session, listener="mx", client=client, reason="quit")


def secured(session: str) -> Event:
    return TlsStarted(session=session, version="x", cipher="y")


def test_sessions_of_the_auditor_leave_no_line_and_others_all() -> None:
    log = Log()
    log.unheard.listen_for({AUDITOR})
    others = [
        opened("2", "127.0.0.1"),
        secured("2"),
        WorkerStarted(worker=0, pid=1),
        closed("2", "127.0.0.1"),
    ]
    log.emit(opened("1", str(AUDITOR)), *others[:2], secured("1"), *others[2:])
    log.emit(closed("1", str(AUDITOR)))
    assert log.events == others


def test_a_session_that_ends_after_the_audit_leaves_none_either() -> None:
    """And then nothing stands between events and the log any more."""
    log = Log()
    log.unheard.listen_for({AUDITOR})
    log.emit(opened("1", str(AUDITOR)))
    log.unheard.listen_for(set())
    log.emit(closed("1", str(AUDITOR)))
    assert log.events == []
    assert log.used[-1] == log.events.append


def test_an_address_that_others_have_too_is_written_down() -> None:
    log = Log()
    log.unheard.listen_for({ip_address("::1")})
    log.emit(opened("1", "::1"))
    assert len(log.events) == 1
