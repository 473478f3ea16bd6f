"""One destination: its jobs, its carriers, how many it bears, whether it is down.

A destination nobody could connect to is *down* until its next step of the schedule:
what comes for it meanwhile is deferred by the same outcome, without another try. So a
dead host costs one connection attempt a step, whatever waits for it: one message is
read from the store for it, and a crowd is put off unread (`sekisho.queue.postponing`).
The lane keeps its own count of failures, since its mail is of every age.

How many connections it bears is found out (additive increase, multiplicative
decrease): one more whenever as many jobs as the limit went well, half as many when the
host says or shows that it is too much. What began before the last halving says nothing
new: twenty connections that are refused together halve the limit once.

A destination that an operator paused is down for ever, until it is resumed.
"""

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sekisho.model.outcome import Cause, Deferred
from sekisho.model.reply import reply
from sekisho.model.route import Destination

if TYPE_CHECKING:
    import asyncio

    from sekisho.scheduler.flight import Job

PAUSED = Deferred(Cause.PAUSED, reply(451, "4.3.2", "Paused by an operator"))
"""What comes of mail for a destination while it is paused; nobody tries anything."""

_REMEMBER_SECONDS = 3600.0
_UNPROVEN_JOBS = 20
"""Jobs read from the store for a destination of which nothing is known."""
_CROWD = 20
"""Messages read in vain from which on the rest is put off unread."""
_FOREVER = float("inf")


@dataclass(frozen=True, slots=True)
class DestinationFigures:
    """How a destination stands, for operators.

    Attributes:
        destination: Where to, as the queue spells it.
        waiting: Transactions in memory that are not begun.
        carriers: Connections open or being opened.
        limit: How many there may be now.
        down_until: Unix seconds of the next try, 0 while it is not down.
        down_by: What the last try came to, empty while it is not down.

    """

    destination: str
    waiting: int
    carriers: int
    limit: int
    down_until: float
    down_by: str


class Lane:
    """One destination.

    Attributes:
        destination: Where to.
        name: The same for people.
        jobs: Not begun.
        carriers: Tasks that carry or are about to.
        connected: Those of them that have a connection.
        idle: Those of them that wait for a job, and since when (the loop's time); the
            last is the most recently used.
        awaits: Other workers have all connections there may be, or try it right now; a
            timer tries again.
        limit: How many carriers it may have now.
        most: How many it may ever have.
        credit: Jobs that went well since the limit last changed.
        shrunk_at: When it was last halved (the loop's time).
        proven: Somebody connected since it was last down. Before that, one carrier
            tries: twenty at once would be twenty tries of a dead host.
        down_until: Unix seconds, 0 while it is not down.
        down_by: The outcome that it is down by.
        failures: Connections failed in a row.
        paused: An operator wants nothing to go there.
        login_refused: Operators know that our login is refused there.
        held_told: Operators know that mail is held for that.
        turned_away: Messages read from the store in vain since it last went down.
        postponed: What the store holds for it was put off to its next step.

    """

    __slots__ = (
        "awaits",
        "carriers",
        "connected",
        "credit",
        "destination",
        "down_by",
        "down_until",
        "failures",
        "held_told",
        "idle",
        "jobs",
        "limit",
        "login_refused",
        "most",
        "name",
        "paused",
        "postponed",
        "proven",
        "shrunk_at",
        "turned_away",
    )

    def __init__(self, destination: Destination, limit: int, most: int) -> None:
        self.destination = destination
        self.name = str(destination)
        self.jobs: deque[Job] = deque()
        self.carriers = 0
        self.connected = 0
        self.awaits = False
        self.idle: list[tuple[asyncio.Future[bool], float]] = []
        self.limit = min(limit, most)
        self.most = most
        self.credit = 0
        self.shrunk_at = float("-inf")
        self.proven = False
        self.down_until = 0.0
        self.down_by: Deferred | None = None
        self.failures = 0
        self.login_refused = False
        self.held_told = False
        self.paused = False
        self.turned_away = 0
        self.postponed = False

    @property
    def wants_carrier(self) -> bool:
        """Whether another carrier would have something to do."""
        most = self.limit if self.proven else 1
        return bool(self.jobs) and self.carriers < most and not self.awaits

    @property
    def is_being_tried(self) -> bool:
        """Whether it holds as much as a first try needs, and nobody connected yet."""
        most = 1 if self.failures else _UNPROVEN_JOBS
        return not self.proven and len(self.jobs) >= most

    def turns_away(self, now: float) -> bool:
        """Count what was read from the store in vain. Returns whether it is a crowd."""
        if self.postponed or self.paused or self.is_down(now) is None:
            return False
        self.turned_away += 1
        return self.turned_away > _CROWD

    def wake_one(self) -> bool:
        """Give a waiting carrier its next job. Returns whether one waited."""
        while self.idle:
            waiting, _ = self.idle.pop()
            if not waiting.done():
                waiting.set_result(True)
                return True
        return False

    def end_idle(self, since: float) -> None:
        """Let carriers go that have waited since then or longer."""
        while self.idle and self.idle[0][1] <= since:
            waiting, _ = self.idle.pop(0)
            if not waiting.done():
                waiting.set_result(False)

    def went_well(self) -> None:
        """A job found the host at ease; called while the limit is below the most."""
        self.credit += 1
        if self.credit >= self.limit:
            self.credit = 0
            self.limit += 1

    def bears_less(self, begun: float, now: float) -> None:
        """What began then (the loop's time) was too much for the host."""
        if begun >= self.shrunk_at:
            self.shrunk_at = now
            self.credit = 0
            self.limit = max(1, self.limit // 2)

    def figures(self, now: float) -> DestinationFigures:
        """How it stands (now in unix seconds)."""
        down = None if self.paused else self.is_down(now)
        return DestinationFigures(
            self.name,
            len(self.jobs),
            self.carriers,
            self.limit,
            self.down_until if down else 0.0,
            str(down.reply) if down else "",
        )

    def is_down(self, now: float) -> Deferred | None:
        """The outcome for what comes now, while it is down."""
        return self.down_by if now < self.down_until else None

    def came_up(self) -> None:
        """Somebody connected."""
        self.login_refused = False
        self.held_told = False
        self.proven = True
        self.failures = 0
        self._set_down(0.0, None)

    def went_down(self, outcome: Deferred, until: float) -> None:
        """The only try failed."""
        self.proven = False
        self.failures += 1
        self._set_down(until, outcome)

    def probe_now(self) -> None:
        """An operator wants it tried: the next job may try it."""
        self._set_down(0.0, None)

    def pause(self) -> None:
        """Nothing goes there from now on."""
        self._set_down(_FOREVER, PAUSED)
        self.paused = True

    def resume(self) -> None:
        """It is as any other again, and tried at once."""
        self.paused = False
        self._set_down(0.0, None)

    def _set_down(self, until: float, outcome: Deferred | None) -> None:
        if not self.paused:
            self.down_until = until
            self.down_by = outcome
            self.turned_away = 0
            self.postponed = False

    def is_forgotten(self, now: float) -> bool:
        """Whether nothing would be lost with it.

        What it knows of a dead host is worth keeping for a while after the next step:
        the count of failures makes the steps longer.
        """
        return not (self.jobs or self.carriers) and (
            now > self.down_until + _REMEMBER_SECONDS
        )
