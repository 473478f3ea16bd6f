"""Many hosts at once, each at its own pace, and nothing lost when it is stopped.

So many hosts are asked at the same time; the ports of one, one after another. One that
is named twice, or by several ports, has one pace and one budget of attempts all the
same. Who stops an audit gets a report of what was done until then.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version

from sekisho.audit.budget import Budget
from sekisho.audit.pace import PACE_SECONDS, Pace, pace_for
from sekisho.audit.results import Port, Report, Result
from sekisho.audit.runner import PortAudit, Terms
from sekisho.audit.target import Target
from sekisho.audit.targets import Doors, Host, knock
from sekisho.model.text import Text

HOSTS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Watch:
    """Who looks on.

    Attributes:
        planned: So many more probes will be asked.
        asked: One was.

    """

    planned: Callable[[int], None]
    asked: Callable[[Target, Result], None]


def _nothing(count: int) -> None:
    del count


def _nobody(target: Target, result: Result) -> None:
    del target, result


@dataclass(frozen=True, slots=True)
class _Due:
    """What is due to a host, by whatever names and ports it is asked."""

    addresses: frozenset[str]
    pace: Pace
    budget: Budget


def _due_to(hosts: list[Host], pace_seconds: float) -> list[_Due]:
    """Give it for each; hosts that share an address are one."""
    dues: list[_Due] = []
    for host in hosts:
        here = frozenset(host.addresses)
        met = next((due for due in dues if due.addresses & here), None)
        pace = met.pace if met else pace_for(host.addresses, pace_seconds)
        dues.append(_Due(here, pace, met.budget if met else Budget()))
    return dues


@dataclass(slots=True)
class _HostAudit:
    """One host's ports, as far as they were asked."""

    host: Host
    terms: Terms
    watch: Watch
    due: _Due
    audits: list[PortAudit] = field(default_factory=list[PortAudit])
    ports: list[Port] = field(default_factory=list[Port])

    async def run(self) -> None:
        if not self.host.addresses:
            self._lost(Text(self.host.trouble, f"名前解決の失敗: {self.host.trouble}"))
            return
        doors = await knock(self.host, claimed=self.terms.claimed)
        if doors.silent:
            self._nobody_home(doors)
            return
        self.watch.planned(len(doors.targets) * len(self.terms.runnable))
        for n, target in enumerate(doors.targets):
            audit = PortAudit(
                target,
                self.terms,
                pace=self.due.pace,
                budget=self.due.budget,
                notes=() if n else doors.notes,
                tell=self.watch.asked,
            )
            self.audits.append(audit)
            await audit.run()

    def found(self) -> list[Port]:
        return [*self.ports, *(audit.port() for audit in self.audits)]

    def broke(self, error: Exception) -> None:
        kind = type(error).__name__
        self._lost(
            Text(
                f"a fault of this program ended the audit here: {kind}: {error}",
                f"このプログラムの不具合により中断: {kind}: {error}",
            )
        )

    def _lost(self, note: Text) -> None:
        place = self.host.place
        address = next(iter(self.host.addresses), "")
        target = Target(host=place.host, address=address, port=place.ports[0])
        self.ports.append(Port(target, None, (note,), ()))

    def _nobody_home(self, doors: Doors) -> None:
        """Say it once an address, not once a port."""
        ports = ", ".join(map(str, self.host.place.ports))
        note = Text(f"nothing answers at port {ports}", f"ポート {ports} は応答なし")
        by_address = {one.address: one for one in reversed(doors.targets)}
        for target in reversed(by_address.values()):
            self.ports.append(Port(target, None, (note,), ()))


async def audit_hosts(  # noqa: PLR0913 - each but two may be left out
    hosts: list[Host],
    terms: Terms,
    *,
    started: datetime,
    stop: asyncio.Event | None = None,
    watch: Watch | None = None,
    at_once: int = HOSTS_AT_ONCE,
    pace_seconds: float = PACE_SECONDS,
) -> Report:
    """Audit all ports of all hosts.

    Args:
        hosts: Whom.
        terms: How.
        started: Now, UTC.
        stop: Ends it early; what was done is in the report.
        watch: Who looks on.
        at_once: Hosts at the same time.
        pace_seconds: Between two connections to one host that is not this machine.

    """
    began = time.monotonic()
    watch = watch or Watch(_nothing, _nobody)
    turns = asyncio.Semaphore(at_once)
    dues = _due_to(hosts, pace_seconds)
    audits = [
        _HostAudit(host, terms, watch, due)
        for host, due in zip(hosts, dues, strict=True)
    ]

    async def one(audit: _HostAudit) -> None:
        async with turns:
            try:
                await audit.run()
            except Exception as error:  # noqa: BLE001 - others must not be lost
                audit.broke(error)

    tasks = [asyncio.create_task(one(audit)) for audit in audits]
    complete = await _ended(tasks, stop)
    return Report(
        started=started,
        seconds=time.monotonic() - began,
        version=version("sekisho"),
        ports=tuple(port for audit in audits for port in audit.found()),
        complete=complete,
    )


async def _ended(tasks: list[asyncio.Task[None]], stop: asyncio.Event | None) -> bool:
    """Wait for all, or until it is stopped; whether all were done."""
    everything = asyncio.gather(*tasks)
    if stop is None:
        await everything
        return True
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({everything, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if everything.done():
        return True
    everything.cancel()
    with suppress(asyncio.CancelledError):
        await everything
    await asyncio.gather(*tasks, return_exceptions=True)
    return False
