"""Delivery to aiosmtpd, a server that others wrote."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from delivery.equipment import Bodies, Names, at, courier, message, to_host
from peers.certificate import make_certificate
from sekisho.delivery.carrier import SmtpCarrier
from sekisho.model.envelope import BodyKind
from sekisho.model.outcome import Cause, Deferred, Delivered, Failed
from sekisho.model.route import Credentials, TlsPolicy
from sekisho.net.tls import load_server_tls, verifying_context

pytestmark = pytest.mark.asyncio


class Keeping:
    """Keeps what comes; refuses recipients called no and later."""

    def __init__(self) -> None:
        self.kept: list[Envelope] = []

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        local_part = address.partition("@")[0]
        if local_part in ("no", "later"):
            return "550 5.1.1 no" if local_part == "no" else "450 4.2.1 later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        self.kept.append(envelope)
        return "250 2.0.0 kept"


@asynccontextmanager
async def peer(handler: Keeping, **options: object) -> AsyncGenerator[int]:
    loop = asyncio.get_running_loop()

    def protocol() -> SMTP:
        return SMTP(handler, hostname="peer", loop=loop, **options)  # type: ignore[arg-type]

    server = await loop.create_server(protocol, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def test_recipients_by_reply_and_content_untouched() -> None:
    handler = Keeping()
    async with peer(handler) as port:
        carrier = await courier().connect(to_host(port))
        assert isinstance(carrier, SmtpCarrier)
        sent = message(
            recipients=("a@example.net", "no@example.net", "later@example.net"),
            prefix=b"Received: x\r\n",
        )
        for _ in range(3):
            outcomes = await carrier.deliver(sent, sent.envelope.recipients)
            kinds = [type(outcome) for outcome in outcomes]
            assert kinds == [Delivered, Failed, Deferred]
        await carrier.close()
    assert len(handler.kept) == 3
    for kept in handler.kept:
        assert kept.rcpt_tos == ["a@example.net"]
        assert kept.content == b"Received: x\r\nSubject: x\r\n\r\n.hello\r\n"


async def test_all_refused_then_the_next_over_the_same_connection() -> None:
    handler = Keeping()
    async with peer(handler) as port:
        carrier = await courier().connect(to_host(port))
        assert isinstance(carrier, SmtpCarrier)
        for to, kind in (("no@example.net", Failed), ("a@example.net", Delivered)):
            sent = message(recipients=(to,))
            (outcome,) = await carrier.deliver(sent, sent.envelope.recipients)
            assert isinstance(outcome, kind)
        await carrier.close()
    assert len(handler.kept) == 1


async def test_large_8bit_utf8_message() -> None:
    handler = Keeping()
    text = "Subject: é\r\n\r\n".encode() + "..é\r\n".encode() * 200_000
    async with peer(handler, enable_SMTPUTF8=True) as port:
        carrier = await courier(bodies=Bodies(big=text)).connect(to_host(port))
        assert isinstance(carrier, SmtpCarrier)
        sent = message(
            text,
            sender="ü@example.com",
            recipients=("é@example.net",),
            file="big",
            body=BodyKind.EIGHT_BIT_MIME,
            smtputf8=True,
        )
        (outcome,) = await carrier.deliver(sent, sent.envelope.recipients)
        assert isinstance(outcome, Delivered), outcome
        await carrier.close()
    assert handler.kept[0].content == text
    assert handler.kept[0].mail_from == "ü@example.com"


@pytest.mark.parametrize(("password", "well"), [("pa55", True), ("wrong", False)])
async def test_login_under_verified_tls(
    tmp_path: Path, password: str, *, well: bool
) -> None:
    files = make_certificate(tmp_path, "localhost", "127.0.0.1")
    tls = load_server_tls(files.certificate, files.key)

    def authenticator(*given: object) -> AuthResult:
        right = getattr(given[-1], "password", b"") == b"pa55"
        return AuthResult(success=right, handled=False)

    handler = Keeping()
    async with peer(
        handler,
        tls_context=tls.context,
        require_starttls=True,
        authenticator=authenticator,
        auth_required=True,
    ) as port:
        of = courier(
            verifying=verifying_context(files.certificate),
            resolver=Names(addresses={"localhost": at("127.0.0.1")}),
        )
        to = to_host(
            port,
            host="localhost",
            tls=TlsPolicy.REQUIRED,
            credentials=Credentials("user", password),
        )
        carrier = await of.connect(to)
        if well:
            assert isinstance(carrier, SmtpCarrier), carrier
            sent = message()
            (outcome,) = await carrier.deliver(sent, sent.envelope.recipients)
            assert isinstance(outcome, Delivered)
            assert outcome.tls == "TLSv1.3"
            await carrier.close()
        else:
            assert isinstance(carrier, Deferred)
            assert carrier.cause is Cause.UPSTREAM_AUTH
            assert "wrong" not in str(carrier)
