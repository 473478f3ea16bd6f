"""``sekisho sendmail``: a stand-in for programs that call sendmail(8).

It speaks SMTP to the service's own socket, where the kernel says which user it is
(``docs/decisions/0004-sendmail-through-a-socket.md``). Exit codes are those of
sysexits.h that callers know: 0 queued, 64 wrong use, 67 no such recipient, 75 try
again later, 77 not permitted.
"""

import getpass
import os
import re
import socket
import sys
import tempfile
from email.parser import BytesHeaderParser
from email.utils import formataddr, getaddresses
from pathlib import Path
from typing import IO, NoReturn

import click

from sekisho.app.conversation import Conversation, Letter
from sekisho.app.submission import WELL_KNOWN_SOCKET, submit_socket
from sekisho.cli.options import config_option, config_path
from sekisho.config.load import load_config
from sekisho.config.problems import ConfigErrors
from sekisho.model.address import (
    NULL_PATH,
    Address,
    AddressError,
    ReversePath,
    parse_address,
)
from sekisho.model.envelope import BodyKind, Envelope, Recipient
from sekisho.model.outcome import Deferred, Delivered, Outcome
from sekisho.model.route import TlsPolicy
from sekisho.net.unix import reachable_socket
from sekisho.session.client_events import ClientProfile
from sekisho.wire.header import (
    begins_with_field,
    field_values,
    header_end,
    needs_smtputf8,
)

EX_USAGE, EX_NOUSER, EX_TEMPFAIL, EX_NOPERM = 64, 67, 75, 77
MEMORY_BYTES = 64 * 1024
MAX_HEADER_BYTES = 256 * 1024
MAX_LINE_BYTES = 64 * 1024
SECONDS = 600.0
_BCC = re.compile(
    rb"^bcc[ \t]*:(?:[^\r\n]|\r\n[ \t])*(?:\r\n)?", re.IGNORECASE | re.MULTILINE
)


@click.command("sendmail", context_settings={"ignore_unknown_options": True})
@config_option
@click.option("-t", "from_header", is_flag=True, help="recipients stand in the header")
@click.option("-i", "ignore_dots", is_flag=True, help="a lone dot does not end it")
@click.option("-f", "-r", "sender", metavar="A", help="the reverse-path")
@click.option("-F", "full_name", metavar="NAME", help="for a From that is missing")
@click.option(
    "-o", "options", multiple=True, metavar="X", help="-oi is -i; others are not used"
)
@click.option("-b", "mode", default="m", help="-bm alone")
@click.option("-B", "-N", "-R", "-V", "-X", "-L", "-O", "-q", "not_used", multiple=True)
@click.option("-v", "-U", "-G", "-n", "switches", is_flag=True)
@click.argument("arguments", nargs=-1)
def sendmail_command(  # noqa: PLR0913 - one parameter an option
    config_file: str | None,
    *,
    from_header: bool,
    ignore_dots: bool,
    sender: str | None,
    options: tuple[str, ...],
    mode: str,
    arguments: tuple[str, ...],
    full_name: str | None,
    not_used: tuple[str, ...],
    switches: bool,
) -> None:
    """Take a message from standard input and queue it."""
    del not_used, switches
    if mode != "m":
        _leave(EX_USAGE, f"-b{mode} is not supported")
    path, hostname = _where(config_file)
    with tempfile.SpooledTemporaryFile(MEMORY_BYTES) as raw:
        eight_bit = _read(raw, keeps_dots=ignore_dots or "i" in options)
        header = _header(raw)
        named = [*arguments, *(_in_header(header) if from_header else ())]
        recipients = list(dict.fromkeys(_recipient(one, hostname) for one in named))
        if not recipients:
            _leave(EX_USAGE, "no recipients: name them, or use -t")
        reverse_path = _reverse_path(sender, hostname)
        author = (full_name or "", str(_address(sender or "", hostname)))
        shown = _shown(header, author)
        envelope = Envelope(
            reverse_path=reverse_path,
            recipients=tuple(Recipient(one) for one in recipients),
            body=BodyKind.EIGHT_BIT_MIME if eight_bit else BodyKind.SEVEN_BIT,
            smtputf8=needs_smtputf8(shown)
            or not all(one.is_ascii for one in recipients),
        )
        raw.seek(len(header))
        letter = _letter(raw, shown, envelope)
        outcomes = _submit(path, letter, hostname)
    _tell(recipients, outcomes)


