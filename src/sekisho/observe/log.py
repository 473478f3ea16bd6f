"""The log: one event, one line; lines of some milliseconds are one write.

Promises:

- Nobody waits for more than one `write`, nothing is raised into the flow of mail, and
  a log that cannot be written (a full disk, a reader that went away) loses lines,
  which are counted. Secrets cannot be logged: no event has a field for one.
- A line waits `GATHER_SECONDS` at most, in the order in which things happened. What an
  operator must see (whatever is about no session and no message: alarms, starts, ends)
  does not wait, and takes along what does. So a process that is killed leaves out what
  its sessions did in its last hundredth of a second, and nothing else.
"""

import fcntl
import os
import stat
from collections.abc import Callable
from enum import Enum

from sekisho.observe.events import Event
from sekisho.observe.line import json_line, text_line

GATHER_SECONDS = 0.01
"""How long a line may wait for others."""

MAX_BUFFERED_LINES = 256
"""Lines that wait; with one more all are written at once."""

Write = Callable[[bytes], object]
Later = Callable[[float, Callable[[], None]], object]


class LogFormat(Enum):
    """``[observe] log``."""

    JSON = "json"
    TEXT = "text"


class Log:
    """Where events are written for people and for collectors of logs."""

    def __init__(
        self,
        write: Write,
        log_format: LogFormat = LogFormat.JSON,
        *,
        later: Later | None = None,
    ) -> None:
        """Prepare; nothing is written yet.

        Args:
            write: Takes whole lines; may raise `OSError` or `ValueError`.
            log_format: How lines look.
            later: Runs `flush` after `GATHER_SECONDS`, as ``loop.call_later`` does;
                without it every line is written at once.

        """
        self.format = log_format
        self.lost_lines = 0
        self._write = write
        self._later = later
        self._lines: list[bytes] = []
        self._timed = False

    def emit(self, event: Event, now: float, *, at_once: bool = False) -> None:
        """Write an event.

        Args:
            event: What happened.
            now: Unix seconds.
            at_once: Do not wait for others.

        """
        if self.format is LogFormat.JSON:
            self.append(json_line(event, now), at_once)
        else:
            self.append(text_line(event, now), at_once)

    def append(self, line: bytes, at_once: bool = False) -> None:  # noqa: FBT001, FBT002 - once an event
        """Write a line that is made already, without its newline."""
        lines = self._lines
        lines.append(line)
        if at_once or self._later is None or len(lines) >= MAX_BUFFERED_LINES:
            self.flush()
        elif not self._timed:
            self._timed = True
            self._later(GATHER_SECONDS, self._in_time)

    def flush(self) -> None:
        """Write what waits."""
        lines = self._lines
        if not lines:
            return
        self._lines = []
        lines.append(b"")
        try:
            self._write(b"\n".join(lines))
        except (OSError, ValueError):
            # ValueError is what a closed file raises.
            self.lost_lines += len(lines) - 1

    def _in_time(self) -> None:
        self._timed = False
        self.flush()


def in_turn(descriptor: int, lock: int) -> Write:
    """Write to a descriptor that other processes write to as well, one at a time.

    More than ``PIPE_BUF`` octets on a pipe are cut, and another's lines get between;
    so whoever writes holds a lock, which the kernel takes away where he dies.

    Args:
        descriptor: As for `to_descriptor`.
        lock: Of a file that all of them have open; held through ``fcntl(2)``, which
            locks for a process and not, as ``flock(2)``, for all that inherited it.

    """
    write_all = to_descriptor(descriptor)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return write_all  # One write after the other is the kernel's promise here.

    def write(data: bytes) -> None:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        try:
            write_all(data)
        finally:
            fcntl.lockf(lock, fcntl.LOCK_UN)

    return write


def to_descriptor(descriptor: int) -> Write:
    """Write to a file descriptor, all of it.

    Args:
        descriptor: Open for writing; a standard stream, a file opened to append.

    """

    def write(data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    return write
