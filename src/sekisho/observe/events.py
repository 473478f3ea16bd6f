"""Every event that is logged, counted or put on a timeline: one type each.

A name is for ever (others' log searches rest on it); fields may be added. Secrets
have no field here, and text from outside comes as the rooms below parsed it. What is
put on a message's timeline has a `message` field with its id.
"""

import msgspec


class Event(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="event"):
    """What all events have in common; `event` is the stable name."""


class ServiceReady(Event, frozen=True, tag="service.ready"):
    """Every listener is bound: name → addresses."""

    listeners: dict[str, list[str]]
    pid: int
    version: str


class ServiceStopping(Event, frozen=True, tag="service.stopping"):
    """Draining has begun."""

    reason: str


class ServiceStopped(Event, frozen=True, tag="service.stopped"):
    """The process ends now."""

    reason: str


class ServiceReloaded(Event, frozen=True, tag="service.reloaded"):
    """Another configuration holds from now on, in every worker."""

    listeners: dict[str, list[str]]
    needs_restart: list[str]


class ClockSet(Event, frozen=True, tag="clock.set"):
    """The wall clock was set, by so many seconds; each worker tells of it."""

    seconds: float


class WorkerStarted(Event, frozen=True, tag="worker.started"):
    """A worker process serves every listener."""

    worker: int
    pid: int


class WorkerEnded(Event, frozen=True, tag="worker.ended"):
    """A worker process ended that was not told to; it is replaced."""

    worker: int
    pid: int
    how: str


class AuditFinished(Event, frozen=True, tag="audit.finished"):
    """The service has audited itself: how many of each verdict, and what is wrong.

    `found` names each flaw and each suspicion: the probe, and where.
    """

    flawed: int
    suspect: int
    undecided: int
    safe: int
    seconds: float
    found: list[str]
    relaying_closed: bool = False


class Alarm(Event, frozen=True, tag="alarm"):
    """An operator must look: what it is about, and the next step."""

    about: str
    detail: str
    hint: str = ""
    destination: str = ""


class AlarmSettled(Event, frozen=True, tag="alarm.settled"):
    """What an alarm was about is in order again."""

    about: str
    destination: str = ""


class SessionOpened(Event, frozen=True, tag="session.opened"):
    """A client connected."""

    session: str
    listener: str
    client: str


class SessionClosed(Event, frozen=True, tag="session.closed"):
    """A session ended; what it came to."""

    session: str
    listener: str
    client: str
    reason: str
    messages: int = 0
    refused: int = 0
    seconds: float = 0.0


class TlsStarted(Event, frozen=True, tag="session.tls"):
    """A TLS handshake with a client succeeded."""

    session: str
    version: str
    cipher: str


class TlsFailed(Event, frozen=True, tag="session.tls_failed"):
    """A TLS handshake with a client failed."""

    session: str
    client: str
    reason: str


class CommandRefused(Event, frozen=True, tag="session.command_refused"):
    """The session refused a command by itself: syntax, sequence or a bound."""

    session: str
    client: str
    command: str
    reply: str


class AuthSucceeded(Event, frozen=True, tag="auth.succeeded"):
    """A credential was verified."""

    session: str
    listener: str
    client: str
    account: str
    mechanism: str
    authenticator: str


class AuthFailed(Event, frozen=True, tag="auth.failed"):
    """A credential was refused, or could not be checked."""

    session: str
    listener: str
    client: str
    account: str
    mechanism: str
    reply: str
    reason: str


class MailRefused(Event, frozen=True, tag="mail.refused"):
    """Policy or the queue refused a sender, a recipient or a message."""

    session: str
    listener: str
    client: str
    reverse_path: str
    reply: str
    rule: str
    reason: str
    recipient: str = ""
    account: str = ""


class MailAccepted(Event, frozen=True, tag="mail.accepted"):
    """A message is on disk and was answered 250."""

    message: str
    session: str
    listener: str
    client: str
    reverse_path: str
    recipients: list[str]
    size_bytes: int
    rule: str
    reason: str
    grant: str = ""
    account: str = ""
    tls: str = ""


class Delivered(Event, frozen=True, tag="delivery.delivered"):
    """The next host took responsibility for one recipient."""

    message: str
    recipient: str
    destination: str
    host: str
    reply: str
    attempt: int
    seconds: float
    tls: str = ""


class Deferred(Event, frozen=True, tag="delivery.deferred"):
    """An attempt failed for now."""

    message: str
    recipient: str
    destination: str
    host: str
    reply: str
    cause: str
    attempt: int
    next_attempt: float


class Parked(Event, frozen=True, tag="delivery.parked"):
    """A host is down, and all mail for it waits for its next step, unread.

    There is one a step, and none for each message.
    """

    destination: str
    reply: str
    cause: str
    failures: int
    next_attempt: float


class Unparked(Event, frozen=True, tag="delivery.unparked"):
    """All mail that waited for a destination is due: the host is back."""

    destination: str


class Failed(Event, frozen=True, tag="delivery.failed"):
    """A recipient is given up; a bounce follows unless the sender is ``<>``."""

    message: str
    recipient: str
    destination: str
    host: str
    reply: str
    cause: str
    attempt: int


class Reported(Event, frozen=True, tag="message.reported"):
    """A bounce or a notice was queued under an id of its own."""

    message: str
    kind: str
    report: str
    to: str


class Finished(Event, frozen=True, tag="message.finished"):
    """A message has left the queue: nothing of it is pending any more."""

    message: str
    delivered: int
    failed: int
    seconds: float


class OperatorActed(Event, frozen=True, tag="operator.acted"):
    """An operator held, released, retried or removed a message or changed a user."""

    action: str
    detail: str
    message: str = ""
