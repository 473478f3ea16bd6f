"""Outcomes → what is stored, tried again, bounced and told.

| outcome | stored as | and |
| --- | --- | --- |
| delivered | delivered | a success notice where it was asked for (RFC 3461 §4.1) |
| deferred | deferred, with its next attempt | once expired it counts as failed, 5.4.7 |
| deferred for our login, and expired | held: an operator's | an alarm, no bounce |
| deferred, and late | the same, with the notice's time | a delay notice, once |
| failed | failed | a bounce in the same transaction |
| failed, from ``<>`` | dead: an operator's | an alarm, no bounce (RFC 5321 §6.1) |

Known gap: RFC 3461 §5.2 wants a "relayed" notice only where the next host does not
offer DSN (where it does, the request is passed on). `Delivered` does not say whether
it was, so the notice is written in both cases; a sender may hear of success twice.
"""

from collections.abc import Callable, Sequence
from typing import assert_never

from msgspec.structs import replace

from sekisho.model.address import NullPath
from sekisho.model.decision import Decision
from sekisho.model.envelope import Notify
from sekisho.model.message import Message
from sekisho.model.outcome import Cause, Deferred, Delivered, Failed, Outcome
from sekisho.model.reply import Reply, printable
from sekisho.model.route import HostRoute, MxRoute
from sekisho.observe import events
from sekisho.queue.postponing import Parked, Postpone
from sekisho.queue.records import Result, State
from sekisho.report.case import Affected
from sekisho.report.texts import Kind
from sekisho.scheduler.flight import Job
from sekisho.scheduler.lane import Lane
from sekisho.scheduler.options import Patience, SchedulerOptions, Surroundings
from sekisho.scheduler.schedule import RetryRule, cause_of, retry_rule

_NEVER = float("inf")
Reports = list[tuple[Message, Decision, Kind]]


class _Attempt:
    """One attempt while it is judged, and whom to tell of what."""

    __slots__ = ("failed", "job", "lane", "late", "now", "seconds", "succeeded")

    def __init__(self, lane: Lane, job: Job, seconds: float, now: float) -> None:
        self.lane = lane
        self.job = job
        self.seconds = seconds
        self.now = now
        self.failed: list[Affected] = []
        self.succeeded: list[Affected] = []
        self.late: dict[int, Affected] = {}


