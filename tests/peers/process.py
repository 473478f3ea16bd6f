"""One started program: output in a file, a bounded wait, ended by its process id."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")

STARTUP_SECONDS = 20.0


class TooLateError(AssertionError):
    """Something did not come about in time."""


def wait_for(what: str, probe: Callable[[], T | None], seconds: float = 10.0) -> T:
    """Ask `probe` until it answers with something true, at most `seconds` long.

    Raises:
        TooLateError: It never did.

    """
    end = time.monotonic() + seconds
    pause = 0.005
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > end:
            raise TooLateError(f"waited {seconds} s for {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


class Process:
    """A program that runs from `__enter__` to `__exit__`.

    It leads a session of its own, so that whatever it started is ended with it.
    """

    def __init__(
        self,
        arguments: Sequence[str | Path],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        separate_output: Path | None = None,
    ) -> None:
        self.arguments = [str(argument) for argument in arguments]
        self.log = log
        self.separate_output = separate_output
        self.environment = environment
        self._folder = folder
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it; what it says goes into `log`."""
        with contextlib.ExitStack() as files:
            log = files.enter_context(self.log.open("ab"))
            output = (
                files.enter_context(self.separate_output.open("ab"))
                if self.separate_output
                else log
            )
            self._running = subprocess.Popen(
                self.arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                env=self.environment,
                cwd=self._folder,
                start_new_session=True,
            )
        return self

    @property
    def running(self) -> subprocess.Popen[bytes]:
        """The process itself."""
        assert self._running is not None, "not started"
        return self._running

    def output(self) -> str:
        """What it has said so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def assert_alive(self) -> None:
        """Fail, with its output, when it has ended by itself."""
        code = self.running.poll()
        assert code is None, (
            f"{self.arguments[0]} ended with {code}:\n{self.output()[-4000:]}"
        )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this one process."""
        self.running.send_signal(number)

    def kill(self) -> None:
        """End it and what it started, at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.running.pid, signal.SIGKILL)
        self.running.wait(10)

    def stop(self, seconds: float = 10.0) -> int:
        """Ask it to end, then insist; its exit status."""
        if self.running.poll() is None:
            self.running.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.running.wait(seconds)
        self.kill()
        return self.running.returncode

    def __enter__(self) -> Self:
        """Start it."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        if self._running is not None:
            self.stop()


def run(
    arguments: Sequence[str | Path],
    *,
    data: bytes = b"",
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    seconds: float = 20.0,
) -> "Finished":
    """Run a program to its end and give back all that it said."""
    done = subprocess.run(
        [str(argument) for argument in arguments],
        input=data,
        capture_output=True,
        env=environment,
        cwd=folder,
        timeout=seconds,
        check=False,
    )
    return Finished(
        done.returncode,
        done.stdout.decode(errors="replace"),
        done.stderr.decode(errors="replace"),
    )


class Finished:
    """How a program ended."""

    def __init__(self, status: int, output: str, errors: str) -> None:
        self.status = status
        self.output = output
        self.errors = errors

    def __repr__(self) -> str:
        return f"exit {self.status}\n{self.output}\n{self.errors}"

    def well(self) -> Self:
        """Fail unless it ended with 0."""
        assert self.status == 0, repr(self)
        return self
