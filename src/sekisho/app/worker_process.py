"""A worker as a process; `sekisho.app.work` begins it.

It does what its supervisor says over the channel, whose descriptor it inherited. When
the supervisor has gone, whatever way, it drains by itself: the mail that it was given
is on disk, and the next service takes it up.
"""

import asyncio
import os
import signal
import socket
import sys
from contextlib import AsyncExitStack
from typing import assert_never

from sekisho.app.channel import Channel
from sekisho.app.control import Answer, Refusal
from sekisho.app.loops import loop_factory
from sekisho.app.memory import map_large_pieces
from sekisho.app.orders import (
    EXIT_FAILED,
    Answered,
    Ask,
    Change,
    Order,
    Ready,
    Refused,
    Start,
    Stop,
    unpack,
)
from sekisho.app.scheduling import work_in_batches
from sekisho.app.watch import Place
from sekisho.app.worker import Worker
from sekisho.auth.account import AccountError
from sekisho.net.tls import TlsFilesError
from sekisho.queue.errors import QueueError


class WorkerProcess:
    """The worker's end of the channel."""

    def __init__(self, end: socket.socket, log_lock: int) -> None:
        self._log_lock = log_lock
        self._worker: asyncio.Future[Worker | None]
        self._worker = asyncio.get_running_loop().create_future()
        self._started = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._start: tuple[Start, list[socket.socket]] | None = None
        self._channel = Channel[Order](end, Order, self._heard, self._stop)  # pyright: ignore[reportArgumentType] - a union is no type to it

    async def run(self) -> int:
        """Be a worker, from the first order to the last.

        Returns:
            The exit code.

        """
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop)
        await self._started.wait()
        if self._start is None:
            return 0  # Told to stop before there was anything to do.
        async with AsyncExitStack() as closing:
            try:
                worker = await self._begin(*self._start, closing)
            except (Refusal, QueueError, AccountError, TlsFilesError, OSError) as error:
                self._channel.send(Refused(str(error), getattr(error, "hint", "")))
                self._worker.set_result(None)
                return EXIT_FAILED
            self._channel.send(Ready())
            self._worker.set_result(worker)
            return await worker.run()

    async def _begin(
        self, start: Start, sockets: list[socket.socket], closing: AsyncExitStack
    ) -> Worker:
        place = Place(start.number, start.workers, self._log_lock)
        settings = unpack(start.settings)
        worker = await Worker.start(settings, place, start.prefix, closing)
        await worker.serve(start.opened, sockets)
        return worker

    def _heard(self, order: Order, sockets: list[socket.socket]) -> None:
        match order:
            case Start():
                self._start = order, sockets
                self._started.set()
            case Ask() | Change():
                task = asyncio.ensure_future(self._answer(order, sockets))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            case Stop():
                self._stop()
            case _:
                assert_never(order)

    async def _answer(self, order: Ask | Change, sockets: list[socket.socket]) -> None:
        worker = await asyncio.shield(self._worker)
        if worker is None:
            return
        if isinstance(order, Ask):
            answer = await worker.answer(order.do, order.arguments)
        else:
            answer = await self._change(worker, order, sockets)
        self._channel.send(Answered(order.number, answer))

    @staticmethod
    async def _change(
        worker: Worker, order: Change, sockets: list[socket.socket]
    ) -> Answer:
        settings = unpack(order.settings)
        try:
            return await worker.change(settings, order.opened, sockets, order.closed)
        except Exception as error:  # noqa: BLE001 - it is replaced for it
            return Answer(error=f"{type(error).__name__}: {error}")

    def _stop(self) -> None:
        self._started.set()
        self._worker.add_done_callback(_stop_it)


def _stop_it(worker: "asyncio.Future[Worker | None]") -> None:
    if not worker.cancelled() and (started := worker.result()) is not None:
        started.stop()


async def _run(channel: int, log_lock: int) -> int:
    end = socket.socket(fileno=channel)
    return await WorkerProcess(end, log_lock).run()


def main() -> int:
    """Run the worker that the arguments tell of."""
    # What a terminal sends to all processes is the supervisor's to hear.
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    channel, log_lock = map(int, sys.argv[1:3])
    for inherited in (channel, log_lock):
        os.set_inheritable(inherited, False)  # noqa: FBT003 - the library's signature
    work_in_batches()
    map_large_pieces()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_run(channel, log_lock))
