"""``sekisho send``: one test message through a server, with the whole transcript."""

import io
import secrets
import socket
import ssl
import sys
from dataclasses import dataclass

import click

from sekisho.app.clock import unix_seconds
from sekisho.app.control import Refusal
from sekisho.app.conversation import Conversation, Letter
from sekisho.cli.options import config_path, first_line
from sekisho.config.load import load_config
from sekisho.model.address import Address, AddressError, parse_address
from sekisho.model.envelope import BodyKind, Envelope, Recipient
from sekisho.model.outcome import Delivered
from sekisho.model.reply import printable
from sekisho.model.route import Credentials, TlsPolicy
from sekisho.report.trace import rfc5322_date
from sekisho.session.client_events import ClientProfile

CONNECT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be sent, and how."""

    server: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    body: str


@click.command("send")
@click.option(
    "-c",
    "--config",
    "config_file",
    metavar="FILE",
    help="whose certificate to trust, where the server is ours",
)
@click.option("--server", required=True, metavar="HOST:PORT")
@click.option("--from", "sender", required=True, metavar="A")
@click.option("--to", "recipients", required=True, multiple=True, metavar="B")
@click.option("--user", metavar="U", help="sign in as")
@click.option(
    "--password-file", metavar="F", help="its first line; - is standard input"
)
@click.option("--subject", default="A test message of Sekisho", show_default=True)
@click.option("--body", default="If you read this, the message has passed.")
@click.option(
    "--tls",
    type=click.Choice(["starttls", "implicit", "off"]),
    default="starttls",
    show_default=True,
)
@click.option("--insecure", is_flag=True, help="take any certificate")
@click.option("--quiet", is_flag=True, help="no transcript")
def send_command(  # noqa: PLR0913 - one parameter an option
    config_file: str | None,
    *,
    user: str | None,
    password_file: str | None,
    tls: str,
    insecure: bool,
    quiet: bool,
    server: str,
    sender: str,
    recipients: tuple[str, ...],
    subject: str,
    body: str,
) -> None:
    """Send one test message through a server and show every word."""
    order = _Order(server, sender, recipients, subject, body)
    host, _, port = server.rpartition(":")
    host = host.strip("[]")
    if not (host and port.isdigit()):
        raise click.UsageError("--server is HOST:PORT")
    letter = _letter(order)
    profile = ClientProfile(
        hostname="[127.0.0.1]" if host.startswith("127.") else socket.getfqdn(),
        host=host,
        tls=TlsPolicy.OFF if tls == "off" else TlsPolicy.REQUIRED,
        credentials=_credentials(user, password_file),
        nonce=secrets.token_urlsafe(18),
    )
    try:
        connection = socket.create_connection((host, int(port)), CONNECT_SECONDS)
    except OSError as error:
        sentence = f"cannot connect to {server}: {error.strerror or error}"
        raise Refusal(sentence, "is the service running?") from error
    with connection:
        outcomes = Conversation(
            connection,
            profile,
            context=_context(config_file, insecure=insecure),
            implicit_tls=tls == "implicit",
            watch=_no_watch if quiet else _show,
        ).deliver(letter)
    for recipient, outcome in zip(recipients, outcomes, strict=True):
        taken = isinstance(outcome, Delivered)
        click.echo(f"{recipient}: {'taken' if taken else 'not taken'}: {outcome.reply}")
    if not all(isinstance(outcome, Delivered) for outcome in outcomes):
        sys.exit(1)


def _credentials(user: str | None, password_file: str | None) -> Credentials | None:
    if user is None:
        return None
    if not password_file:
        password = click.prompt("password", hide_input=True, err=True)
    else:
        password = first_line(password_file)
    return Credentials(user, password)


def _letter(order: _Order) -> Letter:
    sender, recipients = _address(order.sender), list(map(_address, order.recipients))
    now = unix_seconds()
    domain = sender.domain.strip("[]")
    text = (
        f"From: {sender}\r\nTo: {', '.join(map(str, recipients))}\r\n"
        f"Subject: {printable(order.subject)}\r\nDate: {rfc5322_date(now)}\r\n"
        f"Message-ID: <{secrets.token_hex(12)}@{domain}>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\n"
    ) + "".join(f"{line}\r\n" for line in order.body.splitlines())
    octets = text.encode()
    utf8 = not all(one.is_ascii for one in [sender, *recipients])
    envelope = Envelope(
        reverse_path=sender,
        recipients=tuple(Recipient(one) for one in recipients),
        body=BodyKind.SEVEN_BIT if text.isascii() else BodyKind.EIGHT_BIT_MIME,
        smtputf8=utf8,
    )
    return Letter(envelope, io.BytesIO(octets), len(octets), not text.isascii(), utf8)


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except AddressError as error:
        raise click.UsageError(f"{text!r}: {error}") from error


def _context(config_file: str | None, *, insecure: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if config_file is not None:
        config = load_config(config_path(config_file), {})
        if config.tls is not None:
            # Our own certificate is trusted as it is, self-signed or not.
            context.load_verify_locations(config.tls.certificate)
            context.check_hostname = False
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _show(mark: str, line: bytes) -> None:
    click.echo(f"{mark} {printable(line.decode('utf-8', 'replace'), 2000)}")


def _no_watch(mark: str, line: bytes) -> None:
    del mark, line
