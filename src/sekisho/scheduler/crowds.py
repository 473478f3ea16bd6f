"""Crowds: what waits in the store for hosts that are down, and for one try a step.

Where more than a few messages were read in vain for a host, the rest is parked unread
(`sekisho.queue.postponing`). From then on a step of the host is one message read and
tried by the scheduler, and one row written here. Once the host is there, whoever found
out, its mail is made due again.

Parking and the way back walk page by page, all walks together a small part of the
writer's time (`_SHARE`), so that other mail hardly notices. Meanwhile nothing is read
for a host that is being parked, and the store is read less often: each reading steps
over its rows. A walk that was broken off is taken up with the next step.
"""

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from sekisho.observe import events
from sekisho.queue.errors import QueueError
from sekisho.queue.postponing import Unpark
from sekisho.queue.store import Queue
from sekisho.scheduler.judge import Judge, parked_by
from sekisho.scheduler.lane import Lane

_SHARE = 0.1
"""How much of the time a walk may keep the writer busy."""
_LONGEST_REST_SECONDS = 1.0
_TRY_AGAIN_SECONDS = 60.0
"""What became of a try that nobody told of (its message was removed) is asked then."""

_Walks: TypeAlias = dict[str, asyncio.Task[None]]


class Crowds:
    """Parks, tells what is to be tried, and makes due."""

    def __init__(
        self,
        queue: Queue,
        judge: Judge,
        clock: Callable[[], float],
        note_due: Callable[[float], None],
        emit: Callable[[events.Event], None],
    ) -> None:
        """Know what the queue has parked.

        Args:
            queue: Its `parked` is what there is.
            judge: Says what parking does.
            clock: Unix seconds.
            note_due: Told when the store is to be read next.
            emit: Takes events: one a step, whatever waits.

        """
        self._queue = queue
        self._judge = judge
        self._clock = clock
        self._note_due = note_due
        self._emit = emit
        self._not_before: dict[str, float] = {}
        self._told: dict[str, float] = {}
        self._parking: _Walks = {}
        self._unparking: _Walks = {}
        self._parking_turn = _Turn()
        self._unparking_turn = _Turn()

    @property
    def being_parked(self) -> frozenset[str]:
        """Destinations that nothing is to be read for."""
        return frozenset(self._parking)

    @property
    def is_walking(self) -> bool:
        """Whether a walk is going on."""
        return bool(self._parking or self._unparking)

    def failures(self, destination: str) -> int:
        """Steps in vain, as far as the store knows."""
        parked = self._queue.parked.get(destination)
        return 0 if parked is None else parked.failures

    # Tries

    def to_try(self, now: float) -> list[str]:
        """Destinations whose next step has come."""
        return [name for name in self._queue.parked if self._step_at(name) <= now]

    def next_step_at(self) -> float:
        """When the next of them comes (unix seconds)."""
        return min(map(self._step_at, self._queue.parked), default=float("inf"))

    def tried(self, destination: str) -> None:
        """One of its messages has been taken."""
        self._not_before[destination] = self._clock() + _TRY_AGAIN_SECONDS

    def try_now(self) -> None:
        """An operator wants all of them tried."""
        now = self._clock()
        self._not_before.clear()
        for name, parked in self._queue.parked.items():
            self._queue.parked[name] = parked.at(min(parked.until, now))

    def _step_at(self, name: str) -> float:
        if name in self._queue.paused or name in self._unparking:
            return float("inf")
        return max(self._queue.parked[name].until, self._not_before.get(name, 0.0))

    # What became of them

    def concluded(self, lane: Lane) -> None:
        """Something came of mail for a lane."""
        parked = self._queue.parked.get(lane.name)
        if parked is None or lane.paused:
            return
        if lane.proven:
            if lane.name not in self._unparking:
                self.unpark(lane.name, lambda: lane.proven)
        elif lane.down_by is not None and lane.down_until > parked.until:
            self._not_before.pop(lane.name, None)
            self._queue.note_parked(parked_by(lane, lane.down_by))
            self._tell(lane)
            self._note_due(lane.down_until)

    def park(self, lane: Lane) -> None:
        """Have all that the store holds for a dead host wait for its steps."""
        name = lane.name
        lane.postponed = True
        if name in self._parking:
            return
        if walk := self._unparking.pop(name, None):
            walk.cancel()
        task = asyncio.get_running_loop().create_task(self._park(lane))
        self._parking[name] = task
        self._tell(lane)
        task.add_done_callback(lambda task: self._ended(self._parking, name, task))

    def unpark(self, name: str, goes_on: Callable[[], bool] = lambda: True) -> None:
        """Make mail for a destination due."""
        if walk := self._parking.pop(name, None):
            walk.cancel()
        task = asyncio.get_running_loop().create_task(self._unpark(name, goes_on))
        self._unparking[name] = task
        self._told.pop(name, None)
        self._emit(events.Unparked(name))
        task.add_done_callback(lambda task: self._ended(self._unparking, name, task))

    async def wait_until_parked(self, seconds: float) -> None:
        """Wait until nothing is being parked, within a bound."""
        if self._parking:
            await asyncio.wait(self._parking.values(), timeout=seconds)

    async def stop(self) -> None:
        """Break walks off; the next start takes them up."""
        walks = [*self._parking.values(), *self._unparking.values()]
        for walk in walks:
            walk.cancel()
        if walks:
            await asyncio.wait(walks)

    async def _park(self, lane: Lane) -> None:
        after: int | None = -1
        while after is not None and (down := lane.down_by) and not lane.paused:
            page = self._judge.postponement(lane, down).behind(after)
            async with self._parking_turn:
                after = await self._queue.walk(page)

    async def _unpark(self, name: str, goes_on: Callable[[], bool]) -> None:
        after: int | None = -1
        while after is not None and goes_on():
            async with self._unparking_turn:
                after = await self._queue.walk(Unpark(name, self._clock(), after))
                self._note_due(float("-inf"))
        self.tried(name)  # Where there was no room for it.

    def _tell(self, lane: Lane) -> None:
        if (down := lane.down_by) is None:
            return
        step = parked_by(lane, down)
        if self._told.get(step.destination) != step.until:
            self._told[step.destination] = step.until
            self._emit(
                events.Parked(
                    destination=step.destination,
                    reply=step.last_reply,
                    cause=step.cause,
                    failures=step.failures,
                    next_attempt=step.until,
                )
            )

    def _ended(self, walks: "_Walks", name: str, task: "asyncio.Task[None]") -> None:
        if walks.get(name) is task:
            del walks[name]
        if name not in self._queue.parked:
            self._not_before.pop(name, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, QueueError):
            raise error
        if not self._parking:
            # What was left alone is read now, and told of.
            self._note_due(float("-inf"))
        self._note_due(self.next_step_at())


class _Turn:
    """One page at a time, whoever walks; and a rest after it, as its share wants."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._began = 0.0

    async def __aenter__(self) -> None:
        await self._lock.acquire()
        self._began = asyncio.get_running_loop().time()

    async def __aexit__(self, *error: object) -> None:
        try:
            if error[0] is None:
                took = asyncio.get_running_loop().time() - self._began
                rest = took * (1.0 / _SHARE - 1.0)
                await asyncio.sleep(min(rest, _LONGEST_REST_SECONDS))
        finally:
            self._lock.release()
