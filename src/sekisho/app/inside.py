"""What the supervisor asks of a worker for itself; operators cannot."""

from collections.abc import Awaitable, Callable, Mapping

from sekisho.app.control import Arguments
from sekisho.app.operation import Desk, argument
from sekisho.app.summing import taken

METRICS = "@metrics"
PAUSES = "@pauses"
PAUSE = "@pause"
ALIVE = "@alive"

Inside = Callable[[Desk, Arguments], Awaitable[object]]


async def _metrics(desk: Desk, arguments: Arguments) -> object:
    del arguments
    return taken(desk.registry)


async def _pauses(desk: Desk, arguments: Arguments) -> object:
    """Which destinations are paused, and since when."""
    del arguments
    return dict(desk.queue.paused)


async def _pause(desk: Desk, arguments: Arguments) -> object:
    """Pause what another worker has paused: a queue may be younger than a pause."""
    given = argument(arguments, "paused", dict[str, float], {})
    for name, since in given.items():
        if name not in desk.queue.paused:
            await desk.queue.pause(name, since)
    return None


async def _alive(desk: Desk, arguments: Arguments) -> object:
    del desk, arguments
    return True


INSIDE: Mapping[str, Inside] = {
    METRICS: _metrics,
    PAUSES: _pauses,
    PAUSE: _pause,
    ALIVE: _alive,
}
