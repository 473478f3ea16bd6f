"""Operations on destinations: how they stand, pause, resume.

The file knows what waits and what is paused; only a running service knows connections,
so those figures are zero while it is stopped.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from sekisho.app.control import Arguments, Refusal
from sekisho.observe.events import OperatorActed

if TYPE_CHECKING:
    from sekisho.app.operation import Desk

MAX_DESTINATIONS = 10_000
MAX_NAME = 1024


class ListedDestination(msgspec.Struct):
    """One destination in ``sekisho queue destinations --json``.

    Attributes:
        destination: As ``queue list --destination`` takes it.
        recipients: Waiting for it in the queue, in whatever state.
        waiting: Transactions in memory that are not begun.
        carriers: Connections open or being opened.
        limit: How many of them there may be now.
        down_until: Of the next try, where nobody could connect.
        down_by: What the last try came to.
        paused_since: Of an operator's pause.

    """

    destination: str
    recipients: int = 0
    waiting: int = 0
    carriers: int = 0
    limit: int = 0
    down_until: datetime | None = None
    down_by: str = ""
    paused_since: datetime | None = None


async def list_destinations(desk: "Desk", arguments: Arguments) -> object:
    """Tell how each destination stands, those with the most mail first."""
    del arguments
    counts = await desk.queue.destinations(MAX_DESTINATIONS)
    listed = {name: ListedDestination(name, count) for name, count in counts.items()}
    for one in desk.destinations():
        entry = listed.setdefault(one.destination, ListedDestination(one.destination))
        entry.waiting, entry.carriers = one.waiting, one.carriers
        entry.limit, entry.down_by = one.limit, one.down_by
        entry.down_until = _moment(one.down_until)
    for name, since in desk.queue.paused.items():
        entry = listed.setdefault(name, ListedDestination(name))
        entry.paused_since = _moment(since)
    return [*listed.values()]


async def pause(desk: "Desk", arguments: Arguments) -> object:
    """Let nothing go to a destination until it is resumed."""
    name, now = _name(arguments), desk.clock()
    if desk.is_running:
        await desk.queue.pause(name, now)
    else:
        desk.queue.pause_now(name, now)
    counts = await desk.queue.destinations(MAX_DESTINATIONS)
    return _acted(desk, "pause", name, counts.get(name, 0))


async def resume(desk: "Desk", arguments: Arguments) -> object:
    """Let mail go to a destination again, at once."""
    name, now = _name(arguments), desk.clock()
    if name not in desk.queue.paused:
        hint = "sekisho queue destinations shows which are"
        raise Refusal(f"{name} is not paused", hint)
    if desk.is_running:
        count = await desk.queue.resume(name, now)
    else:
        count = desk.queue.resume_now(name, now)
    return _acted(desk, "resume", name, count)


def _name(arguments: Arguments) -> str:
    name = arguments.get("destination")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
        hint = "sekisho queue destinations shows their names"
        raise Refusal("destination: must be its name", hint)
    return name


def _acted(desk: "Desk", action: str, name: str, count: int) -> object:
    if desk.number == 0:  # Every worker does the same.
        desk.emit(OperatorActed(action, f"destination={name}"))
    return {"destination": name, "recipients": count}


def _moment(unix_seconds: float) -> datetime | None:
    if not unix_seconds:
        return None
    return datetime.fromtimestamp(round(unix_seconds), UTC)
