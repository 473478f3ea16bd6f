"""Next hosts that take less than what was sent: it comes whole, or it comes back."""

import email
import email.policy
from base64 import b64decode
from collections.abc import Callable
from email.message import Message
from pathlib import Path

import pytest

from peers.postfix import PostfixNextHost
from peers.service import Service, plain_settings
from peers.sink import RecordingSink
from peers.smtp_tools import SmtpSink
from real.messages import DATE, a_message, stuffed, token

Serve = Callable[..., Service]

SEVEN_BIT = (b"PIPELINING", b"SIZE")


class StrictPostfix(PostfixNextHost):
    """One that offers none of the extensions, and takes nothing that needs them."""

    def _settings(self) -> str:
        return (
            super()._settings()
            + "smtpd_discard_ehlo_keywords = 8bitmime, smtputf8, chunking\n"
            + "strict_8bitmime = yes\nstrict_mime_encoding_domain = yes\n"
        )


def submit(
    service: Service,
    message: bytes,
    *,
    recipient: str = "somebody@world.test",
    parameters: str = " BODY=8BITMIME",
) -> None:
    """Hand a message in: by DATA, or in one chunk where it is binary."""
    with service.signed_in() as client:
        assert client.say(f"MAIL FROM:<{service.USER}>{parameters}").code == 250
        assert client.say(f"RCPT TO:<{recipient}>").code == 250
        if "BINARY" in parameters:
            client.send(b"BDAT %d LAST\r\n%b" % (len(message), message))
        else:
            assert client.say("DATA").code == 354
            client.send(stuffed(message))
        assert client.reply().code == 250


def a_mixed_message(mark: str, *, letters: int, minor: str = "mixed") -> bytes:
    """Write text, an attachment in 8-bit, and a message within the message."""
    text = "Grüße, 関所. \r\n.\r\n" * letters
    return (
        f"From: {Service.USER}\r\nTo: somebody@world.test\r\nSubject: {mark}\r\n"
        f"Date: {DATE}\r\nMessage-ID: <{mark}@client.test>\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/{minor}; boundary="----=_Part_1"\r\n'
        "Content-Transfer-Encoding: 8bit\r\n\r\n"
        "------=_Part_1\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n"
        "------=_Part_1\r\nContent-Type: application/x-data\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\né1\r\né2\r\n"
        "------=_Part_1\r\nContent-Type: message/rfc822\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\nSubject: inner\r\n\r\né\r\n"
        "------=_Part_1--\r\n"
    ).encode()


def leaves(message: bytes) -> list[tuple[str, bytes]]:
    """Types and decoded bodies, with LF line ends."""
    lines = message.replace(b"\r\n", b"\n")
    parsed = email.message_from_bytes(lines, policy=email.policy.default)
    return [
        (part.get_content_type(), _decoded(part))
        for part in parsed.walk()
        if not part.is_multipart()
    ]


def _decoded(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("letters", [3, 5000], ids=["small", "large"])
def test_a_strict_postfix_takes_it_with_the_same_parts(
    serve: Serve, tmp_path: Path, letters: int
) -> None:
    """It refuses any octet above 127, and labels that do not hold."""
    with StrictPostfix(tmp_path / "next-host") as next_host:
        service = serve(plain_settings(next_host.url))
        sent = a_mixed_message(token(), letters=letters)
        submit(service, sent)
        (stored,) = next_host.wait_for_messages(1)
        service.wait_until_idle()
    assert stored.isascii()
    assert leaves(stored) == leaves(sent)
    assert b"8bit" not in stored.replace(b"unknown-8bit", b"")


@pytest.mark.parametrize("letters", [3, 5000], ids=["small", "large"])
def test_smtp_sink_without_8bitmime(serve: Serve, tmp_path: Path, letters: int) -> None:
    next_host = SmtpSink(tmp_path / "next-host", ["-8"])
    with next_host.process:
        next_host.wait_until_ready()
        service = serve(plain_settings(next_host.url))
        sent = a_mixed_message(token(), letters=letters)
        submit(service, sent)
        service.wait_until_idle()
        (dumped,) = next_host.wait_for_messages(1)
    assert dumped.isascii()
    assert leaves(dumped) == leaves(sent)


def test_what_a_host_takes_is_sent_as_it_came(
    serve: Serve, sink: RecordingSink
) -> None:
    service = serve(plain_settings(sink.url))
    sent = a_mixed_message(token(), letters=3)
    submit(service, sent)
    assert sink.wait_for_messages(1)[0].content.endswith(sent)


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (a_mixed_message("signed", letters=1, minor="signed"), "5.6.1"),
        (a_message("header").replace(b"Subject:", "Subject: é".encode()), "5.6.3"),
    ],
    ids=["signed", "header"],
)
def test_what_cannot_be_converted_comes_back(
    serve: Serve, sink: RecordingSink, message: bytes, status: str
) -> None:
    """And the sender's host, which takes no more, gets all of it in the bounce."""
    sink.extensions = SEVEN_BIT
    with RecordingSink(extensions=SEVEN_BIT) as world:
        service = serve(plain_settings(world.url, own=sink.url))
        submit(service, message)
        failed = service.wait_for_event("delivery.failed")
        bounce = sink.wait_for_messages(1)[0]
        service.wait_until_idle()
        assert world.messages == []
        assert not any(
            b"MAIL" in line for each in world.connections for line in each.commands
        )
    assert status in failed["reply"]
    assert bounce.reverse_path == ""
    assert f"Status: {status}\r\n".encode() in bounce.content
    assert bounce.content.isascii()
    part = bounce.content.rpartition(b"Content-Type: message/global\r\n")[2]
    encoded = part.partition(b"\r\n\r\n")[2].partition(b"\r\n--")[0]
    assert b64decode(encoded).endswith(message)


