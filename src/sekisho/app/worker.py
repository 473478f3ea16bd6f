"""A worker's life: start, serve, change, drain, stop.

A worker is a whole relay. Its supervisor (`sekisho.app.supervisor`) has read and
checked the configuration, bound the ports and opened the certificate; it tells the
worker what to do over a channel (`sekisho.app.worker_process`).

Order of stopping: ports closed, sessions told, running deliveries ended within their
bound, what the queue was given written, files closed (the exit stack, backwards).
"""

import asyncio
import gc
import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import fields
from typing import Any

from sekisho.app.authenticators import doors
from sekisho.app.certificate import load_pair
from sekisho.app.clock import unix_seconds
from sekisho.app.control import Answer, Arguments, Refusal
from sekisho.app.descriptors import fit_to_descriptors
from sekisho.app.guessing import watch_guessing
from sekisho.app.hostfacts import look_at_host
from sekisho.app.inside import INSIDE
from sekisho.app.leftovers import take_over
from sekisho.app.live import Outward, Roads
from sekisho.app.memory import give_back_at_times
from sekisho.app.operations import Desk, operate
from sekisho.app.orders import DRAIN_SECONDS, EXIT_FAILED, Opened, Settings
from sekisho.app.proof import policy_of
from sekisho.app.sharing import Sharing
from sekisho.app.storage import (
    open_accounts,
    open_queue,
    timeline_path,
    timeline_paths,
    wait_for_queue,
)
from sekisho.app.unheard import Unheard
from sekisho.app.watch import Place, Watch
from sekisho.app.wiring import (
    Papers,
    gatekeeper,
    listener_context,
    new_id,
    roster,
    schedule,
    submission_context,
)
from sekisho.auth.slowdown import Strain
from sekisho.config.schema import Config
from sekisho.config.values import service_limits
from sekisho.model.rules import IPAddress
from sekisho.net.tls import ServerTls
from sekisho.observe.events import Event
from sekisho.observe.timeline import trace
from sekisho.scheduler.options import Surroundings
from sekisho.scheduler.scheduler import Scheduler
from sekisho.server.listeners import Listeners
from sekisho.server.services import ListenerContext, Services

GC_THRESHOLD = 50_000
"""Allocations between two collections: what a session makes dies by reference count,
and the default of 700 walks all sessions again and again for nothing."""


