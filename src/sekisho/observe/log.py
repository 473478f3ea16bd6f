"""The log: one event, one line, written once a turn of the loop.

Promises: nobody waits for more than one `write`, nothing is raised into the flow of
mail, and a log that cannot be written (a full disk, a reader that went away) loses
lines, which are counted. Secrets cannot be logged: no event has a field for one.
"""

import fcntl
import os
import stat
from collections.abc import Callable
from enum import Enum

from sekisho.observe.events import Event
from sekisho.observe.line import json_line, text_line

MAX_BUFFERED_LINES = 256
"""Lines that wait for the end of a turn; one more is written at once."""

Write = Callable[[bytes], object]
Later = Callable[[Callable[[], None]], object]


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
            later: Runs `flush` when this turn of the loop ends, as
                ``loop.call_soon`` does; without it every line is written at once.

        """
        self.format = log_format
        self.lost_lines = 0
        self._write = write
        self._later = later
        self._lines: list[bytes] = []

    def emit(self, event: Event, now: float) -> None:
        """Write an event.

        Args:
            event: What happened.
            now: Unix seconds.

        """
        if self.format is LogFormat.JSON:
            self.append(json_line(event, now))
        else:
            self.append(text_line(event, now))

    def append(self, line: bytes) -> None:
        """Write a line that is made already, without its newline."""
        lines = self._lines
        lines.append(line)
        if self._later is None or len(lines) >= MAX_BUFFERED_LINES:
            self.flush()
        elif len(lines) == 1:
            self._later(self.flush)

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
