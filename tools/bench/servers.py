"""The servers: how each is set up, so that it is durable and stands in nobody's way.

Debian's run from `.cache/peers/root` in a mount namespace (`peers.namespace`). What
slows a server down and is no part of durability is lifted: Postfix's limits for one
client, Exim's bounds of sessions, OpenSMTPD's limits of connections to a next hop.
"""

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench.clients import PASSWORD, SENDER, USER
from bench.meter import Group
from peers.certificate import make_certificate
from peers.exim import EximNextHost
from peers.loopback import free_port
from peers.mail_server import MailServer
from peers.opensmtpd import OpenSmtpdNextHost
from peers.postfix import _Postfix
from peers.process import Process, run
from peers.service import Service

LARGEST = 100 * 1024 * 1024
AUDIT_SECONDS = 60.0
"""How long Sekisho may look at itself after its start, before it is measured."""


class Mode(Enum):
    """What a server is to do with mail."""

    KEEP = "accept it and keep it; nothing leaves"
    RELAY = "carry it on to the sink"
    SUBMIT = "the same, for who has signed in under TLS"


@dataclass(frozen=True)
class Task:
    """What one measurement asks of a server."""

    mode: Mode
    tls: bool
    sessions: int
    sink: int


@dataclass(frozen=True)
class Running:
    """A server that runs: where it listens, what certificate it shows."""

    port: int
    certificate: Path


class Postfix(_Postfix):
    """Postfix; with TLS and Cyrus SASL (its sasldb) for submission."""

    def __init__(self, folder: Path, task: Task) -> None:
        self._task = task
        super().__init__(folder)

    def _settings(self) -> str:
        task = self._task
        text = f"""
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
relayhost = [127.0.0.1]:{task.sink}
message_size_limit = {LARGEST}
smtpd_client_connection_count_limit = 0
default_process_limit = {max(100, task.sessions + 100)}
"""
        if task.mode is Mode.KEEP:
            hold = "check_client_access static:HOLD"
            text += f"smtpd_end_of_data_restrictions = {hold}\n"
        if task.tls:
            text += """
smtpd_tls_security_level = may
smtpd_tls_cert_file = /mnt/run/tls/cert.pem
smtpd_tls_key_file = /mnt/run/tls/key.pem
"""
        if task.mode is Mode.SUBMIT:
            self._write_accounts()
            text += """
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = cyrus
smtpd_sasl_local_domain =
cyrus_sasl_config_path = /mnt/run/conf/sasl
mynetworks = 127.255.255.255/32
smtpd_relay_restrictions = permit_sasl_authenticated, reject
"""
        return text

    def _write_accounts(self) -> None:
        """Write a sasldb: its keys are user, realm and property, joined by NUL."""
        lines = (
            "pwcheck_method: auxprop",
            "auxprop_plugin: sasldb",
            "mech_list: PLAIN",
            "sasldb_path: /mnt/run/conf/sasldb2",
        )
        self.write("conf/sasl/smtpd.conf", "\n".join(lines) + "\n")
        script = (
            "use DB_File; my ($f, $u, $r, $p) = @ARGV;"
            "tie my %h, 'DB_File', $f, O_CREAT|O_RDWR, 0644, $DB_HASH or die $!;"
            '$h{"$u\\0$r\\0userPassword"} = $p; untie %h;'
        )
        name, _, realm = USER.partition("@")
        database = self.folder / "conf" / "sasldb2"
        run(["perl", "-e", script, database, name, realm, PASSWORD]).well()


