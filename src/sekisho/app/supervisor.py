"""The supervisor: keeps the workers running, and is the one that is spoken to.

It parses no mail. It binds the ports and keeps them (`sekisho.app.ports`), starts the
workers and replaces those that end, hands out the configuration that was good last,
answers operators on ``control.sock`` by asking all workers, and sums their metrics.

A worker that ends is replaced at once; one that ends again and again, ever later. Its
queue file is its replacement's, and so are the connections that wait in its sockets.
"""

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from time import monotonic

import msgspec

from sekisho.app.bulletin import Bulletin
from sekisho.app.clock import unix_seconds
from sekisho.app.control import Answer, Arguments, Refusal
from sekisho.app.inside import ALIVE, METRICS, PAUSE, PAUSES
from sekisho.app.member import Member
from sekisho.app.merge import merged, row
from sekisho.app.notify import Notify
from sekisho.app.orders import DRAIN_SECONDS, EXIT_FAILED, Settings, Start, pack
from sekisho.app.ports import Moved, Ports
from sekisho.app.summing import Family, Sums, taken
from sekisho.config.schema import Config
from sekisho.observe.events import (
    ServiceReady,
    ServiceReloaded,
    ServiceStopped,
    ServiceStopping,
    WorkerEnded,
    WorkerStarted,
)

STOP_SECONDS = 2 * DRAIN_SECONDS + 5.0
"""Workers drain sessions, then deliveries; what is left after that is killed."""

FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
WELL_SECONDS = 60.0
"""Who lived so long did not die of its start, and is replaced at once."""

CHANGE_SECONDS = 30.0
METRICS_SECONDS = 2.0
WATCHDOG_ANSWER_SECONDS = 5.0
_OURS = "supervisor"


