"""The one thing that other rooms call: an event goes to log, metrics and timeline.

Promise: nothing that happens here gets into the flow of mail. An event that cannot be
written is counted and forgotten. It is written as JSON once, for log and timeline.
"""

from collections.abc import Callable

from sekisho.observe.events import Event
from sekisho.observe.line import json_line
from sekisho.observe.log import Log, LogFormat
from sekisho.observe.metrics import Metrics
from sekisho.observe.timeline import Timeline

_ON_TIMELINE = ("message", "reverse_path")
"""Events with one of these fields are somebody's: a message's, or an address's."""


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
    ) -> None:
        self.lost = 0
        self._log = log
        self._metrics = metrics
        self._timeline = timeline
        self._clock = clock
        self._has_timeline: dict[type[Event], bool] = {}

    def emit(self, event: Event) -> None:
        """Write an event down; never raises."""
        try:
            self._write(event)
        except Exception:  # noqa: BLE001 - the promise above
            self.lost += 1

    def _write(self, event: Event) -> None:
        log = self._log
        self._metrics.count(event)
        now = self._clock()
        line = json_line(event, now)
        if log.format is LogFormat.JSON:
            log.append(line)
        else:
            log.emit(event, now)
        kind = type(event)
        known = self._has_timeline.get(kind)
        if self._learn(kind) if known is None else known:
            self._timeline.add(line)

    def _learn(self, kind: type[Event]) -> bool:
        fields = kind.__struct_fields__
        self._has_timeline[kind] = any(name in fields for name in _ON_TIMELINE)
        return self._has_timeline[kind]
