"""Counters, gauges and histograms for Prometheus, fed by events.

Promises: the number of series is bounded, whatever clients send. Labels are names
from the configuration, rules and causes; never an address, a host or a client. Beyond
`MAX_LABEL_SETS` of one metric the rest is counted as ``other``.

What is counted for each message is counted in `sekisho.observe.series`, which the
library asks when metrics are read.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from sekisho.observe import events
from sekisho.observe.events import Event
from sekisho.observe.series import Counters, Distribution, Gauges

_DELIVERY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_QUEUE_BUCKETS = (0.05, 0.1, 0.5, 1, 5, 30, 60, 300, 900, 3600, 14400, 86400, 172800)
_COMMIT_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)
_GROUP_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500)


_C = TypeVar("_C", Counters, Gauges, Distribution)


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """What the queue holds at this moment.

    Attributes:
        messages: By state.
        oldest_age_seconds: Of the message that waits longest, 0 where none does.

    """

    messages: Mapping[str, int] = field(default_factory=dict[str, int])
    oldest_age_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class OwnLosses:
    """What observing itself has lost since the start."""

    log_lines: int = 0
    timeline_events: int = 0
    events: int = 0


class Metrics:
    """All metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self._figures = _Figures()
        self.registry.register(self._figures)
        ProcessCollector(registry=self.registry)

        self._sessions = self._counter("sessions", "Sessions opened.", "listener")
        self._open = self._shown(
            Gauges("sessions_open", "Sessions open now.", ["listener"])
        )
        self._tls = self._counter("tls_handshakes", "TLS with clients.", "result")
        self._refused_commands = self._counter(
            "commands_refused", "Commands a session refused by itself.", "code"
        )
        self._auth = self._counter(
            "auth", "Credentials looked at.", "listener", "result"
        )
        self._accepted = self._counter(
            "mail_accepted", "Messages answered 250.", "listener", "rule"
        )
        self._refused = self._counter(
            "mail_refused",
            "Senders, recipients and messages refused.",
            "listener",
            "rule",
        )
        self._recipients = self._counter(
            "recipients_accepted", "Recipients of the messages answered 250."
        )
        self._bytes = self._counter(
            "accepted_bytes", "Octets of the messages answered 250."
        )
        self._deliveries = self._counter(
            "deliveries", "What attempts did, by recipient.", "outcome", "cause"
        )
        self._delivery_seconds = self._histogram(
            "delivery_seconds", "Of attempts that delivered.", _DELIVERY_BUCKETS
        )
        self._queue_seconds = self._histogram(
            "queue_seconds", "From 250 until nothing is pending.", _QUEUE_BUCKETS
        )
        self._reports = self._counter("reports", "Bounces and notices.", "kind")
        self._alarms = self._counter("alarms", "Alarms for the operator.", "about")
        self._audit = self._shown(
            Gauges("audit_results", "What the last audit of itself found.", ["verdict"])
        )
        self._closed = self._shown(
            Gauges("relaying_closed", "Whether that audit has closed relaying.", [])
        )
        self._restarts = self._counter(
            "worker_restarts", "Worker processes that ended and were replaced."
        )
        self._group = self._histogram(
            "commit_group_size", "Requests in one commit of the queue.", _GROUP_BUCKETS
        )
        self._commit = self._histogram(
            "commit_seconds", "Of one commit of the queue.", _COMMIT_BUCKETS
        )
        self._by_type: dict[type[Event], Callable[[Any], None]] = {
            events.SessionOpened: self._session_opened,
            events.SessionClosed: self._session_closed,
            events.TlsStarted: lambda _: self._tls.add(("started",)),
            events.TlsFailed: lambda _: self._tls.add(("failed",)),
            events.CommandRefused: self._command_refused,
            events.AuthSucceeded: self._auth_succeeded,
            events.AuthFailed: self._auth_failed,
            events.MailAccepted: self._mail_accepted,
            events.MailRefused: self._mail_refused,
            events.Delivered: self._delivered,
            events.Deferred: self._deferred,
            events.Failed: self._failed,
            events.Reported: lambda event: self._reports.add((event.kind,)),
            events.Finished: lambda event: self._queue_seconds.observe(event.seconds),
            events.WorkerEnded: lambda _: self._restarts.add(),
            events.AuditFinished: self._audit_finished,
            events.Alarm: lambda event: self._alarms.add((event.about,)),
        }

    def count(self, event: Event) -> None:
        """Count an event; those that no metric is about are passed over."""
        counter = self.counter_of(type(event))
        if counter is not None:
            counter(event)

    def counter_of(self, kind: type[Event]) -> Callable[[Any], None] | None:
        """Who counts events of a type; None where no metric is about them."""
        return self._by_type.get(kind)

    def committed(self, group_size: int, seconds: float) -> None:
        """Count one commit of the queue; for its writer thread."""
        self._group.observe(group_size)
        self._commit.observe(seconds)

    def show_queue(self, figures: Callable[[], QueueFigures]) -> None:
        """Ask for the queue's figures whenever metrics are read."""
        self._figures.queue = figures

    def show_losses(self, losses: Callable[[], OwnLosses]) -> None:
        """Ask for what observing lost whenever metrics are read."""
        self._figures.losses = losses

    def _shown(self, series: _C) -> _C:
        self.registry.register(series)
        return series

    def _counter(self, name: str, says: str, *labels: str) -> Counters:
        return self._shown(Counters(name, says, labels))

    def _histogram(
        self, name: str, says: str, buckets: Sequence[float]
    ) -> Distribution:
        return self._shown(Distribution(name, says, buckets))

    def _audit_finished(self, event: events.AuditFinished) -> None:
        for verdict in ("flawed", "suspect", "undecided", "safe"):
            self._audit.set((verdict,), getattr(event, verdict))
        self._closed.set((), event.relaying_closed)

    def _session_opened(self, event: events.SessionOpened) -> None:
        self._sessions.add((event.listener,))
        self._open.add((event.listener,))

    def _session_closed(self, event: events.SessionClosed) -> None:
        self._open.add((event.listener,), -1)

    def _command_refused(self, event: events.CommandRefused) -> None:
        self._refused_commands.add((event.reply[:3],))

    def _auth_succeeded(self, event: events.AuthSucceeded) -> None:
        self._auth.add((event.listener, "succeeded"))

    def _auth_failed(self, event: events.AuthFailed) -> None:
        self._auth.add((event.listener, "failed"))

    def _mail_accepted(self, event: events.MailAccepted) -> None:
        self._accepted.add((event.listener, event.rule))
        self._recipients.add((), len(event.recipients))
        self._bytes.add((), event.size_bytes)

    def _mail_refused(self, event: events.MailRefused) -> None:
        self._refused.add((event.listener, event.rule))

    def _delivered(self, event: events.Delivered) -> None:
        self._deliveries.add(("delivered", ""))
        self._delivery_seconds.observe(event.seconds)

    def _deferred(self, event: events.Deferred) -> None:
        self._deliveries.add(("deferred", event.cause))

    def _failed(self, event: events.Failed) -> None:
        self._deliveries.add(("failed", event.cause))


class _Figures(Collector):
    """What is asked for when metrics are read."""

    def __init__(self) -> None:
        self.queue: Callable[[], QueueFigures] = QueueFigures
        self.losses: Callable[[], OwnLosses] = OwnLosses

    def collect(self) -> Iterator[Metric]:
        """Ask, and give what was answered."""
        queue, losses = self.queue(), self.losses()
        messages = GaugeMetricFamily(
            "sekisho_queue_messages", "Messages in the queue.", labels=["state"]
        )
        for state, number in queue.messages.items():
            messages.add_metric([state], number)
        yield messages
        yield GaugeMetricFamily(
            "sekisho_queue_oldest_age_seconds",
            "Age of the message that waits longest.",
            queue.oldest_age_seconds,
        )
        lost = CounterMetricFamily(
            "sekisho_observe_lost", "What observing itself lost.", labels=["what"]
        )
        lost.add_metric(["log lines"], losses.log_lines)
        lost.add_metric(["timeline events"], losses.timeline_events)
        lost.add_metric(["events"], losses.events)
        yield lost
