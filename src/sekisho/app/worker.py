"""A worker's life: start, serve, drain, stop.

Order of starting: the proof that the configuration is closed, the data folder and its
locks, the certificate, the ports; ``service.ready`` is logged when every port is bound.
Order of stopping: ports closed, sessions told, running deliveries ended within their
bound, what the queue was given written, files closed (the exit stack, backwards).
"""

import asyncio
import errno
import gc
import os
import signal
import socket
from contextlib import AsyncExitStack, suppress
from importlib.metadata import version
from typing import Any

from sekisho.app.control import Arguments, ControlServer, Refusal
from sekisho.app.descriptors import fit_to_descriptors
from sekisho.app.hostfacts import look_at_host
from sekisho.app.operations import Desk, operate
from sekisho.app.proof import policy_of, prove_policy, refuse_unless_closed
from sekisho.app.renewal import CERTIFICATE, CertificateWatch
from sekisho.app.sharing import Sharing
from sekisho.app.storage import open_accounts, open_queue, timeline_path
from sekisho.app.submission import bind_submission, submit_socket
from sekisho.app.watch import Watch
from sekisho.app.wiring import (
    Papers,
    callout,
    courier,
    gatekeeper,
    listener_context,
    new_id,
    report_maker,
    scheduler,
    submission_context,
    unix_seconds,
)
from sekisho.config.fields import SocketAddress
from sekisho.config.schema import Config
from sekisho.config.values import service_limits
from sekisho.net.tls import ServerTls, load_server_tls
from sekisho.observe.events import ServiceReady, ServiceStopped, ServiceStopping
from sekisho.observe.timeline import trace
from sekisho.scheduler.scheduler import Scheduler
from sekisho.server.listeners import Listeners, bind
from sekisho.server.services import ListenerContext, Services

DRAIN_SECONDS = 20.0
EXIT_FAILED = 1
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
GC_THRESHOLD = 50_000
"""Allocations between two collections: what a session makes dies by reference count,
and the default of 700 walks all sessions again and again for nothing."""


