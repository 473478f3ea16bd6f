"""What operators do with app passwords."""

import asyncio

from sekisho.app.control import Arguments
from sekisho.app.operation import Desk, argument, spelled_time
from sekisho.app.user_operations import read_expiry_argument, spelled_end
from sekisho.auth.account import AppPassword
from sekisho.auth.app_passwords import Scope, random_app_password
from sekisho.observe.events import OperatorActed


async def add(desk: Desk, arguments: Arguments) -> object:
    """Make one; its password is in the answer and nowhere else."""
    name = argument(arguments, "name", str, "")
    label = argument(arguments, "label", str, "")
    scope = Scope(
        addresses=argument(arguments, "addresses", list[str], []),
        networks=argument(arguments, "networks", list[str], []),
        max_messages_per_day=argument(arguments, "max_messages_per_day", int, 0),
        expires_at=read_expiry_argument(arguments),
    )
    password = random_app_password()
    account = await asyncio.to_thread(
        desk.accounts.add_app_password, name, label, password, scope
    )
    desk.emit(OperatorActed("user app-password add", f"{account.name} {label}"))
    made = next(one for one in account.app_passwords if one.label == label.lower())
    return {**_shown(made), "name": account.name, "password": password}


async def list_all(desk: Desk, arguments: Arguments) -> object:
    """List an account's."""
    name = argument(arguments, "name", str, "")
    account = await asyncio.to_thread(desk.accounts.get, name)
    return [_shown(one) for one in account.app_passwords]


async def revoke(desk: Desk, arguments: Arguments) -> object:
    """Take one away."""
    name = argument(arguments, "name", str, "")
    label = argument(arguments, "label", str, "")
    account = await asyncio.to_thread(desk.accounts.revoke_app_password, name, label)
    desk.emit(OperatorActed("user app-password revoke", f"{account.name} {label}"))
    return {"name": account.name, "label": label}


def _shown(one: AppPassword) -> dict[str, object]:
    return {
        "label": one.label,
        "addresses": [str(pattern) for pattern in one.addresses],
        "networks": [str(network) for network in one.networks],
        "max_messages_per_day": one.max_messages_per_day,
        "created_at": spelled_time(one.created_at),
        "expires_at": spelled_end(one.expires_at),
        "last_used_at": spelled_time(one.last_used_at),
    }
