"""What operators' commands do: one row an operation.

An operation is the same for a running service and for one that is stopped.

A command sends its name and arguments through the control socket; with the service
stopped, the command opens the files itself (and takes their locks) and calls the same
function. Arguments come from outside: each is read by name and type, and a wrong one is
a sentence, not a traceback.
"""

import asyncio
import base64
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import msgspec

from sekisho.app import destinations
from sekisho.app.control import Arguments, Refusal
from sekisho.auth.account import Account, AccountError
from sekisho.auth.accounts import AccountStore, NewAccount
from sekisho.auth.lockout import Lockout, block_of
from sekisho.model.ids import MessageId, parse_message_id
from sekisho.observe.events import Event, OperatorActed
from sekisho.policy.admission import admit_release
from sekisho.policy.decide import Policy
from sekisho.queue.records import Action, QueuedMessage, Selection, State
from sekisho.queue.store import Queue
from sekisho.scheduler.lane import DestinationFigures

EXPORT_PAGE_BYTES = 4 * 1024 * 1024
MAX_LIST = 10_000
_RELEASE_PAGE = 100
_Value = TypeVar("_Value")

# What the listing calls a message's state, in the queue's words for a recipient's.
_STATES: Mapping[str, State] = {
    "active": State.PENDING,
    "deferred": State.DEFERRED,
    "held": State.HELD,
    "dead": State.DEAD,
}


@dataclass(slots=True)
class Desk:
    """What operations work on.

    Attributes:
        open_queue: Gives the queue; started, or not where the service is stopped.
        open_accounts: Gives the local accounts.
        policy: The rules as they are.
        lockout: Who is locked out; nobody where the service is stopped.
        emit: Where operators' actions are written down.
        trace: Looks up timelines.
        clock: Unix seconds.
        is_running: Whether a service runs around it.
        alarms: What an operator has to look at.
        destinations: How each stands; none where the service is stopped.

    """

    open_queue: Callable[[], Queue]
    open_accounts: Callable[[], AccountStore]
    policy: Policy
    lockout: Lockout
    emit: Callable[[Event], None]
    trace: Callable[[str, int], Awaitable[list[dict[str, Any]]]]
    clock: Callable[[], float]
    is_running: bool
    alarms: Callable[[], list[str]] = list
    destinations: Callable[[], list[DestinationFigures]] = list

    @property
    def queue(self) -> Queue:
        """The queue, opened when it is first needed."""
        return self.open_queue()

    @property
    def accounts(self) -> AccountStore:
        """The accounts, opened when they are first needed."""
        return self.open_accounts()


Operation = Callable[[Desk, Arguments], Awaitable[object]]


async def operate(desk: Desk, do: str, arguments: Arguments) -> object:
    """Do one operation.

    Returns:
        JSON values.

    Raises:
        Refusal: There is no such operation, an argument is wrong, or it cannot be
            done.

    """
    operation = _OPERATIONS.get(do)
    if operation is None:
        raise Refusal(f"there is no operation {do!r}")
    try:
        return msgspec.to_builtins(await operation(desk, arguments))
    except AccountError as error:
        raise Refusal(str(error), error.hint) from error


# Arguments


def _argument(
    arguments: Arguments, name: str, kind: type[_Value], default: _Value
) -> _Value:
    value = arguments.get(name)
    if value is None:
        return default
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise Refusal(f"{name}: {error}") from error


def _id(text: str) -> MessageId:
    try:
        return parse_message_id(text)
    except ValueError as error:
        raise Refusal(str(error), "sekisho queue list shows the ids") from error


def _selection(arguments: Arguments) -> Selection:
    state = _argument(arguments, "state", str, "")
    if state and state not in _STATES:
        raise Refusal(f"there is no state {state!r}", f"one of {', '.join(_STATES)}")
    return Selection(
        ids=tuple(_id(one) for one in _argument(arguments, "ids", list[str], [])),
        destination=_argument(arguments, "destination", str, ""),
        sender=_argument(arguments, "sender", str, ""),
        state=_STATES[state] if state else None,
    )


# The service


async def _ping(desk: Desk, arguments: Arguments) -> object:
    del arguments
    stats = await desk.queue.stats(desk.clock())
    return {
        "hostname": desk.policy.rules.hostname,
        "messages": stats.messages,
        "oldest_age_seconds": stats.oldest_age_seconds,
        "alarms": desk.alarms() + _storage_alarm(desk),
    }


def _storage_alarm(desk: Desk) -> list[str]:
    if desk.queue.has_room():
        return []
    return ["storage: free disk is below min_free_bytes, new mail is answered 452"]


