"""The channel brings messages and sockets whole, and nothing that was not agreed on."""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec
import pytest

from sekisho.app.channel import Channel
from sekisho.app.control import Answer
from sekisho.app.orders import Answered, Ask, Opened, Order, Ready, Report, Start


@dataclass
class End:
    """What one side has heard."""

    heard: list[object] = field(default_factory=list[object])
    sockets: list[socket.socket] = field(default_factory=list[socket.socket])
    closed: int = 0

    def hear(self, message: object, sockets: list[socket.socket]) -> None:
        self.heard.append(message)
        self.sockets += sockets

    def close(self) -> None:
        self.closed += 1


@asynccontextmanager
async def channel() -> AsyncGenerator[tuple[Channel[Report], Channel[Order], End, End]]:
    ours, theirs = socket.socketpair()
    supervisor, worker = End(), End()
    one = Channel[Report](ours, Report, supervisor.hear, supervisor.close)  # type: ignore[arg-type]
    other = Channel[Order](theirs, Order, worker.hear, worker.close)  # type: ignore[arg-type]
    try:
        yield one, other, supervisor, worker
    finally:
        one.close()
        other.close()
        for bound in supervisor.sockets + worker.sockets:
            bound.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what happens tells nobody
            await asyncio.sleep(0.001)


@pytest.mark.asyncio
async def test_messages_of_any_size_come_whole_and_in_order() -> None:
    async with channel() as (supervisor, _, _, worker):
        sizes = [0, 1, 100, 5_000_000, 3, 700_000]
        for number, size in enumerate(sizes):
            supervisor.send(Ask(number, "do", {"x": "y" * size}))
        await until(lambda: len(worker.heard) == len(sizes))
        asked = [one for one in worker.heard if isinstance(one, Ask)]
        assert [len(one.arguments["x"]) for one in asked] == sizes


@pytest.mark.asyncio
async def test_sockets_come_with_their_message() -> None:
    async with channel() as (supervisor, _, _, worker):
        bound = [socket.socket() for _ in range(150)]
        for one in bound:
            one.bind(("127.0.0.1", 0))
        ports = [one.getsockname()[1] for one in bound]
        opened = [Opened("mx", number) for number in range(len(bound))]
        supervisor.send(Start(b"", 0, 1, "", opened), bound)
        supervisor.send(Ask(1, "after", {}))
        for one in bound:
            one.close()
        await until(lambda: len(worker.heard) == 2)
        assert [one.getsockname()[1] for one in worker.sockets] == ports


@pytest.mark.asyncio
async def test_a_side_that_goes_is_told_of_once() -> None:
    async with channel() as (supervisor, worker, _, heard):
        supervisor.close()
        await until(lambda: heard.closed)
        worker.send(Ready())  # Into the void, and no error.
        assert heard.closed == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "octets",
    [
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x05hello",
        b"\x00\x00\x00\x01\xc0",
        b"\x00\x00\x00\x0f" + msgspec.msgpack.encode({"type": "Start"})[:15],
    ],
)
async def test_a_worker_that_breaks_the_rules_is_not_listened_to(octets: bytes) -> None:
    ours, theirs = socket.socketpair()
    end = End()
    one = Channel[Report](ours, Report, end.hear, end.close)  # type: ignore[arg-type]
    with theirs:
        theirs.sendall(octets + os.urandom(20))
        await until(lambda: end.closed)
    assert end.heard == []
    one.close()


@pytest.mark.asyncio
async def test_an_answer_comes_back() -> None:
    async with channel() as (_, worker, heard, _):
        worker.send(Answered(7, Answer(ok={"a": [1, None]})))
        await until(lambda: len(heard.heard) == 1)
        assert heard.heard == [Answered(7, Answer(ok={"a": [1, None]}))]
