"""One operation for a command: by the running service, or by itself if none runs."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache
from typing import Any

from sekisho.app.control import Arguments, NotRunning, Refusal, ask
from sekisho.app.operations import Desk, operate
from sekisho.app.sharing import stored_failures
from sekisho.app.storage import (
    ACCOUNTS_NAME,
    open_accounts,
    open_queue,
    timeline_path,
)
from sekisho.app.wiring import unix_seconds
from sekisho.auth.account import Account, AccountError
from sekisho.auth.lockout import Lockout, LockoutRules
from sekisho.config.schema import Config
from sekisho.config.values import rules
from sekisho.net.unix import user_name
from sekisho.observe.events import Event
from sekisho.observe.timeline import trace
from sekisho.policy.decide import compile_rules
from sekisho.queue.errors import QueueError
from sekisho.queue.store import Queue


def perform(config: Config, do: str, arguments: Arguments) -> Any:  # noqa: ANN401 - JSON
    """Do an operation, wherever it can be done.

    Raises:
        Refusal: It cannot be done.

    """
    try:
        return ask(config.data_dir, do, arguments)
    except NotRunning:
        pass
    operator = user_name(os.geteuid())
    try:
        return asyncio.run(_by_itself(config, do, {**arguments, "operator": operator}))
    except (QueueError, AccountError) as error:
        raise Refusal(str(error), error.hint) from error


async def _by_itself(config: Config, do: str, arguments: Arguments) -> Any:  # noqa: ANN401
    with ExitStack() as closing:
        desk = Desk(
            open_queue=cache(lambda: _queue(config, closing)),
            open_accounts=cache(lambda: open_accounts(config, unix_seconds, closing)),
            policy=compile_rules(rules(config)),
            lockout=Lockout(LockoutRules(), table=stored_failures(config, closing)),
            emit=_write_nothing_down,
            trace=lambda about, limit: asyncio.to_thread(
                trace, timeline_path(config), about, limit
            ),
            clock=unix_seconds,
            is_running=False,
        )
        return await operate(desk, do, arguments)


def _queue(config: Config, closing: ExitStack) -> Queue:
    queue = open_queue(config)
    closing.callback(queue.close_now)
    return queue


def _write_nothing_down(event: Event) -> None:
    """There is no service whose log it could be in."""
    del event


def known_accounts(config: Config) -> tuple[Sequence[Account], list[str]]:
    """The local accounts, where they can be read; and what could not be, in words."""
    if not (config.data_dir / ACCOUNTS_NAME).exists():
        return (), [f"there are no accounts in {config.data_dir}"]
    with ExitStack() as closing:
        try:
            return open_accounts(config, unix_seconds, closing).list(), []
        except (AccountError, OSError) as error:
            return (), [f"the accounts: {error}"]
