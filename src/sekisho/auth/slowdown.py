"""How long strangers wait while the whole service is being guessed at. Time is given.

Guessers with many addresses stay below the bounds of pairs and blocks. What gives
them away is how many failures there are in all. They fill a bucket that leaks: with
`failures` of them an hour it stays as full as it is, so what people mistype all day
never adds up, and an attack does. One `failures` in the bucket is a second's wait, and
each further one doubles it, up to a bound. Where the bucket has no room the next
failure only keeps it full, so it is empty a few hours after the worst attack, and an
hour without any failure empties it at once.

It is a delay and never a lock, as anybody can fill the bucket. Whoever is known does
not wait (`sekisho.auth.lockout`).

In a `Count`, `locked_until` says when the bucket will be empty.
"""

from dataclasses import dataclass
from math import ceil, log2

from sekisho.shared.failures import Count

FIRST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Strain:
    """What failed sign-ins of the whole service come to.

    Attributes:
        seconds: So long strangers wait.
        failures: How many led to it.
        fullness: Of the first bound; strangers wait from 1 on.

    """

    seconds: float = 0.0
    failures: int = 0
    fullness: float = 0.0

    @property
    def reason(self) -> str:
        """For an operator."""
        return (
            f"{self.failures} failed sign-ins, from many addresses: whoever has not"
            f" signed in from where he is before waits {self.seconds:g} s"
        )


CALM = Strain()


@dataclass(frozen=True, slots=True)
class Slowdown:
    """The rule of the bucket.

    Attributes:
        failures: So many make strangers wait.
        longest_seconds: Nobody waits longer.
        forget_seconds: In this time `failures` leak out; so much quiet forgets.

    """

    failures: int
    longest_seconds: float
    forget_seconds: float

    def failed(self, count: Count, now: float) -> Count:
        """Make the next count of one more failure."""
        level = min(self._level(count, now) + 1, self._most)
        failures = 1 if self._is_quiet(count, now) else count.failures + 1
        return Count(failures, now, now + level * self._seconds_each)

    def strain(self, count: Count, now: float) -> Strain:
        """What a count comes to by now."""
        level = self._level(count, now)
        # Up: the last failure has begun to leak as soon as it is in.
        times = ceil(round(level, 3)) // self.failures
        seconds = FIRST_SECONDS * 2.0 ** (times - 1) if times else 0.0
        seconds = min(seconds, self.longest_seconds)
        return Strain(seconds, count.failures, level / self.failures)

    @property
    def _seconds_each(self) -> float:
        return self.forget_seconds / self.failures

    @property
    def _most(self) -> int:
        """What the bucket holds: no more than leads to the longest wait."""
        doublings = ceil(log2(max(1.0, self.longest_seconds / FIRST_SECONDS)))
        return self.failures * (doublings + 2) - 1

    def _level(self, count: Count, now: float) -> float:
        ahead = count.locked_until - now
        # Fuller than it can be: the clock has been set back since.
        impossible = ahead > 2 * self._most * self._seconds_each
        if impossible or self._is_quiet(count, now):
            return 0.0
        return max(0.0, ahead / self._seconds_each)

    def _is_quiet(self, count: Count, now: float) -> bool:
        return now - count.quiet_since > self.forget_seconds
