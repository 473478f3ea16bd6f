"""What the configuration file may say, as a whole, and where each table stands."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field

from sekisho.config.audit import Audit
from sekisho.config.authenticators import KINDS, Authenticator, Local
from sekisho.config.bounds import AllBounds, GivenBounds, SessionBounds
from sekisho.config.carriage import Delivery, Dns, Queue, QueueDomain, Report, Retry
from sekisho.config.certificates import CertificateUser
from sekisho.config.fields import Hostname, Mailbox, Many, Name, OwnDomainName, Some
from sekisho.config.outside import FilePath
from sekisho.config.plugin import Plugin
from sekisho.config.table import Table
from sekisho.config.tables import (
    BrakeTable,
    Console,
    Domain,
    Grant,
    Listener,
    Lockout,
    Observe,
    RouteTable,
    Sendmail,
    Smarthost,
    Tls,
    Trace,
)

DEFAULT_DATA_DIR = Path("/var/lib/sekisho")
MAX_WORKERS = 256
UserName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$")]


def _default_listeners(read_before: dict[str, Any]) -> tuple[Listener, ...]:
    """Give the listeners of a file that has none; spelled as a file would."""
    ports = {"mx": 25}
    if read_before.get("tls") is not None:
        ports["submission"] = 587
    return tuple(
        Listener.model_validate(
            {"name": role, "role": role, "bind": [f"0.0.0.0:{port}", f"[::]:{port}"]}
        )
        for role, port in ports.items()
    )


class Config(Table):
    """Keys before the first table.

    Attributes:
        hostname: Our name: in the greeting, in EHLO and in ``Received``. The only
            key that must be there.
        data_dir: Where the queue, the accounts and the timelines are.
        workers: Worker processes; 0 is one a core.
        user: Who the service is once its ports are bound, where it is started as
            root; if left out, the owner of ``data_dir``.
        postmaster: Who gets the mail for ``postmaster``; if left out, postmaster at
            the first own domain, and without one, a Maildir in ``data_dir``.
        limits: See ``[limits]``.
        tls: See ``[tls]``.
        listeners: See ``[[listener]]``.
        authenticators: See ``[[authenticator]]``.
        domains: See ``[domains."NAME"]``.
        grants: See ``[[grant]]``.
        smarthosts: See ``[smarthost.NAME]``.
        routes: See ``[[route]]``.
        queue: See ``[queue]``.
        report: See ``[report]``.
        delivery: See ``[delivery]``.
        dns: See ``[dns]``.
        lockout: See ``[lockout]``.
        brake: See ``[brake]``.
        sendmail: See ``[sendmail]``.
        trace: See ``[trace]``.
        observe: See ``[observe]``.
        audit: See ``[audit]``.
        console: See ``[console]``.

    """

    hostname: Hostname
    data_dir: FilePath = DEFAULT_DATA_DIR
    workers: Annotated[int, Field(ge=0, le=MAX_WORKERS)] = 0
    user: UserName | None = None
    postmaster: Mailbox | None = None
    limits: GivenBounds = Field(default_factory=dict[str, int | float])
    tls: Tls | None = None
    listeners: Annotated[Many[Listener], Some] = Field(
        default_factory=_default_listeners, alias="listener"
    )
    authenticators: Many[Authenticator] = Field(
        default=(Local(kind="local"),), alias="authenticator"
    )
    domains: dict[OwnDomainName, Domain] = Field(default_factory=dict[str, Domain])
    grants: Many[Grant] = Field(default=(), alias="grant")
    smarthosts: dict[Name, Smarthost] = Field(
        default_factory=dict[str, Smarthost], alias="smarthost"
    )
    routes: Many[RouteTable] = Field(default=(), alias="route")
    queue: Queue = Queue()
    report: Report = Report()
    delivery: Delivery = Delivery()
    dns: Dns = Dns()
    lockout: Lockout = Lockout()
    brake: BrakeTable = BrakeTable()
    sendmail: Sendmail = Sendmail()
    trace: Trace = Trace()
    observe: Observe = Observe()
    audit: Audit = Audit()
    console: Console | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A table's place in the file.

    Attributes:
        place: Its keys; ``*`` is a name of the user's.
        heading: As people write it.
        table: What it may say.

    """

    place: tuple[str, ...]
    heading: str
    table: type[BaseModel]


SECTIONS = (
    Section((), "", Config),
    Section(("listener",), "[[listener]]", Listener),
    Section(("listener", "limits"), "[listener.limits]", SessionBounds),
    Section(("tls",), "[tls]", Tls),
    *(
        Section(("authenticator",), f'[[authenticator]] kind = "{kind}"', table)
        for kind, table in KINDS.items()
    ),
    Section(("authenticator",), '[[authenticator]] kind = "PLUG-IN"', Plugin),
    Section(("authenticator", "users"), "[[authenticator.users]]", CertificateUser),
    Section(("domains", "*"), '[domains."NAME"]', Domain),
    Section(("grant",), "[[grant]]", Grant),
    Section(("smarthost", "*"), "[smarthost.NAME]", Smarthost),
    Section(("route",), "[[route]]", RouteTable),
    Section(("limits",), "[limits]", AllBounds),
    Section(("queue",), "[queue]", Queue),
    Section(("queue", "retry"), "[queue.retry]", Retry),
    Section(("queue", "domains", "*"), '[queue.domains."NAME"]', QueueDomain),
    Section(("report",), "[report]", Report),
    Section(("delivery",), "[delivery]", Delivery),
    Section(("dns",), "[dns]", Dns),
    Section(("lockout",), "[lockout]", Lockout),
    Section(("brake",), "[brake]", BrakeTable),
    Section(("sendmail",), "[sendmail]", Sendmail),
    Section(("trace",), "[trace]", Trace),
    Section(("observe",), "[observe]", Observe),
    Section(("audit",), "[audit]", Audit),
    Section(("console",), "[console]", Console),
)


def keys_of(table: type[BaseModel]) -> list[str]:
    """The keys of a table, as the file spells them."""
    return [info.alias or name for name, info in table.model_fields.items()]
