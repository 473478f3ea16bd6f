"""An operation on a service that is stopped: a command opens the files itself.

It takes the lock of each queue, so that no service starts meanwhile, and does what the
workers would do.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path
from typing import Any

from sekisho.app.clock import unix_seconds
from sekisho.app.control import Answer, Arguments, Refusal
from sekisho.app.merge import merged, row
from sekisho.app.operations import Desk, operate
from sekisho.app.sharing import stored_failures, stored_quotas
from sekisho.app.storage import (
    ACCOUNTS_NAME,
    open_accounts,
    open_queue_folder,
    queue_folders,
    timeline_paths,
)
from sekisho.app.wiring import lockout_rules, schedule
from sekisho.auth.account import Account, AccountError
from sekisho.auth.lockout import Lockout
from sekisho.config.schema import Config
from sekisho.config.values import rules
from sekisho.net.unix import user_name
from sekisho.observe.events import Event
from sekisho.observe.timeline import trace
from sekisho.policy.decide import compile_rules
from sekisho.queue.errors import QueueError
from sekisho.queue.store import Queue


def by_itself(config: Config, do: str, arguments: Arguments) -> Any:  # noqa: ANN401 - JSON
    """Do an operation, nobody being there who could be asked.

    Raises:
        Refusal: It cannot be done.

    """
    operator = user_name(os.geteuid())
    try:
        return asyncio.run(_on_all(config, do, {**arguments, "operator": operator}))
    except (QueueError, AccountError) as error:
        raise Refusal(str(error), error.hint) from error


async def _on_all(config: Config, do: str, arguments: Arguments) -> Any:  # noqa: ANN401
    """Do it on every queue folder that is there, as all workers would."""
    merge = row(do)
    with ExitStack() as closing:
        accounts = cache(lambda: open_accounts(config, unix_seconds, closing))
        folders = queue_folders(config.data_dir)[: 1 if merge.one else None]
        answers: list[Answer] = []
        for number, folder in enumerate(folders):
            desk = Desk(
                open_queue=cache(partial(_queue, config, folder, closing)),
                open_accounts=accounts,
                policy=compile_rules(rules(config)),
                lockout=Lockout(
                    lockout_rules(config), table=stored_failures(config, closing)
                ),
                quotas=stored_quotas(config, closing),
                emit=_write_nothing_down,
                trace=partial(_trace, config) if not number else _nothing,
                clock=unix_seconds,
                is_running=False,
                schedule=schedule(config, carriers=1),
                number=number,
            )
            answers.append(await _answer(desk, do, arguments))
        return merged(do, arguments, answers)


async def _answer(desk: Desk, do: str, arguments: Arguments) -> Answer:
    try:
        return Answer(ok=await operate(desk, do, arguments))
    except Refusal as refusal:
        return Answer(error=refusal.sentence, hint=refusal.hint)


async def _trace(config: Config, about: str, limit: int) -> list[dict[str, Any]]:
    paths = timeline_paths(config.data_dir)
    found = [await asyncio.to_thread(trace, one, about, limit) for one in paths]
    return [event for events in found for event in events]


async def _nothing(about: str, limit: int) -> list[dict[str, Any]]:
    """The first has read them all."""
    del about, limit
    return []


def _queue(config: Config, folder: Path, closing: ExitStack) -> Queue:
    queue = open_queue_folder(config, folder)
    closing.callback(queue.close_now)
    if queue.salvaged is not None:
        # The next start finds a sound file: nobody else would tell of it.
        detail, hint = queue.salvaged.told()
        sys.stderr.write(f"sekisho: damaged queue file: {detail}\n  hint: {hint}\n")
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
