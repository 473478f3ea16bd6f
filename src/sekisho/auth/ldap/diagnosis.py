"""How a directory answers, step by step: for ``sekisho auth test``."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Protocol

from sekisho.auth.authenticator import (
    AuthUnavailableError,
    DiagnosisStep,
    bad,
    good,
)
from sekisho.auth.ldap.connection import Connection, why
from sekisho.auth.ldap.directory import Directory
from sekisho.auth.ldap.entries import DirectoryAccount
from sekisho.auth.ldap.names import login_of
from sekisho.auth.ldap.options import Server
from sekisho.model.identity import (
    ChainAnswer,
    Identity,
    NotMine,
    Rejected,
    Unavailable,
)

_Told = DiagnosisStep | Identity | ChainAnswer


class Verifier(Protocol):
    """The authenticator whose directory it is."""

    async def verify_password(self, account: str, password: str) -> ChainAnswer:
        """Verify as for a client."""
        ...

    def identity(self, seen: DirectoryAccount) -> Identity:
        """An account as an identity."""
        ...


async def diagnose(
    directory: Directory, verifier: Verifier, account: str, password: str | None
) -> AsyncIterator[_Told]:
    """Ask step by step, and end with an answer or, without a password, an identity."""
    steps: list[DiagnosisStep] = []
    for server in directory.options.servers:
        async for step in _reach(directory, server):
            yield step
            steps.append(step)
        if steps[-1].is_good:
            break
    else:
        yield Unavailable("no server could be used")
        return
    async for told in _ask(directory, verifier, account, password):
        yield told


async def _ask(
    directory: Directory, verifier: Verifier, account: str, password: str | None
) -> AsyncIterator[_Told]:
    """Ask a directory that can be reached."""
    told: _Told | None = None
    if not directory.options.user_dn:
        async for told in _look_up(directory, verifier, account):
            yield told
    if told is not None and not isinstance(told, Identity):
        return
    if password is not None:
        async for told in _bind(directory, verifier, account, password):
            yield told
    elif told is None:
        yield Unavailable("without its password the account cannot be looked at")


async def _reach(directory: Directory, server: Server) -> AsyncIterator[DiagnosisStep]:
    seconds = directory.options.attempt_seconds
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds):
            found = await loop.getaddrinfo(
                server.host, server.port, type=socket.SOCK_STREAM
            )
        addresses = ", ".join(dict.fromkeys(str(one[4][0]) for one in found))
        yield good("resolved", f"{server.host}: {addresses}")
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(server.host, server.port)
        writer.close()
        yield good("connected", str(server))
    except TimeoutError:
        yield bad("connected", f"{server}: it does not answer in time")
        return
    except OSError as error:
        is_name = isinstance(error, socket.gaierror)
        what = "resolved" if is_name else "connected"
        yield bad(what, f"{server}: {why(error)}")
        return
    async for step in _protect(directory, server):
        yield step


async def _protect(
    directory: Directory, server: Server
) -> AsyncIterator[DiagnosisStep]:
    opened = await _opened(directory, server, ours=False)
    if isinstance(opened, str):
        yield bad("TLS", opened)
        return
    protection = opened.protection
    opened.close()
    told = protection or "none: the connection is in clear"
    yield good("TLS", told)
    bind_dn = directory.options.bind_dn
    opened = await _opened(directory, server, ours=True)
    if isinstance(opened, str):
        yield bad("bound", opened)
        return
    opened.close()
    yield good("bound", bind_dn or "as nobody (no bind_dn)")


async def _opened(
    directory: Directory, server: Server, *, ours: bool
) -> Connection | str:
    """A connection, or why there is none."""
    open_ = directory.open_for_us if ours else directory.open
    try:
        async with asyncio.timeout(directory.options.attempt_seconds):
            return await open_(server)
    except TimeoutError:
        return f"{server}: it does not answer in time"
    except AuthUnavailableError as error:
        return str(error)


async def _look_up(
    directory: Directory, verifier: Verifier, account: str
) -> AsyncIterator[_Told]:
    try:
        entries = await directory.find(account)
        if len(entries) != 1:
            found = f"{len(entries) or 'no'} entries below {directory.options.base}"
            yield bad("found", found)
            yield Rejected("several entries", account) if entries else NotMine()
            return
        yield good("found", entries[0].dn)
        seen = await directory.look(entries[0].dn, account)
    except AuthUnavailableError as error:
        yield bad("found", str(error))
        yield Unavailable(str(error))
        return
    if seen is None:
        named = directory.options.account_attribute
        yield bad("named", f"it needs exactly one {named}")
        yield Rejected("its entry has no name", account)
        return
    yield bad("enabled", seen.refusal) if seen.refusal else good("enabled", "yes")
    yield verifier.identity(seen)
    if seen.refusal:
        yield Rejected(seen.refusal, account)


async def _bind(
    directory: Directory, verifier: Verifier, account: str, password: str
) -> AsyncIterator[_Told]:
    template = directory.options.user_dn
    if template:
        login = login_of(template, account)
        if not login:
            yield bad("signed in", f"cannot be put into {template}")
            yield Rejected("it can be no account of this directory", account)
            return
    try:
        answer = await verifier.verify_password(account, password)
    except AuthUnavailableError as error:
        answer = Unavailable(str(error))
    match answer:
        case Rejected(reason) | Unavailable(reason):
            yield bad("signed in", reason)
        case NotMine():
            yield bad("signed in", "there is no such account")
        case _:
            yield good("signed in", "the password is right")
    yield answer
