"""What is seen of a worker: its log, metrics, timeline and alarms, put together."""

import asyncio
from contextlib import AsyncExitStack
from typing import NoReturn

from sekisho.app.control import Refusal
from sekisho.app.storage import timeline_path
from sekisho.app.wiring import unix_seconds
from sekisho.config.schema import Config
from sekisho.observe.events import Alarm, Event
from sekisho.observe.log import Log, LogFormat, to_descriptor
from sekisho.observe.metrics import Metrics, OwnLosses, QueueFigures
from sekisho.observe.metrics_server import MetricsServer
from sekisho.observe.observer import Observer
from sekisho.observe.timeline import Timeline, TimelineOptions
from sekisho.queue.store import Queue

STDOUT = 1
STATS_SECONDS = 15.0
MAX_ALARMS = 20
"""Alarms that `sekisho ping` tells, the latest of each kind."""

ALARM_SECONDS = 3600.0
"""How long it tells them, unless the matter is settled before."""


class Watch:
    """Where everything that happens is written down."""

    def __init__(self, observer: Observer, log: Log, timeline: Timeline) -> None:
        self._observer = observer
        self._log = log
        self._timeline = timeline
        self._alarms: dict[str, tuple[float, str]] = {}
        self.figures = QueueFigures()

    @classmethod
    async def start(
        cls, config: Config, queue: Queue, closing: AsyncExitStack
    ) -> "Watch":
        """Open them, and serve the metrics.

        Raises:
            Refusal: The metrics' address cannot be bound.

        """
        loop, observe = asyncio.get_running_loop(), config.observe
        log = Log(to_descriptor(STDOUT), LogFormat(observe.log), later=loop.call_soon)
        closing.callback(log.flush)
        metrics = Metrics()
        alarms: list[Alarm] = []
        timeline = Timeline(
            timeline_path(config),
            TimelineOptions(observe.timeline_bytes, observe.timeline_days),
            alarm=alarms.append,
            clock=unix_seconds,
        )
        timeline.start()
        closing.callback(timeline.close)
        watch = cls(Observer(log, metrics, timeline, unix_seconds), log, timeline)
        metrics.show_queue(lambda: watch.figures)
        queue.count_commits(metrics.committed)
        metrics.show_losses(watch.losses)
        counting = asyncio.ensure_future(watch.count_queue(queue, alarms))
        closing.callback(counting.cancel)
        if observe.metrics is not None:
            await _serve_metrics(config, metrics, closing)
        return watch

    def emit(self, event: Event) -> None:
        """Write an event down; what an alarm is about is told to `sekisho ping` too."""
        if isinstance(event, Alarm):
            self._alarms.pop(event.about, None)
            self._alarms[event.about] = (unix_seconds(), event.detail)
            if len(self._alarms) > MAX_ALARMS:
                del self._alarms[next(iter(self._alarms))]
        self._observer.emit(event)

    def alarm(self, about: str, detail: str, hint: str) -> None:
        """Tell an operator."""
        self.emit(Alarm(about, detail, hint))

    def settled(self, about: str) -> None:
        """Take an alarm back: the matter is in order again."""
        self._alarms.pop(about, None)

    def alarms(self) -> list[str]:
        """What an operator has to look at."""
        since = unix_seconds() - ALARM_SECONDS
        return [
            f"{about}: {detail}"
            for about, (at, detail) in self._alarms.items()
            if at >= since
        ]

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


async def _serve_metrics(
    config: Config, metrics: Metrics, closing: AsyncExitStack
) -> None:
    address = config.observe.metrics
    if address is None:
        return
    server = MetricsServer(metrics)
    try:
        await server.start(str(address.host), address.port)
    except OSError as error:
        sentence = f"[observe] metrics: {address}: {error.strerror}"
        raise Refusal(sentence, "is another service there?") from error
    closing.push_async_callback(server.stop)
