"""The tour in a minute: what is let through, what is refused, and why.

It starts the real service on loopback with a configuration of its own, speaks to it
over sockets, prints each exchange, and fails if anything is not so.
"""

import json
import os
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import BinaryIO, cast

PROGRAM = Path(sys.executable).with_name("sekisho")
USER, PASSWORD = "alice@example.com", "a papers-please password"
NTLM_NEGOTIATE = "TlRMTVNTUAABAAAAB4IAgAAAAAAAAAAAAAAAAAAAAAA="
NTLM_ANONYMOUS = (
    "TlRMTVNTUAADAAAAAQABAEAAAAAAAAAAQQAAAAAAAABAAAAAAAAAAEAAAAAAAAAA"
    "QAAAAAAAAABBAAAABYIAAAA="
)
CONFIG = """\
hostname = "demo.example.com"
data_dir = "data"

[tls]
certificate = "certificate.pem"
key = "key.pem"

[[listener]]
name = "mx"
role = "mx"
bind = ["127.0.0.1:0"]

[[listener]]
name = "submission"
role = "submission"
bind = ["127.0.0.1:0"]

[[grant]]
name = "staff"
who = "authenticated"

[domains."example.com"]
route = "maildir:maildir"
recipients = ["bob@example.com"]

[[route]]
to = "*"
via = "drop:drop"
"""


@dataclass
class Service:
    """The running service: its folder and its ports."""

    folder: Path
    process: subprocess.Popen[str]
    mx: int
    submission: int

    @property
    def config(self) -> str:
        """The path of its configuration."""
        return str(self.folder / "sekisho.toml")


