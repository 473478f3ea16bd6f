"""The sender of late mail is told once, in time, and only if he wants it."""

import pytest

from queued_mail import NOW, message
from replacing import replace
from scheduled import AWAY, LATER, OK, World
from sekisho.model.envelope import Notify
from sekisho.model.message import Message
from sekisho.observe import events
from sekisho.report.texts import Kind


def kinds(world: World) -> list[Kind]:
    return [kind for kind, _, _ in world.reports]


async def send_late(world: World, mail: Message) -> None:
    """Mail from people waits; what goes to them (notices) arrives."""
    world.script = lambda one, recipients: (
        [LATER if one.id == mail.id else OK] * len(recipients)
    )
    await world.send(mail)
    await world.settled()
    for _ in range(5):
        await world.pass_time(3600)


@pytest.mark.asyncio
async def test_delay_is_told_once_a_recipient(world: World) -> None:
    mail = message("a@b.example", "b@b.example")
    await send_late(world, mail)
    ((kind, names, notice),) = world.reports
    assert (kind, names) == (Kind.DELAYED, ["a@b.example", "b@b.example"])
    assert [event.kind for event in world.seen(events.Reported)] == ["delayed"]
    assert world.seen(events.Reported)[0].report == str(notice.id)
    queued = await world.queue.get(mail.id)
    assert queued is not None
    assert {one.delay_told_at for one in queued.recipients} == {NOW + 4 * 3600}


@pytest.mark.asyncio
async def test_restart_does_not_tell_it_again(world: World) -> None:
    await send_late(world, message())
    await world.restart()
    for _ in range(5):
        await world.pass_time(3600)
    assert kinds(world) == [Kind.DELAYED]


@pytest.mark.asyncio
async def test_delay_is_told_when_it_is_due_though_the_interval_is_long(
    world: World,
) -> None:
    world.options = replace(world.options, retry_seconds=(100_000.0,))
    await world.restart()
    world.refusal = AWAY
    await world.send(message())
    await world.settled()
    await world.pass_time(4 * 3600 - 1)
    assert kinds(world) == []
    await world.pass_time(1)
    assert kinds(world) == [Kind.DELAYED]
    # The host is not tried for it: it is known to be down.
    assert world.connected.count("b.example") == 1


@pytest.mark.asyncio
async def test_recipient_that_is_late_by_itself_is_told_by_itself(world: World) -> None:
    mail = message("a@b.example", "x@c.example")
    world.script = lambda one, recipients: [
        LATER if one.id == mail.id and r.address.domain == "c.example" else OK
        for r in recipients
    ]
    await world.send(mail)
    await world.settled()
    for _ in range(5):
        await world.pass_time(3600)
    assert [names for _, names, _ in world.reports] == [["x@c.example"]]


@pytest.mark.asyncio
async def test_notify_without_delay_is_no_notice(world: World) -> None:
    mail = message()
    (one,) = mail.envelope.recipients
    quiet = replace(one, notify=Notify.FAILURE, notify_given=True)
    mail = replace(mail, envelope=replace(mail.envelope, recipients=(quiet,)))
    await send_late(world, mail)
    assert world.reports == []


@pytest.mark.asyncio
async def test_null_sender_is_never_told(world: World) -> None:
    await send_late(world, message(sender=""))
    assert world.reports == []
    assert world.seen(events.Alarm) == []


@pytest.mark.asyncio
async def test_zero_is_never(world: World) -> None:
    world.options = replace(world.options, delay_notice_seconds=0.0)
    await world.restart()
    await send_late(world, message())
    assert world.reports == []


@pytest.mark.asyncio
async def test_notice_that_cannot_be_written_is_tried_again(world: World) -> None:
    real = world.report
    broken = True

    def report(*about: object) -> object:
        if broken:
            raise OSError("unreadable")
        return real(*about)  # type: ignore[arg-type]

    object.__setattr__(world.scheduler._judge._given, "report", report)
    mail = message()
    await send_late(world, mail)
    assert world.reports == []
    assert "OSError" in world.seen(events.Alarm)[0].detail
    broken = False
    await world.pass_time(3600)
    assert kinds(world) == [Kind.DELAYED]
