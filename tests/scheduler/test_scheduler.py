"""What is tried when, what is bounced once, and what never is lost.

The next hosts are scripted carriers (they keep the contract of `Carrier`); the store
is a real one.
"""

import asyncio
import itertools
from collections.abc import Sequence

import pytest

from crowded import step
from queued_mail import NOW, decision, message
from replacing import replace
from scheduled import AWAY, LATER, NEVER, OK, RETRY, World
from sekisho.model.decision import Verdict
from sekisho.model.envelope import Notify, Recipient
from sekisho.model.message import Message
from sekisho.model.outcome import Cause, Failed, Outcome
from sekisho.model.reply import Reply
from sekisho.model.route import Destination, HostRoute, MaildirRoute, MxRoute, Server
from sekisho.observe import events
from sekisho.queue.errors import PutRefused
from sekisho.queue.records import Selection, State
from sekisho.queue.store import Queue
from sekisho.report.texts import Kind
from sekisho.scheduler.options import SchedulerOptions


@pytest.mark.asyncio
async def test_first_attempt_runs_from_memory(world: World) -> None:
    mail = await world.send(message("a@b.example"))
    await world.settled()
    assert await world.queue.get(mail.id) is None
    (delivered,) = world.seen(events.Delivered)
    assert (delivered.message, delivered.recipient) == (str(mail.id), "a@b.example")
    assert (delivered.host, delivered.attempt) == ("mx.example", 1)
    (finished,) = world.seen(events.Finished)
    assert (finished.delivered, finished.failed) == (1, 0)


@pytest.mark.asyncio
async def test_accepted_twice_is_delivered_once(world: World) -> None:
    world.gate.clear()
    mail = await world.send(message())
    world.scheduler.accept(mail)
    world.scheduler.wake()
    await asyncio.sleep(0.05)
    world.gate.set()
    await world.settled()
    assert len(world.transactions) == 1


@pytest.mark.asyncio
async def test_recipients_of_one_destination_share_a_transaction(world: World) -> None:
    await world.send(message("a@b.example", "x@c.example", "b@b.example"))
    await world.settled()
    assert sorted(names for _, names in world.transactions) == [
        ["a@b.example", "b@b.example"],
        ["x@c.example"],
    ]
    assert len(world.seen(events.Finished)) == 1


@pytest.mark.asyncio
async def test_transactions_have_at_most_a_hundred_recipients(world: World) -> None:
    await world.send(message(*(f"r{n}@b.example" for n in range(250))))
    await world.settled()
    assert [len(names) for _, names in world.transactions] == [100, 100, 50]
    (finished,) = world.seen(events.Finished)
    assert finished.delivered == 250


@pytest.mark.asyncio
async def test_intervals_grow_and_the_last_repeats(world: World) -> None:
    world.script = lambda _message, recipients: [LATER] * len(recipients)
    await world.send(message())
    await world.settled()
    for wait in (300.0, 900.0, 3600.0, 3600.0):
        tries = len(world.transactions)
        await world.pass_time(wait - 1)
        assert len(world.transactions) == tries
        await world.pass_time(1)
        assert len(world.transactions) == tries + 1
    times = [event.next_attempt for event in world.seen(events.Deferred)]
    assert [round(b - a) for a, b in itertools.pairwise(times)] == [
        900, 3600, 3600, 3600,
    ]  # fmt: skip
    assert [event.attempt for event in world.seen(events.Deferred)] == [1, 2, 3, 4, 5]


@pytest.mark.asyncio
async def test_dead_host_is_tried_once_for_all_its_mail(world: World) -> None:
    world.refusal = AWAY
    mails = [message(f"r{n}@dead.example") for n in range(300)]
    await asyncio.gather(*(world.send(mail) for mail in mails))
    await world.settled()
    assert world.connected == ["dead.example"]
    assert len(world.seen(events.Deferred)) == 300
    await world.send(message("late@dead.example"))
    await world.settled()
    assert world.connected == ["dead.example"]
    # Other hosts do not suffer.
    world.refusal = None
    await world.send(message("x@alive.example"))
    await world.settled()
    assert world.connected == ["dead.example", "alive.example"]
    # The next step of the schedule is one try again, and it may succeed.
    world.refusal = AWAY
    await step(world, 300)
    assert world.connected == ["dead.example", "alive.example", "dead.example"]
    world.refusal = None
    await step(world, 900)
    assert (await world.queue.stats(world.now)).messages == 0


