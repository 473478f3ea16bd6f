"""The one thing that other rooms call: an event goes to log, metrics and timeline.

Promise: nothing that happens here gets into the flow of mail. An event that cannot be
written is counted and forgotten. It is written as JSON once, for log and timeline.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sekisho.observe.events import Event
from sekisho.observe.line import json_line
from sekisho.observe.log import Log, LogFormat
from sekisho.observe.metrics import Metrics
from sekisho.observe.timeline import Timeline

_ON_TIMELINE = ("message", "reverse_path")
"""Events with one of these fields are somebody's: a message's, or an address's."""

_GATHERED = ("message", "session")
"""Events with one of these fields are many; their lines wait for others."""

Tell = Callable[[Any], object]


class Observer:
    """Log, metrics and timeline of one process.

    Attributes:
        lost: Events that raised an error on their way.

    """

    def __init__(
        self,
        log: Log,
        metrics: Metrics,
        timeline: Timeline,
        clock: Callable[[], float],
        also: Mapping[Any, Tell] | None = None,
    ) -> None:
        """Put them together.

        Args:
            log: Gets all events.
            metrics: Gets all events.
            timeline: Gets those that are about a message or an address.
            clock: Unix seconds.
            also: By a type of events: who is told of them as well.

        """
        self.lost = 0
        self._log = log
        self._metrics = metrics
        self._timeline = timeline
        self._clock = clock
        self._also = also or {}
        self._types: dict[type[Event], tuple[tuple[Tell, ...], bool, bool]] = {}

    def emit(self, event: Event) -> None:
        """Write an event down; never raises."""
        try:
            self._write(event)
        except Exception:  # noqa: BLE001 - the promise above
            self.lost += 1

    def _write(self, event: Event) -> None:
        kind = type(event)
        told, on_timeline, at_once = self._types.get(kind) or self._learn(kind)
        for tell in told:
            tell(event)
        log, now = self._log, self._clock()
        line = json_line(event, now)
        if log.format is LogFormat.JSON:
            log.append(line, at_once)
        else:
            log.emit(event, now, at_once=at_once)
        if on_timeline:
            self._timeline.add(line)

    def _learn(self, kind: type[Event]) -> tuple[tuple[Tell, ...], bool, bool]:
        """Who is told of such an event, whether it is kept, whether it waits."""
        fields = kind.__struct_fields__
        told = (self._also.get(kind), self._metrics.counter_of(kind))
        known = self._types[kind] = (
            tuple(tell for tell in told if tell is not None),
            any(name in fields for name in _ON_TIMELINE),
            not any(name in fields for name in _GATHERED),
        )
        return known
