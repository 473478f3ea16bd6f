"""The authenticators of a worker, kept while their tables stay as they are.

An authenticator holds what its clients' sessions rest on: who was seen a moment ago,
the lives of tokens and tickets, and besides connections, keys and threads. So another
configuration leaves each as it is whose table, and whatever that rests on, is the same.

One that changed or went is in no chain any more, so no session of its clients is
current. It is closed `LINGER_SECONDS` later: exchanges that began with it end with it.
See ``docs/decisions/0022-authenticators-outlive-a-reload.md``.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import cast

from sekisho.app.authenticators import Workshop, build
from sekisho.auth.accounts import AccountStore
from sekisho.auth.authenticator import Authenticator
from sekisho.auth.hashing import HashingPool
from sekisho.auth.members import Register
from sekisho.config.authenticators import Authenticator as AuthenticatorTable
from sekisho.config.authenticators import Local
from sekisho.config.kerberos import Kerberos, Winbind
from sekisho.config.ldap import Ldap
from sekisho.config.schema import Config

LINGER_SECONDS = 5.0
"""As long as the longest question to a provider takes; what takes longer is 454."""


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """One authenticator, what it was made of, and what closes it."""

    made_of: tuple[object, ...]
    authenticator: Authenticator
    closing: AsyncExitStack


class Roster:
    """Builds authenticators, keeps them, and closes them.

    Args:
        accounts: The local accounts.
        hashing: Threads for what must not hold the loop up.
        clock: Unix seconds.

    """

    def __init__(
        self, accounts: AccountStore, hashing: HashingPool, clock: Callable[[], float]
    ) -> None:
        self.accounts = accounts
        self.hashing = hashing
        self.authenticators: tuple[Authenticator, ...] = ()
        """In the configuration's order."""
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._leaving: dict[_Entry, asyncio.Task[None]] = {}

    async def take(self, config: Config) -> bool:
        """Go by a configuration; local accounts where it has no authenticators.

        Returns:
            Whether any other is asked now, or in another order.

        Raises:
            Refusal: One cannot be built; then nothing has changed.
            AccountError: A listed account cannot be one; as above.
            TlsFilesError: An authority's file cannot be used; as above.

        """
        tables = config.authenticators or (Local(kind="local"),)
        async with AsyncExitStack() as undoing:
            entries = await self._drawn_up(tables, config, undoing)
            undoing.pop_all()
        self._dismiss(set(self._entries.values()) - set(entries.values()))
        self._entries = entries
        before = self.authenticators
        self.authenticators = tuple(entries[one.name].authenticator for one in tables)
        return list(map(id, before)) != list(map(id, self.authenticators))

    async def close(self) -> None:
        """Close all of them."""
        leaving, self._leaving = self._leaving, {}
        for task in leaving.values():
            task.cancel()
        await asyncio.gather(*leaving.values(), return_exceptions=True)
        # Again where it was under way: a stack that is empty closes nothing.
        for entry in (*leaving, *self._entries.values()):
            await entry.closing.aclose()

    async def _drawn_up(
        self,
        tables: Iterable[AuthenticatorTable],
        config: Config,
        undoing: AsyncExitStack,
    ) -> dict[str, _Entry]:
        entries: dict[str, _Entry] = {}
        registers: dict[str, Register] = {}
        # Directories first: others may rest on them.
        for table in sorted(tables, key=lambda one: not isinstance(one, Ldap)):
            made_of = _made_of(table, config, registers)
            entry = self._entries.get(table.name)
            if entry is None or entry.made_of != made_of:
                entry = await self._built(table, config, registers, made_of)
                undoing.push_async_callback(entry.closing.aclose)
            entries[table.name] = entry
            if isinstance(table, Ldap):
                registers[table.name] = cast("Register", entry.authenticator)
        return entries

    async def _built(
        self,
        table: AuthenticatorTable,
        config: Config,
        registers: Mapping[str, Register],
        made_of: tuple[object, ...],
    ) -> _Entry:
        async with AsyncExitStack() as opened:
            given = Workshop(
                config, self.accounts, self.hashing, self._clock, opened, registers
            )
            authenticator = build(table, given)
            return _Entry(made_of, authenticator, opened.pop_all())

    def _dismiss(self, entries: Iterable[_Entry]) -> None:
        for entry in entries:
            self._leaving[entry] = asyncio.ensure_future(self._see_out(entry))

    async def _see_out(self, entry: _Entry) -> None:
        await asyncio.sleep(LINGER_SECONDS)
        with suppress(Exception):  # That it closes badly is nobody's loss any more.
            await entry.closing.aclose()
        self._leaving.pop(entry, None)


def _made_of(
    table: AuthenticatorTable, config: Config, registers: Mapping[str, Register]
) -> tuple[object, ...]:
    """All of a configuration, and of other authenticators, that one is made of."""
    match table:
        case Kerberos(directory=directory):
            return table, config.hostname, _register(directory, registers)
        case Winbind(directory=directory):
            return table, _register(directory, registers)
        case _:
            return (table,)


def _register(
    directory: str | None, registers: Mapping[str, Register]
) -> Register | None:
    return None if directory is None else registers[directory]
