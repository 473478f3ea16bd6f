"""A scheduler over scripted next hosts and a real store, for its tests."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from queued_mail import NOW, decision, message
from sekisho.model.address import Address, ReversePath
from sekisho.model.decision import Decision
from sekisho.model.envelope import Notify, Recipient
from sekisho.model.message import Message
from sekisho.model.outcome import Cause, Deferred, Delivered, Failed, Outcome
from sekisho.model.reply import Reply
from sekisho.model.route import Destination, MxRoute
from sekisho.observe import events
from sekisho.queue.records import State
from sekisho.queue.store import Queue
from sekisho.report.case import Affected
from sekisho.report.texts import Kind
from sekisho.scheduler.neighbours import Alone, Neighbours
from sekisho.scheduler.options import SchedulerOptions, Surroundings
from sekisho.scheduler.scheduler import Scheduler

OK = Delivered("mx.example", Reply(250, "2.0.0", ("OK",)))
LATER = Deferred(Cause.REMOTE_REPLY, Reply(450, "4.2.1", ("Later",)), "mx.example")
NEVER = Failed(Cause.REMOTE_REPLY, Reply(550, "5.1.1", ("No such user",)), "mx.example")
AWAY = Deferred(Cause.UNREACHABLE, Reply(451, "4.4.1", ("Connection refused",)))
RETRY = (300.0, 900.0, 3600.0)
WANTED = {Kind.FAILED: Notify.FAILURE, Kind.DELAYED: Notify.DELAY}

Script = Callable[[Message, Sequence[Recipient]], Sequence[Outcome]]
Event = TypeVar("Event", bound=events.Event)


class ScriptedCarrier:
    def __init__(self, host: "World") -> None:
        self.host = host
        self.reusable = True

    async def deliver(
        self, message: Message, recipients: Sequence[Recipient]
    ) -> list[Outcome]:
        host = self.host
        host.transactions.append((message.id, [str(r.address) for r in recipients]))
        host.at_once += 1
        host.most_at_once = max(host.most_at_once, host.at_once)
        try:
            await host.gate.wait()
            await asyncio.sleep(0)
            return list(host.script(message, recipients))
        finally:
            host.at_once -= 1

    async def close(self) -> None:
        self.host.closed += 1


class World:
    """Next hosts, clock, events and reports around one scheduler."""

    def __init__(
        self,
        queue: Queue,
        options: SchedulerOptions,
        neighbours: Neighbours | None = None,
    ) -> None:
        self.queue = queue
        self.neighbours = neighbours or Alone()
        self.options = options
        self.now = NOW
        self.set_by = 0.0
        self.script: Script = lambda _message, recipients: [OK] * len(recipients)
        self.refusal: Deferred | Failed | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.destination: Destination | None = None
        self.transactions: list[tuple[object, list[str]]] = []
        self.connected: list[str] = []
        self.closed = self.at_once = self.most_at_once = 0
        self.events: list[events.Event] = []
        self.reports: list[tuple[Kind, list[str], Message]] = []
        self.scheduler = self.make()
        self.running = asyncio.ensure_future(self.scheduler.run())

    def make(self) -> Scheduler:
        return Scheduler(
            self.queue,
            self.options,
            Surroundings(
                courier=self,
                route=self.route,
                report=self.report,
                emit=self.events.append,
                clock=lambda: self.now,
                ticks=lambda: self.now - self.set_by,
                chance=lambda: 0.5,
                neighbours=self.neighbours,
            ),
        )

    def route(self, address: Address, _sender: ReversePath) -> Destination:
        return self.destination or Destination(MxRoute(), address.domain)

    async def connect(
        self, destination: Destination
    ) -> ScriptedCarrier | Deferred | Failed:
        self.connected.append(str(destination))
        await asyncio.sleep(0)
        return self.refusal or ScriptedCarrier(self)

    def report(
        self, kind: Kind, mail: Message, affected: Sequence[Affected]
    ) -> tuple[Message, Decision] | None:
        wanted = WANTED.get(kind, Notify.SUCCESS)
        about = [one for one in affected if wanted & one.recipient.notify]
        if not about:
            return None
        bounce = message(str(mail.envelope.reverse_path), sender="")
        names = [str(one.recipient.address) for one in about]
        self.reports.append((kind, names, bounce))
        return bounce, decision(bounce)

    async def send(self, mail: Message) -> Message:
        await self.queue.put(mail, decision(mail))
        self.scheduler.accept(mail)
        return mail

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not done():  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.002)

    async def settled(self) -> None:
        await self.until(lambda: not self.scheduler._flights)

    async def at_rest(self) -> None:
        """Wait until the store has been read for what is due, and all of it is done."""

        def rests() -> bool:
            scheduler = self.scheduler
            is_due = scheduler._more or scheduler._due_at <= self.now
            return not (scheduler._flights or scheduler._loading or is_due)

        await self.until(rests)

    async def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.scheduler._bell.set()
        await asyncio.sleep(0.05)
        await self.at_rest()

    async def set_clock(self, seconds: float) -> None:
        """Set the wall clock by so much: no time passes."""
        self.now += seconds
        self.set_by += seconds
        seen = len(self.seen(events.ClockSet))
        await self.until(lambda: len(self.seen(events.ClockSet)) > seen)
        await asyncio.sleep(0.05)
        await self.at_rest()

    async def restart(self) -> None:
        await self.scheduler.stop(1)
        await self.running
        self.scheduler = self.make()
        self.running = asyncio.ensure_future(self.scheduler.run())
        await asyncio.sleep(0.05)
        await self.at_rest()

    def seen(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    async def state(self, mail: Message) -> State | None:
        queued = await self.queue.get(mail.id)
        return queued.recipients[0].state if queued else None