class Exim(EximNextHost):
    """Exim, with a manual route to the sink."""

    def __init__(self, folder: Path, task: Task) -> None:
        self._task = task
        super().__init__(folder)

    def configure(self) -> None:
        """Write exim4.conf."""
        task = self._task
        for name in ("spool", "log"):
            self.make_folder(name, owner="Debian-exim")
        shutil.chown(self.certificate.key, "root", "Debian-exim")
        self.certificate.key.chmod(0o640)
        papers = "accept authenticated = *" if task.mode is Mode.SUBMIT else "accept"
        right = f"{{eq{{$auth2}}{{{USER}}}}}{{eq{{$auth3}}{{{PASSWORD}}}}}"
        self.write(
            "conf/exim4.conf",
            f"""
exim_path = /mnt/root/exim4-daemon-light/usr/sbin/exim4
spool_directory = /mnt/run/spool
log_file_path = /mnt/run/log/%slog
primary_hostname = exim.test
local_interfaces = 127.0.0.1
daemon_smtp_ports = {self.port}
pid_file_path = /mnt/run/exim.pid
keep_environment =
message_size_limit = {LARGEST}
smtp_accept_max = 0
smtp_accept_queue_per_connection = 0
smtp_connect_backlog = 1000
tls_advertise_hosts = {"*" if task.tls else ""}
tls_certificate = /mnt/run/tls/cert.pem
tls_privatekey = /mnt/run/tls/key.pem
{"queue_only = true" if task.mode is Mode.KEEP else ""}
acl_smtp_rcpt = papers
acl_smtp_data = take
begin acl
papers:
  {papers}
take:
  accept
begin routers
all:
  driver = manualroute
  domains = *
  transport = out
  route_list = * 127.0.0.1
  self = send
begin transports
out:
  driver = smtp
  port = {task.sink}
  allow_localhost
  hosts_avoid_tls = *
begin retry
* * F,2h,1m
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_advertise_condition = ${{if def:tls_in_cipher}}
  server_condition = ${{if and{{{right}}}}}
  server_set_id = $auth2
""",
            mode=0o640,
        )


class OpenSmtpd(OpenSmtpdNextHost):
    """OpenSMTPD, its undocumented limits towards a next hop lifted."""

    def __init__(self, folder: Path, task: Task) -> None:
        self._task = task
        super().__init__(folder)

    def configure(self) -> None:
        """Write smtpd.conf."""
        self.make_folder("spool").chmod(0o711)
        self.make_folder("socket")
        limits = (
            *("conn-delay-route 0", "conn-delay-relay 0", "max-conn-per-route 20"),
            *("max-conn-per-host 20", "session-mail-max 100000"),
        )
        lines = (
            f"listen on 127.0.0.1 port {self.port} hostname opensmtpd.test",
            "smtp limit max-mails 100000",
            f"smtp max-message-size {LARGEST}",
            *(f"mta limit {limit}" for limit in limits),
            f'action "on" relay host smtp://127.0.0.1:{self._task.sink}',
            'match from any for any action "on"',
        )
        self.write("conf/smtpd.conf", "\n".join(lines) + "\n")

    def pause(self) -> None:
        """Let nothing leave."""
        program = "/mnt/root/opensmtpd/usr/sbin/smtpctl"
        # It insists on being what Debian's installation makes of it.
        right = 'chgrp opensmtpq "$0" && chmod 2755 "$0" && exec "$0" pause mta'
        self.run("sh", "-c", right, program).well()


@contextmanager
def _mail_server(server: MailServer, group: Group) -> Iterator[Running]:
    server.process.arguments = [*group.prefix, *server.process.arguments]
    with server:
        group.top = server.process.running.pid
        yield Running(server.port, server.certificate.certificate)


def postfix(folder: Path, task: Task, group: Group) -> AbstractContextManager[Running]:
    """Start Postfix."""
    return _mail_server(Postfix(folder, task), group)


def exim(folder: Path, task: Task, group: Group) -> AbstractContextManager[Running]:
    """Start Exim."""
    return _mail_server(Exim(folder, task), group)


@contextmanager
def opensmtpd(folder: Path, task: Task, group: Group) -> Iterator[Running]:
    """Start OpenSMTPD."""
    server = OpenSmtpd(folder, task)
    with _mail_server(server, group) as running:
        if task.mode is Mode.KEEP:
            server.pause()
        yield running


@contextmanager
def aiosmtpd(folder: Path, task: Task, group: Group) -> Iterator[Running]:
    """Start aiosmtpd with a handler that syncs."""
    folder.mkdir()
    pair = make_certificate(folder / "tls", "aiosmtpd.test", "127.0.0.1")
    (folder / "mail").mkdir()
    port = free_port()
    program = Path(__file__).with_name("aiosmtpd_server.py")
    tls = [pair.certificate, pair.key] if task.tls else []
    arguments = [*group.prefix, sys.executable, program, str(port), folder / "mail"]
    with Process([*arguments, *tls], log=folder / "output.txt") as process:
        group.top = process.running.pid
        yield Running(port, pair.certificate)


