"""Every client that people have gets a mail through to a next host."""

import asyncio
import shlex
import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import pytest

from peers.loopback import fresh_address
from peers.namespace import require_program
from peers.postfix import PostfixClient
from peers.process import run
from peers.service import COMMAND, OWN, Service, plain_settings
from peers.sink import Received, RecordingSink
from peers.smtp_tools import SmtpSink, smtp_source
from real.messages import TRICKY_BODY, a_message, assert_carried, token

USER, PASSWORD = Service.USER, Service.PASSWORD

Serve = Callable[..., Service]


@pytest.fixture
def service(serve: Serve, sink: RecordingSink) -> Service:
    """Serve one account; everything goes to the sink."""
    return serve(plain_settings(sink.url))


def trusting(service: Service) -> ssl.SSLContext:
    """Verify the service's certificate, as a careful client does."""
    return ssl.create_default_context(cafile=str(service.certificate.certificate))


def assert_submitted(message: Received, mark: str) -> None:
    """Want the envelope, and a Received that says how it came."""
    assert message.reverse_path == USER
    assert message.recipients == ["somebody@world.test"]
    assert mark.encode() in message.content
    trace = message.content.split(b"\r\n\r\n", 1)[0]
    assert trace.startswith(b"Received: from ")
    assert b"ESMTPSA" in trace
    assert USER.encode() not in trace.split(b"\r\nFrom:")[0].split(b"for <")[0]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks(service: Service, sink: RecordingSink, mechanism: str) -> None:
    swaks = require_program("swaks")
    host, port = service.address("submission")
    mark = token()
    done = run(
        [
            *(swaks, "--server", host, "--port", str(port), "--tls"),
            *("--auth", mechanism, "--auth-user", USER, "--auth-password", PASSWORD),
            *("--from", USER, "--to", "somebody@world.test"),
            *("--h-Subject", mark, "--body", "A line.\n.\nAnother."),
        ]
    )
    assert done.status == 0, done
    assert_submitted(sink.wait_for_content(mark.encode()), mark)


def test_swaks_over_implicit_tls(serve: Serve, sink: RecordingSink) -> None:
    """The port 465 of RFC 8314."""
    swaks = require_program("swaks")
    settings = plain_settings(sink.url)
    settings["listener"][1]["tls"] = "implicit"
    service = serve(settings)
    host, port = service.address("submission")
    mark = token()
    run(
        [
            *(swaks, "--server", host, "--port", str(port), "--tls-on-connect"),
            *("--auth", "PLAIN", "--auth-user", USER, "--auth-password", PASSWORD),
            *("--from", USER, "--to", "somebody@world.test", "--h-Subject", mark),
        ]
    ).well()
    assert_submitted(sink.wait_for_content(mark.encode()), mark)


def test_swaks_without_a_password_is_refused(
    service: Service, sink: RecordingSink
) -> None:
    swaks = require_program("swaks")
    host, port = service.address("submission")
    done = run(
        [
            *(swaks, "--server", host, "--port", str(port), "--tls"),
            *("--from", USER, "--to", "somebody@world.test"),
        ]
    )
    assert done.status != 0
    assert "530 5.7.0" in done.output
    assert sink.connections == []


def test_smtplib(service: Service, sink: RecordingSink) -> None:
    """Python's own, with what a message may hold at worst."""
    mark = token()
    sent = a_message(mark, body=TRICKY_BODY)
    host, port = service.address("submission")
    with smtplib.SMTP(host, port, timeout=10) as client:
        client.starttls(context=trusting(service))
        client.login(USER, PASSWORD)
        client.sendmail(USER, ["somebody@world.test"], sent, ["BODY=8BITMIME"])
    message = sink.wait_for_content(mark.encode())
    assert_submitted(message, mark)
    assert_carried(message.content, sent)


