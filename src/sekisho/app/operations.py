"""What operators' commands do: one row an operation.

An operation is the same for a running service and for one that is stopped: a command
sends its name and arguments through the control socket; with the service stopped, the
command opens the files itself (and takes their locks) and calls the same function.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import msgspec

from sekisho.app import app_password_operations as app_passwords
from sekisho.app import backups, destinations
from sekisho.app import queue_operations as queue
from sekisho.app import user_operations as users
from sekisho.app.control import Arguments, Refusal
from sekisho.app.operation import Desk, argument, page_size
from sekisho.auth.account import AccountError
from sekisho.queue.records import Action

__all__ = ["Desk", "operate"]

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
    about = argument(arguments, "about", str, "")
    limit = page_size(arguments, 200)
    return await desk.trace(about, limit)


_OPERATIONS: Mapping[str, Operation] = {
    "ping": _ping,
    "trace": _trace,
    "queue.list": queue.list_messages,
    "queue.show": queue.show_message,
    "queue.stats": queue.count_messages,
    "queue.export": queue.export_message,
    "queue.hold": partial(queue.act, action=Action.HOLD),
    "queue.retry": partial(queue.act, action=Action.RETRY),
    "queue.remove": partial(queue.act, action=Action.REMOVE),
    "queue.release": queue.release_messages,
    "queue.destinations": destinations.list_destinations,
    "queue.pause": destinations.pause,
    "queue.resume": destinations.resume,
    "queue.backup": backups.begin,
    "queue.backup.state": backups.state,
    "queue.backup.finish": backups.finish,
    "user.add": users.add_user,
    "user.list": users.list_users,
    "user.passwd": users.set_password,
    "user.disable": users.disable_user,
    "user.enable": users.enable_user,
    "user.expire": users.expire_user,
    "user.import": users.import_users,
    "user.app-password.add": app_passwords.add,
    "user.app-password.list": app_passwords.list_all,
    "user.app-password.revoke": app_passwords.revoke,
    "user.addresses": users.set_addresses,
    "user.groups": users.set_groups,
    "user.remove": users.remove_user,
    "user.unlock": users.unlock,
    "user.locked": users.list_locked,
}
