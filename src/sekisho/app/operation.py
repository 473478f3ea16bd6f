"""What an operation is: what it works on, and how its arguments are read.

Arguments come from outside: each is read by name and type, and a wrong one is a
sentence, not a traceback.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from prometheus_client import CollectorRegistry

from sekisho.app.backup_job import BackupJob
from sekisho.app.control import Arguments, Refusal
from sekisho.auth.accounts import AccountStore
from sekisho.auth.lockout import Lockout
from sekisho.model.ids import MessageId, parse_message_id
from sekisho.observe.events import Event
from sekisho.policy.decide import Policy
from sekisho.queue.store import Queue
from sekisho.scheduler.lane import DestinationFigures
from sekisho.scheduler.options import SchedulerOptions
from sekisho.server.counters import QuotaCounters

MAX_LIST = 10_000
_Value = TypeVar("_Value")


@dataclass(slots=True)
class Desk:
    """What operations work on.

    Attributes:
        open_queue: Gives the queue; started, or not where the service is stopped.
        open_accounts: Gives the local accounts.
        policy: The rules as they are.
        lockout: Who is locked out, of all workers.
        emit: Where operators' actions are written down.
        trace: Looks up timelines.
        clock: Unix seconds.
        is_running: Whether a service runs around it.
        alarms: What an operator has to look at.
        destinations: How each stands; none where the service is stopped.
        schedule: What is tried when.
        backup: The one that is being written.
        number: Of the worker; what concerns none of them is told by the first.
        registry: The worker's metrics.

    """

    open_queue: Callable[[], Queue]
    open_accounts: Callable[[], AccountStore]
    policy: Policy
    lockout: Lockout
    quotas: QuotaCounters
    emit: Callable[[Event], None]
    trace: Callable[[str, int], Awaitable[list[dict[str, Any]]]]
    clock: Callable[[], float]
    is_running: bool
    alarms: Callable[[], list[str]] = list
    destinations: Callable[[], list[DestinationFigures]] = list
    schedule: SchedulerOptions = field(default_factory=SchedulerOptions)
    backup: BackupJob = field(default_factory=BackupJob)
    number: int = 0
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    @property
    def queue(self) -> Queue:
        """The queue, opened when it is first needed."""
        return self.open_queue()

    @property
    def accounts(self) -> AccountStore:
        """The accounts, opened when they are first needed."""
        return self.open_accounts()


def argument(
    arguments: Arguments, name: str, kind: type[_Value], default: _Value
) -> _Value:
    """Read one argument.

    Raises:
        Refusal: It is of another kind.

    """
    value = arguments.get(name)
    if value is None:
        return default
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise Refusal(f"{name}: {error}") from error


def page_size(arguments: Arguments, default: int) -> int:
    """How many rows are asked for: at least one, as SQL reads -1 as all.

    Raises:
        Refusal: It is no number.

    """
    return max(1, min(argument(arguments, "limit", int, default), MAX_LIST))


def read_id(text: str) -> MessageId:
    """Read a message's id.

    Raises:
        Refusal: It is none.

    """
    try:
        return parse_message_id(text)
    except ValueError as error:
        raise Refusal(str(error), "sekisho queue list shows the ids") from error


def spelled_time(unix_seconds: float) -> str:
    """Spell a moment after RFC 3339; nothing for none."""
    if not unix_seconds:
        return ""
    moment = datetime.fromtimestamp(unix_seconds, UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
