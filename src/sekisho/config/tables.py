"""The tables of the configuration file: every key, with its type and its default.

They are frozen, refuse unknown keys and take no value for another type's. Their
values are those of `sekisho.model`, read once (`sekisho.config.fields`). Rules that
span several keys stand in `sekisho.config.checks`; the reference page is made from
the docstrings here, so they are written for operators.
"""

from ipaddress import IPv4Address
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator
from pydantic_core import PydanticCustomError

from sekisho.config.authenticators import MechanismName
from sekisho.config.bounds import (
    GivenSessionBounds,
)
from sekisho.config.fields import (
    Bind,
    Expiry,
    Many,
    Name,
    Network,
    Pattern,
    Proxies,
    SocketAddress,
    Some,
    WhoItem,
    choice,
    join_clients,
    member,
)
from sekisho.config.oidc import read_url
from sekisho.config.outside import (
    FilePath,
    Recipients,
    RecipientsOf,
    Secret,
    SecretText,
)
from sekisho.config.problems import wrong
from sekisho.config.table import Table
from sekisho.config.via import SmarthostServer, Via
from sekisho.model.address import ANY_ADDRESS
from sekisho.model.route import TlsPolicy
from sekisho.model.rules import BareNewline, Role, SenderBinding, TlsMode

Count = Annotated[int, Field(ge=0, le=2**53)]
Positive = Annotated[int, Field(ge=1, le=2**53)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


Who = Annotated[
    Many[WhoItem], Some, BeforeValidator(_one_or_many), AfterValidator(join_clients)
]
AnyoneElse = (ANY_ADDRESS,)


def read_webhook(secret: Secret) -> Secret:
    """See that it is a URL; it is not shown, since a secret may stand in it."""
    try:
        read_url(secret.reveal())
    except PydanticCustomError as error:
        raise wrong("is no https:// URL") from error
    return secret


class Listener(Table):
    """Where clients come in, and as what.

    Without any listener there is ``mx`` on port 25 of all addresses, and, where
    ``[tls]`` is given, ``submission`` on port 587.

    Attributes:
        name: Shown in the log, and named by grants.
        role: ``mx`` takes mail for our own domains from anyone; ``submission`` wants
            TLS and a verified user; ``legacy`` is a lane for machines that can do
            neither.
        bind: Addresses and ports, such as ``"0.0.0.0:25"`` and ``"[::]:25"``. Port 0
            is any free one.
        tls: ``starttls`` (on ``mx`` and ``legacy`` it is offered if ``[tls]`` is
            given), ``implicit`` (TLS before the greeting, port 465) or ``off`` (not
            on ``submission``).
        proxy_protocol: Addresses and networks of proxies. From these a PROXY header,
            version 1 or 2, is a must; everybody else is closed before the greeting.
        bare_newline: ``refuse`` content with a CR or LF that stands alone, or
            ``normalise`` it first (``legacy`` only).
        who: ``legacy`` only, needed there: the machines, by address or network.
        senders: ``legacy`` only, needed there: reverse-paths that they may use.
        recipients: ``legacy`` only: to whom they may send.
        max_messages_per_hour: ``legacy`` only; 0 is no bound.
        max_messages_per_day: ``legacy`` only; 0 is no bound.
        max_recipients_per_hour: ``legacy`` only; 0 is no bound.
        max_recipients_per_day: ``legacy`` only; 0 is no bound.
        expires: ``legacy`` only: a date (through that day, UTC) or a date-time.
        null_sender: ``legacy`` only: whether the reverse-path ``<>`` is taken.
        sender_binding: ``legacy`` only: see ``[[grant]]``.
        accept_risk: ``legacy`` only: see ``[[grant]]``.
        authenticators: ``submission`` only: the names of those that are asked here;
            all if left out.
        mechanisms: ``submission`` only: announce these, as far as at least one of the
            authenticators can verify them. If left out, those that every one can
            verify: a client takes the strongest and does not fall back. SCRAM-SHA-1,
            for old programs, only if it stands here: passwords that are set from then
            on get keys for it, and while an enabled account has none it is left out.
        client_ca: ``submission`` only: PEM file of the authorities that sign clients'
            certificates, for ``kind = "certificate"``. Clients may come without one.
        client_crl: PEM file of their lists of revoked certificates. It is read again
            when it changes; past a list's next update no certificate is taken.
        limits: Bounds of ``[limits]`` that differ here; those of the whole service
            cannot.

    """

    name: Name
    role: Annotated[Role, PlainValidator(member(Role))]
    bind: Annotated[Many[Bind], Some]
    tls: Annotated[TlsMode, PlainValidator(member(TlsMode))] = TlsMode.STARTTLS
    proxy_protocol: Many[Proxies] = ()
    bare_newline: Annotated[BareNewline, PlainValidator(member(BareNewline))] = (
        BareNewline.REFUSE
    )
    who: Annotated[Many[Network], Some] = ()
    senders: Annotated[Many[Pattern], Some] = ()
    recipients: Annotated[Many[Pattern], Some] = AnyoneElse
    max_messages_per_hour: Count = 0
    max_messages_per_day: Count = 0
    max_recipients_per_hour: Count = 0
    max_recipients_per_day: Count = 0
    expires: Expiry = float("inf")
    null_sender: bool = False
    sender_binding: Annotated[SenderBinding, PlainValidator(member(SenderBinding))] = (
        SenderBinding.REFUSE
    )
    accept_risk: str = ""
    authenticators: Annotated[Many[Name], Some] = ()
    mechanisms: Annotated[Many[MechanismName], Some] = ()
    client_ca: FilePath | None = None
    client_crl: FilePath | None = None
    limits: GivenSessionBounds = Field(default_factory=dict[str, int | float])


class Tls(Table):
    """Our certificate. A renewed pair is taken without a restart.

    Attributes:
        certificate: PEM file: the certificate, then those that lead to its root.
        key: PEM file of its private key.

    """

    certificate: FilePath
    key: FilePath


class Domain(Table):
    """A domain that is ours: accepted from outside, and routed inside.

    Attributes:
        route: Where its mail goes, spelled as ``via`` in ``[[route]]``. Without it
            the first ``[[route]]`` that matches decides, then DNS.
        recipients: ``callout`` asks the next host and remembers the answer; a list
            of addresses and patterns, or ``{ file = "…" }`` with one a line, is
            exact; ``any`` takes everything, and ``check`` warns of it.
        accept_own_senders_from_outside: Whether mail that claims to come from this
            domain is taken from clients without papers, for forwarders.

    """

    route: Via | None = None
    recipients: RecipientsOf = Recipients()
    accept_own_senders_from_outside: bool = False


class Grant(Table):
    """Who may relay elsewhere: nobody, unless a grant says so.

    Attributes:
        name: Shown in every decision that rests on it.
        who: ``authenticated``, ``group:NAME``, ``user:NAME``, or a list of these and
            of addresses and networks.
        listeners: On which. Needed for addresses, which relay on ``mx`` listeners
            only; for identities, every ``submission`` listener if left out.
        senders: Reverse-paths. Needed for addresses; for identities, what the account
            owns if left out.
        recipients: To whom.
        max_messages_per_hour: By account, or by grant for addresses; 0 is no bound.
        max_messages_per_day: 0 is no bound.
        max_recipients_per_hour: 0 is no bound.
        max_recipients_per_day: 0 is no bound.
        expires: A date (through that day, UTC) or a date-time.
        null_sender: Whether the reverse-path ``<>`` may be used.
        sender_binding: What becomes of a ``From`` or ``Sender`` that the sender does
            not own: ``refuse``, ``rewrite`` or ``log``.
        accept_risk: Why a grant by address that is too wide, or that names a gateway,
            is right all the same.

    """

    name: Name
    who: Who
    listeners: Annotated[Many[Name], Some] = ()
    senders: Annotated[Many[Pattern], Some] = ()
    recipients: Annotated[Many[Pattern], Some] = AnyoneElse
    max_messages_per_hour: Count = 0
    max_messages_per_day: Count = 0
    max_recipients_per_hour: Count = 0
    max_recipients_per_day: Count = 0
    expires: Expiry = float("inf")
    null_sender: bool = False
    sender_binding: Annotated[SenderBinding, PlainValidator(member(SenderBinding))] = (
        SenderBinding.REFUSE
    )
    accept_risk: str = ""


class Smarthost(Table):
    """A host that carries our mail on; named by ``via = "smarthost:NAME"``.

    Attributes:
        servers: ``smtp://`` and ``smtps://`` URLs, in order, with failover.
        tls: ``required`` (the certificate is verified), ``opportunistic`` or ``off``.
        username: Our login there.
        password: A text, ``{ file = "…" }`` or ``{ env = "…" }``.

    """

    servers: Annotated[Many[SmarthostServer], Some]
    tls: Annotated[TlsPolicy, PlainValidator(member(TlsPolicy))] = TlsPolicy.REQUIRED
    username: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    password: SecretText | None = None


class RouteTable(Table):
    """Where mail goes; the first that matches decides, and DNS after the last.

    Attributes:
        to: Recipients.
        sender: Reverse-paths, beside ``to``.
        via: ``mx``, ``smarthost:NAME``, ``smtp://host:port`` (that host, no MX
            look-up), ``smtps://…``, ``lmtp://…``, each with
            ``?tls=required|opportunistic|off``, or ``maildir:/…`` and ``drop:/…``.

    """

    to: Pattern = ANY_ADDRESS
    sender: Pattern = Field(default=ANY_ADDRESS, alias="from")
    via: Via


class Lockout(Table):
    """When failed sign-ins lock out, and for how long.

    Failures are counted by account and address block (one IPv4 address, one IPv6 /64)
    together, then by the block alone. An account as a whole is never locked out, and
    one that signed in from a block within 30 days is not locked out there by what
    others do.

    Against guessers with many addresses all failures are counted together, too. They
    lock nobody out: clients from where the account has not signed in within 30 days
    wait for their answer, a second, and twice as long with each further
    ``service_failures``. The count leaks by so many in ``forget_seconds``.

    Attributes:
        pair_failures: So many failures of one account from one block lock the pair.
        block_failures: So many failures of one block lock the block.
        first_seconds: How long the first lock lasts; each next one twice as long.
        longest_seconds: But no longer than this.
        forget_seconds: So much time without a failure forgets.
        service_failures: So many failures of the whole service make strangers wait;
            0 switches it off.
        service_delay_seconds: They wait no longer than this, 30 at most.

    """

    pair_failures: Positive = 5
    block_failures: Positive = 20
    first_seconds: Seconds = 60.0
    longest_seconds: Seconds = 3600.0
    forget_seconds: Seconds = 3600.0
    service_failures: Annotated[int, Field(ge=0, le=1_000_000)] = 200
    service_delay_seconds: Annotated[float, Field(gt=0, le=30)] = 8.0


class BrakeTable(Table):
    """When an account is taken for stolen: its mail is accepted, held, and told of.

    What an account sends is counted whatever grant lets it. Beyond a bound its mail is
    held for an operator (``sekisho queue list --state held``), who is told by an alarm;
    ``sekisho user unlock --name NAME`` lifts the brake. Choose bounds that nobody of
    yours reaches on a busy day.

    Attributes:
        messages_per_hour: By account; 0 is no bound.
        messages_per_day: 0 is no bound.
        recipients_per_hour: 0 is no bound.
        recipients_per_day: 0 is no bound.
        refused_recipients_per_hour: So many refused recipients are no mistyping any
            more; 0 is no bound.

    """

    messages_per_hour: Count = 0
    messages_per_day: Count = 0
    recipients_per_hour: Count = 0
    recipients_per_day: Count = 0
    refused_recipients_per_hour: Count = 0


class Sendmail(Table):
    """The socket to which ``sekisho sendmail`` speaks.

    Attributes:
        socket: Where it is; ``submit.sock`` in ``data_dir`` if left out, which only
            root and the service's user can reach. Programs of other users find
            ``/run/sekisho/submit.sock`` by themselves. Who connects is known by his
            user id, and needs a grant to send elsewhere.

    """

    socket: FilePath | None = None


class Trace(Table):
    """What we write into messages.

    Attributes:
        received_shows_user: Whether ``Received`` names the account.

    """

    received_shows_user: bool = False


class Observe(Table):
    """What is seen from outside.

    Attributes:
        metrics: Address and port on which ``/metrics`` is served; off if left out.
        log: ``json``, one event a line, or ``text`` for people.
        webhook: Each alarm is sent there as JSON (``https://``), so that operators hear
            of it outside of mail. A text, ``{ file = "…" }`` or ``{ env = "…" }``.
        timeline_days: How long the timelines of messages are kept.
        timeline_bytes: How large their store may grow.

    """

    metrics: Bind | None = None
    log: Annotated[Literal["json", "text"], PlainValidator(choice("json", "text"))] = (
        "json"
    )
    webhook: Annotated[SecretText, AfterValidator(read_webhook)] | None = None
    timeline_days: Annotated[int, Field(ge=0, le=3660)] = 30
    timeline_bytes: Annotated[int, Field(ge=1024 * 1024)] = 1024 * 1024 * 1024


class Console(Table):
    """The operators' web page; not in this version, its address is taken already.

    Attributes:
        bind: Address and port.

    """

    bind: Bind = SocketAddress(IPv4Address("127.0.0.1"), 8025)