@pytest.mark.asyncio
async def test_dead_destination_that_never_will_be_fails_all(world: World) -> None:
    world.refusal = Failed(Cause.NULL_MX, Reply(556, "5.1.10", ("Null MX",)))
    for _ in range(3):
        await world.send(message())
    await world.until(lambda: len(world.seen(events.Failed)) >= 3)
    assert {event.cause for event in world.seen(events.Failed)} == {"null MX"}


@pytest.mark.asyncio
async def test_permanent_failure_is_bounced_exactly_once(world: World) -> None:
    world.script = lambda _message, recipients: [
        NEVER if one.address.local_part == "no" else OK for one in recipients
    ]
    mail = await world.send(message("no@b.example", "yes@b.example"))
    await world.until(lambda: len(world.seen(events.Finished)) == 2)
    ((kind, names, bounce),) = world.reports
    assert (kind, names) == (Kind.FAILED, ["no@b.example"])
    (reported,) = world.seen(events.Reported)
    assert (reported.message, reported.report) == (str(mail.id), str(bounce.id))
    assert reported.to == "alice@example.com"
    assert world.transactions[-1] == (bounce.id, ["alice@example.com"])


@pytest.mark.asyncio
async def test_expired_mail_is_bounced_exactly_once(world: World) -> None:
    world.script = lambda mail, recipients: (
        [OK if not str(mail.envelope.reverse_path) else LATER] * len(recipients)
    )
    await world.send(message())
    await world.settled()
    for _ in range(60):
        await world.pass_time(3600)
        if world.seen(events.Failed):
            break
    await world.settled()
    assert [kind for kind, _, _ in world.reports] == [Kind.DELAYED, Kind.FAILED]
    (failed,) = world.seen(events.Failed)
    assert failed.cause == "expired"
    assert failed.reply.startswith("554 5.4.7 Delivery time expired")
    assert world.now - NOW == pytest.approx(2 * 86400, abs=3600)
    assert (await world.queue.stats(world.now)).messages == 0


@pytest.mark.asyncio
async def test_null_sender_is_never_bounced_but_kept_in_sight(world: World) -> None:
    world.script = lambda _message, recipients: [NEVER] * len(recipients)
    mail = await world.send(message(sender=""))
    await world.settled()
    assert world.reports == []
    assert await world.state(mail) is State.DEAD
    assert len(world.seen(events.Alarm)) == 1
    await world.pass_time(1e6)
    assert len(world.transactions) == 1


@pytest.mark.asyncio
async def test_notify_never_is_no_bounce_and_no_dead_mail(world: World) -> None:
    world.script = lambda _message, recipients: [NEVER] * len(recipients)
    mail = message()
    (one,) = mail.envelope.recipients
    quiet = replace(one, notify=Notify.NEVER, notify_given=True)
    await world.send(
        replace(mail, envelope=replace(mail.envelope, recipients=(quiet,)))
    )
    await world.settled()
    assert world.reports == []
    assert (await world.queue.stats(NOW)).messages == 0


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("destination", "kind"),
    [
        (Destination(MxRoute(), "b.example"), Kind.RELAYED),
        (Destination(HostRoute("s", (Server("s", 25),))), Kind.RELAYED),
        (Destination(HostRoute("s", (Server("s", 24),), lmtp=True)), Kind.DELIVERED),
        (Destination(MaildirRoute("/m")), Kind.DELIVERED),
    ],
)
async def test_success_is_reported_where_asked_for(
    world: World, destination: Destination, kind: Kind
) -> None:
    world.destination = destination
    mail = message()
    (one,) = mail.envelope.recipients
    curious = replace(one, notify=Notify.SUCCESS, notify_given=True)
    await world.send(
        replace(mail, envelope=replace(mail.envelope, recipients=(curious,)))
    )
    await world.until(lambda: len(world.seen(events.Finished)) == 2)
    assert [report[0] for report in world.reports] == [kind]