def test_smtplib_adds_what_is_missing(service: Service, sink: RecordingSink) -> None:
    """RFC 6409 §8: Date and Message-ID, and nothing else."""
    mark = token()
    host, port = service.address("submission")
    with smtplib.SMTP(host, port, timeout=10) as client:
        client.starttls(context=trusting(service))
        client.login(USER, PASSWORD)
        bare = f"From: {USER}\r\nSubject: {mark}\r\n\r\nx\r\n"
        client.sendmail(USER, ["somebody@world.test"], bare)
    content = sink.wait_for_content(mark.encode()).content
    header = content.split(b"\r\n\r\n", 1)[0]
    assert header.count(b"\r\nDate: ") == 1
    assert header.count(b"\r\nMessage-ID: <") == 1


def test_smtplib_international(service: Service, sink: RecordingSink) -> None:
    """RFC 6531: an address in UTF-8 to a next host that can take it."""
    sink.extensions = (b"PIPELINING", b"8BITMIME", b"SMTPUTF8")
    message = EmailMessage()
    message["From"], message["To"] = USER, "関所@world.test"
    message["Subject"] = mark = token()
    message.set_content("x")
    host, port = service.address("submission")
    with smtplib.SMTP(host, port, timeout=10) as client:
        client.starttls(context=trusting(service))
        client.login(USER, PASSWORD)
        client.send_message(message)
    arrived = sink.wait_for_content(mark.encode())
    assert arrived.recipients == ["関所@world.test"]


def test_aiosmtplib(service: Service, sink: RecordingSink) -> None:
    message = EmailMessage()
    message["From"], message["To"] = USER, "somebody@world.test"
    message["Subject"] = mark = token()
    message.set_content("Hello.\n")
    host, port = service.address("submission")
    sending = aiosmtplib.send(
        message,
        hostname=host,
        port=port,
        start_tls=True,
        tls_context=trusting(service),
        username=USER,
        password=PASSWORD,
    )
    asyncio.run(sending)
    assert_submitted(sink.wait_for_content(mark.encode()), mark)


def test_smtp_source_to_smtp_sink(serve: Serve, tmp_path: Path) -> None:
    """Postfix's load generator at the mx listener, to its sink."""
    with_sink = SmtpSink(tmp_path / "sink")
    with with_sink.process:
        with_sink.wait_until_ready()
        service = serve(plain_settings(with_sink.url), users=False)
        host, port = service.address("mx")
        options = ("-m", "20", "-s", "5", "-l", "4096", "-M", "outside.test")
        envelope = ("-f", "s@outside.test", "-t", f"known@{OWN}")
        smtp_source(f"{host}:{port}", *options, *envelope).well()
        assert len(with_sink.wait_for_messages(20)) == 20


def test_smtp_source_of_a_stranger_is_refused(
    service: Service, sink: RecordingSink
) -> None:
    require_program("unshare")
    host, port = service.address("mx")
    envelope = ("-f", "s@outside.test", "-t", "somebody@world.test")
    done = smtp_source(f"{host}:{port}", "-m", "1", *envelope)
    assert done.status != 0
    assert "550 5.7.1" in done.errors
    assert sink.connections == []


@pytest.mark.parametrize(
    "mechanisms", ["plain", "login", "scram-sha-256", "!external, static:all"]
)
def test_postfix_relays_through_us(
    service: Service, sink: RecordingSink, tmp_path: Path, mechanisms: str
) -> None:
    """A machine's own Postfix with us as its smarthost; the last case is its choice."""
    mark = token()
    sent = a_message(mark, body=TRICKY_BODY)
    postfix = PostfixClient(
        tmp_path / "postfix",
        relay=service.address("submission"),
        user=USER,
        password=PASSWORD,
        mechanisms=mechanisms,
    )
    with postfix:
        postfix.sendmail(
            *("-i", "-f", USER, "--", "somebody@world.test"),
            message=sent.replace(b"\r\n", b"\n"),
        ).well()
        message = sink.wait_for_content(mark.encode())
        postfix.wait_until_sent(1)
    assert_submitted(message, mark)
    assert message.content.endswith(sent.split(b"\r\n\r\n", 1)[1])
    assert "ESMTPSA" in message.content.decode()


