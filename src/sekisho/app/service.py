"""``sekisho serve``: the supervisor as a process, from its file to its exit.

In this order: the configuration is read; the data folder is locked; the ports are
bound; whatever root can do is given up; certificate, accounts and the proof that it is
closed are looked at as the user who serves; the workers start; ``service.ready`` is
logged when all of them serve every listener.
"""

import asyncio
import os
import secrets
import signal
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry

from sekisho.app.activation import given_sockets
from sekisho.app.bulletin import Bulletin
from sekisho.app.certificate import client_files
from sekisho.app.checked import check, read_config
from sekisho.app.control import Arguments, ControlServer, Refusal
from sekisho.app.loops import loop_factory
from sekisho.app.notify import Notify
from sekisho.app.orders import Settings
from sekisho.app.ports import Ports
from sekisho.app.privileges import (
    Owner,
    become,
    give_up_capabilities,
    owner_of,
    prepare,
)
from sekisho.app.reload import Reloader
from sekisho.app.renewal import CertificateWatch
from sekisho.app.self_audit import AUDIT, Hands, SelfAudit
from sekisho.app.storage import own_service
from sekisho.app.supervisor import Supervisor, workers_of
from sekisho.config.schema import Config
from sekisho.net.tls import ServerTls
from sekisho.observe.metrics_server import MetricsServer
from sekisho.queue.errors import QueueError

RELOAD = "reload"


def serve(path: Path) -> int:
    """Run the service until it is told to stop.

    Returns:
        The exit code.

    Raises:
        ConfigErrors: The configuration is wrong.
        Refusal: It cannot be served: it is not closed, a port is taken, the data
            folder is somebody else's.

    """
    config = read_config(path)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_serve(path, config))


async def _serve(path: Path, config: Config) -> int:
    notify = Notify(os.environ, os.getpid())
    log_lock = os.memfd_create("sekisho-log", os.MFD_CLOEXEC)
    async with AsyncExitStack() as closing:
        closing.callback(os.close, log_lock)
        ports, warnings = _open(config, closing)
        settings = check(config)
        bulletin = Bulletin(config, log_lock)
        for about, detail, hint in warnings:
            bulletin.alarm(about, detail, hint)
            bulletin.settled(about)  # Told once: a health check is not to end it.
        supervisor = Supervisor(settings, ports, bulletin, notify, log_lock)
        tasks = _Tasks(closing)
        audit = SelfAudit(
            Hands(
                settings=lambda: supervisor.settings,
                tell=supervisor.tell,
                addresses=ports.addresses,
                randomness=secrets.randbits,
            ),
            bulletin,
        )
        reloader = Reloader(
            path,
            supervisor,
            ports,
            bulletin,
            notify,
            lambda: tasks.begin(audit.by_itself()),
        )
        _listen_to_signals(supervisor, reloader, tasks)
        await _serve_control(config, _Operations(supervisor, reloader, audit), closing)
        await _serve_metrics(config, supervisor, closing)
        await supervisor.start()
        tasks.begin(audit.by_itself())
        _watch_certificate(settings, reloader, bulletin, tasks)
        return await supervisor.run()


def _open(
    config: Config, closing: AsyncExitStack
) -> tuple[Ports, list[tuple[str, str, str]]]:
    """Lock the folder, bind the ports, give up what is not needed any more."""
    owner = owner_of(config)
    prepare(config.data_dir, owner)
    try:
        own_service(config.data_dir, closing, owner.uid if owner else -1)
        given = given_sockets(os.environ, os.getpid())
    except QueueError as error:
        raise Refusal(str(error), error.hint) from error
    except ValueError as error:
        raise Refusal(f"LISTEN_FDS: {error}") from error
    ports = Ports(workers_of(config), given)
    closing.callback(ports.close)
    ports.take(ports.bind(config))
    if left := ports.given_to_nobody():
        sentence = f"the service manager gave sockets of no listener: {', '.join(left)}"
        hint = "FileDescriptorName= is the listener's name, or the address must match"
        raise Refusal(sentence, hint)
    return ports, _become(config, owner)


def _become(config: Config, owner: Owner | None) -> list[tuple[str, str, str]]:
    if owner is not None:
        try:
            become(owner)
        except OSError as error:
            sentence = f"user: cannot become {owner.name}: {error.strerror}"
            raise Refusal(sentence, "the service must be started as root") from error
        return []
    if os.geteuid() != 0:
        return []
    how = "without capabilities" if give_up_capabilities() else "with all it can do"
    detail = f"the service runs as user id 0, {how}"
    hint = (
        f"set user, and: chown -R USER {config.data_dir}; see: sekisho check --as USER"
    )
    return [("user", detail, hint)]


class _Tasks:
    """Tasks that end with the service."""

    def __init__(self, closing: AsyncExitStack) -> None:
        self._running: set[asyncio.Task[Any]] = set()
        closing.callback(self._cancel)

    def begin(self, work: Coroutine[Any, Any, Any]) -> None:
        """Begin one."""
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def _cancel(self) -> None:
        for task in list(self._running):
            task.cancel()


def _listen_to_signals(
    supervisor: Supervisor, reloader: Reloader, tasks: _Tasks
) -> None:
    """Drain on SIGTERM and SIGINT, from before the service says it is ready."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.stop, number)

    async def reload() -> object:
        try:
            return await reloader.reload()
        except Refusal:
            return None  # An alarm has told of it.

    loop.add_signal_handler(signal.SIGHUP, lambda: tasks.begin(reload()))


@dataclass(frozen=True, slots=True)
class _Operations:
    """What operators ask, and who does it."""

    supervisor: Supervisor
    reloader: Reloader
    audit: SelfAudit

    async def handle(self, do: str, arguments: Arguments) -> object:
        """Do it."""
        if do == RELOAD:
            return {"needs_restart": await self.reloader.reload()}
        if do == AUDIT:
            return msgspec.to_builtins(await self.audit.run())
        return await self.supervisor.operate(do, arguments)


async def _serve_control(
    config: Config, operations: _Operations, closing: AsyncExitStack
) -> None:
    control = ControlServer(config.data_dir, operations.handle)
    await control.start()
    closing.push_async_callback(control.stop)


async def _serve_metrics(
    config: Config, supervisor: Supervisor, closing: AsyncExitStack
) -> None:
    address = config.observe.metrics
    if address is None:
        return
    registry = CollectorRegistry()
    registry.register(supervisor.sums)
    server = MetricsServer(registry, supervisor.gather)
    try:
        await server.start(str(address.host), address.port)
    except OSError as error:
        sentence = f"[observe] metrics: {address}: {error.strerror}"
        raise Refusal(sentence, "is another service there?") from error
    closing.push_async_callback(server.stop)


def _watch_certificate(
    settings: Settings, reloader: Reloader, bulletin: Bulletin, tasks: _Tasks
) -> None:
    if settings.config.tls is None:
        return

    def renewed(tls: ServerTls) -> None:
        del tls
        tasks.begin(reloader.renew())

    watch = CertificateWatch(
        settings.config.tls,
        renewed,
        bulletin.alarm,
        also=client_files(settings.config.listeners),
    )
    tasks.begin(watch.run())