class Worker:
    """Everything that runs in one process."""

    def __init__(
        self,
        services: Services,
        listeners: Listeners,
        carrier: Scheduler,
        watch: Watch,
    ) -> None:
        self._services = services
        self._listeners = listeners
        self._scheduler = carrier
        self._watch = watch
        self._stop = asyncio.Event()
        self._reason = ""
        self._exit_code = 0

    @classmethod
    async def start(cls, config: Config, closing: AsyncExitStack) -> "Worker":
        """Build all parts, bind the ports, take up old mail.

        Raises:
            Refusal: It cannot be served.
            QueueError: The queue cannot be used.
            AccountError: The accounts cannot be used.
            TlsFilesError: Certificate or key cannot be used.

        """
        seen = look_at_host()
        policy = policy_of(config, seen)
        accounts = open_accounts(config, unix_seconds, closing)
        proof = prove_policy(policy, accounts.list(), seen, unix_seconds())
        refuse_unless_closed(proof)
        tls = _tls(config)
        queue = open_queue(config)
        closing.push_async_callback(queue.close)
        watch = await Watch.start(config, queue, closing)
        sharing = Sharing.open(config, closing, watch, workers=1)
        papers = Papers(gatekeeper(config, accounts, seen, closing, sharing.table))
        closing.push_async_callback(papers.gatekeeper.save_successes)
        way = courier(config, queue.bodies)
        asked = callout(config, way)
        closing.push_async_callback(asked.close)
        reporter = report_maker(config, queue.bodies)
        report = reporter.report
        carrier = scheduler(config, queue, way, report, watch.emit, sharing)
        services = Services(
            policy=policy,
            gatekeeper=papers.gatekeeper,
            is_current=papers.is_current,
            queue=queue,
            callout=asked,
            emit=watch.emit,
            accepted=carrier.accept,
            new_id=new_id,
            clock=unix_seconds,
            limits=fit_to_descriptors(service_limits(config), watch.alarm),
            clients=sharing.clients,
            quotas=sharing.quotas,
            tls=tls,
            shows_user=config.trace.received_shows_user,
        )
        listeners = Listeners(services, f"{os.getpid():x}-")
        worker = cls(services, listeners, carrier, watch)
        worker.listen_to_signals()
        if config.tls is not None:
            renewal = CertificateWatch(config.tls, worker.take_tls, watch.alarm)
            renewing = asyncio.ensure_future(renewal.run())
            closing.callback(renewing.cancel)
        queue.start(asyncio.get_running_loop(), worker.fail)
        desk = Desk(
            open_queue=lambda: queue,
            open_accounts=lambda: accounts,
            policy=policy,
            lockout=papers.gatekeeper.lockout,
            emit=watch.emit,
            trace=lambda about, limit: _trace(config, watch, about, limit),
            clock=unix_seconds,
            is_running=True,
            alarms=watch.alarms,
            destinations=carrier.destinations,
        )
        await _control(config, desk, closing)
        await worker.open(config)
        return worker

    async def open(self, config: Config) -> None:
        """Bind every port, then serve on them, then say so.

        Raises:
            Refusal: A port cannot be bound.

        """
        bound: list[tuple[ListenerContext, list[socket.socket]]] = [
            (listener_context(config, one), _bind_all(one.name, one.bind))
            for one in config.listeners
        ]
        bound.append((submission_context(config), [_bind_submission(config)]))
        ready: dict[str, list[str]] = {}
        for listener, sockets in bound:
            await self._listeners.open(listener, sockets)
            ready[listener.name] = [_spelled(one) for one in sockets]
        self._watch.emit(ServiceReady(ready, os.getpid(), version("sekisho")))
        self._watch.flush()

    async def run(self) -> int:
        """Serve until a signal or a failure, then drain.

        Returns:
            The exit code.

        """
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)
        carrying = asyncio.ensure_future(self._scheduler.run())
        carrying.add_done_callback(self._carrying_ended)
        await self._stop.wait()
        emit = self._watch.emit
        emit(ServiceStopping(self._reason))
        self._services.draining = True
        await self._listeners.close(DRAIN_SECONDS)
        await self._scheduler.stop(DRAIN_SECONDS)
        with suppress(Exception):
            await carrying
        emit(ServiceStopped(self._reason))
        return self._exit_code

    def listen_to_signals(self) -> None:
        """Drain on SIGTERM and SIGINT, from before the service says it is ready."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop, number)

    def take_tls(self, tls: ServerTls) -> None:
        """Use a renewed certificate from the next handshake on."""
        self._services.tls = tls
        self._watch.settled(CERTIFICATE)

    def fail(self, sentence: str) -> None:
        """End the worker: the disk failed, and nobody may be told 250 any more."""
        self._watch.alarm("storage", sentence, "look at the disk, then start again")
        self._exit_code = EXIT_FAILED
        self._ask_to_stop(sentence)

    def _carrying_ended(self, task: asyncio.Task[None]) -> None:
        if self._stop.is_set() or task.cancelled():
            return
        error = task.exception()
        self._watch.alarm("scheduler", f"the scheduler ended: {error!r}", "")
        self._exit_code = EXIT_FAILED
        self._ask_to_stop("the scheduler ended")

    def _told_to_stop(self, number: signal.Signals) -> None:
        if self._stop.is_set() and number is signal.SIGINT:
            os._exit(EXIT_FAILED)  # Ctrl-C twice: whoever is there means it.
        self._ask_to_stop(number.name)

    def _ask_to_stop(self, reason: str) -> None:
        self._reason = self._reason or reason
        self._stop.set()


def _tls(config: Config) -> ServerTls | None:
    if config.tls is None:
        return None
    return load_server_tls(config.tls.certificate, config.tls.key)


async def _control(config: Config, desk: Desk, closing: AsyncExitStack) -> None:
    async def handle(do: str, arguments: Arguments) -> object:
        return await operate(desk, do, arguments)

    control = ControlServer(config.data_dir, handle)
    await control.start()
    closing.push_async_callback(control.stop)


async def _trace(
    config: Config, watch: Watch, about: str, limit: int
) -> list[dict[str, Any]]:
    await asyncio.to_thread(watch.flush_timeline)
    return await asyncio.to_thread(trace, timeline_path(config), about, limit)


def _bind_all(name: str, addresses: tuple[SocketAddress, ...]) -> list[socket.socket]:
    bound: list[socket.socket] = []
    for address in addresses:
        try:
            bound.append(bind(str(address.host), address.port))
        except OSError as error:
            if error.errno in _NO_IPV6 and address.host.is_unspecified and bound:
                continue  # This machine has no IPv6, and IPv4 is served.
            sentence = f"listener {name!r}: {address}: {error.strerror}"
            hint = "is another service there? ports below 1024 need a privilege"
            raise Refusal(sentence, hint) from error
    return bound


def _bind_submission(config: Config) -> socket.socket:
    path = submit_socket(config)
    try:
        return bind_submission(path)
    except OSError as error:
        sentence = f"[sendmail] socket: {path}: {error.strerror}"
        raise Refusal(sentence, "its folder must be there, and ours") from error


def _spelled(bound: socket.socket) -> str:
    if bound.family == socket.AF_UNIX:
        return str(bound.getsockname())
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
