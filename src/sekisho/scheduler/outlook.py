"""What becomes of a recipient that waits, and by which rule: for operators.

The judge (`sekisho.scheduler.judge`) decides when an attempt has failed; this tells
beforehand what it will go by: the schedule of the cause or of the domain, the moment
of the delay notice, and the moment at which the message is given up.
"""

from dataclasses import dataclass

from sekisho.model.address import NullPath
from sekisho.model.envelope import Notify
from sekisho.queue.records import WAITING, QueuedMessage, QueuedRecipient, State
from sekisho.scheduler.options import SchedulerOptions
from sekisho.scheduler.schedule import rule_of_cause

_CONFIGURED = "[queue.retry]"


@dataclass(frozen=True, slots=True)
class Outlook:
    """How one recipient goes on.

    Attributes:
        rule: Its name in ``[queue.retry]``; empty where nothing was tried, or tries
            are not what is waited for.
        set_by: The table that its intervals come from.
        retry_seconds: From the n-th failed attempt to the next; the last repeats.
        next_attempt: Unix seconds, or 0 where it does not wait for one.
        expires_at: Unix seconds at which it is given up.
        expiry_set_by: The table that says so.
        notice_at: Unix seconds at which the sender is told of the delay, or 0 where
            nobody will be: he was told, wants no notice, or there is none.

    """

    rule: str
    set_by: str
    retry_seconds: tuple[float, ...]
    next_attempt: float
    expires_at: float
    expiry_set_by: str
    notice_at: float


def outlook(
    options: SchedulerOptions, queued: QueuedMessage, one: QueuedRecipient
) -> Outlook:
    """Tell how a recipient of a message goes on."""
    patience = options.patience(one.recipient.address.domain)
    received_at, waits = queued.message.received_at, one.state in WAITING
    rule = rule_of_cause(one.cause) if one.state is State.DEFERRED else None
    name, set_by, intervals = "", "", ()
    if rule is not None:
        name, set_by = rule.value, patience.name
        intervals = patience.retry_seconds
        if not intervals:
            own = options.retry_by_rule.get(rule)
            set_by = _CONFIGURED if own else "[queue]"
            intervals = tuple(own or options.retry_seconds)
    return Outlook(
        rule=name,
        set_by=set_by,
        retry_seconds=intervals,
        next_attempt=one.next_attempt if waits else 0.0,
        expires_at=received_at + patience.expire_seconds,
        expiry_set_by=patience.name,
        notice_at=_notice_at(queued, one, patience.delay_notice_seconds),
    )


def _notice_at(queued: QueuedMessage, one: QueuedRecipient, wait: float) -> float:
    is_wanted = (
        one.state in WAITING
        and not one.delay_told_at
        and Notify.DELAY in one.recipient.notify
        and not isinstance(queued.message.envelope.reverse_path, NullPath)
    )
    return queued.message.received_at + wait if wait and is_wanted else 0.0
