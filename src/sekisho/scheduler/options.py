"""The scheduler's schedule, its bounds, and what it is given from outside."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sekisho.delivery.carrier import Carrier
from sekisho.model.address import Address, ReversePath
from sekisho.model.decision import Decision
from sekisho.model.message import Message
from sekisho.model.outcome import Deferred, Failed
from sekisho.model.route import Destination
from sekisho.observe.events import Event
from sekisho.report.case import Affected
from sekisho.report.texts import Kind
from sekisho.scheduler.neighbours import Alone, Neighbours
from sekisho.scheduler.schedule import RetryRule


class Courier(Protocol):
    """Opens carriers."""

    async def connect(self, destination: Destination) -> Carrier | Deferred | Failed:
        """Open a carrier to a destination, or say what that came to."""
        ...


class Reporter(Protocol):
    """Writes bounces and notices."""

    def __call__(
        self, kind: Kind, message: Message, affected: Sequence[Affected], /
    ) -> tuple[Message, Decision] | None:
        """Write a report with its own decision; None where nobody wants one."""
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long mail for some domains is tried.

    Attributes:
        name: The rule, for people.
        expire_seconds: After so long since its arrival a message is given up.
        delay_notice_seconds: After so long the sender is told of the delay; 0 is never.
        retry_seconds: Intervals whatever the cause; empty is as for all others.

    """

    name: str
    expire_seconds: float
    delay_notice_seconds: float
    retry_seconds: tuple[float, ...] = ()


@dataclass(slots=True, kw_only=True)
class SchedulerOptions:
    """Schedule and bounds; may be changed while the scheduler runs.

    Attributes:
        retry_seconds: From the n-th failed attempt to the next; the last repeats.
        retry_by_rule: The same for causes that have a schedule of their own.
        jitter: Each interval is made longer by up to this part of it, so that what
            failed together does not come back together.
        expire_seconds: After so long since its arrival a message is given up.
        delay_notice_seconds: After so long the sender is told that it is still being
            tried, once a recipient; 0 is never.
        by_domain: What differs for recipients' domains, by ``example.org`` or
            ``*.example.org`` (which is every domain below it); lower case.
        paused_seconds: How often mail for a paused destination is looked at.
        first_carriers_per_destination: Connections to a destination of which nothing
            is known; the bound grows with success, up to the next.
        max_carriers_per_destination: Connections to one destination at once.
        max_carriers: Connections at once.
        idle_seconds: How long an idle connection is kept.
        max_messages_per_carrier: After so many a connection is closed.
        max_recipients_per_transaction: RFC 5321 §4.5.3.1.8 has every host take 100.
        max_messages: Held in memory; what is above stays in the store until there is
            room.
        max_bytes: The same for the octets of their bodies.
        max_loaded: Of them, read from the store: retries need no more memory at once,
            and what is accepted meanwhile keeps its room.
        max_loaded_bytes: The same for the octets of their bodies.
        page: Recipients read from the store at a time.

    """

    retry_seconds: tuple[float, ...] = (300.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0)
    retry_by_rule: Mapping[RetryRule, Sequence[float]] = field(
        default_factory=dict[RetryRule, Sequence[float]]
    )
    jitter: float = 0.1
    expire_seconds: float = 2 * 86_400.0
    delay_notice_seconds: float = 4 * 3600.0
    by_domain: Mapping[str, Patience] = field(default_factory=dict[str, Patience])
    paused_seconds: float = 3600.0
    first_carriers_per_destination: int = 5
    max_carriers_per_destination: int = 20
    max_carriers: int = 500
    idle_seconds: float = 5.0
    max_messages_per_carrier: int = 1000
    max_recipients_per_transaction: int = 100
    max_messages: int = 10_000
    max_bytes: int = 64 * 1024 * 1024
    max_loaded: int = 1000
    max_loaded_bytes: int = 16 * 1024 * 1024
    page: int = 500

    def patience(self, domain: str) -> Patience:
        """What holds for a recipient's domain: its own rule, or the nearest above."""
        if self.by_domain:
            domain = domain.lower()
            found = self.by_domain.get(domain)
            while found is None and domain:
                domain = domain.partition(".")[2]
                found = self.by_domain.get(f"*.{domain}")
            if found is not None:
                return found
        return Patience("[queue]", self.expire_seconds, self.delay_notice_seconds)

    def patiences(self) -> tuple[Patience, ...]:
        """Every rule there is."""
        return (self.patience(""), *self.by_domain.values())

    def interval(self, attempts: int, rule: RetryRule, domain: str = "") -> float:
        """Seconds from the n-th failed attempt to the next."""
        own = self.patience(domain).retry_seconds if domain else ()
        seconds = own or self.retry_by_rule.get(rule, self.retry_seconds)
        return seconds[min(attempts, len(seconds)) - 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the scheduler is given from outside.

    Attributes:
        courier: Opens carriers.
        route: Chooses the destination of a recipient.
        report: Writes bounces and notices.
        copy: Writes a bounce once more, for the postmaster; None where nobody wants it.
        emit: Takes events.
        clock: Unix seconds.
        ticks: Seconds that nobody can set.
        chance: From 0 up to 1.
        neighbours: The other workers.

    """

    courier: Courier
    route: Callable[[Address, ReversePath], Destination]
    report: Reporter
    emit: Callable[[Event], None]
    clock: Callable[[], float]
    ticks: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random
    copy: Callable[[Message], tuple[Message, Decision] | None] = lambda _report: None
    neighbours: Neighbours = field(default_factory=Alone)
