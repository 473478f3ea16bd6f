"""A next host that follows a script: it hangs, resets, lies and talks out of turn.

A fault injector; what well-behaved hosts do is tested with real programs.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable


class Talk:
    """One connection, from the server's side."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.heard: list[str] = []

    def say(self, *lines: str) -> None:
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())

    async def hear(self, verb: str) -> str:
        line = (await self.reader.readline()).decode().rstrip("\r\n")
        self.heard.append(line)
        assert line.startswith(verb), f"wanted {verb}, heard {line!r}"
        return line

    async def octets(self, count: int) -> bytes:
        return await self.reader.readexactly(count)

    async def content(self) -> bytes:
        return await self.reader.readuntil(b"\r\n.\r\n")

    async def ended(self) -> None:
        assert await self.reader.read() == b""

    async def greet(self, *offers: str) -> None:
        self.say("220 scripted")
        await self.hello(*offers)

    async def hello(self, *offers: str) -> None:
        await self.hear("EHLO relay.example.com")
        self.say("250-scripted", *(f"250-{offer}" for offer in offers), "250 HELP")

    async def take(self, *answers: str) -> bytes:
        """Take one message, pipelined by DATA."""
        await self.hear("MAIL FROM:")
        await self.hear("RCPT TO:")
        await self.hear("DATA")
        self.say("250 2.1.0 OK", "250 2.1.5 OK", "354 go")
        content = await self.content()
        self.say(*(answers or ("250 2.0.0 taken",)))
        return content

    async def leave(self) -> None:
        await self.hear("QUIT")
        self.say("221 bye")

    async def start_tls(self, context: ssl.SSLContext) -> None:
        await self.hear("STARTTLS")
        self.say("220 go")
        await self.writer.start_tls(context)

    def reset(self) -> None:
        self.writer.transport.abort()


Script = Callable[[Talk], Awaitable[None]]


class Host:
    """Follows one script a connection, in order; a further connection is an error."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = list(scripts)
        self._tasks: set[asyncio.Task[None]] = set()
        self.errors: list[BaseException] = []
        self.talks: list[Talk] = []
        self.port = 0

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        talk = Talk(reader, writer)
        self.talks.append(talk)
        try:
            await self._scripts[len(self.talks) - 1](talk)
        except asyncio.CancelledError:
            pass  # The script hangs, and the test is over.
        except BaseException as error:  # noqa: BLE001 - shown by `running`
            self.errors.append(error)
        finally:
            writer.close()

    @contextlib.asynccontextmanager
    async def running(
        self,
        address: str = "127.0.0.1",
        port: int = 0,
        context: ssl.SSLContext | None = None,
    ) -> AsyncGenerator["Host"]:
        server = await asyncio.start_server(
            self._serve, address, port, ssl=context, limit=1 << 20
        )
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
            # What was said at the end is still to be heard.
            if self._tasks:
                _, hanging = await asyncio.wait(self._tasks, timeout=0.5)
                for task in hanging:
                    task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        finally:
            server.close()
            await server.wait_closed()
        assert self.errors == []


async def forever(talk: Talk) -> None:
    """Say nothing more."""
    del talk
    await asyncio.Event().wait()