def sekisho(*arguments: str, given: str = "", check: bool = True) -> str:
    """Run a command and give what it printed."""
    done = subprocess.run(
        [PROGRAM, *arguments],
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if check and done.returncode:
        raise SystemExit(f"sekisho {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def start(folder: Path) -> Service:
    """Set everything up in a folder of its own, and serve."""
    sekisho("init", str(folder), "--hostname", "demo.example.com", "--yes")
    config = folder / "sekisho.toml"
    config.write_text(CONFIG)
    sekisho(
        "user", "add", USER, "-c", str(config), "--password-file", "-", given=PASSWORD
    )
    process = subprocess.Popen(
        [PROGRAM, "serve", "-c", config], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "service.ready":
            ports = {
                name: int(bound[0].rpartition(":")[2])
                for name, bound in event["listeners"].items()
                if name != "sendmail"
            }
            return Service(folder, process, ports["mx"], ports["submission"])
    raise SystemExit("the service did not start")


def say(title: str) -> None:
    """Begin a stop of the tour."""
    print(f"\n== {title}")


def expect(what: str, reply: tuple[int, bytes] | str, wanted: str) -> None:
    """Print a reply, and fail if it is another than wanted."""
    text = reply if isinstance(reply, str) else f"{reply[0]} {reply[1].decode()}"
    print(f"   {what}\n      -> {text.splitlines()[0]}")
    if not text.startswith(wanted):
        raise SystemExit(f"   wanted {wanted}")


def as_text(words: bytes | str) -> str:
    """A reply's words, however smtplib gives them."""
    return words.decode() if isinstance(words, bytes) else words


def explain(service: Service, *case: str) -> None:
    """Print why, and fail if it is no refusal unless it says accept."""
    told = json.loads(
        sekisho("explain", "-c", service.config, *case, "--json", check=False)
    )
    print(f"      why: {told['decision']} by rule {told['rule']}: {told['reason']}")


def message(to: str) -> EmailMessage:
    """A letter of Alice's."""
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = USER, to, "Papers in order"
    letter.set_content("This message has passed the barrier.\n")
    return letter


def tls() -> ssl.SSLContext:
    """Take the demo's self-signed certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def verified_user_relays(service: Service) -> None:
    """A password over TLS, then mail to the world: it arrives in the drop folder."""
    say("A verified user relays")
    with smtplib.SMTP("127.0.0.1", service.submission, timeout=30) as client:
        client.starttls(context=tls())
        expect("AUTH PLAIN as alice", client.login(USER, PASSWORD), "235 2.7.0")
        client.send_message(message("carol@example.net"))
    drop = service.folder / "drop"
    for _ in range(100):
        if drop.exists() and list(drop.glob("*.eml")):
            break
        time.sleep(0.1)
    else:
        raise SystemExit("   nothing in the drop folder")
    print(f"   delivered: {next(drop.glob('*.eml')).name}")
    explain(
        service,
        "--listener",
        "submission",
        "--client",
        "127.0.0.1",
        "--user",
        USER,
        "--from",
        USER,
        "--to",
        "carol@example.net",
    )


def stranger_is_refused(service: Service) -> None:
    """No papers, no passage."""
    say("A stranger does not")
    with smtplib.SMTP("127.0.0.1", service.mx, timeout=30) as client:
        client.ehlo()
        client.mail("someone@elsewhere.example")
        expect(
            "RCPT TO:<carol@example.net>", client.rcpt("carol@example.net"), "550 5.7.1"
        )
        expect(
            "RCPT TO:<bob@example.com>, who is ours",
            client.rcpt("bob@example.com"),
            "250",
        )
        expect(
            "RCPT TO:<nobody@example.com>",
            client.rcpt("nobody@example.com"),
            "550 5.1.1",
        )
    explain(
        service,
        "--listener",
        "mx",
        "--client",
        "203.0.113.9",
        "--from",
        "someone@elsewhere.example",
        "--to",
        "carol@example.net",
    )


def wrong_password_is_refused(service: Service) -> None:
    """Wrong credentials are not right ones."""
    say("A wrong password is wrong")
    with smtplib.SMTP("127.0.0.1", service.submission, timeout=30) as client:
        client.starttls(context=tls())
        client.ehlo()
        try:
            client.login(USER, "not the password")
        except smtplib.SMTPAuthenticationError as error:
            expect(
                "AUTH as alice, wrong password",
                f"{error.smtp_code} {as_text(error.smtp_error)}",
                "535 5.7.8",
            )
        else:
            raise SystemExit("   a wrong password was taken")
        expect("MAIL after it", client.mail(USER), "530 5.7.0")
    explain(
        service,
        "--listener",
        "submission",
        "--client",
        "203.0.113.9",
        "--tls",
        "--from",
        USER,
        "--to",
        "carol@example.net",
    )


def exchange(port: int, *lines: str) -> list[str]:
    """Say lines over a bare socket, one after the other; give the replies."""
    replies: list[str] = []
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        stream = connection.makefile("rwb")
        replies.append(read_reply(cast("BinaryIO", stream)))
        for line in lines:
            stream.write(line.encode() + b"\r\n")
            stream.flush()
            replies.append(read_reply(cast("BinaryIO", stream)))
    return replies


def read_reply(stream: BinaryIO) -> str:
    """Read one reply; its last line counts."""
    while True:
        line = stream.readline().decode()
        if line[3:4] != "-":
            return line.strip()


def old_bulletins_are_answered(service: Service) -> None:
    """The exchanges that the Windows 2000 SMTP service answered with 235."""
    say("MS01-037: AUTH GSSAPI, answered with a lone dot")
    for port in (service.mx, service.submission):
        replies = exchange(port, "EHLO probe.example", "AUTH GSSAPI", ".")
        expect(f"port {port}: AUTH GSSAPI", replies[2], "5")
        expect(f"port {port}: .", replies[3], "5")
    explain(
        service,
        "--listener",
        "mx",
        "--client",
        "203.0.113.9",
        "--from",
        "probe@elsewhere.example",
        "--to",
        "carol@example.net",
    )
    say("MS02-011: the NTLM null session")
    for port in (service.mx, service.submission):
        replies = exchange(
            port,
            "EHLO probe.example",
            f"AUTH NTLM {NTLM_NEGOTIATE}",
            NTLM_ANONYMOUS,
            "MAIL FROM:<probe@elsewhere.example>",
            "RCPT TO:<carol@example.net>",
        )
        expect(f"port {port}: AUTH NTLM (anonymous)", replies[2], "5")
        expect(f"port {port}: RCPT TO:<carol@example.net>", replies[5], "5")
    explain(
        service,
        "--listener",
        "submission",
        "--client",
        "203.0.113.9",
        "--from",
        "probe@elsewhere.example",
        "--to",
        "carol@example.net",
    )


def the_proof(service: Service) -> None:
    """The table of who may relay what."""
    say("The proof: sekisho check")
    os.environ["COLUMNS"] = "110"
    print(sekisho("check", "-c", service.config))


def main() -> None:
    """Take the tour."""
    with tempfile.TemporaryDirectory(prefix="sekisho-demo-") as name:
        service = start(Path(name))
        try:
            verified_user_relays(service)
            stranger_is_refused(service)
            wrong_password_is_refused(service)
            old_bulletins_are_answered(service)
            the_proof(service)
        finally:
            service.process.send_signal(signal.SIGTERM)
            code = service.process.wait(30)
    if code:
        raise SystemExit(f"the service ended with {code}")
    print("All is as it should be.")


main()
