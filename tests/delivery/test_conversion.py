"""What the next host cannot take is converted or failed; what it can is not touched."""

import binascii
import re

import pytest

from delivery.equipment import Bodies, courier, message, recipient, to_host
from delivery.scripted import Host, Talk
from sekisho.delivery.carrier import SmtpCarrier
from sekisho.model.envelope import BodyKind
from sekisho.model.outcome import Cause, Delivered, Failed, Outcome

pytestmark = pytest.mark.asyncio

MIME = b"MIME-Version: 1.0\r\n"
TEXT = MIME + b"Content-Type: text/plain; charset=utf-8\r\n"
EIGHT = "é".encode()
SIGNED = (
    MIME
    + b"Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n\r\n"
    + EIGHT
    + b"\r\n--s--\r\n"
)


class Next:
    """A next host that takes one message, by BDAT where it offers CHUNKING."""

    def __init__(self, *offers: str) -> None:
        self.offers = offers
        self.mail = ""
        self.content = b""

    async def script(self, talk: Talk) -> None:
        await talk.greet(*self.offers)
        self.mail = await talk.hear("")
        if self.mail != "QUIT":
            talk.say("250 OK")
            await talk.hear("RCPT")
            talk.say("250 OK")
            await self._take(talk)
            await talk.hear("QUIT")
        talk.say("221 bye")

    async def _take(self, talk: Talk) -> None:
        if "CHUNKING" in self.offers:
            size = int((await talk.hear("BDAT")).split()[1])
            self.content = await talk.octets(size)
        else:
            await talk.hear("DATA")
            talk.say("354 go")
            wire = bytearray()
            while not wire.endswith(b"\r\n.\r\n"):
                wire += await talk.reader.read(65536)
            self.content = bytes(wire[:-3]).replace(b"\r\n..", b"\r\n.")
        talk.say("250 2.0.0 taken")


async def sent_to(
    host: Next,
    text: bytes,
    *,
    file: bool = False,
    prefix: bytes = b"",
    body: BodyKind = BodyKind.EIGHT_BIT_MIME,
    smtputf8: bool = False,
) -> Outcome:
    bodies = Bodies(big=text)
    async with Host(host.script).running() as running:
        carrier = await courier(bodies=bodies).connect(to_host(running.port))
        assert isinstance(carrier, SmtpCarrier)
        name = "big" if file else ""
        sent = message(text, file=name, prefix=prefix, body=body, smtputf8=smtputf8)
        (outcome,) = await carrier.deliver(sent, [recipient()])
        await carrier.close()
    assert bodies.largest_read <= 64 * 1024
    return outcome


@pytest.mark.parametrize("file", [False, True])
@pytest.mark.parametrize("by", ["SIZE", "CHUNKING"])
async def test_a_host_without_8bitmime_gets_seven_bits(file: bool, by: str) -> None:
    host = Next(by)
    body = EIGHT * 20 + b" = \r\n.\r\n"
    text = TEXT + b"\r\n" + body * (5000 if file else 5)
    outcome = await sent_to(host, text, file=file, prefix=b"X-Ours: 1\r\n")
    assert isinstance(outcome, Delivered)
    head, _, encoded = host.content.partition(b"\r\n\r\n")
    assert head == b"X-Ours: 1\r\n" + TEXT + (
        b"Content-Transfer-Encoding: quoted-printable"
    )
    assert encoded.isascii()
    assert binascii.a2b_qp(encoded) == text.partition(b"\r\n\r\n")[2]
    assert "BODY" not in host.mail
    if by == "SIZE":
        assert f"SIZE={len(host.content)}" in host.mail


@pytest.mark.parametrize("file", [False, True])
async def test_content_that_a_host_takes_is_not_touched(file: bool) -> None:
    host = Next("8BITMIME")
    text = TEXT + b"\r\n" + EIGHT * (50_000 if file else 5) + b"\r\n"
    outcome = await sent_to(host, text, file=file)
    assert isinstance(outcome, Delivered)
    assert host.content == text
    assert host.mail.endswith("BODY=8BITMIME")


@pytest.mark.parametrize("file", [False, True])
@pytest.mark.parametrize("offers", [("8BITMIME",), ("BINARYMIME", "8BITMIME"), ()])
async def test_binary_goes_as_base64(file: bool, offers: tuple[str, ...]) -> None:
    """BINARYMIME without CHUNKING is no offer (RFC 3030 §3)."""
    host = Next("SIZE", *offers)
    data = b"\0\xff\n" * (30_000 if file else 30)
    text = MIME + b"Content-Type: image/x\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    outcome = await sent_to(host, text + data, file=file, body=BodyKind.BINARY_MIME)
    assert isinstance(outcome, Delivered)
    assert b"Content-Transfer-Encoding: base64\r\n" in host.content
    assert binascii.a2b_base64(host.content.partition(b"\r\n\r\n")[2]) == data
    assert ("BODY=8BITMIME" in host.mail) == bool(offers)


async def test_binary_goes_as_it_is_where_it_is_taken() -> None:
    host = Next("BINARYMIME", "CHUNKING", "8BITMIME")
    text = MIME + b"Content-Transfer-Encoding: binary\r\n\r\n\0\xff\n"
    await sent_to(host, text, body=BodyKind.BINARY_MIME)
    assert host.content == text
    assert host.mail.endswith("BODY=BINARYMIME")


@pytest.mark.parametrize("file", [False, True])
@pytest.mark.parametrize(
    ("text", "body", "smtputf8", "offers", "status"),
    [
        (SIGNED, BodyKind.EIGHT_BIT_MIME, False, (), "5.6.1"),
        (TEXT + b"X: \xe9\r\n\r\nx", BodyKind.EIGHT_BIT_MIME, False, (), "5.6.3"),
        (TEXT + b"X: \xe9\r\n\r\nx", BodyKind.EIGHT_BIT_MIME, True, (), "5.6.7"),
        (TEXT + TEXT + b"\r\n\xe9", BodyKind.EIGHT_BIT_MIME, False, (), "5.6.3"),
        (TEXT + TEXT + b"\r\n\0", BodyKind.BINARY_MIME, False, ("8BITMIME",), "5.6.1"),
        (
            *(TEXT + b"X: \xc3\xa9\r\n\r\nx\n", BodyKind.BINARY_MIME, True),
            *(("8BITMIME",), "5.6.7"),
        ),
    ],
)
async def test_what_cannot_be_converted_is_failed_before_mail(
    file: bool,
    text: bytes,
    body: BodyKind,
    smtputf8: bool,
    offers: tuple[str, ...],
    status: str,
) -> None:
    host = Next(*offers)
    outcome = await sent_to(host, text, file=file, body=body, smtputf8=smtputf8)
    assert isinstance(outcome, Failed)
    assert outcome.cause is Cause.CONVERSION
    assert outcome.reply.enhanced == status
    assert outcome.host == "127.0.0.1"
    assert re.fullmatch(r"Next host [ -~]+", outcome.reply.lines[0])
    assert host.mail == "QUIT"


async def test_smtputf8_is_not_asked_for_where_ascii_will_do() -> None:
    """A host without SMTPUTF8 gets UTF-8 text, converted where it must be."""
    host = Next("PIPELINING")
    outcome = await sent_to(host, TEXT + b"\r\n" + EIGHT + b"\r\n", smtputf8=True)
    assert isinstance(outcome, Delivered)
    assert host.mail == "MAIL FROM:<a@example.com>"
    assert host.content.endswith(b"\r\n\r\n=C3=A9\r\n")