CRON_SCRIPT = """
echo 'nightly job done' | {
  printf 'From: %s\\nTo: somebody@world.test\\nSubject: %s\\n\\n' "$1" "$2"
  cat
} | "$3" sendmail -t -i -f "$1"
"""


def test_sendmail_called_by_a_cron_script(serve: Serve, sink: RecordingSink) -> None:
    """An almost empty environment, no terminal, standard input a pipe."""
    service = serve(plain_settings(sink.url))
    mark = token()
    done = run(
        [
            *("env", "-i", "PATH=/usr/bin:/bin", "HOME=/nonexistent"),
            f"SEKISHO_CONFIG={service.configuration}",
            *("sh", "-c", CRON_SCRIPT, "cron", USER, mark, COMMAND),
        ],
        folder=Path("/"),
    )
    assert done.status == 0, done
    assert done.output == ""
    message = sink.wait_for_content(mark.encode())
    assert message.reverse_path == USER
    assert message.recipients == ["somebody@world.test"]
    assert b"nightly job done\r\n" in message.content
    assert sink.bare_newlines() == []


def test_sendmail_says_75_where_it_cannot_be_queued(
    serve: Serve, sink: RecordingSink
) -> None:
    """EX_TEMPFAIL: the caller shall try again."""
    service = serve(plain_settings(sink.url))
    service.kill()
    arguments = ("-t", "-i", "-f", USER)
    message = f"From: {USER}\nTo: somebody@world.test\n\nx\n"
    done = service.run("sendmail", *arguments, data=message.encode())
    assert "Traceback" not in done.errors
    # With the service stopped it may queue by itself, too; then nothing may be lost.
    if done.status == 0:
        service.start()
        sink.wait_for_messages(1)
        service.stop()
        service.kill()
    else:
        assert done.status == 75, done


def test_send_shows_the_whole_transcript(service: Service, sink: RecordingSink) -> None:
    host, port = service.address("submission")
    password = service.folder / "password"
    password.write_text(PASSWORD)
    command = shlex.split(
        f"send --server {host}:{port} --user {USER} --from {USER}"
        f" --to somebody@world.test"
    )
    done = service.run(*command, "--password-file", str(password), "--insecure")
    assert done.status == 0, done
    assert sink.wait_for_messages(1)[0].recipients == ["somebody@world.test"]
    assert "235 2.7.0" in done.output
    assert PASSWORD not in done.output


def test_a_lane_takes_a_printer_s_mail(serve: Serve, sink: RecordingSink) -> None:
    """A machine that can neither AUTH nor TLS nor CRLF, within the lane's walls."""
    printer, neighbour = fresh_address(), fresh_address()
    settings = plain_settings(sink.url)
    settings["listener"].append(
        {
            "name": "printers",
            "role": "legacy",
            "bind": ["127.0.0.1:0"],
            "who": [printer],
            "senders": [f"scanner@{OWN}"],
            "recipients": ["*@world.test"],
            "bare_newline": "normalise",
        }
    )
    service = serve(settings, users=False)
    with service.dial("printers", source=printer) as client:
        assert client.say("HELO printer").code == 250
        assert client.say(f"MAIL FROM:<scanner@{OWN}>").code == 250
        assert client.say("RCPT TO:<boss@elsewhere.test>").status == "550 5.7.1"
        assert client.say("RCPT TO:<boss@world.test>").code == 250
        assert client.say("DATA").code == 354
        client.send(f"From: scanner@{OWN}\nSubject: scan\n\n.page\n\r\n.\r\n".encode())
        assert client.reply().code == 250
    message = sink.wait_for_messages(1)[0]
    assert b"\r\n\r\n.page\r\n" in message.content
    assert sink.bare_newlines() == []
    with service.dial("printers", source=neighbour) as client:
        answer = client.greeting
        for line in ("HELO x", f"MAIL FROM:<scanner@{OWN}>", "RCPT TO:<b@world.test>"):
            if answer.code < 300:
                answer = client.say(line)
        assert answer.status == "550 5.7.1"
