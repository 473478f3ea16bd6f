"""What a courier needs, for the tests: clocks, names, messages."""

import itertools
import ssl
from collections.abc import Sequence
from ipaddress import ip_address

from sekisho.delivery.courier import Courier, CourierOptions, CourierTools
from sekisho.delivery.mx import OwnHost, Resolver
from sekisho.model.address import NULL_PATH, parse_address
from sekisho.model.content import Body, Content, FileBody, InlineBody
from sekisho.model.envelope import BodyKind, Envelope, Recipient
from sekisho.model.ids import MessageId
from sekisho.model.message import Message
from sekisho.model.route import Credentials, Destination, HostRoute, Server, TlsPolicy
from sekisho.net.dns import (
    NO_SUCH_NAME,
    AddressAnswer,
    MailExchanger,
    MxAnswer,
)
from sekisho.net.tls import opportunistic_context
from sekisho.session.client_events import ClientTimeouts

TEXT = b"Subject: x\r\n\r\n.hello\r\n"


class Bodies:
    """Bodies in memory, for those that claim to be files."""

    def __init__(self, **bodies: bytes) -> None:
        self.bodies = bodies
        self.largest_read = 0

    async def read(self, body: FileBody, offset: int, length: int) -> bytes:
        self.largest_read = max(self.largest_read, length)
        if body.name not in self.bodies:
            raise FileNotFoundError(body.name)
        return self.bodies[body.name][offset : offset + length]


class Names:
    """A resolver with a table."""

    def __init__(
        self,
        mx: dict[str, MxAnswer] | None = None,
        addresses: dict[str, AddressAnswer] | None = None,
    ) -> None:
        self.mx = mx or {}
        self.table = addresses or {}
        self.asked: list[str] = []

    async def mail_exchangers(self, domain: str) -> MxAnswer:
        return self.mx.get(domain, NO_SUCH_NAME)

    async def addresses(self, host: str) -> AddressAnswer:
        self.asked.append(host)
        return self.table.get(host, NO_SUCH_NAME)

    async def system_addresses(self, host: str) -> AddressAnswer:
        return await self.addresses(host)


def at(*texts: str) -> AddressAnswer:
    return tuple(ip_address(text) for text in texts)


def unshuffled(exchangers: list[MailExchanger]) -> None:
    del exchangers


def courier(
    *,
    resolver: Resolver | None = None,
    bodies: Bodies | None = None,
    verifying: ssl.SSLContext | None = None,
    own: OwnHost | None = None,
    **options: float | ClientTimeouts,
) -> Courier:
    numbers = itertools.count(1)
    given: dict[str, object] = {"timeouts": ClientTimeouts(quit=1.0), **options}
    return Courier(
        CourierOptions("relay.example.com", own=own or OwnHost(), **given),  # type: ignore[arg-type]
        CourierTools(
            resolver=resolver or Names(),
            bodies=bodies or Bodies(),
            verifying=verifying or ssl.create_default_context(),
            opportunistic=opportunistic_context(),
            shuffle=unshuffled,
            token=lambda: f"{next(numbers):016x}",
            clock=lambda: 1_700_000_000.5,
        ),
    )


def to_host(
    *ports: int,
    host: str = "127.0.0.1",
    tls: TlsPolicy = TlsPolicy.OPPORTUNISTIC,
    implicit_tls: bool = False,
    lmtp: bool = False,
    credentials: Credentials | None = None,
) -> Destination:
    servers = tuple(Server(host, port, implicit_tls=implicit_tls) for port in ports)
    return Destination(
        HostRoute("test", servers, tls=tls, lmtp=lmtp, credentials=credentials)
    )


def recipient(text: str = "b@example.net") -> Recipient:
    return Recipient(parse_address(text))


def message(
    text: bytes = TEXT,
    *,
    sender: str = "a@example.com",
    recipients: Sequence[str] = ("b@example.net",),
    prefix: bytes = b"",
    skip: int = 0,
    file: str = "",
    body: BodyKind = BodyKind.SEVEN_BIT,
    smtputf8: bool = False,
) -> Message:
    stored: Body = FileBody(file, len(text)) if file else InlineBody(text)
    return Message(
        id=MessageId(7 << 76),
        envelope=Envelope(
            parse_address(sender) if sender else NULL_PATH,
            tuple(recipient(text) for text in recipients),
            body=body,
            smtputf8=smtputf8,
        ),
        content=Content(prefix, stored, skip),
        received_at=1.0,
    )
