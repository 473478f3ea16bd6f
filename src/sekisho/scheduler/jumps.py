"""The wall clock is set while the service runs: noticed, and made good.

What is stored is in wall time, since it outlives the process. A clock that nobody can
set (*ticks*) runs beside it; where the two part, the wall clock was set.

- Set back, what waits would wait so much longer: all of it is tried at once.
- Set forward, what waits would be too old at once: time that was skipped makes no
  message older, as long as this process knows of it. Afterwards a message is still
  given up only by a try that fails after its time.

A clock that was set back while nothing ran shows in the store: something waits longer
than the schedule can make it wait (`longest_wait`).
"""

from collections.abc import Callable

from sekisho.scheduler.options import SchedulerOptions

TOLERANCE_SECONDS = 5.0
"""Steps up to this (NTP's, mostly) delay or hasten a try by as much, and no more."""

_Skip = tuple[float, float]
"""From when (wall time), and for how long."""


class Jumps:
    """What the wall clock was set by.

    Args:
        wall: Unix seconds.
        ticks: Seconds that nobody can set.

    """

    def __init__(self, wall: Callable[[], float], ticks: Callable[[], float]) -> None:
        self._wall = wall
        self._ticks = ticks
        self._apart = wall() - ticks()
        self._skips: list[_Skip] = []
        self._untold: list[float] = []

    def look(self) -> list[float]:
        """By how many seconds it was set, each time since the last look."""
        self._notice()
        told, self._untold = self._untold, []
        return told

    def skipped(self, since: float) -> float:
        """How many of the seconds since a moment of the wall clock were never lived."""
        self._notice()  # Whoever asks may be the first to meet the clock as it is.
        return sum(skip for begun, skip in self._skips if since <= begun)

    def _notice(self) -> None:
        now = self._wall()
        apart = now - self._ticks()
        by, self._apart = apart - self._apart, apart
        if abs(by) <= TOLERANCE_SECONDS:
            return
        self._untold.append(by)
        if by > 0:
            self._skips.append((now - by, by))
        else:
            # What was skipped by mistake is given back.
            self._skips = [
                (since, min(skip, now - since))
                for since, skip in self._skips
                if now > since
            ]


def longest_wait(options: SchedulerOptions) -> float:
    """The most seconds that the schedule puts between now and a next attempt."""
    intervals = [*options.retry_seconds, options.paused_seconds]
    for own in options.retry_by_rule.values():
        intervals.extend(own)
    for patience in options.by_domain.values():
        intervals.extend(patience.retry_seconds)
    # A lane's jitter comes on top of a message's own.
    return max(intervals) * (1 + 2 * options.jitter) + TOLERANCE_SECONDS
