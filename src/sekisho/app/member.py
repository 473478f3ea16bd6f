"""One worker process, as the supervisor sees it."""

import asyncio
import itertools
import os
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress

from sekisho.app.activation import without_activation
from sekisho.app.channel import Channel
from sekisho.app.control import Answer, Arguments, Refusal
from sekisho.app.orders import (
    Answered,
    Ask,
    Change,
    Opened,
    Ready,
    Refused,
    Report,
    Start,
    Stop,
)

_NOT_FOR_WORKERS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Member:
    """A worker process and its channel.

    Attributes:
        number: The worker's.
        ready: Done when it serves; fails with `Refusal` where it cannot.

    """

    def __init__(self, number: int, process: asyncio.subprocess.Process) -> None:
        """Use `spawn`."""
        loop = asyncio.get_running_loop()
        self.number = number
        self.ready: asyncio.Future[None] = loop.create_future()
        self._process = process
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Answer]] = {}
        self._channel: Channel[Report]

    @classmethod
    async def spawn(cls, number: int, log_lock: int) -> "Member":
        """Start the process; it waits for `begin`.

        Raises:
            OSError: It cannot be started.

        """
        ours, theirs = socket.socketpair()
        env = without_activation(os.environ)
        with theirs:
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-P",
                    "-m",
                    "sekisho.app.work",
                    str(theirs.fileno()),
                    str(log_lock),
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(), log_lock),
                    env={k: v for k, v in env.items() if k not in _NOT_FOR_WORKERS},
                )
            except BaseException:
                ours.close()
                raise
        member = cls(number, process)
        member._channel = Channel[Report](ours, Report, member._heard, member._gone)  # pyright: ignore[reportArgumentType] - a union is no type to it
        return member

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    @property
    def is_ready(self) -> bool:
        """Whether it serves."""
        done = self.ready.done() and not self.ready.cancelled()
        return done and self.ready.exception() is None and self.is_running

    def begin(self, start: Start, sockets: Sequence[socket.socket]) -> None:
        """Tell it what it is."""
        self._channel.send(start, sockets)

    async def ask(self, do: str, arguments: Arguments) -> Answer:
        """Have it do an operation."""
        number, answer = self._expect()
        self._channel.send(Ask(number, do, arguments))
        return await answer

    async def change(
        self,
        settings: bytes,
        opened: list[Opened],
        sockets: Sequence[socket.socket],
        closed: list[int],
    ) -> Answer:
        """Have it go by other settings."""
        number, answer = self._expect()
        self._channel.send(Change(number, settings, opened, closed), sockets)
        return await answer

    def stop(self, reason: str) -> None:
        """Have it drain and end."""
        self._channel.send(Stop(reason))

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end.

        Returns:
            Its exit code; below 0 the signal that ended it.

        """
        code = await self._process.wait()
        self._gone()
        self._channel.close()
        return code

    def _expect(self) -> "tuple[int, asyncio.Future[Answer]]":
        number = next(self._numbers)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        answer.add_done_callback(lambda _: self._asked.pop(number, None))
        if self._process.returncode is not None:
            answer.set_result(self._no_answer())
        return number, answer

    def _heard(self, report: Report, sockets: list[socket.socket]) -> None:
        for one in sockets:
            one.close()  # Workers have none to give.
        match report:
            case Ready():
                if not self.ready.done():
                    self.ready.set_result(None)
            case Refused(sentence, hint):
                if not self.ready.done():
                    self.ready.set_exception(Refusal(sentence, hint))
            case Answered(number, answer):
                expected = self._asked.get(number)
                if expected is not None and not expected.done():
                    expected.set_result(answer)

    def _no_answer(self) -> Answer:
        sentence = f"worker {self.number} (process {self.pid}) has ended"
        return Answer(error=sentence, hint="it is being replaced; ask again")

    def _gone(self) -> None:
        if not self.ready.done():
            sentence = f"worker {self.number} ended before it served"
            self.ready.set_exception(Refusal(sentence, "its errors are above"))
        self.ready.exception()  # Seen: nobody may be waiting for it.
        for expected in list(self._asked.values()):
            if not expected.done():
                expected.set_result(self._no_answer())