class Supervisor:
    """All workers, and what they go by."""

    def __init__(
        self,
        settings: Settings,
        ports: Ports,
        bulletin: Bulletin,
        notify: Notify,
        log_lock: int,
    ) -> None:
        """Prepare; nothing runs yet.

        Args:
            settings: Checked.
            ports: Bound.
            bulletin: Where to write down what happens.
            notify: The service manager.
            log_lock: What writers to the log lock.

        """
        self.workers = workers_of(settings.config)
        self._settings = settings
        self._ports = ports
        self._bulletin = bulletin
        self._notify = notify
        self._log_lock = log_lock
        self._members: dict[int, Member] = {}
        self._keeping: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self._reason = ""
        self._exit_code = 0
        self._began = f"{int(unix_seconds() * 1000):x}"
        self._spawned = 0
        self._sums = Sums()

    @property
    def config(self) -> Config:
        """What holds now."""
        return self._settings.config

    @property
    def settings(self) -> Settings:
        """What workers go by now."""
        return self._settings

    async def start(self) -> None:
        """Start all workers, and say that they serve.

        Raises:
            Refusal: One of them cannot.

        """
        try:
            for number in range(self.workers):
                await self._spawn(number)
            for member in self._members.values():
                await asyncio.shield(member.ready)
        except (Refusal, OSError):
            await self._end_all()
            raise
        await self._share_pauses()
        for member in self._members.values():
            self._keeping.append(asyncio.ensure_future(self._keep(member)))
            self._bulletin.emit(WorkerStarted(member.number, member.pid))
        addresses = self._ports.addresses()
        self._bulletin.emit(ServiceReady(addresses, os.getpid(), version("sekisho")))
        self._notify.ready(self._status())

    async def run(self) -> int:
        """Keep the workers running until told to stop, then drain them.

        Returns:
            The exit code.

        """
        feeding = asyncio.ensure_future(self._feed_watchdog())
        await self._stopping.wait()
        feeding.cancel()
        self._notify.stopping()
        self._bulletin.emit(ServiceStopping(self._reason))
        self._ports.close()
        await self._end_all()
        self._bulletin.emit(ServiceStopped(self._reason))
        return self._exit_code

    def stop(self, number: signal.Signals) -> None:
        """Drain; a second Ctrl-C ends it all at once: whoever is there means it."""
        if self._stopping.is_set() and number is signal.SIGINT:
            for member in self._members.values():
                member.signal(signal.SIGKILL)
            os._exit(EXIT_FAILED)
        self._reason = self._reason or number.name
        self._stopping.set()

    # What operators ask

    async def operate(self, do: str, arguments: Arguments) -> object:
        """Have an operation done, by one worker or by all.

        Raises:
            Refusal: It could not be done.

        """
        asked = self._asked(only_one=row(do).one)
        answers = await asyncio.gather(*(one.ask(do, arguments) for one in asked))
        answer = merged(do, arguments, answers)
        if do == "ping":
            answer["alarms"] = [*self._bulletin.alarms(), *answer["alarms"]]
        return answer

    def _asked(self, *, only_one: bool) -> list[Member]:
        ready = [one for one in self._members.values() if one.is_ready]
        if only_one and ready:
            return ready[:1]
        if len(ready) < self.workers:
            missing = self.workers - len(ready)
            sentence = f"{missing} of {self.workers} workers do not serve"
            raise Refusal(sentence, "they are being replaced; see the log, ask again")
        return ready

    # Metrics

    @property
    def sums(self) -> Sums:
        """The metrics of all processes; `gather` asks for them."""
        return self._sums

    async def gather(self) -> None:
        """Ask all workers for their metrics; who does not answer keeps its last."""
        self._sums.note(_OURS, taken(self._bulletin.metrics.registry))
        asking = [self._gather_from(one) for one in self._members.values()]
        await asyncio.gather(*asking)

    async def _gather_from(self, member: Member) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(METRICS_SECONDS):
                answer = await member.ask(METRICS, {})
            if not answer.error and member.is_ready:
                self._sums.note(str(member.pid), families(answer.ok))

    # Reload

    async def change(self, settings: Settings, moved: Moved, fixed: list[str]) -> None:
        """Have all workers go by other settings.

        Args:
            settings: Checked; what the audit has set stays as it is.
            moved: Ports to open and to close.
            fixed: What has to wait for a restart, in words.

        """
        config, pair = settings.config, settings.pair
        await self._change_all(replace(self._settings, config=config, pair=pair), moved)
        self._ports.take(moved)
        self._bulletin.emit(ServiceReloaded(self._ports.addresses(), fixed))
        self._notify.ready(self._status())

    async def tell(self, settings: Settings) -> None:
        """Have all workers go by settings of the same configuration."""
        await self._change_all(settings, Moved({}, {}))

    async def _change_all(self, settings: Settings, moved: Moved) -> None:
        self._settings = settings
        packed = pack(settings)
        closed = [one.number for one in moved.closed.values()]
        members = list(self._members.values())
        await asyncio.gather(
            *(self._change_one(one, packed, moved, closed) for one in members)
        )

    async def _change_one(
        self, member: Member, packed: bytes, moved: Moved, closed: list[int]
    ) -> None:
        opened, sockets = Ports.part(moved.opened, member.number)
        answer = Answer(error=f"no answer within {CHANGE_SECONDS:.0f} s")
        with suppress(TimeoutError):
            async with asyncio.timeout(CHANGE_SECONDS):
                answer = await member.change(packed, opened, sockets, closed)
        if answer.error and not self._stopping.is_set():
            # Its replacement begins with what holds now.
            about = f"worker {member.number} did not take the configuration"
            self._bulletin.alarm(about, answer.error, "it is replaced")
            member.signal(signal.SIGTERM)

    # Workers

    async def _spawn(self, number: int) -> Member:
        member = await Member.spawn(number, self._log_lock)
        self._members[number] = member
        self._spawned += 1
        opened, sockets = self._ports.of_worker(number)
        prefix = f"{self._began}.{self._spawned:x}-"
        settings = pack(self._settings)
        start = Start(settings, number, self.workers, prefix, opened)
        member.begin(start, sockets)
        return member

    async def _keep(self, member: Member) -> None:
        """Replace a worker whenever it ends."""
        number, delay, about = member.number, 0.0, f"worker {member.number}"
        while True:
            since = monotonic()
            code = await member.ended()
            self._sums.ended(str(member.pid))
            if self._stopping.is_set():
                return
            how = _how(code)
            self._bulletin.emit(WorkerEnded(number, member.pid, how))
            self._bulletin.alarm(about, f"process {member.pid} {how}", "see the log")
            delay = 0.0 if monotonic() - since > WELL_SECONDS else _longer(delay)
            replacement = await self._replace(number, delay)
            if replacement is None:
                return
            member = replacement
            asyncio.get_running_loop().call_later(
                WELL_SECONDS, self._settle, member, about
            )

    async def _replace(self, number: int, delay: float) -> Member | None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)
            if self._stopping.is_set():
                return None
            try:
                member = await self._spawn(number)
            except OSError as error:
                self._bulletin.alarm(f"worker {number}", str(error), "look at memory")
                delay = _longer(delay)
                continue
            member.ready.add_done_callback(partial(self._replaced, member))
            return member

    def _replaced(self, member: Member, ready: "asyncio.Future[None]") -> None:
        if member.is_ready:
            self._bulletin.emit(WorkerStarted(member.number, member.pid))
            self._notify.status(self._status())
        elif (error := ready.exception()) is not None:
            hint = error.hint if isinstance(error, Refusal) else ""
            self._bulletin.alarm(f"worker {member.number}", str(error), hint)

    def _settle(self, member: Member, about: str) -> None:
        if self._members.get(member.number) is member and member.is_ready:
            self._bulletin.settled(about)

    async def _share_pauses(self) -> None:
        """What is paused is paused in every worker, also in one that is new."""
        members = list(self._members.values())
        told = await asyncio.gather(*(one.ask(PAUSES, {}) for one in members))
        each = [msgspec.convert(one.ok or {}, dict[str, float]) for one in told]
        paused = {name: at for one in each for name, at in one.items()}
        if paused and len(members) > 1:
            asked = (one.ask(PAUSE, {"paused": paused}) for one in members)
            await asyncio.gather(*asked)

    async def _end_all(self) -> None:
        """Drain all workers; kill what is left after `STOP_SECONDS`."""
        members = [one for one in self._members.values() if one.is_running]
        for member in members:
            member.stop(self._reason)
        ending = [asyncio.ensure_future(one.ended()) for one in members]
        if not ending:
            return
        _, late = await asyncio.wait(ending, timeout=STOP_SECONDS)
        if late:
            self._exit_code = EXIT_FAILED
            for member in members:
                member.signal(signal.SIGKILL)
        codes = await asyncio.gather(*ending)
        self._exit_code = self._exit_code or (EXIT_FAILED if any(codes) else 0)

    # The service manager

    async def _feed_watchdog(self) -> None:
        seconds = self._notify.watchdog_seconds
        while seconds:
            with suppress(TimeoutError, Refusal):
                async with asyncio.timeout(WATCHDOG_ANSWER_SECONDS):
                    asked = self._asked(only_one=False)
                    await asyncio.gather(*(one.ask(ALIVE, {}) for one in asked))
                self._notify.alive()
            await asyncio.sleep(seconds)

    def _status(self) -> str:
        serving = sum(one.is_ready for one in self._members.values())
        return f"{serving} of {self.workers} workers serve"


def workers_of(config: Config) -> int:
    """How many workers there are to be."""
    return config.workers or len(os.sched_getaffinity(0))


def families(told: object) -> list[Family]:
    """Read what a worker told of its metrics."""
    return msgspec.convert(told, list[Family])


def _longer(delay: float) -> float:
    return min(max(2 * delay, FIRST_DELAY_SECONDS), LONGEST_DELAY_SECONDS)


def _how(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
