"""The server room over real sockets in one process: real policy, queue, gatekeeper.

Put together as `sekisho.app.worker` does it, from a configuration as users write it;
only the call-out is scripted, and nothing carries the mail on.
"""

import asyncio
import base64
import ssl
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from peers.certificate import make_certificate
from peers.service import HOSTNAME, OWN, Settings, as_toml
from replacing import replace
from sekisho.app.clock import unix_seconds
from sekisho.app.hostfacts import Seen
from sekisho.app.proof import policy_of
from sekisho.app.wiring import (
    Papers,
    gatekeeper,
    listener_context,
    new_id,
    roster,
)
from sekisho.auth.accounts import AccountStore, NewAccount
from sekisho.auth.hashing import Hasher
from sekisho.config.load import load_config
from sekisho.config.values import service_limits
from sekisho.model.address import Address
from sekisho.model.facts import Standing
from sekisho.model.message import Message
from sekisho.net.ports import bind
from sekisho.net.tls import load_server_tls
from sekisho.observe.events import Event
from sekisho.policy.closed import HostFacts
from sekisho.queue.store import Queue, QueueOptions
from sekisho.server.counters import ClientCounters, QuotaCounters
from sekisho.server.listeners import Listeners
from sekisho.server.services import ListenerContext, Services
from sekisho.shared.counts import CELLS

USER, PASSWORD = "user@own.test", "correct horse"
FROM, TO = "MAIL FROM:<a@outside.test>", f"RCPT TO:<known@{OWN}>"
MAIL = b"From: <a@outside.test>\r\nSubject: x\r\n\r\nHello.\r\n"
SECONDS = 5.0


class ScriptedCallout:
    """An inner host that answers when it is let."""

    def __init__(self) -> None:
        self.standing = Standing.EXISTS
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: Exception | None = None
        self.asked: list[str] = []

    async def ask(self, address: Address) -> Standing:
        self.asked.append(str(address))
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return self.standing


@dataclass
class Clock:
    """The clock of the machine, moved forward at will."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return unix_seconds() + self.ahead


@dataclass
class House:
    """A server in this process."""

    services: Services
    listeners: Listeners
    queue: Queue
    callout: ScriptedCallout
    accounts: AccountStore
    ports: dict[str, int]
    clock: Clock
    folder: Path
    events: list[Event] = field(default_factory=list[Event])
    accepted: list[Message] = field(default_factory=list[Message])
    fatal: list[str] = field(default_factory=list[str])

    @property
    def open_connections(self) -> int:
        return len(self.listeners._connections)

    def seen(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def tally(self) -> Counter[str]:
        return Counter(type(event).__name__ for event in self.events)

    def body_files(self) -> list[str]:
        return [one.name for one in self.queue.bodies.folder.iterdir()]

    async def dial(self, listener: str = "mx", *, greeting: bool = True) -> "Client":
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.ports[listener]
        )
        client = Client(reader, writer)
        if greeting:
            assert (await client.reply()).startswith("220"), client.heard
        return client

    async def session(self, listener: str = "mx") -> "Client":
        client = await self.dial(listener)
        assert (await client.say("EHLO c.test")).startswith("250")
        return client

    async def signed_in(self) -> "Client":
        client = await self.dial("submission")
        await client.starttls()
        await client.say("EHLO c.test")
        assert (await client.say(plain())).startswith("235"), client.heard
        return client

    async def quiet(self) -> None:
        """Wait until nothing of any session is left, and hold that it is nothing."""
        await until(lambda: self.open_connections == 0)
        await until(lambda: self.services.clients.sessions == 0)
        counts = self.services.clients._counts
        assert not any(counts._words[counts._own :][: 2 * CELLS])
        await until(lambda: self.services.buffered_bytes == 0)
        await until(lambda: len(asyncio.all_tasks()) <= 2)


def plain(user: str = USER, password: str = PASSWORD) -> str:
    secret = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    return f"AUTH PLAIN {secret}"


async def until(probe: Callable[[], object], seconds: float = SECONDS) -> None:
    end = asyncio.get_running_loop().time() + seconds
    while not probe():
        assert asyncio.get_running_loop().time() < end, "it never came about"
        await asyncio.sleep(0.01)


def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Client:
    """A client that says what it is told to."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.heard: list[str] = []

    async def reply(self) -> str:
        """The next whole reply; empty where the server closed."""
        lines: list[str] = []
        while True:
            try:
                line = await asyncio.wait_for(self.reader.readline(), SECONDS)
            except OSError:
                line = b""
            lines.append(line.decode())
            if not line or line[3:4] != b"-":
                break
        self.heard.append("".join(lines))
        return self.heard[-1]

    def send(self, octets: bytes) -> None:
        self.writer.write(octets)

    async def say(self, line: str) -> str:
        self.send(line.encode() + b"\r\n")
        return await self.reply()

    async def begin(self, to: str = TO, sender: str = FROM) -> None:
        for line, code in ((sender, "250"), (to, "250"), ("DATA", "354")):
            assert (await self.say(line)).startswith(code), self.heard

    async def deliver(
        self, mail: bytes = MAIL, to: str = TO, sender: str = FROM
    ) -> str:
        await self.begin(to, sender)
        self.send(mail + b".\r\n")
        return await self.reply()

    async def starttls(self) -> None:
        await self.say("EHLO c.test")
        assert (await self.say("STARTTLS")).startswith("220"), self.heard
        await self.handshake()

    async def handshake(self) -> None:
        await self.writer.start_tls(trusting())

    async def is_closed(self) -> bool:
        return await self.reply() == ""

    def vanish(self) -> None:
        """Go away as a crash does: a reset, no goodbye."""
        transport = self.writer.transport
        transport.abort()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.vanish()


