"""What of a worker is replaced as a whole when the configuration changes.

Scheduler, queue and server hold on to this, and ask it each time; so what is under way
goes on with what it began with, and whatever comes next goes by the new configuration.
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack

from sekisho.app.wiring import callout, courier, report_maker
from sekisho.config.schema import Config
from sekisho.config.values import routes
from sekisho.delivery.carrier import Carrier
from sekisho.delivery.routing import destination_for
from sekisho.model.address import Address, ReversePath
from sekisho.model.decision import Decision
from sekisho.model.facts import Standing
from sekisho.model.message import Message
from sekisho.model.outcome import Deferred, Failed
from sekisho.model.route import Destination, Routes
from sekisho.queue.bodies import BodyFiles
from sekisho.report.case import Affected
from sekisho.report.texts import Kind


class Roads:
    """The routes as they are now."""

    def __init__(self, config: Config) -> None:
        self.take(config)

    def take(self, config: Config) -> None:
        """Go by another configuration."""
        self.table = routes(config)

    def now(self) -> Routes:
        """Give them."""
        return self.table

    def choose(self, address: Address, reverse_path: ReversePath) -> Destination:
        """Choose a recipient's destination."""
        return destination_for(self.table, address, reverse_path)


class Outward:
    """The way out: courier, call-out and reports."""

    def __init__(
        self, config: Config, bodies: BodyFiles, closing: AsyncExitStack
    ) -> None:
        self._bodies = bodies
        self._courier = courier(config, bodies)
        self._callout = self._old = callout(config, self._courier)
        self._reporter = report_maker(config, bodies)
        closing.push_async_callback(self._close)

    async def take(self, config: Config) -> None:
        """Go by another configuration; what is under way ends as it began."""
        if self._old is not self._callout:
            await self._old.close()
        self._old = self._callout
        self._courier = courier(config, self._bodies)
        self._callout = callout(config, self._courier)
        self._reporter = report_maker(config, self._bodies)

    async def connect(self, destination: Destination) -> Carrier | Deferred | Failed:
        """Open a carrier, for the scheduler."""
        return await self._courier.connect(destination)

    async def ask(self, address: Address) -> Standing:
        """Ask for a recipient, for the server."""
        return await self._callout.ask(address)

    def report(
        self, kind: Kind, message: Message, affected: Sequence[Affected], /
    ) -> tuple[Message, Decision] | None:
        """Write a report, for the scheduler."""
        return self._reporter.report(kind, message, affected)

    def copy(self, report: Message) -> tuple[Message, Decision] | None:
        """Copy a bounce to the postmaster, for the scheduler."""
        return self._reporter.copy(report)

    async def _close(self) -> None:
        await self._callout.close()
        if self._old is not self._callout:
            await self._old.close()