async def _trace(desk: Desk, arguments: Arguments) -> object:
    about = _argument(arguments, "about", str, "")
    limit = min(_argument(arguments, "limit", int, 200), MAX_LIST)
    return await desk.trace(about, limit)


# The queue


async def _queue_list(desk: Desk, arguments: Arguments) -> object:
    limit = min(_argument(arguments, "limit", int, 100), MAX_LIST)
    after = _argument(arguments, "after", str, "")
    behind = _id(after) if after else None
    return await desk.queue.list(_selection(arguments), limit, behind)


async def _queue_stats(desk: Desk, arguments: Arguments) -> object:
    del arguments
    return await desk.queue.stats(desk.clock())


async def _queued(desk: Desk, arguments: Arguments) -> QueuedMessage:
    id_ = _id(_argument(arguments, "id", str, ""))
    queued = await desk.queue.get(id_)
    if queued is None:
        raise Refusal(
            f"{id_} is not in the queue", f"sekisho trace {id_} tells its end"
        )
    return queued


async def _queue_show(desk: Desk, arguments: Arguments) -> object:
    queued = await _queued(desk, arguments)
    message = queued.message
    return {
        "id": str(message.id),
        "reverse_path": str(message.envelope.reverse_path),
        "received_at": _time(message.received_at),
        "source": message.source,
        "size_bytes": message.content.size,
        "rule": queued.rule,
        "grant": queued.grant,
        "reason": queued.reason,
        "recipients": [
            {
                "address": str(one.recipient.address),
                "state": one.state.label,
                "destination": one.destination,
                "attempts": one.attempts,
                "next_attempt": _time(one.next_attempt),
                "last_reply": one.last_reply,
                "last_cause": one.cause,
                "delay_told_at": _time(one.delay_told_at),
                "rule": one.rule,
                "grant": one.grant,
            }
            for one in queued.recipients
        ],
    }


async def _queue_export(desk: Desk, arguments: Arguments) -> object:
    """A page of a message, so that none of any size is held whole."""
    queued = await _queued(desk, arguments)
    offset, at, page = _argument(arguments, "offset", int, 0), 0, bytearray()
    async for piece in desk.queue.bodies.pages(queued.message.content):
        start, at = max(offset - at, 0), at + len(piece)
        page += piece[start : start + EXPORT_PAGE_BYTES - len(page)]
        if len(page) == EXPORT_PAGE_BYTES:
            break
    return {"base64": base64.b64encode(page).decode()}


async def _act(desk: Desk, arguments: Arguments, action: Action) -> object:
    selection, now = _selection(arguments), desk.clock()
    if desk.is_running:
        act = {
            Action.HOLD: desk.queue.hold,
            Action.RETRY: desk.queue.retry,
            Action.REMOVE: desk.queue.remove,
        }[action]
        count = await act(selection, now)
    else:
        count = desk.queue.act_now(action, selection, now)
    return _acted(desk, action.value, count, arguments)


def _acted(desk: Desk, action: str, count: int, arguments: Arguments) -> object:
    about = ", ".join(f"{key}={value}" for key, value in arguments.items() if value)
    detail = f"{count} recipients: {about}"
    # On the timeline of each message that was named.
    for message in _argument(arguments, "ids", list[str], []) or [""]:
        desk.emit(OperatorActed(action, detail, message=message.lower()))
    return {"recipients": count}


async def _queue_release(desk: Desk, arguments: Arguments) -> object:
    """Let held and dead mail go on, each message by a decision of its own."""
    ids, released = [*_selection(arguments).ids], 0
    operator = _argument(arguments, "operator", str, "")
    if not ids:
        ids = [one async for one in _stopped(desk, arguments)]
    for id_ in ids:
        queued = await desk.queue.get(id_)
        if queued is None:
            continue
        message, now = queued.message, desk.clock()
        decision = admit_release(message.envelope, operator)
        if desk.is_running:
            released += await desk.queue.release(message, decision, now)
        else:
            released += desk.queue.release_now(message, decision, now)
    return _acted(desk, "release", released, arguments)


async def _stopped(desk: Desk, arguments: Arguments) -> AsyncIterator[MessageId]:
    """The ids of held and dead messages that a selection means, page by page."""
    for state in (State.HELD, State.DEAD):
        chosen, after = replace(_selection(arguments), state=state), None
        while page := await desk.queue.list(chosen, _RELEASE_PAGE, after):
            for one in page:
                after = parse_message_id(one.id)
                yield after


# Accounts