@pytest.mark.asyncio
async def test_report_that_cannot_be_written_loses_nothing(world: World) -> None:
    world.script = lambda _message, recipients: [NEVER] * len(recipients)

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    object.__setattr__(world.scheduler._judge._given, "report", broken)
    mail = await world.send(message())
    await world.settled()
    assert await world.state(mail) is State.DEAD
    assert "ZeroDivisionError" in world.seen(events.Alarm)[0].detail


@pytest.mark.asyncio
async def test_crash_in_a_delivery_is_a_deferral(world: World) -> None:
    def script(mail: Message, recipients: Sequence[Recipient]) -> Sequence[Outcome]:
        if recipients[0].address.local_part == "crash":
            raise ZeroDivisionError
        return [] if recipients[0].address.local_part == "few" else [OK]

    world.script = script
    crash = await world.send(message("crash@b.example"))
    few = await world.send(message("few@b.example"))
    fine = await world.send(message("fine@b.example"))
    await world.settled()
    assert await world.state(crash) is State.DEFERRED
    assert await world.state(few) is State.DEFERRED
    assert await world.state(fine) is None
    assert len(world.seen(events.Alarm)) == 2


@pytest.mark.asyncio
async def test_connection_is_kept_and_shared(world: World) -> None:
    for _ in range(5):
        await world.send(message())
        await world.settled()
    assert world.connected == ["b.example"]
    assert world.closed == 0


@pytest.mark.asyncio
async def test_concurrency_is_bounded_by_destination(world: World) -> None:
    world.gate.clear()
    for n in range(60):
        await world.send(message(f"r{n}@b.example"))
    await asyncio.sleep(0.05)
    assert world.at_once == 20
    world.gate.set()
    await world.settled()
    assert world.most_at_once == 20
    assert len(world.transactions) == 60


@pytest.mark.asyncio
async def test_all_destinations_share_the_bound_on_connections(queue: Queue) -> None:
    options = SchedulerOptions(max_carriers=3, retry_seconds=RETRY)
    world = World(queue, options)
    for n in range(10):
        await world.send(message(f"r@d{n}.example"))
    await world.settled()
    assert world.most_at_once <= 3
    assert len(world.transactions) == 10
    assert world.closed >= 7  # Idle ones made room.
    await world.scheduler.stop(1)
    await world.running


@pytest.mark.asyncio
async def test_connection_that_cannot_be_used_again_is_replaced(world: World) -> None:
    options = replace(world.options, max_messages_per_carrier=2)
    world.scheduler._carriers._options = options
    for _ in range(5):
        await world.send(message())
        await world.settled()
    assert len(world.connected) == 3


@pytest.mark.asyncio
async def test_host_that_takes_no_more_connections_is_not_down(world: World) -> None:
    world.gate.clear()
    first = await world.send(message())
    await world.until(lambda: world.at_once == 1)
    world.refusal = AWAY
    others = [await world.send(message()) for _ in range(5)]
    await asyncio.sleep(0.02)
    world.gate.set()
    await world.settled()
    for mail in [first, *others]:
        assert await world.state(mail) is None
    assert world.seen(events.Deferred) == []


@pytest.mark.asyncio
async def test_mail_above_the_bound_stays_in_the_store_and_comes(
    queue: Queue,
) -> None:
    world = World(queue, SchedulerOptions(max_messages=10, page=7))
    await asyncio.sleep(0.02)
    world.gate.clear()
    mails = [message(f"r{n}@b.example") for n in range(60)]
    await asyncio.gather(*(world.send(mail) for mail in mails))
    assert len(world.scheduler._flights) <= 10
    world.gate.set()
    await world.until(lambda: len(world.seen(events.Finished)) == 60)
    assert len(world.transactions) == 60
    assert (await queue.stats(NOW)).messages == 0
    await world.scheduler.stop(1)
    await world.running


@pytest.mark.asyncio
async def test_what_was_stored_before_a_start_is_delivered(world: World) -> None:
    mails = [message() for _ in range(5)]
    for mail in mails:
        await world.queue.put(mail, decision(mail))
    held = message()
    await world.queue.put(held, decision(held, Verdict.HOLD))
    await world.restart()
    await world.until(lambda: len(world.transactions) == 5)
    assert await world.state(held) is State.HELD


