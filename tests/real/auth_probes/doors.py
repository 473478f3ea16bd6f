"""The doors that are tried: one running service, a listener for each kind of papers.

Every connection comes from a network of its own, so that the brake on guessing (which
is a probe, too) does not answer for a mechanism.
"""

import ssl
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from peers.authority import ClientAuthority, ClientCertificate
from peers.dialogue import ClosedError, Dialogue, Reply, encoded
from peers.kdc import REALM, Kdc
from peers.loopback import fresh_address
from peers.namespace import require_program
from peers.oidc import CLIENT_ID, CLIENT_SECRET, SCOPE, OidcProvider
from peers.service import OWN, Service, Settings, plain_settings
from peers.sink import RecordingSink
from peers.slapd import BASE, SERVICE, SERVICE_PASSWORD, Slapd, person

TENANT = "tenant.test"
"""Another own domain, whose addresses are nobody's here."""

NOBODY = "nobody-here"
Lines = tuple[bytes, ...]
T = TypeVar("T")


@dataclass(frozen=True)
class Person:
    """Somebody with an account."""

    name: str
    password: str
    address: str


USER = Person(Service.USER, Service.PASSWORD, Service.USER)
OTHER = Person(f"known@{OWN}", "another battery entirely", f"known@{OWN}")
ALICE = Person("alice", "correct horse battery", f"alice@{OWN}")
BOB = Person("bob", "another battery entirely", f"bob@{OWN}")
LONG = Person(f"long@{OWN}", "0123456789" * 8, f"long@{OWN}")
TAKEN_OVER = Person(f"bcrypt@{OWN}", "9876543210" * 7 + "xy", f"bcrypt@{OWN}")
"""For a hash of bcrypt's, which reads 72 octets and no more."""

BARRED = ("off", "late")
"""One was disabled, one has expired; both have the password `BARRED_PASSWORD`."""

BARRED_PASSWORD = "it was a good one"


@dataclass(frozen=True)
class Peers:
    """What stands around the service; what is not installed is None."""

    world: RecordingSink
    authority: ClientAuthority
    provider: OidcProvider
    slapd: Slapd | None
    kdc: Kdc | None


@dataclass(frozen=True)
class Door:
    """One listener, and the papers that are right and wrong there.

    Attributes:
        family: Its kind of papers, and its listener's name.
        service: Where it is.
        peers: What stands around it.
        offered: The mechanisms.
        user: Whose papers are shown.
        other: Somebody else with an account.
        right: The lines of a right exchange, new each time; none can be had of NTLM
            without a domain.
        wrong: The lines of a wrong one.
        certificate: Shown in the handshake.
        outage: Takes what verifies the papers away for a while.

    """

    family: str
    service: Service
    peers: Peers
    offered: tuple[str, ...]
    user: Person
    other: Person
    right: Callable[[], Lines]
    wrong: Callable[[], Lines]
    certificate: ClientCertificate | None = None
    outage: Callable[[], AbstractContextManager[None]] | None = None

    def dial(self, listener: str = "", *, greeting: bool = True) -> Dialogue:
        """Connect as a stranger, in clear."""
        where = listener or self.family
        return self.service.dial(where, source=fresh_address(), greeting=greeting)

    def handshake(self, client: Dialogue) -> None:
        """Begin TLS, with the certificate if there is one."""
        handshake(client, self.certificate)

    def private(self) -> Dialogue:
        """Connect as a stranger, up to EHLO under TLS."""
        client = self.dial()
        client.ehlo()
        assert client.say("STARTTLS").code == 220
        self.handshake(client)
        client.ehlo()
        return client