async def _user_add(desk: Desk, arguments: Arguments) -> object:
    new = NewAccount(
        name=_argument(arguments, "name", str, ""),
        password=_argument(arguments, "password", str, ""),
        addresses=_argument(arguments, "addresses", list[str], []),
        groups=_argument(arguments, "groups", list[str], []),
        scram=_argument(arguments, "scram", bool, True),  # noqa: FBT003
    )
    return _changed(desk, "add", await asyncio.to_thread(desk.accounts.add, new))


async def _user_list(desk: Desk, arguments: Arguments) -> object:
    del arguments
    return [_shown(one) for one in await asyncio.to_thread(desk.accounts.list)]


async def _user_passwd(desk: Desk, arguments: Arguments) -> object:
    name = _argument(arguments, "name", str, "")
    password = _argument(arguments, "password", str, "")
    store = desk.accounts
    had_keys = (await asyncio.to_thread(store.get, name)).scram is not None
    scram = _argument(arguments, "scram", bool, had_keys)
    account = await asyncio.to_thread(store.set_password, name, password, scram=scram)
    return _changed(desk, "passwd", account)


async def _user_disable(desk: Desk, arguments: Arguments) -> object:
    name = _argument(arguments, "name", str, "")
    account = await asyncio.to_thread(desk.accounts.disable, name)
    return _changed(desk, "disable", account)


async def _user_enable(desk: Desk, arguments: Arguments) -> object:
    name = _argument(arguments, "name", str, "")
    return _changed(desk, "enable", await asyncio.to_thread(desk.accounts.enable, name))


async def _user_addresses(desk: Desk, arguments: Arguments) -> object:
    name = _argument(arguments, "name", str, "")
    addresses = _argument(arguments, "addresses", list[str], [])
    store = desk.accounts
    account = await asyncio.to_thread(store.set_addresses, name, addresses)
    return _changed(desk, "addresses", account)


async def _user_groups(desk: Desk, arguments: Arguments) -> object:
    name = _argument(arguments, "name", str, "")
    groups = _argument(arguments, "groups", list[str], [])
    account = await asyncio.to_thread(desk.accounts.set_groups, name, groups)
    return _changed(desk, "groups", account)


async def _user_remove(desk: Desk, arguments: Arguments) -> object:
    name = _argument(arguments, "name", str, "")
    await asyncio.to_thread(desk.accounts.remove, name)
    desk.emit(OperatorActed("user remove", name))
    return {"name": name}


async def _user_unlock(desk: Desk, arguments: Arguments) -> object:
    account = _argument(arguments, "name", str, "")
    client = _argument(arguments, "client", str, "")
    try:
        block = block_of(ipaddress.ip_address(client)) if client else ""
    except ValueError as error:
        raise Refusal(str(error)) from error
    unlocked = desk.lockout.unlock(account=account, block=block, now=desk.clock())
    desk.emit(OperatorActed("user unlock", f"{account} {client}".strip()))
    return {"unlocked": len(unlocked)}


async def _user_locked(desk: Desk, arguments: Arguments) -> object:
    del arguments
    return [one.reason for one in desk.lockout.locked(desk.clock())]


def _changed(desk: Desk, action: str, account: Account) -> object:
    desk.emit(OperatorActed(f"user {action}", account.name))
    return _shown(account)


def _shown(account: Account) -> dict[str, object]:
    return {
        "name": account.name,
        "enabled": account.enabled,
        "addresses": [str(one) for one in account.addresses],
        "groups": sorted(account.groups),
        "scram": account.scram is not None,
        "created_at": _time(account.created_at),
        "changed_at": _time(account.changed_at),
        "last_success": _time(account.last_success),
    }


def _time(unix_seconds: float) -> str:
    """Spell a moment after RFC 3339; nothing for none."""
    if not unix_seconds:
        return ""
    moment = datetime.fromtimestamp(unix_seconds, UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


_OPERATIONS: Mapping[str, Operation] = {
    "ping": _ping,
    "trace": _trace,
    "queue.list": _queue_list,
    "queue.show": _queue_show,
    "queue.stats": _queue_stats,
    "queue.export": _queue_export,
    "queue.hold": partial(_act, action=Action.HOLD),
    "queue.retry": partial(_act, action=Action.RETRY),
    "queue.remove": partial(_act, action=Action.REMOVE),
    "queue.release": _queue_release,
    "queue.destinations": destinations.list_destinations,
    "queue.pause": destinations.pause,
    "queue.resume": destinations.resume,
    "user.add": _user_add,
    "user.list": _user_list,
    "user.passwd": _user_passwd,
    "user.disable": _user_disable,
    "user.enable": _user_enable,
    "user.addresses": _user_addresses,
    "user.groups": _user_groups,
    "user.remove": _user_remove,
    "user.unlock": _user_unlock,
    "user.locked": _user_locked,
}