class Judge:
    """Turns outcomes into results and reports."""

    def __init__(
        self,
        options: SchedulerOptions,
        given: Surroundings,
        skipped: Callable[[float], float] = lambda _since: 0.0,
    ) -> None:
        """Judge by a schedule.

        Args:
            options: The schedule.
            given: Clock, chance and reports.
            skipped: How many seconds since a moment the wall clock was set forward by.

        """
        self._options = options
        self._skipped = skipped
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
        attempt = _Attempt(lane, job, seconds, self._given.clock())
        results = [
            self._result(attempt, place, outcome)
            for place, outcome in enumerate(outcomes)
        ]
        reports: Reports = []
        if attempt.succeeded:
            self._report(_success_kind(lane), job, attempt.succeeded, reports)
        late, failed = attempt.late, attempt.failed
        if late and self._report(Kind.DELAYED, job, [*late.values()], reports):
            now = attempt.now
            results = [_told(one, now) if one.index in late else one for one in results]
        if failed and not self._report(Kind.FAILED, job, failed, reports):
            results = [_dead(one) for one in results]
        return results, reports

    def _result(self, attempt: _Attempt, place: int, outcome: Outcome) -> Result:
        """What to store of one recipient; notes down who is to be told."""
        job, now = attempt.job, attempt.now
        recipient = job.recipients[place]
        if isinstance(outcome, Deferred) and now >= self._expires_at(job, place):
            if outcome.cause is Cause.UPSTREAM_AUTH:
                return self._hold(attempt, place, outcome)
            # What an operator keeps back does not run out of time meanwhile.
            outcome = outcome if outcome.cause is Cause.PAUSED else _expired(outcome)
        match outcome:
            case Delivered():
                if recipient.notify_given and Notify.SUCCESS in recipient.notify:
                    attempt.succeeded.append(Affected(recipient, outcome, now))
                return self._deliver(attempt, place, outcome)
            case Deferred():
                if now >= self._notice_at(job, place):
                    late = Affected(recipient, outcome, now)
                    attempt.late[job.indexes[place]] = late
                return self._defer(attempt, place, outcome)
            case Failed():
                attempt.failed.append(Affected(recipient, outcome, now))
                return self._fail(attempt, place, outcome)
            case _:
                assert_never(outcome)

    def _patience(self, job: Job, place: int) -> Patience:
        return self._options.patience(job.recipients[place].address.domain)

    def _expires_at(self, job: Job, place: int) -> float:
        return self._arrived_at(job) + self._patience(job, place).expire_seconds

    def _arrived_at(self, job: Job) -> float:
        """When it came, as if the clock had always been as it is now set."""
        at = job.flight.message.received_at
        return at + self._skipped(at)

    def _notice_at(self, job: Job, place: int) -> float:
        """When the sender is to be told that a recipient is late (unix seconds)."""
        flight, wait = job.flight, self._patience(job, place).delay_notice_seconds
        if not wait or job.indexes[place] in flight.delay_told:
            return _NEVER
        if isinstance(flight.message.envelope.reverse_path, NullPath):
            return _NEVER
        return self._arrived_at(job) + wait

    def _next_attempt(self, attempt: _Attempt, place: int, outcome: Deferred) -> float:
        job, now = attempt.job, attempt.now
        # A notice and an expiry tell of an attempt, so there is one at their time.
        if outcome.cause is Cause.PAUSED:
            at = self._later(now, self._options.paused_seconds)
        else:
            at = self._by_schedule(attempt, place, retry_rule(outcome))
            at = min(at, self._expires_at(job, place))
        notice_at = self._notice_at(job, place)
        return min(at, notice_at) if notice_at > now else at

    def _by_schedule(self, attempt: _Attempt, place: int, rule: RetryRule) -> float:
        options, lane = self._options, attempt.lane
        tries = attempt.job.attempts[place] + 1
        domain = attempt.job.recipients[place].address.domain
        at = self._later(attempt.now, options.interval(tries, rule, domain))
        if at < lane.down_until < _NEVER:
            # Not before the lane's own next try, and not all of it in one moment.
            spread = options.interval(max(1, lane.failures), rule) * options.jitter
            at = lane.down_until + spread * self._given.chance()
        return at

    def postponement(self, lane: Lane, down: Deferred) -> Postpone:
        """What becomes of mail in the store while its host is down."""
        options = self._options
        if isinstance(lane.destination.route, MxRoute):
            rules = (options.patience(lane.destination.domain),)
        else:
            rules = options.patiences()  # Of every domain: the least patient one's.
        notices = [
            one.delay_notice_seconds for one in rules if one.delay_notice_seconds
        ]
        return Postpone(
            parked_by(lane, down),
            self._given.clock(),
            min(notices, default=_NEVER),
            min(one.expire_seconds for one in rules),
        )

    def _later(self, now: float, wait: float) -> float:
        return now + wait + wait * self._options.jitter * self._given.chance()

    def _defer(self, attempt: _Attempt, place: int, outcome: Deferred) -> Result:
        job = attempt.job
        at = self._next_attempt(attempt, place, outcome)
        tries = 0 if outcome.cause is Cause.PAUSED else 1
        self._emit(
            events.Deferred(
                message=job.flight.name,
                recipient=str(job.recipients[place].address),
                destination=attempt.lane.name,
                host=outcome.host,
                reply=str(outcome.reply),
                cause=cause_of(outcome),
                attempt=job.attempts[place] + tries,
                next_attempt=at,
            )
        )
        return Result(
            job.indexes[place],
            State.DEFERRED,
            _last_reply(outcome),
            at,
            cause_of(outcome),
            tries=tries,
        )

    def _hold(self, attempt: _Attempt, place: int, outcome: Deferred) -> Result:
        """Keep what our refused login kept back: its sender is not to blame."""
        job, said, lane = attempt.job, _last_reply(outcome), attempt.lane
        if not lane.held_told:
            lane.held_told = True  # One alarm for all of it.
            self._emit(
                events.Alarm(
                    about="mail is held, since a next host refuses our login",
                    detail=f"{job.flight.name} to {job.recipients[place].address}"
                    f" by {lane.name}, and whatever follows it: {said}",
                    hint="mend the login in [smarthost.NAME], then sekisho queue"
                    " release; sekisho queue list --state held shows it",
                )
            )
        return Result(job.indexes[place], State.HELD, said, cause=cause_of(outcome))

    def _fail(self, attempt: _Attempt, place: int, outcome: Failed) -> Result:
        job = attempt.job
        self._emit(
            events.Failed(
                message=job.flight.name,
                recipient=str(job.recipients[place].address),
                destination=attempt.lane.name,
                host=outcome.host,
                reply=str(outcome.reply),
                cause=cause_of(outcome),
                attempt=job.attempts[place] + 1,
            )
        )
        said, cause = _last_reply(outcome), cause_of(outcome)
        return Result(job.indexes[place], State.FAILED, said, cause=cause)

    def _deliver(self, attempt: _Attempt, place: int, outcome: Delivered) -> Result:
        job, reply = attempt.job, str(outcome.reply)
        self._emit(
            events.Delivered(
                message=job.flight.name,
                recipient=str(job.recipients[place].address),
                destination=attempt.lane.name,
                host=outcome.host,
                reply=reply,
                attempt=job.attempts[place] + 1,
                seconds=round(attempt.seconds, 6),
                tls=outcome.tls,
            )
        )
        return Result(job.indexes[place], State.DELIVERED, reply)

    def _report(
        self, kind: Kind, job: Job, affected: list[Affected], reports: Reports
    ) -> bool:
        """Have a report written. Returns whether the sender knows, or need not."""
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
                f"a report ({kind.value}) could not be written",
                f"{job.flight.name}: {type(error).__name__}: {error}",
            )
            return False
        if written is not None:
            reports.append((*written, kind))
            if kind is Kind.FAILED and (copied := self._given.copy(written[0])):
                reports.append((*copied, kind))
        return True

    def _alarm(self, about: str, detail: str) -> None:
        hint = "sekisho queue list --state dead shows it; release or remove it"
        self._emit(events.Alarm(about=about, detail=detail, hint=hint))


def parked_by(lane: Lane, down: Deferred) -> Parked:
    """The step of a lane that is down."""
    reply, cause = _last_reply(down), cause_of(down)
    return Parked(lane.name, lane.down_until, lane.failures, reply, cause)


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
    return replace(result, state=State.DEAD)


def _told(result: Result, now: float) -> Result:
    return replace(result, delay_told_at=now)


def _last_reply(outcome: Deferred | Failed) -> str:
    who = f"{outcome.host}: " if outcome.host else ""
    return f"{who}{outcome.reply}"
