"""The timeline: what happened to each message, kept for days, found by id or address.

Promises:

- Mail never waits for it. `Timeline.add` puts a line into a bounded list; a thread of
  its own writes what gathered in a second, or `BATCH_EVENTS`, in one transaction. What
  cannot be kept (the list is full, the disk is full, the file is damaged) is dropped
  and counted, with one alarm when that begins.
- Disk use is bounded by bytes and by days. Events lie in *segments*, tables of a share
  of the allowed bytes each; the oldest is dropped whole. Deleting row by row would
  cost as much as inserting did, in the busiest hour of all.
- A batch is one row, and what it is found by one statement, which SQLite runs with the
  interpreter's lock released. Row by row the thread would ask for that lock hundreds
  of times a second, from a loop that is busy with mail.

Looking up needs no running service: `trace` opens the file for reading.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import apsw

from sekisho.observe.events import Alarm
from sekisho.observe.timeline_store import TimelineOptions, TimelineStore
from sekisho.observe.timeline_trace import trace

__all__ = ["Timeline", "TimelineOptions", "trace"]

BATCH_EVENTS = 500
"""Events that are written without waiting for more."""

BATCH_SECONDS = 1.0
"""How long events wait for others."""

MAX_PENDING_EVENTS = 20_000
"""Events in memory; more are dropped."""


class Timeline:
    """The writer's side: one for each worker, with a file and a thread of its own."""

    def __init__(
        self,
        path: Path,
        options: TimelineOptions | None = None,
        *,
        alarm: Callable[[Alarm], None] = lambda _: None,
        clock: Callable[[], float] = time.time,  # noqa: TID251 - outside the core
    ) -> None:
        """Prepare; `start` opens the file.

        Args:
            path: Of the file; its folder exists.
            options: How much is kept.
            alarm: Called from the timeline's thread when dropping begins.
            clock: Unix seconds.

        """
        self.dropped = 0
        self._pending: deque[bytes] = deque()
        self._store = TimelineStore(path, options or TimelineOptions())
        self._alarm = alarm
        self._clock = clock
        self._failing = False
        self._ending = False
        self._some = threading.Event()
        self._enough = threading.Event()
        self._waiting: list[threading.Event] = []
        self._thread = threading.Thread(
            target=self._run, name="sekisho-timeline", daemon=True
        )

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def add(self, line: bytes) -> None:
        """Take one event, as its JSON line; never waits, never raises."""
        pending = self._pending
        if len(pending) >= MAX_PENDING_EVENTS:
            self.dropped += 1
            return
        pending.append(line)
        if len(pending) == 1:
            self._some.set()
        elif len(pending) == BATCH_EVENTS:
            self._enough.set()

    def flush(self, timeout_seconds: float = 5.0) -> None:
        """Wait until what was added so far is written, or dropped."""
        done = threading.Event()
        self._waiting.append(done)
        self._enough.set()
        self._some.set()
        done.wait(timeout_seconds)

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Write what waits, and end the thread; it may take so long at most."""
        self._ending = True
        self._enough.set()
        self._some.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_seconds)

    def _run(self) -> None:
        while not self._ending:
            self._some.wait()
            self._enough.wait(BATCH_SECONDS)
            self._some.clear()
            self._enough.clear()
            self._write()
        self._write()
        self._store.close()

    def _write(self) -> None:
        waiting, self._waiting = self._waiting, []
        pending = self._pending
        while number := min(len(pending), BATCH_EVENTS):
            self._write_batch([pending.popleft() for _ in range(number)])
        for done in waiting:
            done.set()

    def _write_batch(self, lines: list[bytes]) -> None:
        try:
            self._store.write(lines, self._clock())
        except (apsw.Error, OSError) as error:
            self.dropped += len(lines)
            if not self._failing:
                self._failing = True
                self._alarm(_cannot_write(error))
        else:
            self._failing = False


def _cannot_write(error: Exception) -> Alarm:
    return Alarm(
        about="timeline",
        detail=f"Events are not kept: {error}",
        hint="Mail goes on. Make room in data_dir, or move timeline.db away.",
    )
