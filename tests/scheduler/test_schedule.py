"""Each cause has its own schedule, and an operator sees which one holds."""

import pytest

from queued_mail import NOW, message
from replacing import replace
from scheduled import AWAY, LATER, OK, World
from sekisho.config.carriage import Retry
from sekisho.model.outcome import Cause, Deferred, Failed
from sekisho.model.reply import Reply, reply
from sekisho.observe import events
from sekisho.scheduler.schedule import RetryRule, cause_of, retry_rule

REFUSED = Reply(535, "5.7.8", ("Wrong password",))


def remote(code: int, enhanced: str) -> Deferred:
    return Deferred(Cause.REMOTE_REPLY, Reply(code, enhanced, ("Later",)))


@pytest.mark.parametrize(
    ("outcome", "rule", "cause"),
    [
        (remote(450, "4.2.0"), RetryRule.GREYLISTED, "greylisted"),
        (remote(450, "4.7.1"), RetryRule.GREYLISTED, "greylisted"),
        (remote(451, ""), RetryRule.GREYLISTED, "greylisted"),
        (remote(451, "4.3.0"), RetryRule.OTHER, "remote reply"),
        (remote(450, "4.4.3"), RetryRule.OTHER, "remote reply"),
        (remote(452, "4.3.1"), RetryRule.QUOTA, "quota"),
        (remote(450, "4.2.2"), RetryRule.QUOTA, "quota"),
        (remote(421, ""), RetryRule.RATE, "rate"),
        (remote(450, "4.7.28"), RetryRule.RATE, "rate"),
        (remote(454, "4.7.0"), RetryRule.OTHER, "remote reply"),
        (AWAY, RetryRule.UNREACHABLE, "host unreachable"),
        (Deferred(Cause.DNS, AWAY.reply), RetryRule.DNS, "name resolution"),
        (Deferred(Cause.TLS, AWAY.reply), RetryRule.TLS, "TLS"),
        (Deferred(Cause.TIMEOUT, AWAY.reply), RetryRule.TIMEOUT, "time-out"),
        (Deferred(Cause.LOCAL, AWAY.reply), RetryRule.OTHER, "local delivery"),
        (
            Deferred(Cause.UPSTREAM_AUTH, REFUSED),
            RetryRule.UPSTREAM_AUTH,
            "upstream login refused",
        ),
    ],
)
def test_cause_chooses_the_schedule(
    outcome: Deferred, rule: RetryRule, cause: str
) -> None:
    assert retry_rule(outcome) is rule
    assert cause_of(outcome) == cause


def test_failure_keeps_its_cause() -> None:
    failed = Failed(Cause.REMOTE_REPLY, reply(550, "5.7.1", "No"))
    assert cause_of(failed) == "remote reply"


def test_every_rule_can_be_configured() -> None:
    assert [rule.value for rule in RetryRule] == list(Retry.model_fields)


@pytest.mark.asyncio
async def test_greylisted_mail_comes_back_sooner_than_other(world: World) -> None:
    soon = {RetryRule.GREYLISTED: (60.0, 300.0)}
    world.options = replace(world.options, retry_by_rule=soon)
    await world.restart()
    ill = remote(451, "4.3.0")
    world.script = lambda _message, recipients: [
        LATER if one.address.local_part == "grey" else ill for one in recipients
    ]
    mail = await world.send(message("grey@b.example", "ill@b.example"))
    await world.settled()
    queued = await world.queue.get(mail.id)
    assert queued is not None
    assert [(one.next_attempt - NOW, one.cause) for one in queued.recipients] == [
        (60.0, "greylisted"),
        (300.0, "remote reply"),
    ]
    await world.pass_time(60)
    assert world.transactions[-1][1] == ["grey@b.example"]
    # Its second interval comes from its own schedule too, and the last repeats.
    for _ in range(2):
        await world.pass_time(300)
    grey = [
        event.next_attempt - NOW
        for event in world.seen(events.Deferred)
        if event.recipient == "grey@b.example"
    ]
    assert grey == [60.0, 360.0, 660.0, 960.0]


@pytest.mark.asyncio
async def test_dead_host_waits_by_its_own_schedule(world: World) -> None:
    slow = {RetryRule.UNREACHABLE: (1000.0,)}
    world.options = replace(world.options, retry_by_rule=slow)
    await world.restart()
    world.refusal = AWAY
    await world.send(message())
    await world.settled()
    await world.pass_time(999)
    assert len(world.connected) == 1
    await world.pass_time(1)
    assert len(world.connected) == 2


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", [Deferred, Failed])
async def test_refused_login_defers_all_mail_and_alarms_once(
    world: World, kind: type[Deferred] | type[Failed]
) -> None:
    world.refusal = kind(Cause.UPSTREAM_AUTH, REFUSED, "smarthost.example")
    mails = [await world.send(message()) for _ in range(5)]
    await world.settled()
    await world.pass_time(300)
    await world.pass_time(900)
    (alarm,) = world.seen(events.Alarm)
    assert alarm.about == "a next host refuses our login"
    assert "535 5.7.8" in alarm.detail
    assert world.reports == []
    assert len(world.connected) == 3
    queued = await world.queue.get(mails[0].id)
    assert queued is not None
    assert queued.recipients[0].cause == "upstream login refused"
    assert world.seen(events.AlarmSettled) == []
    # Mended, the alarm is over; refused again, it is a new one.
    world.refusal = None
    world.script = lambda _message, recipients: [OK] * len(recipients)
    await world.pass_time(3600)
    assert (await world.queue.stats(world.now)).messages == 0
    (settled,) = world.seen(events.AlarmSettled)
    assert (settled.about, settled.destination) == (alarm.about, alarm.destination)
