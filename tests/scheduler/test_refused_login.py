"""Mail that waits for our login at an upstream is never bounced for that."""

import pytest

from queued_mail import message
from scheduled import OK, World
from sekisho.model.outcome import Cause, Deferred
from sekisho.model.reply import Reply
from sekisho.observe import events
from sekisho.queue.records import State
from sekisho.report.texts import Kind

REFUSED = Deferred(
    Cause.UPSTREAM_AUTH, Reply(454, "4.7.8", ("Login refused",)), "mx.example"
)
HELD = "mail is held, since a next host refuses our login"


@pytest.mark.asyncio
async def test_refused_login_holds_what_would_expire_and_bounces_nothing(
    world: World,
) -> None:
    world.script = lambda mail, recipients: (
        [REFUSED if str(mail.envelope.reverse_path) else OK] * len(recipients)
    )
    mail = await world.send(message())
    await world.settled()
    for _ in range(47):
        await world.pass_time(3600)
    assert await world.state(mail) is State.DEFERRED
    for _ in range(2):
        await world.pass_time(3600)
    assert await world.state(mail) is State.HELD
    assert Kind.FAILED not in [kind for kind, _, _ in world.reports]
    assert world.seen(events.Failed) == []
    (alarm,) = [one for one in world.seen(events.Alarm) if one.about == HELD]
    assert str(mail.id) in alarm.detail
    queued = await world.queue.get(mail.id)
    assert queued is not None
    assert queued.recipients[0].cause == Cause.UPSTREAM_AUTH.value
    # It is an operator's now: time alone does nothing to it.
    tried = len(world.transactions)
    await world.pass_time(1e6)
    assert len(world.transactions) == tried
    assert await world.state(mail) is State.HELD


@pytest.mark.asyncio
async def test_host_that_is_down_for_our_login_holds_too(world: World) -> None:
    world.refusal = REFUSED
    mail = await world.send(message())
    await world.settled()
    for _ in range(49):
        await world.pass_time(3600)
    assert await world.state(mail) is State.HELD
    assert world.seen(events.Failed) == []


@pytest.mark.asyncio
async def test_mail_that_is_held_together_is_one_alarm(world: World) -> None:
    world.refusal = REFUSED
    mails = [await world.send(message()) for _ in range(5)]
    await world.settled()
    for _ in range(98):
        await world.pass_time(1800)
    assert {await world.state(mail) for mail in mails} == {State.HELD}
    # Their delay notices go elsewhere, where our login is refused too.
    alarms = [one.detail for one in world.seen(events.Alarm) if one.about == HELD]
    lanes = [one.split(" by ")[1].split(",")[0] for one in alarms]
    assert sorted(lanes) == ["b.example", "example.com"]