def a_house(**listeners: dict[str, Any]) -> Settings:
    """Three doors; more keys for them, and further doors, by name."""
    doors: dict[str, dict[str, Any]] = {
        "mx": {"role": "mx"},
        "submission": {"role": "submission"},
        "smtps": {"role": "submission", "tls": "implicit"},
    }
    for name, keys in listeners.items():
        doors[name] = {**doors.get(name, {}), **keys}
    return {
        "hostname": HOSTNAME,
        "data_dir": "data",
        "listener": [
            {"name": name, "bind": ["127.0.0.1:0"], **keys}
            for name, keys in doors.items()
        ],
        "tls": {"certificate": "cert.pem", "key": "key.pem"},
        "authenticator": [{"kind": "local"}],
        "domains": {
            OWN: {
                "route": "drop:drop",
                "recipients": [f"known@{OWN}", f"user@{OWN}"],
            },
            "asked.test": {"route": "smtp://127.0.0.1:9", "recipients": "callout"},
        },
        "grant": [{"name": "staff", "who": ["authenticated"]}],
        "route": [{"to": "*", "via": "drop:drop"}],
    }


@asynccontextmanager
async def open_house(
    folder: Path,
    settings: Settings | None = None,
    *,
    measure: Callable[[Path], int] = lambda _folder: 2**50,
    **limits: float,
) -> AsyncGenerator[House]:
    """Serve in this process; on leaving, nothing may be left of any session."""
    settings = {**(settings or a_house()), "limits": limits}
    pair = make_certificate(folder, HOSTNAME, "127.0.0.1")
    (folder / "sekisho.toml").write_text(as_toml(settings))
    config = load_config(folder / "sekisho.toml", {})
    clock, callout = Clock(), ScriptedCallout()
    async with AsyncExitStack() as closing:
        accounts = AccountStore.open(
            folder / "accounts.db", Hasher(memory_kib=8, passes=1), unix_seconds
        )
        closing.callback(accounts.close)
        accounts.add(NewAccount(name=USER, password=PASSWORD))
        queue = Queue.open(
            folder / "queue", options=QueueOptions(min_free_bytes=1, measure=measure)
        )
        closing.push_async_callback(queue.close)
        seen = Seen(HostFacts())
        authenticators = roster(config, accounts, closing)
        await authenticators.take(config)
        papers = Papers(gatekeeper(config, authenticators, seen))
        events: list[Event] = []
        accepted: list[Message] = []
        fatal: list[str] = []
        services = Services(
            policy=policy_of(config, seen),
            gatekeeper=papers.gatekeeper,
            is_current=papers.is_current,
            queue=queue,
            callout=callout,
            emit=events.append,
            accepted=accepted.append,
            new_id=new_id,
            clock=clock,
            ticks=clock,
            limits=replace(service_limits(config), min_free_bytes=1),
            clients=ClientCounters(),
            quotas=QuotaCounters(),
            tls=load_server_tls(pair.certificate, pair.key),
        )
        queue.start(asyncio.get_running_loop(), fatal.append)
        listeners = Listeners(services, "t-")
        ports: dict[str, int] = {}
        for one in config.listeners:
            context: ListenerContext = listener_context(config, one)
            bound = bind("127.0.0.1", 0)
            ports[one.name] = bound.getsockname()[1]
            await listeners.open(context, bound, bound.fileno())
        house = House(
            services,
            listeners,
            queue,
            callout,
            accounts,
            ports,
            clock,
            folder,
            events,
            accepted,
            fatal,
        )
        closing.push_async_callback(listeners.close, 0.0)
        yield house
        await listeners.close(0.0)
        await house.quiet()


class TlsClient:
    """A client whose handshake octets are in its own hands."""

    def __init__(self, client: Client) -> None:
        self._plain = client
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = trusting().wrap_bio(self._in, self._out)

    async def shake_hands(
        self,
        send: Callable[[bytes], Awaitable[None]] | None = None,
        behind: bytes = b"",
    ) -> None:
        """Shake hands; `behind` goes out in one piece with the last of it.

        Args:
            send: Sends a flight of the handshake; else it is simply sent.
            behind: Said under TLS.

        """
        send = send or self._simply
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await send(self._out.read())
                await self._more()
            else:
                break
        if behind:
            self._tls.write(behind)
        await send(self._out.read())

    async def _simply(self, octets: bytes) -> None:
        self._plain.send(octets)

    async def _more(self) -> None:
        data = await asyncio.wait_for(self._plain.reader.read(65536), SECONDS)
        assert data, "the server closed"
        self._in.write(data)

    async def say(self, line: str) -> str:
        self.write(line)
        return await self.heard()

    def write(self, line: str) -> None:
        self._tls.write(line.encode() + b"\r\n")
        self._plain.send(self._out.read())

    def goodbye(self) -> bytes:
        """``close_notify``, in octets."""
        with suppress(ssl.SSLError):
            # The server has not said so yet; what it said before may still be there.
            self._tls.unwrap()
        return self._out.read()

    async def has_ended(self) -> bool:
        """Whether the server says that it says no more."""
        while True:
            try:
                return self._tls.read(65536) == b""
            except ssl.SSLWantReadError:
                await self._more()

    async def heard(self) -> str:
        """What comes next, up to a line's end."""
        data = b""
        while not data.endswith(b"\n"):
            try:
                data += self._tls.read(65536)
            except ssl.SSLWantReadError:
                await self._more()
        return data.decode()
