"""`Scheduler`: the way of a stored message to its carriers and back to the store.

```
 accept(message) ─┐                          ┌─ carriers ─ next host
                  ├─> flight ─> jobs ─> lane ┤
 store, when due ─┘                          └─ outcome ─> judge ─> queue.settle
```

Promises:

* First attempts run from memory; the store is read for retries, after a start, and for
  what did not fit into memory. Memory is bounded: above the bound `accept` leaves a
  message where it is safe anyhow, and it is loaded when there is room.
* For a host that is being tried one message is read; the others stay in the store
  (`_withheld`) until it is known whether it is there. What is there for a host that
  is down is parked, unread (`sekisho.scheduler.crowds`), except what a notice or a
  bounce is due for.
* What is in flight is never loaded again; what left while a page was being read is
  known (`_left`), since that page may still show it as due.
* Nothing is asked of the store while nothing is due: it sleeps until the next moment
  that something is, or until an operator acts.
* Outcomes are stored at once; where they cannot be, delivery stops
  (`sekisho.scheduler.storing`).
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import assert_never

from sekisho.model.ids import MessageId
from sekisho.model.message import Message
from sekisho.model.outcome import Outcome
from sekisho.observe import events
from sekisho.queue.errors import PutRefused, QueueError
from sekisho.queue.records import (
    Action,
    QueuedMessage,
    Selection,
)
from sekisho.queue.store import Queue
from sekisho.scheduler.carriers import Carriers
from sekisho.scheduler.crowds import Crowds
from sekisho.scheduler.flight import Flight, Job
from sekisho.scheduler.judge import Judge
from sekisho.scheduler.jumps import Jumps, longest_wait
from sekisho.scheduler.lane import PAUSED, DestinationFigures, Lane
from sekisho.scheduler.options import SchedulerOptions, Surroundings
from sekisho.scheduler.parting import Due, Parting, due_of
from sekisho.scheduler.room import Room
from sekisho.scheduler.storing import Storing

_TICK_SECONDS = 1.0
_READ_AGAIN_SECONDS = 60.0
_REST_SECONDS = 1.0
"""Between two readings of the store while crowds are being parked."""
_LONGEST_SLEEP_SECONDS = 60.0
_FOREVER = float("inf")


class Scheduler:
    """Carries on what the queue holds."""

    def __init__(
        self, queue: Queue, options: SchedulerOptions, given: Surroundings
    ) -> None:
        """Use a queue; nothing happens before `run`.

        Args:
            queue: Started.
            options: Schedule and bounds.
            given: What is outside.

        """
        self._queue = queue
        self._options = options
        self._given = given
        self._jumps = Jumps(given.clock, given.ticks)
        self._judge = Judge(options, given, self._jumps.skipped)
        self._carriers = Carriers(options, given, self._conclude)
        self._crowds = Crowds(
            queue, self._judge, given.clock, self._note_due, given.emit
        )
        self._storing = Storing(
            queue, given, self._carriers, self.accept, self._job_ended
        )
        self._parting = Parting(queue, options, given, self._crowds)
        self._lanes = self._parting.lanes
        self._flights: dict[int, Flight] = {}
        self._room = Room(options, self._flights)
        self._left: set[int] = set()
        self._withheld: set[Lane] = set()
        self._loading = False
        self._bell = asyncio.Event()
        self._due_at = float("-inf")
        self._more = False
        self._stopping = False
        queue.watch(self._operator_acted)
        queue.watch_pauses(self._pauses_changed)
        queue.watch_adoptions(lambda: self._note_due(float("-inf")))

    def accept(self, message: Message) -> None:
        """Take a message that was just stored: its first attempt runs from memory.

        Where there is no room it is left to the store; taken twice, it is delivered
        once.
        """
        if message.id.value in self._flights or self._stopping:
            return
        if self._room.is_full:
            self._more = True
            return
        recipients = message.envelope.recipients
        jobs = [(n, one, 0) for n, one in enumerate(recipients)]
        flight = Flight(message)
        self._take(flight, jobs, new=True)
        if not flight.jobs:
            self._land(flight)

    def wake(self) -> None:
        """Look for due mail now, and try again what is down: an operator acted."""
        self._given.neighbours.forget_down()
        for lane in self._lanes.values():
            lane.probe_now()
        self._crowds.try_now()
        self._note_due(float("-inf"))

    def destinations(self) -> list[DestinationFigures]:
        """How each destination stands that it has to do with, or lately had."""
        now = self._given.clock()
        return [lane.figures(now) for lane in self._lanes.values()]

    async def run(self) -> None:
        """Load what becomes due, until `stop`."""
        ticker = asyncio.get_running_loop().create_task(self._tick())
        try:
            await self._try_stray()
            while not self._stopping:
                self._bell.clear()
                now = self._given.clock()
                self._more = self._more or self._due_at <= now
                if self._more and self._room.is_there_again:
                    await self._load(now)
                else:
                    await self._sleep(now)
        finally:
            ticker.cancel()

    async def stop(self, drain_seconds: float) -> None:
        """Take nothing more; let running transactions end within a bound.

        What was not delivered stays in the store, as it is.
        """
        self._stopping = True
        self._bell.set()
        await self._carriers.stop(drain_seconds)
        await self._crowds.stop()
        await self._storing.wait(max(1.0, drain_seconds))

    # Taking mail

    def _take(
        self, flight: Flight, recipients: Sequence[Due], *, new: bool = False
    ) -> None:
        """Begin a flight: recipients are index, recipient and attempts so far.

        New mail for a crowd's host was stored with its next step: it is left alone.
        """
        self._flights[flight.message.id.value] = flight
        self._room.bytes += flight.bytes
        now = self._given.clock()
        for lane, job in self._parting.jobs(flight, recipients):
            down = lane.is_down(now)
            if down is not None and new and lane.name in self._queue.parked:
                continue
            flight.jobs += 1
            if down is None:
                lane.jobs.append(job)
                self._carriers.serve(lane)
                continue
            if new and lane.turns_away(now):
                self._crowds.park(lane)
            self._conclude(lane, job, (down,) * len(job.recipients), 0.0)

    # Loading mail

    async def _load(self, now: float) -> None:
        self._more, self._due_at, self._loading = False, _FOREVER, True
        try:
            await self._try_parked(now)
            await self._load_pages(now)
            self._note_due(self._crowds.next_step_at())
            if (next_due_at := await self._queue.next_due_at(now)) is not None:
                self._note_due(next_due_at)
        except Exception as error:  # noqa: BLE001 - first attempts go on without it
            self._given.emit(
                events.Alarm(
                    about="due mail could not be read from the store",
                    detail=f"{type(error).__name__}: {error}",
                    hint="it is tried again in a minute; look at the disk",
                )
            )
            self._note_due(now + _READ_AGAIN_SECONDS)
        finally:
            self._loading = False
        if not self._stopping:
            await self._crowds.wait_until_parked(_REST_SECONDS)

    async def _load_pages(self, now: float) -> None:
        cursor = None
        while not self._stopping:
            if self._room.is_full or not self._room.to_load(1):
                self._more = True
                return
            self._left.clear()
            tried = {lane for lane in self._lanes.values() if lane.is_being_tried}
            self._withheld |= tried
            without = self._crowds.being_parked.union(lane.name for lane in tried)
            page = await self._queue.due(
                now,
                self._options.page,
                after=cursor,
                max_bytes=self._options.max_loaded_bytes,
                skip=lambda message_id: message_id.value in self._flights,
                without=without,
            )
            for one in page.unreadable:
                self._given.emit(
                    events.Alarm(
                        about=f"unreadable message {one.name}",
                        detail=one.why,
                        hint="it is dead now and goes nowhere: sekisho queue show",
                    )
                )
            crowded: set[Lane] = set()
            for queued in page.messages:
                crowded |= self._take_due(queued, now)
            for lane in crowded:
                # What else of the page is for others is read when it is parked.
                self._crowds.park(lane)
            self._ring_for_withheld()
            cursor = page.cursor
            if cursor is None:
                return

    async def _try_parked(self, now: float) -> None:
        """Take one message for each crowd whose host's next step has come."""
        for name in self._crowds.to_try(now):
            one = await self._queue.one_for(
                name, lambda message_id: message_id.value in self._flights
            )
            if self._stopping:
                return
            self._crowds.tried(name)
            if one is None:
                if not self._parting.is_at_work(name):
                    self._crowds.unpark(name)
                continue
            due = due_of(one, now, name)
            if name not in {lane.name for lane in self._parting.lanes_of(one, due)}:
                self._crowds.unpark(name)  # It goes elsewhere since a reload.
            self._take_stored(one, due)

    def _ring_for_withheld(self) -> None:
        """Read the store again once it is known whether a host is there."""
        known = [lane for lane in self._withheld if not lane.is_being_tried]
        if known:
            self._withheld.difference_update(known)
            self._more = True
            self._bell.set()

    def _take_due(self, queued: QueuedMessage, now: float) -> set[Lane]:
        """Take a message, unless it has to wait. Returns lanes that have a crowd."""
        value = queued.message.id.value
        if value in self._flights or value in self._left:
            return set()
        due = due_of(queued, now)
        lanes = self._parting.lanes_of(queued, due)
        if lanes and all(lane.is_being_tried for lane in lanes):
            self._withheld |= lanes
            return set()
        crowded = {lane for lane in lanes if lane.turns_away(now)}
        if due and not crowded:
            self._take_stored(queued, due)
        return crowded

    def _take_stored(self, queued: QueuedMessage, due: list[Due]) -> None:
        told = (one.index for one in queued.recipients if one.delay_told_at)
        flight = Flight(queued.message, frozenset(told), is_loaded=True)
        self._room.loaded(flight)
        self._take(flight, due)

    async def _sleep(self, now: float) -> None:
        # Not longer than a while: a leap that nobody noticed costs no more.
        wait = _LONGEST_SLEEP_SECONDS
        if not self._more:
            wait = min(wait, self._due_at - now)
        try:
            async with asyncio.timeout(wait):
                await self._bell.wait()
        except TimeoutError:
            pass  # Something is due.

    def _note_due(self, at: float) -> None:
        if at < self._due_at:
            self._due_at = at
            self._bell.set()

    # Outcomes

    def _conclude(
        self, lane: Lane, job: Job, outcomes: Sequence[Outcome], seconds: float
    ) -> None:
        flight = job.flight
        if self._withheld:
            self._ring_for_withheld()
        if flight.withdrawn and not outcomes:
            self._job_ended(flight)
            return
        if self._queue.parked:
            self._crowds.concluded(lane)
        results, reports = self._judge.judge(lane, job, outcomes, seconds)
        for result in results:
            if result.next_attempt:
                flight.wake_at = min(flight.wake_at, result.next_attempt)
        self._storing.store(flight, results, reports)

    def _job_ended(self, flight: Flight) -> None:
        flight.jobs -= 1
        if not flight.jobs:
            self._land(flight)

    def _land(self, flight: Flight) -> None:
        value = flight.message.id.value
        del self._flights[value]
        self._note_left(value)
        self._room.bytes -= flight.bytes
        if flight.is_loaded:
            self._room.unloaded(flight)
        if flight.wake_at != _FOREVER:
            self._note_due(flight.wake_at)
        if self._more and self._room.is_there_again:
            self._bell.set()

    def _note_left(self, value: int) -> None:
        if self._loading:
            self._left.add(value)

    # Operators and time

    def _operator_acted(self, action: Action, ids: Sequence[MessageId]) -> None:
        match action:
            case Action.HOLD | Action.REMOVE:
                for message_id in ids:
                    self._note_left(message_id.value)
                    flight = self._flights.get(message_id.value)
                    if flight is not None:
                        flight.withdrawn = True
                        # Others of its recipients may still be due.
                        flight.wake_at = self._given.clock()
            case Action.RELEASE | Action.RETRY:
                self.wake()
            case _:
                assert_never(action)

    def _pauses_changed(self) -> None:
        for lane in self._lanes.values():
            paused = lane.name in self._queue.paused
            if paused and not lane.paused:
                lane.pause()
                self._carriers.give_back(lane, PAUSED)
            elif lane.paused and not paused:
                lane.resume()
                self._given.neighbours.forget_down()

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            self._carriers.end_idle(loop.time() - self._options.idle_seconds)
            self._parting.forget(self._given.clock())
            self._storing.try_again()
            if leaps := self._jumps.look():
                await self._clock_was_set(leaps)

    async def _clock_was_set(self, leaps: Sequence[float]) -> None:
        """Have nothing wait for a moment of the clock as it was."""
        for by in leaps:
            self._given.emit(events.ClockSet(round(by, 3)))
        if min(leaps) < 0:
            await self._try_all()
        self.wake()

    async def _try_stray(self) -> None:
        """Try what waits longer than it can: the clock was set back before this run."""
        now = self._given.clock()
        with suppress(Exception):  # What cannot be read is told by the first load.
            if await self._queue.has_stray(now, now + longest_wait(self._options)):
                await self._try_all()

    async def _try_all(self) -> None:
        with suppress(QueueError, PutRefused):  # The queue has told of it.
            await self._queue.retry(Selection(), self._given.clock())
