"""What is seen of a worker: its log, metrics, timeline and alarms, put together."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import NoReturn

from sekisho.app.alarms import Alarms
from sekisho.app.clock import unix_seconds
from sekisho.app.storage import timeline_path
from sekisho.app.webhook import MATTER, WEBHOOK_HINT, Webhook, webhook_of
from sekisho.config.schema import Config
from sekisho.observe.events import Alarm, AlarmSettled
from sekisho.observe.log import Log, LogFormat, in_turn
from sekisho.observe.metrics import Metrics, OwnLosses, QueueFigures
from sekisho.observe.observer import Observer
from sekisho.observe.timeline import Timeline, TimelineOptions
from sekisho.queue.store import Queue

STDOUT = 1
STATS_SECONDS = 15.0
LEAST_TIMELINE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """A worker's place among the others.

    Attributes:
        number: From 0.
        workers: How many there are.
        log_lock: A descriptor that whoever writes to the log locks.

    """

    number: int
    workers: int
    log_lock: int


class Watch:
    """Where everything that happens is written down."""

    def __init__(
        self,
        log: Log,
        timeline: Timeline,
        metrics: Metrics,
        webhook: Webhook | None = None,
    ) -> None:
        """Put them together.

        Args:
            log: Gets all events.
            timeline: Gets those that are about a message or an address.
            metrics: Gets all events.
            webhook: Is told of alarms.

        """
        self._log = log
        self._timeline = timeline
        self._alarms = Alarms(webhook)
        # What an alarm is about is told to `sekisho ping` too.
        also = {Alarm: self._alarms.note, AlarmSettled: self._settled}
        self._observer = Observer(log, metrics, timeline, unix_seconds, also)
        self.emit = self._observer.emit
        self.metrics = metrics
        self.figures = QueueFigures()

    @classmethod
    async def start(
        cls, config: Config, queue: Queue, place: Place, closing: AsyncExitStack
    ) -> "Watch":
        """Open them."""
        loop, observe = asyncio.get_running_loop(), config.observe
        write = in_turn(STDOUT, place.log_lock)
        log = Log(write, LogFormat(observe.log), later=loop.call_later)
        closing.callback(log.flush)
        metrics = Metrics()
        alarms: list[Alarm] = []
        share = max(observe.timeline_bytes // place.workers, LEAST_TIMELINE_BYTES)
        timeline = Timeline(
            timeline_path(config.data_dir, place.number),
            TimelineOptions(share, observe.timeline_days),
            alarm=alarms.append,
            clock=unix_seconds,
        )
        timeline.start()
        closing.callback(timeline.close)
        webhook = webhook_of(
            config, lambda why: alarms.append(Alarm(MATTER, why, WEBHOOK_HINT))
        )
        if webhook is not None:
            closing.callback(webhook.close)
        watch = cls(log, timeline, metrics, webhook)
        metrics.show_queue(lambda: watch.figures)
        queue.count_commits(metrics.committed)
        metrics.show_losses(watch.losses)
        counting = asyncio.ensure_future(watch.count_queue(queue, alarms))
        closing.callback(counting.cancel)
        return watch

    def alarm(self, about: str, detail: str, hint: str) -> None:
        """Tell an operator."""
        self.emit(Alarm(about, detail, hint))

    def _settled(self, event: AlarmSettled) -> None:
        self._alarms.settled(event.about, event.destination)

    def settled(self, about: str) -> None:
        """Take an alarm back: the matter is in order again."""
        self._alarms.settled(about)

    def alarms(self) -> list[str]:
        """What an operator has to look at."""
        return self._alarms.told()

    def flush(self) -> None:
        """Write the log's waiting lines."""
        self._log.flush()

    def flush_timeline(self) -> None:
        """Write the timeline's waiting events, in this thread."""
        self._timeline.flush()

    def losses(self) -> OwnLosses:
        """What observing itself has lost."""
        return OwnLosses(
            log_lines=self._log.lost_lines,
            timeline_events=self._timeline.dropped,
            events=self._observer.lost,
        )

    async def count_queue(self, queue: Queue, alarms: list[Alarm]) -> NoReturn:
        """Look at the queue now and then, for the metrics; pass alarms on."""
        while True:
            await asyncio.sleep(STATS_SECONDS)
            while alarms:
                self.emit(alarms.pop())
            try:
                stats = await queue.stats(unix_seconds())
            except Exception as error:  # noqa: BLE001 - looked at again; mail goes on
                hint = "its figures in the metrics are old; look at the disk"
                self.alarm("queue figures", f"{type(error).__name__}: {error}", hint)
            else:
                self.figures = QueueFigures(stats.by_state, stats.oldest_age_seconds)
