"""The control socket takes requests of its own users, and garbage from nobody."""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sekisho.app import control
from sekisho.app.control import Arguments, ControlServer, NotRunning, Refusal, ask
from sekisho.net.unix import user_name


async def handle(do: str, arguments: Arguments) -> object:
    match do:
        case "echo":
            return arguments
        case "refuse":
            raise Refusal("no", "try later")
        case _:
            raise RuntimeError("boom")


@asynccontextmanager
async def serving(folder: Path) -> AsyncGenerator[ControlServer]:
    server = ControlServer(folder, handle)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def raw(folder: Path, octets: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(str(folder / "control.sock"))
    try:
        writer.write(octets)
        writer.write_eof()
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.asyncio
async def test_an_operation_is_asked_and_answered(tmp_path: Path) -> None:
    async with serving(tmp_path):
        answer = await asyncio.to_thread(ask, tmp_path, "echo", {"a": [1]})
        assert answer == {"a": [1], "operator": user_name(os.geteuid())}
        with pytest.raises(Refusal, match="no") as caught:
            await asyncio.to_thread(ask, tmp_path, "refuse", {})
        assert caught.value.hint == "try later"
        with pytest.raises(Refusal, match="RuntimeError: boom"):
            await asyncio.to_thread(ask, tmp_path, "break", {})
    assert not (tmp_path / "control.sock").exists()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\n",
        b"\xff\xfe\n",
        b"GET / HTTP/1.1\r\n",
        b'{"do": 1}\n',
        b'{"do": "echo", "with": []}\n',
        b'{"do": "echo", "else": 1}\n',
        b"[" * 100_000 + b"\n",
    ],
)
async def test_garbage_is_answered_with_a_sentence(
    tmp_path: Path, octets: bytes
) -> None:
    async with serving(tmp_path):
        assert (await raw(tmp_path, octets)).startswith(b'{"error":"')
        assert await asyncio.to_thread(ask, tmp_path, "echo", {})


@pytest.mark.asyncio
async def test_a_request_that_never_ends_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "MAX_REQUEST_BYTES", 1000)
    async with serving(tmp_path):
        assert b"above 1000 octets" in await raw(tmp_path, b"x" * 3000)


@pytest.mark.asyncio
async def test_another_user_is_not_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def somebody(_descriptor: int) -> int:
        return 4711

    monkeypatch.setattr(control, "peer_user", somebody)
    async with serving(tmp_path):
        with pytest.raises(Refusal, match="not for your user"):
            await asyncio.to_thread(ask, tmp_path, "echo", {})


@pytest.mark.asyncio
async def test_a_crowd_of_silent_callers_is_no_matter(tmp_path: Path) -> None:
    async with serving(tmp_path):
        crowd: list[socket.socket] = []
        for _ in range(100):
            one = socket.socket(socket.AF_UNIX)
            one.setblocking(False)
            await asyncio.get_running_loop().sock_connect(
                one, str(tmp_path / "control.sock")
            )
            crowd.append(one)
        assert await asyncio.to_thread(ask, tmp_path, "echo", {})
        for one in crowd:
            one.close()
        await asyncio.sleep(0.05)


@pytest.mark.asyncio
async def test_the_socket_is_its_owners_alone(tmp_path: Path) -> None:
    async with serving(tmp_path):
        assert (tmp_path / "control.sock").stat().st_mode & 0o777 == 0o600


def test_without_a_service_there_is_nobody_to_ask(tmp_path: Path) -> None:
    with pytest.raises(NotRunning):
        ask(tmp_path, "ping", {})


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [(b"", "broke off"), (b"{nonsense\n", "broke off"), (b"x" * 200, "too long")],
)
def test_a_broken_answer_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes, sentence: str
) -> None:
    monkeypatch.setattr(control, "MAX_ANSWER_BYTES", 100)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "control.sock"))
        server.listen()

        async def both() -> None:
            asking = asyncio.ensure_future(asyncio.to_thread(ask, tmp_path, "ping", {}))
            taken, _ = await asyncio.to_thread(server.accept)
            with taken:
                taken.recv(1000)
                taken.sendall(answer)
            with pytest.raises(Refusal, match=sentence):
                await asking

        asyncio.run(both())