def sekisho_settings(task: Task, port: int) -> dict[str, Any]:
    """Sekisho as it is by default, with the papers that the load needs."""
    role = "submission" if task.tls else "mx"
    by_address = {
        "name": "bench",
        "who": ["127.0.0.1"],
        "listeners": ["mx"],
        "senders": [SENDER],
        "accept_risk": "the load comes from this machine",
    }
    by_login = {"name": "staff", "who": ["authenticated"]}
    return {
        "hostname": "sekisho.test",
        "data_dir": "data",
        "listener": [{"name": role, "role": role, "bind": [f"127.0.0.1:{port}"]}],
        **({"tls": {"certificate": "cert.pem", "key": "key.pem"}} if task.tls else {}),
        "grant": [by_login if task.tls else by_address],
        "route": [{"to": "*", "via": f"smtp://127.0.0.1:{task.sink}?tls=off"}],
        "observe": {"metrics": f"127.0.0.1:{free_port()}", "log": "json"},
        "audit": {"enabled": True},
    }


@contextmanager
def sekisho(folder: Path, task: Task, group: Group) -> Iterator[Running]:
    """Start Sekisho, and wait until it has audited itself, as it does at each start.

    Where mail is to be kept its next hop is down: nobody listens there.
    """
    port = free_port()
    service = Service(folder, sekisho_settings(task, port), within=group.prefix)
    if task.mode is Mode.SUBMIT:
        service.add_user(USER, PASSWORD)
    service.start()
    try:
        group.top = service.process.running.pid
        service.wait_for_event("audit.finished", seconds=AUDIT_SECONDS)
        yield Running(port, service.certificate.certificate)
    finally:
        service.kill()


Start = Callable[[Path, Task, Group], AbstractContextManager[Running]]


@dataclass(frozen=True)
class Server:
    """One of the servers.

    Attributes:
        name: As people say it.
        start: How it is started.
        messages: How many a workload sends, for some seconds of it; what is not
            there is not measured.
        package: Debian's, under `.cache/peers/root`.
        durable: Whether it syncs before its 250.
        sessions: Where it cannot take as many sessions as the others.

    """

    name: str
    start: Start
    messages: Mapping[str, int]
    package: str = ""
    durable: bool = True
    sessions: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


_ONCE = {"idle": 1, "idle-tls": 1, "one-large": 1, "lone": 300}

SERVERS = (
    Server(
        "sekisho",
        sekisho,
        {"accept": 8000, "accept-kept": 12_000, "relay": 8000, "relay-kept": 12_000}
        | {"large": 100, "submit": 3000, "submit-kept": 8000, **_ONCE},
    ),
    Server(
        "postfix",
        postfix,
        {"accept": 4000, "accept-kept": 4000, "relay": 2500, "relay-kept": 3000}
        | {"large": 100, "submit": 1200, "submit-kept": 2000, **_ONCE},
        package="postfix",
    ),
    # 200 ms before each 221 and a process a delivery: fewer messages.
    Server(
        "exim",
        exim,
        {"accept": 400, "accept-kept": 2000, "relay": 400, "relay-kept": 800}
        | {"large": 60, "submit": 500, "submit-kept": 500, **_ONCE},
        package="exim4-daemon-light",
    ),
    # listen(fd, 5) is compiled in: more clients that come anew for each message lose
    # SYNs and wait seconds. Debian 12's build cannot go through with TLS.
    Server(
        "opensmtpd",
        opensmtpd,
        {"accept": 1500, "accept-kept": 2000, "relay": 1000, "relay-kept": 1200}
        | {"large": 60, **{name: n for name, n in _ONCE.items() if name != "idle-tls"}},
        package="opensmtpd",
        durable=False,
        sessions={"accept": 4, "relay": 4},
    ),
    # It accepts only.
    Server(
        "aiosmtpd",
        aiosmtpd,
        {"accept": 2000, "accept-kept": 2500, "idle": 1, "idle-tls": 1, "lone": 300},
    ),
)
