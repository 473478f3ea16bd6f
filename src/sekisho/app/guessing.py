"""Tells operators that the whole service is being guessed at, and that it is over.

One worker looks for all: the count is shared.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from sekisho.auth.slowdown import Strain
from sekisho.observe.events import Alarm, AlarmSettled, Event
from sekisho.shared.store import StoreUnavailableError

MATTER = "failed sign-ins"
"""What its alarm is about."""

LOOK_SECONDS = 1.0
OVER_BELOW = 0.5
"""Settled when so much is left: an attack at the bound would tell of itself without
end."""

_HINT = (
    "people sign in as ever from where they did before; auth.failed in the log says"
    " who comes; sekisho user unlock --service lifts the wait"
)


class GuessingAlarm:
    """Remembers whether operators know."""

    def __init__(self) -> None:
        self._is_told = False

    def look(self, strain: Strain) -> Alarm | AlarmSettled | None:
        """What to tell now, if anything."""
        if strain.seconds and not self._is_told:
            self._is_told = True
            return Alarm(MATTER, strain.reason, _HINT)
        if strain.fullness < OVER_BELOW and self._is_told:
            self._is_told = False
            return AlarmSettled(MATTER)
        return None


async def watch_guessing(
    strain: Callable[[], Strain], emit: Callable[[Event], None]
) -> NoReturn:
    """Look now and then; of a store that is lost others tell."""
    alarm = GuessingAlarm()
    while True:
        with suppress(StoreUnavailableError):
            if (told := alarm.look(strain())) is not None:
                emit(told)
        await asyncio.sleep(LOOK_SECONDS)
