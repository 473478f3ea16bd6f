"""Parting: which lane each recipient of a message goes by, and in jobs of which size.

A lane is made when first mail is for it, as its destination stands then (paused, or
down for long), and forgotten when it has had nothing to do for a while.
"""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from sekisho.model.envelope import Recipient
from sekisho.model.route import Destination
from sekisho.queue.records import WAITING, QueuedMessage
from sekisho.queue.store import Queue
from sekisho.scheduler.crowds import Crowds
from sekisho.scheduler.flight import Flight, Job
from sekisho.scheduler.lane import Lane
from sekisho.scheduler.options import SchedulerOptions, Surroundings

Due: TypeAlias = tuple[int, Recipient, int]
"""Index, recipient and attempts so far."""


class Parting:
    """The lanes, and how recipients get on them.

    Attributes:
        lanes: All there are.

    """

    def __init__(
        self,
        queue: Queue,
        options: SchedulerOptions,
        given: Surroundings,
        crowds: Crowds,
    ) -> None:
        self._queue = queue
        self._options = options
        self._given = given
        self._crowds = crowds
        self.lanes: dict[Destination, Lane] = {}

    def jobs(
        self, flight: Flight, recipients: Sequence[Due]
    ) -> Iterable[tuple[Lane, Job]]:
        """Part a flight's recipients by destination, into transactions."""
        route, reverse_path = self._given.route, flight.message.envelope.reverse_path
        if len(recipients) == 1:
            index, recipient, attempts = recipients[0]
            lane = self._lane(route(recipient.address, reverse_path))
            return ((lane, Job(flight, (index,), (recipient,), (attempts,))),)
        return self._groups(flight, recipients)

    def _groups(
        self, flight: Flight, recipients: Sequence[Due]
    ) -> Iterable[tuple[Lane, Job]]:
        route, reverse_path = self._given.route, flight.message.envelope.reverse_path
        by_lane: dict[Lane, list[Due]] = {}
        for one in recipients:
            lane = self._lane(route(one[1].address, reverse_path))
            by_lane.setdefault(lane, []).append(one)
        most = self._options.max_recipients_per_transaction
        for lane, group in by_lane.items():
            for start in range(0, len(group), most):
                indexes, those, attempts = zip(
                    *group[start : start + most], strict=True
                )
                yield lane, Job(flight, indexes, those, attempts)

    def lanes_of(self, queued: QueuedMessage, due: list[Due]) -> set[Lane]:
        """Give the lanes of what is due of a message."""
        sender = queued.message.envelope.reverse_path
        return {self._lane(self._given.route(one.address, sender)) for _, one, _ in due}

    def is_at_work(self, name: str) -> bool:
        """Whether a lane of a destination has mail in memory."""
        return any(
            lane.name == name
            for lane in self.lanes.values()
            if lane.jobs or lane.carriers
        )

    def forget(self, now: float) -> None:
        """Let go of lanes that have had nothing to do for a while."""
        for destination, lane in list(self.lanes.items()):
            if lane.is_forgotten(now):
                del self.lanes[destination]

    def _lane(self, destination: Destination) -> Lane:
        lane = self.lanes.get(destination)
        if lane is None:
            first = self._options.first_carriers_per_destination
            most = self._options.max_carriers_per_destination
            lane = self.lanes[destination] = Lane(destination, first, most)
            lane.failures = self._crowds.failures(lane.name)
            if lane.name in self._queue.paused:
                lane.pause()
        return lane


def due_of(queued: QueuedMessage, now: float, destination: str = "") -> list[Due]:
    """What is to be tried of a message: what is due, and what is for a destination."""
    return [
        (one.index, one.recipient, one.attempts)
        for one in queued.recipients
        if one.state in WAITING
        and (one.next_attempt <= now or one.destination == destination)
    ]