def _where(config_file: str | None) -> tuple[Path, str]:
    """The socket, and the name that unqualified addresses get.

    A program's user often may not read the configuration, or its secrets.
    """
    try:
        config = load_config(config_path(config_file), os.environ)
    except (ConfigErrors, click.UsageError) as error:
        if config_file is None and WELL_KNOWN_SOCKET.exists():
            return WELL_KNOWN_SOCKET, socket.getfqdn()
        _leave(EX_TEMPFAIL, str(error))
    return submit_socket(config), config.hostname


def _read(raw: IO[bytes], *, keeps_dots: bool) -> bool:
    """Take standard input in CRLF form; say whether it holds octets above 127."""
    eight_bit = False
    while line := sys.stdin.buffer.readline(MAX_LINE_BYTES):
        text = line.rstrip(b"\r\n")
        if text == b"." and not keeps_dots:
            break
        eight_bit = eight_bit or not text.isascii()
        # What stands alone within a line would be refused on the wire as smuggling.
        raw.write(text.replace(b"\r", b" ").replace(b"\0", b""))
        if line.endswith(b"\n") or len(line) < MAX_LINE_BYTES:
            raw.write(b"\r\n")
    return eight_bit


def _header(raw: IO[bytes]) -> bytes:
    """The header section; nothing where what came begins with no field."""
    raw.seek(0)
    start = raw.read(MAX_HEADER_BYTES)
    return start[: header_end(start)] if begins_with_field(start) else b""


def _in_header(header: bytes) -> list[str]:
    fields = BytesHeaderParser().parsebytes(header)
    values = [
        str(value) for name in ("to", "cc", "bcc") for value in fields.get_all(name, [])
    ]
    return [address for _, address in getaddresses(values) if address]


def _shown(header: bytes, author: tuple[str, str]) -> bytes:
    """The header as it is sent.

    Without Bcc, which is for the envelope alone (RFC 5322 §3.6.3), and with the From
    that callers of sendmail(8) leave to it.
    """
    shown = _BCC.sub(b"", header)
    if field_values(header, b"from"):
        return shown
    field = f"From: {formataddr(author)}\r\n".encode()
    return field + shown if header else field + b"\r\n"


def _letter(rest: IO[bytes], header: bytes, envelope: Envelope) -> Letter:
    whole: IO[bytes] = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115 - lives as long as the letter
    whole.write(header)
    while piece := rest.read(MEMORY_BYTES):
        whole.write(piece)
    size = whole.tell()
    whole.seek(0)
    eight_bit = envelope.body is BodyKind.EIGHT_BIT_MIME
    return Letter(envelope, whole, size, eight_bit, envelope.smtputf8)


def _recipient(text: str, hostname: str) -> Address:
    try:
        return parse_address(text if "@" in text else f"{text}@{hostname}")
    except AddressError as error:
        _leave(EX_USAGE, f"recipient {text!r}: {error}")


def _reverse_path(sender: str | None, hostname: str) -> ReversePath:
    return NULL_PATH if sender in ("<>", "") else _address(sender or "", hostname)


def _address(sender: str, hostname: str) -> Address:
    """Whom the message is from: as named, else who calls."""
    text = sender.strip("<>") or getpass.getuser()
    try:
        return parse_address(text if "@" in text else f"{text}@{hostname}")
    except AddressError as error:
        _leave(EX_USAGE, f"sender {text!r}: {error}")


def _submit(path: Path, letter: Letter, hostname: str) -> tuple[Outcome, ...]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(SECONDS)
        try:
            with reachable_socket(path) as name:
                connection.connect(name)
        except OSError as error:
            _leave(EX_TEMPFAIL, f"the service is not there ({error.strerror})")
        profile = ClientProfile(hostname=hostname, host="sendmail", tls=TlsPolicy.OFF)
        return Conversation(connection, profile).deliver(letter)


def _tell(recipients: list[Address], outcomes: tuple[Outcome, ...]) -> None:
    """Say what was not taken, and leave with the code that callers know."""
    code = 0
    for address, outcome in zip(recipients, outcomes, strict=True):
        if isinstance(outcome, Delivered):
            continue
        click.echo(f"sekisho sendmail: {address}: {outcome.reply}", err=True)
        if isinstance(outcome, Deferred):
            code = EX_TEMPFAIL
        elif code != EX_TEMPFAIL:
            code = EX_NOUSER if outcome.reply.enhanced == "5.1.1" else EX_NOPERM
    sys.exit(code)


def _leave(code: int, sentence: str) -> NoReturn:
    click.echo(f"sekisho sendmail: {sentence}", err=True)
    sys.exit(code)