@pytest.mark.asyncio
async def test_operator_retries_even_a_dead_host(world: World) -> None:
    world.refusal = AWAY
    mail = await world.send(message())
    await world.settled()
    world.refusal = None
    await world.queue.retry(Selection(ids=(mail.id,)), world.now)
    await world.until(lambda: len(world.seen(events.Finished)) == 1)


@pytest.mark.asyncio
async def test_what_an_operator_holds_or_removes_is_not_begun(world: World) -> None:
    world.gate.clear()
    begun = [await world.send(message()) for _ in range(20)]
    held, removed = await world.send(message()), await world.send(message())
    await world.until(lambda: world.at_once == 20)
    await world.queue.hold(Selection(ids=(held.id,)), NOW)
    await world.queue.remove(Selection(ids=(removed.id,)), NOW)
    world.gate.set()
    await world.settled()
    assert {one for one, _ in world.transactions} == {mail.id for mail in begun}
    assert await world.state(held) is State.HELD
    assert await world.state(removed) is None
    queued = await world.queue.get(held.id)
    assert queued is not None
    await world.queue.release(queued.message, decision(queued.message), NOW)
    await world.until(lambda: len(world.transactions) == 21)


@pytest.mark.asyncio
async def test_drain_lets_running_transactions_end(world: World) -> None:
    world.gate.clear()
    mails = [await world.send(message()) for _ in range(25)]
    await world.until(lambda: world.at_once == 20)
    stopping = asyncio.ensure_future(world.scheduler.stop(5))
    await asyncio.sleep(0.01)
    world.gate.set()
    await stopping
    assert len(world.transactions) == 20
    states = [await world.state(mail) for mail in mails]
    assert states.count(None) == 20
    assert states.count(State.PENDING) == 5


@pytest.mark.asyncio
async def test_drain_is_bounded(world: World) -> None:
    world.gate.clear()
    mail = await world.send(message())
    await world.until(lambda: world.at_once == 1)
    async with asyncio.timeout(2):
        await world.scheduler.stop(0.05)
    assert await world.state(mail) is State.PENDING


@pytest.mark.asyncio
async def test_delivery_stops_while_outcomes_cannot_be_stored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = world.queue.settle
    full = True

    def settle(*arguments: object) -> "asyncio.Future[object]":
        if not full:
            return real(*arguments)  # type: ignore[arg-type, return-value]
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        future.set_exception(PutRefused("full"))
        return future

    monkeypatch.setattr(world.queue, "settle", settle)
    monkeypatch.setattr("sekisho.scheduler.scheduler._TICK_SECONDS", 0.5)
    await world.restart()
    first = await world.send(message())
    await asyncio.sleep(0.02)
    second = await world.send(message())
    await asyncio.sleep(0.02)
    assert len(world.transactions) == 1
    full = False
    await world.settled()
    assert await world.state(first) is None
    assert await world.state(second) is None
    assert [one for one, _ in world.transactions] == [first.id, second.id]


@pytest.mark.asyncio
async def test_idle_connections_and_lanes_are_let_go(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sekisho.scheduler.scheduler._TICK_SECONDS", 0.01)
    world = World(queue, SchedulerOptions(idle_seconds=0.02))
    await world.send(message())
    await world.settled()
    await world.until(lambda: world.closed == 1)
    world.now += 7200
    await world.until(lambda: not world.scheduler._lanes)
    await world.send(message())
    await world.settled()
    assert len(world.transactions) == 2
    await world.scheduler.stop(1)
    await world.running


@pytest.mark.asyncio
async def test_store_that_cannot_be_read_does_not_stop_new_mail(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise OSError("damaged")

    monkeypatch.setattr(queue, "due", broken)
    world = World(queue, SchedulerOptions())
    await asyncio.sleep(0.02)
    await world.send(message())
    await world.settled()
    assert len(world.transactions) == 1
    assert len(world.seen(events.Alarm)) == 1
    await world.scheduler.stop(1)
    await world.running
