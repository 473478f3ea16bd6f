"""Outcomes on their way into the store, and what follows once they are there.

An outcome goes to the store at once and rides in its next group. Where outcomes cannot
be stored (disk full), delivery stops until they can: going on would deliver again what
is on record as not delivered.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from sekisho.model.decision import Verdict
from sekisho.model.message import Message
from sekisho.observe import events
from sekisho.queue.errors import PutRefused
from sekisho.queue.records import Result, Settled
from sekisho.queue.store import Queue
from sekisho.scheduler.carriers import Carriers
from sekisho.scheduler.flight import Flight
from sekisho.scheduler.judge import Reports
from sekisho.scheduler.options import Surroundings


class Storing:
    """Stores results and reports of attempts."""

    def __init__(
        self,
        queue: Queue,
        given: Surroundings,
        carriers: Carriers,
        accept: Callable[[Message], None],
        job_ended: Callable[[Flight], None],
    ) -> None:
        """Have nothing to store yet.

        Args:
            queue: Takes them.
            given: Hears of what happened.
            carriers: Wait while nothing can be stored.
            accept: Takes a report that is stored now.
            job_ended: Hears that a job's results are stored.

        """
        self._settle = queue.settle
        self._emit = given.emit
        self._clock = given.clock
        self._carriers = carriers
        self._accept = accept
        self._job_ended = job_ended
        self._unstored: list[tuple[Flight, list[Result], Reports]] = []
        self._without_room = False
        self._storing: set[asyncio.Future[Settled]] = set()

    def store(self, flight: Flight, results: list[Result], reports: Reports) -> None:
        """Store what a job came to."""
        written = [(report, by) for report, by, _ in reports] if reports else ()
        stored = self._settle(flight.message.id, results, written)
        self._storing.add(stored)
        stored.add_done_callback(partial(self._stored, flight, results, reports))

    def try_again(self) -> None:
        """Try what could not be stored for want of room."""
        unstored, self._unstored = self._unstored, []
        for flight, results, reports in unstored:
            self.store(flight, results, reports)

    async def wait(self, seconds: float) -> None:
        """Wait until all is stored, within a bound."""
        if self._storing:
            await asyncio.wait(self._storing, timeout=seconds)

    def _stored(
        self,
        flight: Flight,
        results: list[Result],
        reports: Reports,
        stored: "asyncio.Future[Settled]",
    ) -> None:
        self._storing.discard(stored)
        if stored.cancelled():
            return
        error = stored.exception()
        if isinstance(error, PutRefused):
            self._unstored.append((flight, results, reports))
            self._without_room = True
            self._carriers.pause()
            return
        if error is not None:
            # The queue has said it is done for; the service ends, and the next start
            # finds these recipients as they were.
            self._carriers.pause()
            return
        if self._without_room:
            self._without_room = False
            self._carriers.resume()
        settled = stored.result()
        for report, decision, kind in reports:
            self._emit(
                events.Reported(
                    message=flight.name,
                    kind=kind.value,
                    report=str(report.id),
                    to=str(report.envelope.recipients[0].address),
                )
            )
            if decision.verdict is Verdict.ACCEPT:
                self._accept(report)
        if not settled.unfinished and settled.delivered + settled.failed:
            seconds = self._clock() - flight.message.received_at
            self._emit(
                events.Finished(
                    message=flight.name,
                    delivered=settled.delivered,
                    failed=settled.failed,
                    seconds=round(seconds, 6),
                )
            )
        self._job_ended(flight)
