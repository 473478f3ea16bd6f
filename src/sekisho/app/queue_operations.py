"""What operators do with the queue."""

import base64
from collections.abc import AsyncIterator, Mapping

from msgspec.structs import replace

from sekisho.app.control import Arguments, Refusal
from sekisho.app.operation import Desk, argument, page_size, read_id, spelled_time
from sekisho.model.ids import MessageId, parse_message_id
from sekisho.observe.events import OperatorActed
from sekisho.policy.admission import admit_release
from sekisho.queue.errors import UnreadableError
from sekisho.queue.records import (
    Action,
    QueuedMessage,
    QueuedRecipient,
    Selection,
    State,
)
from sekisho.scheduler.outlook import outlook

EXPORT_PAGE_BYTES = 4 * 1024 * 1024
_RELEASE_PAGE = 100

# What the listing calls a message's state, in the queue's words for a recipient's.
_STATES: Mapping[str, State] = {
    "active": State.PENDING,
    "deferred": State.DEFERRED,
    "held": State.HELD,
    "dead": State.DEAD,
}


def _selection(arguments: Arguments) -> Selection:
    state = argument(arguments, "state", str, "")
    if state and state not in _STATES:
        raise Refusal(f"there is no state {state!r}", f"one of {', '.join(_STATES)}")
    return Selection(
        ids=tuple(read_id(one) for one in argument(arguments, "ids", list[str], [])),
        destination=argument(arguments, "destination", str, ""),
        sender=argument(arguments, "sender", str, ""),
        state=_STATES[state] if state else None,
    )


async def list_messages(desk: Desk, arguments: Arguments) -> object:
    """List messages, oldest first."""
    limit = page_size(arguments, 100)
    after = argument(arguments, "after", str, "")
    behind = read_id(after) if after else None
    return await desk.queue.list(_selection(arguments), limit, behind)


async def count_messages(desk: Desk, arguments: Arguments) -> object:
    """Say how much there is."""
    del arguments
    return await desk.queue.stats(desk.clock())


async def _queued(desk: Desk, arguments: Arguments) -> QueuedMessage:
    id_ = read_id(argument(arguments, "id", str, ""))
    try:
        queued = await desk.queue.get(id_)
    except UnreadableError as error:
        raise Refusal(error.sentence, error.hint) from error
    if queued is None:
        raise Refusal(
            f"{id_} is not in the queue", f"sekisho trace {id_} tells its end"
        )
    return queued


async def show_message(desk: Desk, arguments: Arguments) -> object:
    """Show one message whole."""
    queued = await _queued(desk, arguments)
    message = queued.message
    return {
        "id": str(message.id),
        "reverse_path": str(message.envelope.reverse_path),
        "received_at": spelled_time(message.received_at),
        "source": message.source,
        "size_bytes": message.content.size,
        "rule": queued.rule,
        "grant": queued.grant,
        "reason": queued.reason,
        "recipients": [_shown(desk, queued, one) for one in queued.recipients],
    }


def _shown(desk: Desk, queued: QueuedMessage, one: QueuedRecipient) -> object:
    ahead = outlook(desk.schedule, queued, one)
    return {
        "address": str(one.recipient.address),
        "state": one.state.label,
        "destination": one.destination,
        "attempts": one.attempts,
        "next_attempt": spelled_time(ahead.next_attempt),
        "last_reply": one.last_reply,
        "last_cause": one.cause,
        "retry_rule": ahead.rule,
        "retry_seconds": list(ahead.retry_seconds),
        "retry_set_by": ahead.set_by,
        "expires_at": spelled_time(ahead.expires_at),
        "expiry_set_by": ahead.expiry_set_by,
        "delay_notice_at": spelled_time(ahead.notice_at),
        "delay_told_at": spelled_time(one.delay_told_at),
        "rule": one.rule,
        "grant": one.grant,
    }


async def export_message(desk: Desk, arguments: Arguments) -> object:
    """Give a page of a message, so that none of any size is held whole."""
    queued = await _queued(desk, arguments)
    offset, at, page = argument(arguments, "offset", int, 0), 0, bytearray()
    async for piece in desk.queue.bodies.pages(queued.message.content):
        start, at = max(offset - at, 0), at + len(piece)
        page += piece[start : start + EXPORT_PAGE_BYTES - len(page)]
        if len(page) == EXPORT_PAGE_BYTES:
            break
    return {"base64": base64.b64encode(page).decode()}


async def act(desk: Desk, arguments: Arguments, action: Action) -> object:
    """Hold, retry or remove what the arguments select."""
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
    if not count:
        return {"recipients": 0}  # Another worker has what it is about, or none.
    about = ", ".join(f"{key}={value}" for key, value in arguments.items() if value)
    detail = f"{count} recipients: {about}"
    # On the timeline of each message that was named.
    for message in argument(arguments, "ids", list[str], []) or [""]:
        desk.emit(OperatorActed(action, detail, message=message.lower()))
    return {"recipients": count}


async def release_messages(desk: Desk, arguments: Arguments) -> object:
    """Let held and dead mail go on, each message by a decision of its own."""
    ids, released = [*_selection(arguments).ids], 0
    operator = argument(arguments, "operator", str, "")
    if not ids:
        ids = [one async for one in _stopped(desk, arguments)]
    for id_ in ids:
        try:
            queued = await desk.queue.get(id_)
        except UnreadableError:
            continue  # It stays dead; `queue show` says why.
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
