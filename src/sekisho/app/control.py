"""The control socket: how a command changes a running service.

A request is one line of JSON, ``{"do": NAME, "with": {…}}``, and the answer one line,
``{"ok": …}`` or ``{"error": SENTENCE, "hint": …}``. The socket is mode 0600 in
``data_dir``, and the peer's user is asked of the kernel: root and the service's own
user are let in, whatever the file's mode came to be.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from sekisho.net.unix import peer_user, reachable_socket, user_name

SOCKET_NAME = "control.sock"
MAX_REQUEST_BYTES = 1024 * 1024
MAX_ANSWER_BYTES = 256 * 1024 * 1024
ANSWER_SECONDS = 120.0

Arguments = dict[str, Any]
Handler = Callable[[str, Arguments], Awaitable[object]]


class Refusal(Exception):  # noqa: N818 - it is the answer, and no fault of the program
    """An operation that cannot be done, said in one sentence with a hint."""

    def __init__(self, sentence: str, hint: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint


class NotRunning(Exception):  # noqa: N818 - an answer as well
    """No service listens on the control socket."""


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """What a command asks for."""

    do: str
    arguments: dict[str, Any] = msgspec.field(
        name="with", default_factory=dict[str, Any]
    )


class Answer(msgspec.Struct, omit_defaults=True):
    """What it gets."""

    ok: Any = None
    error: str = ""
    hint: str = ""


class ControlServer:
    """Serves the control socket."""

    def __init__(self, data_dir: Path, handle: Handler) -> None:
        self._path = data_dir / SOCKET_NAME
        self._handle = handle
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Bind the socket; the data directory's lock has shown that it is ours."""
        self._path.unlink(missing_ok=True)
        mask = os.umask(0o177)
        try:
            with reachable_socket(self._path) as name:
                self._server = await asyncio.start_unix_server(
                    self._serve, name, limit=MAX_REQUEST_BYTES
                )
        finally:
            os.umask(mask)

    async def stop(self) -> None:
        """Close it and take its name away."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            user = peer_user(writer.get_extra_info("socket").fileno())
            answer = await self._heard(reader, user)
            writer.write(msgspec.json.encode(answer) + b"\n")
            await writer.drain()
        except OSError:
            pass  # The command has gone; there is nobody to tell.
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _heard(self, reader: asyncio.StreamReader, user: int) -> Answer:
        try:
            # Read first: an answer to what was not read may not arrive.
            line = await reader.readline()
        except ValueError:
            return Answer(error=f"the request is above {MAX_REQUEST_BYTES} octets")
        if user not in (0, os.geteuid()):
            return Answer(error="this socket is not for your user")
        return await self._answer(line, user_name(user))

    async def _answer(self, line: bytes, operator: str) -> Answer:
        try:
            request = msgspec.json.decode(line, type=Request)
            arguments = {**request.arguments, "operator": operator}
            return Answer(ok=await self._handle(request.do, arguments))
        except Refusal as refusal:
            return Answer(error=refusal.sentence, hint=refusal.hint)
        except msgspec.MsgspecError as error:
            return Answer(error=f"the request cannot be read: {error}")
        except Exception as error:  # noqa: BLE001 - a command must not end the service
            return Answer(error=f"{type(error).__name__}: {error}")


def ask(data_dir: Path, do: str, arguments: Arguments) -> Any:  # noqa: ANN401 - JSON
    """Ask the running service to do something, and wait for it.

    Returns:
        What the operation gives, as JSON values.

    Raises:
        NotRunning: No service is there.
        Refusal: It cannot be done.

    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(ANSWER_SECONDS)
        try:
            with reachable_socket(data_dir / SOCKET_NAME) as name:
                connection.connect(name)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunning from error
        except OSError as error:
            hint = "run it as root or as the service's user"
            raise Refusal(f"the control socket: {error.strerror}", hint) from error
        request = msgspec.json.encode({"do": do, "with": arguments})
        connection.sendall(request + b"\n")
        line = _read_line(connection)
    try:
        answer = msgspec.json.decode(line, type=Answer)
    except msgspec.MsgspecError as error:
        raise Refusal("the service broke off its answer", "see its log") from error
    if answer.error:
        raise Refusal(answer.error, answer.hint)
    return answer.ok


def _read_line(connection: socket.socket) -> bytes:
    received = bytearray()
    while not received.endswith(b"\n"):
        try:
            more = connection.recv(1024 * 1024)
        except OSError as error:
            raise Refusal("the service does not answer", "see its log") from error
        if not more:
            break
        received += more
        if len(received) > MAX_ANSWER_BYTES:
            raise Refusal("the answer is too long", "ask for less with --limit")
    return bytes(received)
