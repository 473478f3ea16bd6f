"""The other workers, as far as a destination's carriers must know of them.

A lane asks before it opens a connection, and waits for a moment where the others have
all of them, or are just finding out whether the host is there. Waiting is a timer, not
a task: it ends by itself, so nothing stalls whatever the others do.
"""

from typing import Protocol

from sekisho.shared.destinations import Down, Entry

WAIT_SECONDS = 0.25
"""From one try to the next where the others have all slots."""
TURN_SECONDS = 3.0
"""How long a slot is used while others wait, where there are fewer than workers."""
REST_SECONDS = 1.0
"""How long whoever gave its slot up lets the others try."""


class Neighbours(Protocol):
    """What this worker and the others hold and know of destinations; never raises.

    `sekisho.shared.destinations.SharedDestinations` says what each method does.
    """

    yields: bool

    def take(self, destination: str) -> int | None:
        """Take a slot; None where all are taken."""
        ...

    def give_back(self, destination: str, slot: int) -> None:
        """Give a slot back."""
        ...

    def others_wait(self, destination: str) -> bool:
        """Whether another worker waits for a slot."""
        ...

    def enter(self, destination: str, *, proven: bool, now: float) -> Entry | Down:
        """Ask before this worker's first connection."""
        ...

    def came_up(self, destination: str) -> None:
        """This worker is connected."""
        ...

    def went_down(self, destination: str, down: Down) -> None:
        """Nobody could connect."""
        ...

    def left(self, destination: str) -> None:
        """This worker has no connection any more, and tries none."""
        ...

    def stop_waiting(self, destination: str) -> None:
        """This worker has nothing to carry there any more."""
        ...

    def forget_down(self) -> None:
        """Let everything be tried anew."""
        ...


class Alone:
    """There are no other workers."""

    yields = False

    def take(self, destination: str) -> int | None:
        """There is always one."""
        del destination
        return 0

    def give_back(self, destination: str, slot: int) -> None:
        """Nobody waits for it."""

    def others_wait(self, destination: str) -> bool:
        """Nobody does."""
        del destination
        return False

    def enter(self, destination: str, *, proven: bool, now: float) -> Entry | Down:
        """Nobody knows more."""
        del destination, proven, now
        return Entry.FREE

    def came_up(self, destination: str) -> None:
        """Nobody wants to know."""

    def went_down(self, destination: str, down: Down) -> None:
        """Nobody wants to know."""

    def left(self, destination: str) -> None:
        """Nobody wants to know."""

    def stop_waiting(self, destination: str) -> None:
        """Nobody wants to know."""

    def forget_down(self) -> None:
        """There is nothing to forget."""
