"""What operators do with the local accounts."""

import asyncio
import ipaddress
from datetime import UTC, datetime, timedelta

import msgspec

from sekisho.app.control import Arguments, Refusal
from sekisho.app.operation import Desk, argument, spelled_time
from sekisho.auth.account import Account
from sekisho.auth.accounts import NewAccount
from sekisho.auth.lockout import block_of
from sekisho.observe.events import OperatorActed
from sekisho.policy.brake import REFUSED, SENT, refused_key, sent_key, why_held
from sekisho.shared.store import StoreUnavailableError


class ImportedAccount(msgspec.Struct):
    """One row of ``user.import``."""

    name: str
    password: str = ""
    hashed: str = ""
    addresses: list[str] = []
    groups: list[str] = []


async def add_user(desk: Desk, arguments: Arguments) -> object:
    """Add an account."""
    new = NewAccount(
        name=argument(arguments, "name", str, ""),
        password=argument(arguments, "password", str, ""),
        addresses=argument(arguments, "addresses", list[str], []),
        groups=argument(arguments, "groups", list[str], []),
        scram=argument(arguments, "scram", bool, True),  # noqa: FBT003
        weak=argument(arguments, "allow_weak", bool, False),  # noqa: FBT003
        expires_at=read_expiry_argument(arguments),
    )
    return _changed(desk, "add", await asyncio.to_thread(desk.accounts.add, new))


async def list_users(desk: Desk, arguments: Arguments) -> object:
    """List all accounts."""
    del arguments
    return [_shown(one) for one in await asyncio.to_thread(desk.accounts.list)]


async def set_password(desk: Desk, arguments: Arguments) -> object:
    """Give an account another password; SCRAM keys only where it had some."""
    name = argument(arguments, "name", str, "")
    password = argument(arguments, "password", str, "")
    store = desk.accounts
    had_keys = (await asyncio.to_thread(store.get, name)).scram is not None
    scram = argument(arguments, "scram", bool, had_keys)
    weak = argument(arguments, "allow_weak", bool, False)  # noqa: FBT003
    account = await asyncio.to_thread(
        store.set_password, name, password, scram=scram, weak=weak
    )
    return _changed(desk, "passwd", account)


async def disable_user(desk: Desk, arguments: Arguments) -> object:
    """Refuse an account from now on."""
    name = argument(arguments, "name", str, "")
    account = await asyncio.to_thread(desk.accounts.disable, name)
    return _changed(desk, "disable", account)


async def enable_user(desk: Desk, arguments: Arguments) -> object:
    """Take an account again."""
    name = argument(arguments, "name", str, "")
    return _changed(desk, "enable", await asyncio.to_thread(desk.accounts.enable, name))


async def expire_user(desk: Desk, arguments: Arguments) -> object:
    """Say when an account ends."""
    name = argument(arguments, "name", str, "")
    at = read_expiry_argument(arguments)
    account = await asyncio.to_thread(desk.accounts.expire, name, at)
    return _changed(desk, "expire", account)


async def import_users(desk: Desk, arguments: Arguments) -> object:
    """Add many accounts, or none if one of them is wrong."""
    rows = argument(arguments, "accounts", list[ImportedAccount], [])
    weak = argument(arguments, "allow_weak", bool, False)  # noqa: FBT003
    new = [
        NewAccount(
            name=row.name,
            password=row.password,
            addresses=row.addresses,
            groups=row.groups,
            hashed=row.hashed,
            weak=weak,
        )
        for row in rows
    ]
    added = await asyncio.to_thread(desk.accounts.add_all, new)
    desk.emit(OperatorActed("user import", f"{len(added)} accounts"))
    return {"added": len(added)}


async def set_addresses(desk: Desk, arguments: Arguments) -> object:
    """Say anew what an account may send from."""
    name = argument(arguments, "name", str, "")
    addresses = argument(arguments, "addresses", list[str], [])
    store = desk.accounts
    account = await asyncio.to_thread(store.set_addresses, name, addresses)
    return _changed(desk, "addresses", account)