def test_above_64_kib_the_header_alone_comes_back(
    serve: Serve, sink: RecordingSink
) -> None:
    with RecordingSink(
        answer=lambda line: b"550 5.1.1 no" if line[:4] == b"RCPT" else None
    ) as world:
        service = serve(plain_settings(world.url, own=sink.url))
        mark = token()
        submit(service, a_message(mark, body="not to come back\r\n" * 5000))
        bounce = sink.wait_for_messages(1)[0]
    assert b"Content-Type: text/rfc822-headers\r\n" in bounce.content
    assert f"Subject: {mark}\r\n".encode() in bounce.content
    assert b"not to come back" not in bounce.content
    assert len(bounce.content) < 8 * 1024


def test_a_bounce_is_converted_like_any_other_mail(
    serve: Serve, sink: RecordingSink
) -> None:
    """The original in it has octets above 127; the sender's host takes none."""
    sink.extensions = SEVEN_BIT
    with RecordingSink(
        answer=lambda line: b"550 5.1.1 no" if line[:4] == b"RCPT" else None
    ) as world:
        service = serve(plain_settings(world.url, own=sink.url))
        sent = a_mixed_message(token(), letters=1)
        submit(service, sent)
        bounce = sink.wait_for_messages(1)[0]
    assert bounce.content.isascii()
    assert leaves(bounce.content)[-3:] == leaves(sent)


@pytest.mark.parametrize("extensions", [SEVEN_BIT, (*SEVEN_BIT, b"8BITMIME")])
def test_binary_content_is_encoded(
    serve: Serve, sink: RecordingSink, extensions: tuple[bytes, ...]
) -> None:
    sink.extensions = extensions
    service = serve(plain_settings(sink.url))
    head = a_message(token()).replace(b"text/plain; charset=utf-8", b"image/x-raw")
    head = head.replace(b"8bit", b"binary").partition(b"\r\n\r\n")[0]
    octets = bytes(range(256)) * 4
    submit(service, head + b"\r\n\r\n" + octets, parameters=" BODY=BINARYMIME")
    taken = sink.wait_for_messages(1)[0].content
    assert taken.isascii()
    assert sink.bare_newlines() == []
    parsed = email.message_from_bytes(taken)
    assert parsed["Content-Transfer-Encoding"] == "base64"
    assert parsed.get_payload(decode=True) == octets


def test_smtputf8_without_need_is_left_out(serve: Serve, sink: RecordingSink) -> None:
    """U-labels are A-labels on the wire, and all else is ASCII."""
    service = serve(plain_settings(sink.url))
    mark = token()
    submit(
        service,
        a_message(mark),
        recipient="somebody@bücher.example",
        parameters=" SMTPUTF8",
    )
    taken = sink.wait_for_content(mark.encode())
    assert taken.recipients == ["somebody@xn--bcher-kva.example"]
    assert not any(b"SMTPUTF8" in each.octets for each in sink.connections)


def test_smtputf8_where_it_is_needed_comes_back(
    serve: Serve, sink: RecordingSink
) -> None:
    service = serve(plain_settings(sink.url))
    submit(
        service,
        a_message(token()),
        recipient="関所@world.test",
        parameters=" SMTPUTF8",
    )
    failed = service.wait_for_event("delivery.failed")
    assert "5.6.7" in failed["reply"]
    assert sink.wait_for_messages(1)[0].reverse_path == ""