def handshake(client: Dialogue, shown: ClientCertificate | None) -> None:
    """Begin TLS, with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if shown is not None:
        context.load_cert_chain(shown.certificate, shown.key)
    client.stream = context.wrap_socket(client.stream)


def say(client: Dialogue, lines: Lines) -> Reply:
    """Say a line, and the next ones as long as something is asked; the last reply."""
    first, *more = lines
    reply = client.say(first)
    for line in more:
        if reply.code != 334:
            break
        reply = client.say(line)
    return reply


def source_of(client: Dialogue) -> str:
    """The address that we come from."""
    return str(client.stream.getsockname()[0])


def assert_no_passage(client: Dialogue) -> None:
    """Mail for outside is refused, or the connection is at its end."""
    refused = {"530 5.7.0", "503 5.5.1", "421 4.7.0"}
    try:
        mail = client.say("MAIL FROM:<a@outside.test>")
        assert mail.status in refused | {"250 2.1.0"}, mail
        recipient = client.say("RCPT TO:<c@world.test>")
        assert recipient.status in refused | {"550 5.7.1"}, recipient
        assert client.say("DATA").code in {503, 530, 554, 421}
    except (ClosedError, ConnectionError):
        pass


# -- papers ---------------------------------------------------------------------------


def plain(name: str, password: str) -> Lines:
    """AUTH PLAIN."""
    return (b"AUTH PLAIN " + encoded("", name, password),)


def shown(token: str, user: str) -> Lines:
    """AUTH XOAUTH2, and the empty answer to a refusal."""
    said = encoded(f"user={user}\x01auth=Bearer {token}\x01\x01")
    return b"AUTH XOAUTH2 " + said, b""


NTLM_NEGOTIATE = b"TlRMTVNTUAABAAAAB4IAgAAAAAAAAAAAAAAAAAAAAAA="
NTLM_NULL_SESSION = (
    b"TlRMTVNTUAADAAAAAQABAEAAAAAAAAAAQQAAAAAAAABAAAAAAAAAAEAAAAAAAAAA"
    b"QAAAAAAAAABBAAAABYIAAAA="
)
"""The exchange by which MS02-011 was looked for."""


# -- the service ----------------------------------------------------------------------


def _there(make: Callable[[], T]) -> T | None:
    """What is installed; None where it is not."""
    try:
        return make()
    except pytest.skip.Exception:
        return None


def _nothing_more(settings: Settings) -> None:
    del settings


@contextmanager
def opened(
    folder: Path, more: Callable[[Settings], None] = _nothing_more
) -> Generator[dict[str, Door]]:
    """Serve, with everything that is installed around it; the doors by family.

    Args:
        folder: Everything of it.
        more: Adds to the settings.

    """
    with ExitStack() as running:
        world = running.enter_context(RecordingSink())
        provider = running.enter_context(OidcProvider(folder / "idp"))
        authority = ClientAuthority(folder / "clients")
        slapd = _there(lambda: running.enter_context(_directory(folder)))
        kdc = _there(lambda: running.enter_context(_realm(folder)))
        peers = Peers(world, authority, provider, slapd, kdc)
        settings = _settings(peers)
        more(settings)
        service = Service(folder / "service", settings)
        _add_accounts(service)
        running.enter_context(service)
        yield {one.family: one for one in _doors(service, peers)}
        passed = [m for m in world.messages if b"X-Mark: allowed" not in m.content]
        assert passed == []


def _directory(folder: Path) -> Slapd:
    entries = [
        person("off", BARRED_PASSWORD, "pwdAccountLockedTime: 000001010000Z"),
        person("late", BARRED_PASSWORD, "pwdAccountLockedTime: 000001010000Z"),
    ]
    # The ways in which a directory takes nobody for somebody (RFC 4513 §5.1).
    more = "allow bind_anon_cred bind_anon_dn"
    return Slapd(folder / "slapd", entries=entries, more=more)


def _realm(folder: Path) -> Kdc:
    kdc = Kdc(folder / "realm")
    kdc.admin(f'addprinc -pw "{BARRED_PASSWORD}" -allow_tix off')
    kdc.admin(f'addprinc -pw "{BARRED_PASSWORD}" -expire "2020-01-01" late')
    return kdc


def _add_accounts(service: Service) -> None:
    rows = ["name,password,addresses"]
    rows += [f"{p.name},{p.password},{p.address}" for p in (USER, OTHER, LONG)]
    rows += [f"off@{OWN},{BARRED_PASSWORD},off@{OWN}"]
    service.run("user", "import", "-", data="\n".join(rows).encode()).well()
    service.run("user", "disable", f"off@{OWN}").well()
    late = ("user", "add", f"late@{OWN}", "--expires", "2020-01-01")
    given = BARRED_PASSWORD.encode()
    service.run(*late, "--password-file", "-", data=given).well()


def _settings(peers: Peers) -> Settings:
    settings = plain_settings(peers.world.url)
    settings["workers"] = 1
    # Hundreds of probes in a minute are an attack: test_guessing.py has its wait.
    settings["lockout"] = {"service_failures": 0}
    settings["domains"][TENANT] = {"route": peers.world.url}
    tables = [*_local_tables(peers), *_token_tables(peers), *_domain_tables(peers)]
    settings["authenticator"] = tables
    settings["listener"] = [settings["listener"][0]]
    for one in tables:
        listener = {
            "name": one["name"],
            "role": "submission",
            "bind": ["127.0.0.1:0"],
            "authenticators": [one["name"]],
        }
        if one["kind"] == "certificate":
            listener["client_ca"] = str(peers.authority.file)
        settings["listener"].append(listener)
    implicit = {"name": "implicit", "tls": "implicit", "authenticators": ["local"]}
    settings["listener"].append(
        {"role": "submission", "bind": ["127.0.0.1:0"], **implicit}
    )
    return settings


def _local_tables(peers: Peers) -> list[dict[str, Any]]:
    del peers
    certificate = {"kind": "certificate", "name": "certificate"}
    return [
        {"kind": "local", "name": "local"},
        {**certificate, "by": "email", "accounts": "local"},
    ]


def _token_tables(peers: Peers) -> list[dict[str, Any]]:
    common: dict[str, Any] = {
        "kind": "oidc",
        "issuer": peers.provider.issuer,
        "audience": ["sekisho"],
        "scopes": [SCOPE],
        "ca": str(peers.provider.ca),
    }
    asked = {
        "introspection": f"{peers.provider.url}/introspect",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
    }
    return [
        {**common, "name": "oidc", "jwks": f"{peers.provider.url}/keys"},
        {**common, "name": "introspection", **asked},
    ]


def _domain_tables(peers: Peers) -> Iterator[dict[str, Any]]:
    own = [f"{{user}}@{OWN}"]
    if peers.slapd is not None:
        yield {
            "kind": "ldap",
            "name": "ldap",
            "profile": "openldap",
            "servers": [peers.slapd.tls_url],
            "ca": peers.slapd.certificate.certificate,
            "base": BASE,
            "bind_dn": SERVICE,
            "bind_password": SERVICE_PASSWORD,
            "cache_seconds": 1,
        }
    if peers.kdc is not None:
        yield {
            "kind": "kerberos",
            "name": "kerberos",
            "realms": [REALM],
            "keytab": str(peers.kdc.keytab),
            "krb5_conf": str(peers.kdc.krb5_conf),
            "addresses": own,
        }
    if _there(lambda: require_program("ntlm_auth")) is not None:
        yield {"kind": "winbind", "name": "ntlm", "domains": ["OWN"], "addresses": own}


def _doors(service: Service, peers: Peers) -> Iterator[Door]:
    provider = peers.provider

    def passwords(
        family: str, user: Person, other: Person, *more: str, **keys: Any
    ) -> Door:
        offered = (*more, "PLAIN", "LOGIN")
        right, wrong = plain(user.name, user.password), plain(user.name, "wrong")
        rest = (user, other, lambda: right, lambda: wrong)
        return Door(family, service, peers, offered, *rest, **keys)

    def tokens(family: str, make: Callable[..., str], **keys: Any) -> Door:
        offered = ("OAUTHBEARER", "XOAUTH2")
        right = lambda: shown(make(), USER.name)  # noqa: E731
        wrong = lambda: shown(make(exp=1), USER.name)  # noqa: E731
        rest = (USER, OTHER, right, wrong)
        return Door(family, service, peers, offered, *rest, **keys)

    @contextmanager
    def failing() -> Generator[None]:
        provider.fault = "500"
        try:
            yield
        finally:
            provider.fault = ""

    scram = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256")
    yield passwords("local", USER, OTHER, *scram)
    yield tokens("oidc", provider.token)
    yield tokens("introspection", provider.handle, outage=failing)
    yield Door(
        *("certificate", service, peers, ("EXTERNAL",), USER, OTHER),
        right=lambda: (b"AUTH EXTERNAL =",),
        wrong=lambda: (b"AUTH EXTERNAL " + encoded(OTHER.name),),
        certificate=peers.authority.issue("user", emails=[USER.name]),
    )
    if (slapd := peers.slapd) is not None:
        yield passwords("ldap", ALICE, BOB, outage=lambda: _without(slapd))
    if (kdc := peers.kdc) is not None:
        tickets = ("GSSAPI", "GSS-SPNEGO")
        yield passwords("kerberos", ALICE, BOB, *tickets, outage=lambda: _without(kdc))
    if "ntlm" in {one["name"] for one in service.settings["authenticator"]}:
        null_session = (b"AUTH NTLM " + NTLM_NEGOTIATE, NTLM_NULL_SESSION)
        yield Door(
            *("ntlm", service, peers, ("NTLM",), ALICE, BOB),
            right=lambda: null_session,
            wrong=lambda: null_session,
        )


@contextmanager
def _without(peer: Slapd | Kdc) -> Generator[None]:
    peer.stop()
    try:
        yield
    finally:
        peer.start()