async def set_groups(desk: Desk, arguments: Arguments) -> object:
    """Say anew which groups an account is in."""
    name = argument(arguments, "name", str, "")
    groups = argument(arguments, "groups", list[str], [])
    account = await asyncio.to_thread(desk.accounts.set_groups, name, groups)
    return _changed(desk, "groups", account)


async def remove_user(desk: Desk, arguments: Arguments) -> object:
    """Remove an account."""
    name = argument(arguments, "name", str, "")
    await asyncio.to_thread(desk.accounts.remove, name)
    desk.emit(OperatorActed("user remove", name))
    return {"name": name}


async def unlock(desk: Desk, arguments: Arguments) -> object:
    """Forget failures of an account, a client, or both; or those of all together."""
    account = argument(arguments, "name", str, "")
    client = argument(arguments, "client", str, "")
    if argument(arguments, "service", bool, False):  # noqa: FBT003
        return _end_delay(desk)
    try:
        block = block_of(ipaddress.ip_address(client)) if client else ""
    except ValueError as error:
        raise Refusal(str(error)) from error
    try:
        unlocked = desk.lockout.unlock(account=account, block=block, now=desk.clock())
        lifted = bool(account) and not client and _lift_brake(desk, account)
    except StoreUnavailableError as error:
        raise _no_store(error) from error
    desk.emit(OperatorActed("user unlock", f"{account} {client}".strip()))
    return {"unlocked": len(unlocked), "brake_lifted": lifted}


def _end_delay(desk: Desk) -> object:
    try:
        ended = desk.lockout.end_delay(desk.clock())
    except StoreUnavailableError as error:
        raise _no_store(error) from error
    desk.emit(OperatorActed("user unlock", "the whole service"))
    return {"unlocked": int(ended), "brake_lifted": False}


def _lift_brake(desk: Desk, account: str) -> bool:
    now, brake = desk.clock(), desk.policy.rules.brake
    is_held = bool(why_held(brake, account, desk.quotas.view(now)))
    for key in (sent_key(account), refused_key(account)):
        desk.quotas.forget(key, now)
    return is_held


async def list_locked(desk: Desk, arguments: Arguments) -> object:
    """List who is locked out now."""
    del arguments
    try:
        locked = [one.reason for one in desk.lockout.locked(desk.clock())]
        return _slowed(desk) + locked + _held(desk)
    except StoreUnavailableError as error:
        raise _no_store(error) from error


def _slowed(desk: Desk) -> list[str]:
    """That strangers wait, if they do."""
    strain = desk.lockout.strain(desk.clock())
    return [strain.reason] if strain.seconds else []


def _held(desk: Desk) -> list[str]:
    """Accounts whose mail is held."""
    usage = desk.quotas.view(desk.clock())
    accounts = {key.account for key in usage if key.grant in (SENT, REFUSED)}
    reasons = (why_held(desk.policy.rules.brake, one, usage) for one in accounts)
    return sorted(filter(None, reasons))


def _no_store(error: StoreUnavailableError) -> Refusal:
    return Refusal(f"who is locked out cannot be seen now: {error}", "look at data_dir")


def read_expiry_argument(arguments: Arguments) -> float:
    """Read ``expires``: a date (through that day, UTC), a date-time, or nothing.

    Raises:
        Refusal: It is none of these.

    """
    given = argument(arguments, "expires", str, "")
    if given in ("", "never"):
        return float("inf")
    try:
        if len(given) == len("2027-01-01"):
            day = datetime.fromisoformat(given).replace(tzinfo=UTC)
            return (day + timedelta(days=1)).timestamp()
        moment = datetime.fromisoformat(given)
    except ValueError as error:
        raise Refusal(f"{given!r} is no date", "write 2027-06-30, or never") from error
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def spelled_end(unix_seconds: float) -> str:
    """Spell when something ends; nothing for never."""
    return "" if unix_seconds == float("inf") else spelled_time(unix_seconds)


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
        "expires_at": spelled_end(account.expires_at),
        "app_passwords": len(account.app_passwords),
        "created_at": spelled_time(account.created_at),
        "changed_at": spelled_time(account.changed_at),
        "last_success": spelled_time(account.last_success),
    }
