"""The tasks that carry: one task a connection, looping over its lane's jobs.

There is no task a message: a task that has a connection takes job after job from its
lane and ends when there is none for a while. What goes wrong in one of them is an
outcome like any other: its jobs are deferred, an alarm tells the programmer, and the
others never notice.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from sekisho.delivery.carrier import Carrier
from sekisho.model.outcome import Cause, Deferred, Failed, Outcome
from sekisho.model.reply import Reply, printable
from sekisho.model.route import MxRoute
from sekisho.observe import events
from sekisho.scheduler.flight import Job
from sekisho.scheduler.lane import Lane
from sekisho.scheduler.neighbours import REST_SECONDS, TURN_SECONDS, WAIT_SECONDS
from sekisho.scheduler.options import SchedulerOptions, Surroundings
from sekisho.scheduler.schedule import is_too_much, retry_rule
from sekisho.shared.destinations import Down, Entry

_YIELD_EVERY = 100
"""Jobs concluded at once before others have their turn."""

LOGIN_REFUSED = "a next host refuses our login"

Conclude = Callable[[Lane, Job, Sequence[Outcome], float], None]


class Carriers:
    """All carriers of a scheduler, and the bound on them."""

    def __init__(
        self, options: SchedulerOptions, given: Surroundings, conclude: Conclude
    ) -> None:
        """Have none yet.

        Args:
            options: The bounds.
            given: The courier above all.
            conclude: Called with the outcomes of each job.

        """
        self._options = options
        self._given = given
        self._neighbours = given.neighbours
        self._conclude = conclude
        self._tasks: set[asyncio.Task[None]] = set()
        self._starved: dict[Lane, None] = {}
        self._lanes_with_idle: dict[Lane, None] = {}
        self._may_carry = asyncio.Event()
        self._may_carry.set()
        self._running = 0
        self._ending = False

    def pause(self) -> None:
        """Begin no job until `resume`: outcomes cannot be stored now."""
        self._may_carry.clear()

    def resume(self) -> None:
        """Go on."""
        self._may_carry.set()

    def serve(self, lane: Lane) -> None:
        """See to it that somebody carries what the lane holds."""
        if lane.wake_one() or not lane.wants_carrier or self._ending:
            return
        if self._running >= self._options.max_carriers:
            self._starved[lane] = None
            self._end_longest_idle()
            return
        lane.carriers += 1
        self._running += 1
        task = asyncio.get_running_loop().create_task(self._carry(lane))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def give_back(self, lane: Lane, outcome: Deferred) -> None:
        """Let nothing more go to a lane: what it holds has this outcome."""
        lane.end_idle(float("inf"))
        task = asyncio.get_running_loop().create_task(self._conclude_all(lane, outcome))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def end_idle(self, since: float) -> None:
        """Let carriers go that have been idle since then (the loop's time)."""
        for lane in list(self._lanes_with_idle):
            lane.end_idle(since)
            if not lane.idle:
                del self._lanes_with_idle[lane]

    async def stop(self, seconds: float) -> None:
        """Begin nothing; let what runs end within a bound, then break it off."""
        self._ending = True
        self.end_idle(float("inf"))
        self.resume()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    def _end_longest_idle(self) -> None:
        """Others are waiting for a connection that nobody uses."""
        for lane in self._lanes_with_idle:
            if lane.idle:
                lane.end_idle(lane.idle[0][1])
                return

    async def _carry(self, lane: Lane) -> None:
        begun = asyncio.get_running_loop().time()
        try:
            while lane.jobs and lane.connected < lane.limit and not self._ending:
                slot = self._neighbours.take(lane.name)
                if slot is None:
                    self._wait(lane, WAIT_SECONDS)
                    return
                try:
                    if not await self._carry_once(lane, begun):
                        return
                finally:
                    self._neighbours.give_back(lane.name, slot)
        finally:
            lane.carriers -= 1
            self._running -= 1
            if not lane.carriers:
                self._neighbours.left(lane.name)
            self._serve_next(lane)

    async def _carry_once(self, lane: Lane, begun: float) -> bool:
        """Carry by one connection. Returns whether another may follow at once."""
        carrier = await self._connect(lane)
        if carrier is None:
            return False
        try:
            await self._carry_with(lane, carrier, begun)
        finally:
            await self._leave(lane, carrier)
        if lane.jobs and self._must_yield(lane, begun):
            self._wait(lane, REST_SECONDS)
            return False
        return True

    def _must_yield(self, lane: Lane, since: float) -> bool:
        """Whether others wait for a slot that was used since then (the loop's time)."""
        return (
            self._neighbours.yields
            and asyncio.get_running_loop().time() - since >= TURN_SECONDS
            and self._neighbours.others_wait(lane.name)
        )

    def _wait(self, lane: Lane, seconds: float) -> None:
        """Try again in a moment: it is other workers that the lane waits for."""
        if not lane.awaits:
            lane.awaits = True
            asyncio.get_running_loop().call_later(seconds, self._try_again, lane)

    def _try_again(self, lane: Lane) -> None:
        lane.awaits = False
        if lane.wants_carrier:
            self.serve(lane)
        else:
            self._neighbours.stop_waiting(lane.name)

    async def _carry_with(self, lane: Lane, carrier: Carrier, begun: float) -> None:
        """Take job after job, as long as the connection is good for it."""
        clock = asyncio.get_running_loop().time
        carried = 0
        while (
            carrier.reusable
            and carried < self._options.max_messages_per_carrier
            and not self._ending
        ):
            if not self._may_carry.is_set():
                await self._may_carry.wait()
            elif lane.jobs:
                job, since = lane.jobs.popleft(), clock()
                if job.flight.withdrawn:
                    self._conclude(lane, job, (), 0.0)
                    continue
                carried += 1
                try:
                    outcomes = await carrier.deliver(job.flight.message, job.recipients)
                except Exception as error:  # noqa: BLE001 - one task's mistake is its own
                    outcomes = (self._crashed(lane, error),) * len(job.recipients)
                self._carried(lane, job, outcomes, since, clock())
                if lane.connected > lane.limit or self._must_yield(lane, begun):
                    return  # The host bears fewer of us, or others have their turn.
            elif self._starved or not await self._next_job(lane, clock()):
                return

    def _carried(
        self,
        lane: Lane,
        job: Job,
        outcomes: Sequence[Outcome],
        begun: float,
        ended: float,
    ) -> None:
        """Learn from what a job came to (times are the loop's), and conclude it."""
        if len(outcomes) != len(job.recipients):
            error = ValueError("not one outcome a recipient")
            outcomes = (self._crashed(lane, error),) * len(job.recipients)
        last = outcomes[-1]  # What ends a session reaches those still undecided.
        if isinstance(last, Deferred):
            if is_too_much(last):
                lane.bears_less(begun, ended)
        elif lane.limit < lane.most:
            lane.went_well()
            self.serve(lane)
        self._conclude(lane, job, outcomes, ended - begun)

    async def _connect(self, lane: Lane) -> Carrier | None:
        if not lane.connected and not await self._may_try(lane):
            return None
        begun = asyncio.get_running_loop().time()
        try:
            carrier = await self._given.courier.connect(lane.destination)
        except Exception as error:  # noqa: BLE001 - one task's mistake is its own
            carrier = self._crashed(lane, error)
        if isinstance(carrier, Failed) and carrier.cause is Cause.UPSTREAM_AUTH:
            # It is our login that is wrong, and none of the mail.
            carrier = Deferred(carrier.cause, carrier.reply, carrier.host)
        match carrier:
            case Deferred():
                await self._not_connected(lane, carrier, begun)
            case Failed():
                await self._conclude_all(lane, carrier)
            case _:
                self._came_up(lane)
                # The host is there: others may carry too.
                for _ in range(min(len(lane.jobs) - 1, lane.limit)):
                    self.serve(lane)
                return carrier
        return None

    def _came_up(self, lane: Lane) -> None:
        if lane.login_refused:
            self._given.emit(events.AlarmSettled(LOGIN_REFUSED, lane.name))
        lane.connected += 1
        lane.came_up()
        if lane.connected == 1:
            self._neighbours.came_up(lane.name)

    async def _may_try(self, lane: Lane) -> bool:
        """Whether the others know nothing against it."""
        now = self._given.clock()
        match self._neighbours.enter(lane.name, proven=lane.proven, now=now):
            case Entry.BUSY:
                self._wait(lane, WAIT_SECONDS)
                return False
            case Down(outcome, until, failures) if until > now:
                lane.failures = failures - 1
                lane.went_down(outcome, until)
                await self._conclude_all(lane, outcome)
                return False
            case Down(failures=failures):
                lane.failures = max(lane.failures, failures)
                return True
            case Entry.FREE:
                return True

    async def _not_connected(self, lane: Lane, outcome: Deferred, begun: float) -> None:
        if outcome.cause is Cause.UPSTREAM_AUTH and not lane.login_refused:
            lane.login_refused = True
            self._given.emit(
                events.Alarm(
                    about=LOGIN_REFUSED,
                    detail=f"{lane.name}: {outcome.reply}",
                    hint="mend user name and password in [smarthost.NAME]; its mail"
                    " waits, and is held when it would expire",
                    destination=lane.name,
                )
            )
        if lane.connected:
            # Others are connected: it bears no more of us, but it is not down.
            lane.bears_less(begun, asyncio.get_running_loop().time())
            lane.limit = min(lane.limit, lane.connected)
            return
        domain = lane.destination.domain if _by_mx(lane) else ""
        wait = self._options.interval(lane.failures + 1, retry_rule(outcome), domain)
        until = self._given.clock() + wait
        lane.went_down(outcome, until)
        self._neighbours.went_down(lane.name, Down(outcome, until, lane.failures))
        await self._conclude_all(lane, outcome)

    async def _conclude_all(self, lane: Lane, outcome: Deferred | Failed) -> None:
        """All its waiting mail has the one outcome."""
        jobs = [*lane.jobs]
        lane.jobs.clear()
        for count, job in enumerate(jobs):
            same = () if job.flight.withdrawn else (outcome,) * len(job.recipients)
            self._conclude(lane, job, same, 0.0)
            if count % _YIELD_EVERY == _YIELD_EVERY - 1:
                await asyncio.sleep(0)

    def _next_job(self, lane: Lane, now: float) -> asyncio.Future[bool]:
        """Be idle from now on (the loop's time). Comes to whether there is a job."""
        waiting: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        lane.idle.append((waiting, now))
        self._lanes_with_idle[lane] = None
        return waiting

    async def _leave(self, lane: Lane, carrier: Carrier) -> None:
        lane.connected -= 1
        with suppress(Exception):  # What it carried is settled; the rest is manners.
            await carrier.close()

    def _serve_next(self, lane: Lane) -> None:
        """This carrier's place is free: for its own lane's new jobs, or another's."""
        if lane.wants_carrier:
            self._starved[lane] = None
        if self._starved:
            hungry = next(iter(self._starved))
            del self._starved[hungry]
            self.serve(hungry)

    def _crashed(self, lane: Lane, error: Exception) -> Deferred:
        what = f"{type(error).__name__}: {error}"
        self._given.emit(
            events.Alarm(
                about="a delivery failed by a mistake of ours",
                detail=f"{lane.name}: {printable(what)}",
                hint="the mail is tried again; please report this",
            )
        )
        reply = Reply(451, "4.3.0", (printable(f"Internal error ({what})"),))
        return Deferred(Cause.LOCAL, reply)


def _by_mx(lane: Lane) -> bool:
    return isinstance(lane.destination.route, MxRoute)
