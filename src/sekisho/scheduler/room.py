"""Room: how much mail is in memory, and whether more of it may be.

What is in flight is bounded, and of that what was read from the store by itself: new
mail finds room while a backlog is being worked off.
"""

from collections.abc import Sized

from sekisho.scheduler.flight import Flight
from sekisho.scheduler.options import SchedulerOptions


class Room:
    """What the flights take.

    Attributes:
        bytes: What all messages in flight hold in memory.

    """

    def __init__(self, options: SchedulerOptions, flights: Sized) -> None:
        self._options = options
        self._flights = flights
        self._loaded = 0
        self._loaded_bytes = 0
        self.bytes = 0

    def loaded(self, flight: Flight) -> None:
        """Count a flight that was read from the store."""
        self._loaded += 1
        self._loaded_bytes += flight.bytes

    def unloaded(self, flight: Flight) -> None:
        """Count it no more."""
        self._loaded -= 1
        self._loaded_bytes -= flight.bytes

    @property
    def is_full(self) -> bool:
        """Whether nothing more may be taken."""
        return (
            len(self._flights) >= self._options.max_messages
            or self.bytes >= self._options.max_bytes
        )

    @property
    def is_there_again(self) -> bool:
        """Whether it is worth the while to read from the store."""
        # Half: reading the store for each message that leaves would be a walk each.
        return (
            2 * len(self._flights) <= self._options.max_messages
            and 2 * self.bytes <= self._options.max_bytes
            and self.to_load(2)
        )

    def to_load(self, parts: int) -> bool:
        """Whether not more than such a part of what may be loaded is."""
        options = self._options
        return (
            parts * self._loaded < options.max_loaded
            and parts * self._loaded_bytes < options.max_loaded_bytes
        )
