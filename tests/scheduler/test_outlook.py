"""Operators see by which rule a recipient is tried, and what it comes to and when."""

import pytest

from queued_mail import NOW, message
from scheduled import AWAY, LATER, RETRY
from sekisho.model.outcome import Cause, Deferred
from sekisho.queue.records import QueuedMessage, QueuedRecipient, State
from sekisho.scheduler.lane import PAUSED
from sekisho.scheduler.options import Patience, SchedulerOptions
from sekisho.scheduler.outlook import Outlook, outlook
from sekisho.scheduler.schedule import RetryRule, cause_of, retry_rule, rule_of_cause

HOUR = 3600.0
OPTIONS = SchedulerOptions(
    retry_seconds=RETRY,
    retry_by_rule={RetryRule.GREYLISTED: [60.0, 120.0]},
    expire_seconds=48 * HOUR,
    delay_notice_seconds=4 * HOUR,
    by_domain={
        "quick.example": Patience("[quick]", 2 * HOUR, 1 * HOUR),
        "often.example": Patience("[often]", 48 * HOUR, 0.0, (10.0, 20.0)),
    },
)


def ahead(
    outcome: Deferred | None = None,
    domain: str = "b.example",
    *,
    sender: str = "alice@example.com",
    state: State = State.DEFERRED,
    told_at: float = 0.0,
) -> Outlook:
    mail = message(f"bob@{domain}", sender=sender)
    cause = "" if outcome is None else cause_of(outcome)
    one = QueuedRecipient(
        *(0, mail.envelope.recipients[0], state, 1, NOW + 60, "", domain),
        *("grant", "staff", cause, told_at),
    )
    return outlook(OPTIONS, QueuedMessage(mail, (one,), "grant", "staff", "x"), one)


@pytest.mark.parametrize("cause", Cause)
def test_the_stored_cause_names_the_rule_that_the_judge_goes_by(cause: Cause) -> None:
    outcome = Deferred(cause, LATER.reply)
    rule = rule_of_cause(cause_of(outcome))
    assert rule is (None if cause is Cause.PAUSED else retry_rule(outcome))


@pytest.mark.parametrize(
    ("outcome", "domain", "told"),
    [
        (AWAY, "b.example", ("unreachable", "[queue]", RETRY)),
        (LATER, "b.example", ("greylisted", "[queue.retry]", (60.0, 120.0))),
        (LATER, "quick.example", ("greylisted", "[queue.retry]", (60.0, 120.0))),
        (LATER, "often.example", ("greylisted", "[often]", (10.0, 20.0))),
        (PAUSED, "b.example", ("", "", ())),
        (None, "b.example", ("", "", ())),
    ],
)
def test_cause_and_domain_choose_the_schedule(
    outcome: Deferred | None, domain: str, told: tuple[str, str, tuple[float, ...]]
) -> None:
    one = ahead(outcome, domain)
    assert (one.rule, one.set_by, one.retry_seconds) == told


def test_notice_and_end_are_those_of_the_domain() -> None:
    one = ahead(AWAY)
    assert one.next_attempt == NOW + 60
    assert (one.notice_at, one.expires_at) == (NOW + 4 * HOUR, NOW + 48 * HOUR)
    assert one.expiry_set_by == "[queue]"
    quick = ahead(AWAY, "quick.example")
    assert (quick.notice_at, quick.expires_at) == (NOW + HOUR, NOW + 2 * HOUR)
    assert quick.expiry_set_by == "[quick]"


def test_no_notice_is_foretold_that_nobody_will_get() -> None:
    assert ahead(AWAY, "often.example").notice_at == 0
    assert ahead(AWAY, sender="").notice_at == 0
    assert ahead(AWAY, told_at=NOW).notice_at == 0
    held = ahead(AWAY, state=State.HELD)
    assert (held.notice_at, held.next_attempt, held.rule) == (0, 0, "")