class Worker:
    """Everything that runs in one process.

    Attributes:
        emit: Writes an event down.

    """

    def __init__(self, config: Config, place: Place, closing: AsyncExitStack) -> None:
        """Use `start`."""
        self._config = config
        self._place = place
        self._closing = closing
        self._stop = asyncio.Event()
        self._exit_code = 0
        self._contexts: dict[str, ListenerContext] = {}

    @classmethod
    async def start(
        cls, settings: Settings, place: Place, prefix: str, closing: AsyncExitStack
    ) -> "Worker":
        """Build all parts and take up old mail; nothing is served yet.

        Args:
            settings: What to go by.
            place: Which worker this is.
            prefix: Of the names of its sessions.
            closing: Closes all parts.

        Raises:
            Refusal: It cannot be served.
            QueueError: The queue cannot be used.
            AccountError: The accounts cannot be used.
            TlsFilesError: Certificate or key cannot be used.

        """
        config = settings.config
        worker = cls(config, place, closing)
        await wait_for_queue(config, place.number)
        await worker._build(settings, prefix)
        return worker

    async def _build(self, settings: Settings, prefix: str) -> None:
        config, closing = self._config, self._closing
        seen = look_at_host()
        self._accounts = open_accounts(config, unix_seconds, closing)
        self._roads = Roads(config)
        queue = open_queue(config, self._place.number, self._roads.now)
        closing.push_async_callback(queue.close)
        self._watch = watch = await Watch.start(config, queue, self._place, closing)
        self.emit = watch.emit
        if queue.salvaged is not None:
            watch.alarm("damaged queue file", *queue.salvaged.told())
        self._sharing = Sharing.open(
            config, closing, watch, workers=self._place.workers
        )
        self._roster = roster(config, self._accounts, closing)
        await self._roster.take(config)
        self._papers = Papers(
            gatekeeper(config, self._roster, seen, self._sharing.table)
        )
        closing.push_async_callback(self._save_successes)
        self._outward = Outward(config, queue.bodies, closing)
        self._schedule = schedule(config, self._sharing.carriers)
        self._scheduler = Scheduler(
            queue,
            self._schedule,
            Surroundings(
                courier=self._outward,
                route=self._roads.choose,
                report=self._outward.report,
                copy=self._outward.copy,
                emit=watch.emit,
                clock=unix_seconds,
                neighbours=self._sharing.neighbours,
            ),
        )
        self._services = Services(
            policy=policy_of(config, seen, relaying_closed=settings.relaying_closed),
            gatekeeper=self._papers.gatekeeper,
            is_current=self._papers.is_current,
            queue=queue,
            callout=self._outward,
            emit=watch.emit,
            accepted=self._scheduler.accept,
            new_id=new_id,
            clock=unix_seconds,
            limits=fit_to_descriptors(service_limits(config), watch.alarm),
            clients=self._sharing.clients,
            quotas=self._sharing.quotas,
            tls=_tls(settings),
            shows_user=config.trace.received_shows_user,
        )
        self._unheard = Unheard(watch.emit, self._report_to)
        self._spare(settings.auditors)
        self._listeners = Listeners(self._services, prefix)
        queue.start(asyncio.get_running_loop(), self.fail)
        self._desk = Desk(
            open_queue=lambda: queue,
            open_accounts=lambda: self._accounts,
            policy=self._services.policy,
            lockout=self._papers.gatekeeper.lockout,
            quotas=self._services.quotas,
            emit=watch.emit,
            trace=self._trace,
            clock=unix_seconds,
            is_running=True,
            alarms=watch.alarms,
            destinations=self._scheduler.destinations,
            schedule=self._schedule,
            number=self._place.number,
            registry=watch.metrics.registry,
        )
        closing.callback(self._desk.backup.stop)
        if self._place.number == 0:
            taking = asyncio.ensure_future(
                take_over(config, self._place.workers, queue, watch)
            )
            closing.callback(taking.cancel)
            looking = asyncio.ensure_future(watch_guessing(self._strain, watch.emit))
            closing.callback(looking.cancel)

    async def serve(
        self, opened: Sequence[Opened], sockets: Sequence[socket.socket]
    ) -> None:
        """Serve on sockets that the supervisor has bound."""
        config = self._config
        new = {one.name: listener_context(config, one) for one in config.listeners}
        submission = submission_context(config)
        new[submission.name] = submission
        for name, context in new.items():
            known = self._contexts.setdefault(name, context)
            # Sessions hold on to the object: they see what it says from now on.
            for field in fields(context):
                setattr(known, field.name, getattr(context, field.name))
        for one, bound in zip(opened, sockets, strict=True):
            await self._listeners.open(self._contexts[one.listener], bound, one.number)

    async def change(
        self,
        settings: Settings,
        opened: Sequence[Opened],
        sockets: Sequence[socket.socket],
        closed: Sequence[int],
    ) -> Answer:
        """Go by other settings from now on; sessions stay.

        Raises:
            TlsFilesError: A certificate cannot be used; then nothing has changed.
            Refusal: An authenticator cannot be built; as above.

        """
        tls, config, before = _tls(settings), settings.config, self._config
        asks_others = await self._roster.take(config)
        seen, services = look_at_host(), self._services
        self._config = config
        services.tls = tls
        services.policy = self._desk.policy = policy_of(
            config, seen, relaying_closed=settings.relaying_closed
        )
        services.limits = fit_to_descriptors(service_limits(config), self._watch.alarm)
        services.shows_user = config.trace.received_shows_user
        if asks_others or _papers_of(config) != _papers_of(before):
            await self._save_successes()
            # Exchanges that have begun end with the old one.
            self._papers.gatekeeper = services.gatekeeper = gatekeeper(
                config, self._roster, seen, self._sharing.table
            )
            self._desk.lockout = self._papers.gatekeeper.lockout
        self._spare(settings.auditors)
        self._roads.take(config)
        await self._outward.take(config)
        new = schedule(config, self._sharing.carriers)
        for field in fields(new):
            setattr(self._schedule, field.name, getattr(new, field.name))
        await self.serve(opened, sockets)
        for number in closed:
            self._listeners.shut(number)
        return Answer()

    async def answer(self, do: str, arguments: Arguments) -> Answer:
        """Do an operation."""
        try:
            if do in INSIDE:
                return Answer(ok=await INSIDE[do](self._desk, arguments))
            return Answer(ok=await operate(self._desk, do, arguments))
        except Refusal as refusal:
            return Answer(error=refusal.sentence, hint=refusal.hint)
        except Exception as error:  # noqa: BLE001 - a command must not end the service
            return Answer(error=f"{type(error).__name__}: {error}")

    async def run(self) -> int:
        """Carry mail until told to stop or a failure, then drain.

        Returns:
            The exit code.

        """
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)
        carrying = asyncio.ensure_future(self._scheduler.run())
        carrying.add_done_callback(self._carrying_ended)
        giving_back = asyncio.ensure_future(give_back_at_times())
        await self._stop.wait()
        giving_back.cancel()
        self._services.draining = True
        await self._listeners.close(DRAIN_SECONDS)
        await self._scheduler.stop(DRAIN_SECONDS)
        with suppress(Exception):
            await carrying
        return self._exit_code

    def stop(self) -> None:
        """Drain, and end."""
        self._stop.set()

    def fail(self, sentence: str) -> None:
        """End the worker: the disk failed, and nobody may be told 250 any more."""
        self._watch.alarm("storage", sentence, "look at the disk")
        self._exit_code = EXIT_FAILED
        self._stop.set()

    async def _trace(self, about: str, limit: int) -> list[dict[str, Any]]:
        """Look up this worker's timeline; the first looks up those left over too."""
        await asyncio.to_thread(self._watch.flush_timeline)
        data_dir, place = self._config.data_dir, self._place
        paths = [timeline_path(data_dir, place.number)]
        if place.number == 0:
            paths += timeline_paths(data_dir, least=place.workers)
        found = [await asyncio.to_thread(trace, one, about, limit) for one in paths]
        return [event for events in found for event in events]

    def _spare(self, auditors: frozenset[IPAddress]) -> None:
        """Neither count nor write down what the service's own audit does."""
        self._services.auditors = auditors
        self._papers.gatekeeper.lockout.spare(auditors)
        self._unheard.listen_for(auditors)

    def _report_to(self, emit: Callable[[Event], None]) -> None:
        self._services.emit = emit

    def _strain(self) -> Strain:
        return self._papers.gatekeeper.lockout.strain(unix_seconds())

    async def _save_successes(self) -> None:
        await self._papers.gatekeeper.save_successes()

    def _carrying_ended(self, task: asyncio.Task[None]) -> None:
        if self._stop.is_set() or task.cancelled():
            return
        error = task.exception()
        self._watch.alarm("scheduler", f"the scheduler ended: {error!r}", "")
        self._exit_code = EXIT_FAILED
        self._stop.set()


def _tls(settings: Settings) -> ServerTls | None:
    return load_pair(settings.pair) if settings.pair is not None else None


def _papers_of(config: Config) -> object:
    """What the gatekeeper is made of, besides the authenticators."""
    return config.lockout, doors(config)
