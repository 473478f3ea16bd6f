"""Outcomes → what is stored, tried again, bounced and told.

| outcome | stored as | and |
| --- | --- | --- |
| delivered | delivered | a success notice where it was asked for (RFC 3461 §4.1) |
| deferred | deferred, with its next attempt | once expired it counts as failed, 5.4.7 |
| failed | failed | a bounce in the same transaction |
| failed, from ``<>`` | dead: an operator's | an alarm, no bounce (RFC 5321 §6.1) |

Known gap: RFC 3461 §5.2 wants a "relayed" notice only where the next host does not
offer DSN (where it does, the request is passed on). `Delivered` does not say whether
it was, so the notice is written in both cases; a sender may hear of success twice.
"""

from collections.abc import Sequence
from typing import assert_never

from sekisho.model.address import NullPath
from sekisho.model.decision import Decision
from sekisho.model.envelope import Notify
from sekisho.model.message import Message
from sekisho.model.outcome import Cause, Deferred, Delivered, Failed, Outcome
from sekisho.model.reply import Reply, printable
from sekisho.model.route import HostRoute, MxRoute
from sekisho.observe import events
from sekisho.queue.records import Result, State
from sekisho.report.case import Affected
from sekisho.report.texts import Kind
from sekisho.scheduler.flight import Job
from sekisho.scheduler.lane import Lane
from sekisho.scheduler.options import SchedulerOptions, Surroundings

Reports = list[tuple[Message, Decision, Kind]]


class Judge:
    """Turns outcomes into results and reports."""

    def __init__(self, options: SchedulerOptions, given: Surroundings) -> None:
        self._options = options
        self._given = given
        self._emit = given.emit

    def judge(
        self, lane: Lane, job: Job, outcomes: Sequence[Outcome], seconds: float
    ) -> tuple[list[Result], Reports]:
        """Judge one attempt.

        Args:
            lane: Where it went.
            job: What was tried.
            outcomes: One a recipient.
            seconds: How long it took.

        Returns:
            What to store of each recipient, and the reports to store with it.

        """
        now = self._given.clock()
        results: list[Result] = []
        failed: list[Affected] = []
        succeeded: list[Affected] = []
        expires_at = job.flight.message.received_at + self._options.expire_seconds
        for place, outcome in enumerate(outcomes):
            recipient = job.recipients[place]
            if isinstance(outcome, Deferred) and now >= expires_at:
                outcome = _expired(outcome)  # noqa: PLW2901 - what it comes to
            match outcome:
                case Delivered():
                    results.append(self._deliver(lane, job, place, outcome, seconds))
                    if recipient.notify_given and Notify.SUCCESS in recipient.notify:
                        succeeded.append(Affected(recipient, outcome, now))
                case Deferred():
                    at = self._next_attempt(lane, job.attempts[place] + 1, now)
                    results.append(
                        self._defer(lane, job, place, outcome, min(at, expires_at))
                    )
                case Failed():
                    results.append(self._fail(lane, job, place, outcome))
                    failed.append(Affected(recipient, outcome, now))
                case _:
                    assert_never(outcome)
        return self._with_reports(lane, job, results, failed, succeeded)

    def _with_reports(
        self,
        lane: Lane,
        job: Job,
        results: list[Result],
        failed: list[Affected],
        succeeded: list[Affected],
    ) -> tuple[list[Result], Reports]:
        reports: Reports = []
        if succeeded:
            self._report(_success_kind(lane), job, succeeded, reports)
        if failed and not self._report(Kind.FAILED, job, failed, reports):
            results = [_dead(one) for one in results]
        return results, reports

    def _next_attempt(self, lane: Lane, attempt: int, now: float) -> float:
        options, chance = self._options, self._given.chance
        wait = options.interval(attempt)
        at = now + wait + wait * options.jitter * chance()
        if at < lane.down_until:
            # Not before the lane's own next try, and not all of it in one moment.
            spread = options.interval(max(1, lane.failures)) * options.jitter
            at = lane.down_until + spread * chance()
        return at

    def _defer(
        self, lane: Lane, job: Job, place: int, outcome: Deferred, at: float
    ) -> Result:
        self._emit(
            events.Deferred(
                message=job.flight.name,
                recipient=str(job.recipients[place].address),
                destination=lane.name,
                host=outcome.host,
                reply=str(outcome.reply),
                cause=outcome.cause.value,
                attempt=job.attempts[place] + 1,
                next_attempt=at,
            )
        )
        return Result(job.indexes[place], State.DEFERRED, _last_reply(outcome), at)

    def _fail(self, lane: Lane, job: Job, place: int, outcome: Failed) -> Result:
        self._emit(
            events.Failed(
                message=job.flight.name,
                recipient=str(job.recipients[place].address),
                destination=lane.name,
                host=outcome.host,
                reply=str(outcome.reply),
                cause=outcome.cause.value,
                attempt=job.attempts[place] + 1,
            )
        )
        return Result(job.indexes[place], State.FAILED, _last_reply(outcome))

    def _deliver(
        self, lane: Lane, job: Job, place: int, outcome: Delivered, seconds: float
    ) -> Result:
        reply = str(outcome.reply)
        self._emit(
            events.Delivered(
                message=job.flight.name,
                recipient=str(job.recipients[place].address),
                destination=lane.name,
                host=outcome.host,
                reply=reply,
                attempt=job.attempts[place] + 1,
                seconds=round(seconds, 6),
                tls=outcome.tls,
            )
        )
        return Result(job.indexes[place], State.DELIVERED, reply)

    def _report(
        self, kind: Kind, job: Job, affected: list[Affected], reports: Reports
    ) -> bool:
        """Have a report written. Returns whether the failure is in good hands."""
        message = job.flight.message
        if isinstance(message.envelope.reverse_path, NullPath):
            if kind is Kind.FAILED:
                self._alarm(
                    "a message from <> cannot be delivered",
                    f"{job.flight.name}: {affected[0].outcome.reply}",
                )
            return False
        try:
            written = self._given.report(kind, message, affected)
        except Exception as error:  # noqa: BLE001 - the mail must not be lost by it
            self._alarm(
                "a report could not be written",
                f"{job.flight.name}: {type(error).__name__}: {error}",
            )
            return False
        if written is not None:
            reports.append((*written, kind))
        return True

    def _alarm(self, about: str, detail: str) -> None:
        hint = "sekisho queue list --state dead shows it; release or remove it"
        self._emit(events.Alarm(about=about, detail=detail, hint=hint))


def _expired(outcome: Deferred) -> Failed:
    text = f"Delivery time expired; the last answer was: {outcome.reply}"
    return Failed(Cause.EXPIRED, Reply(554, "5.4.7", (printable(text),)), outcome.host)


def _success_kind(lane: Lane) -> Kind:
    route = lane.destination.route
    relayed = isinstance(route, MxRoute) or (
        isinstance(route, HostRoute) and not route.lmtp
    )
    return Kind.RELAYED if relayed else Kind.DELIVERED


def _dead(result: Result) -> Result:
    if result.state is not State.FAILED:
        return result
    return Result(result.index, State.DEAD, result.last_reply)


def _last_reply(outcome: Deferred | Failed) -> str:
    who = f"{outcome.host}: " if outcome.host else ""
    return f"{who}{outcome.reply}"
