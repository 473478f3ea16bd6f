"""The audit's probes of section B against Debian's mail servers that offer AUTH.

Each relays for one account only. Postfix verifies by Cyrus SASL, which speaks many
mechanisms: so the probes' own CRAM-MD5, DIGEST-MD5 and SCRAM are tried on somebody
else's, too. All of it is offered by configuration that an administrator could have.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import run

import pytest

from peers.exim import EximNextHost
from peers.mail_server import HOSTNAME, MailServer
from peers.namespace import require_program
from peers.opensmtpd import OpenSmtpdNextHost
from peers.postfix import PostfixNextHost
from sekisho.audit.authentication import AUTHENTICATION
from sekisho.audit.conversation import HindranceError
from sekisho.audit.probe import Need, Probe
from sekisho.audit.target import Target
from sekisho.audit.verdicts import Judgement, Verdict
from sekisho.audit.visit import Account, Names, Visit

ASKED = [probe for probe in AUTHENTICATION if Need.CANARY not in probe.needs]
TRULY: dict[str, dict[str, Verdict]] = {
    # No challenge of SCRAM for who does not exist, and NULs that end a string.
    "postfix": {
        "AUTH-014": Verdict.FLAWED,
        "AUTH-038": Verdict.FLAWED,
        "AUTH-080": Verdict.SUSPECT,
    },
    # Fields behind the password are not looked at. Who may send as whom is not
    # configured, neither here nor in Postfix.
    "exim": {
        "AUTH-012": Verdict.UNDECIDED,
        "AUTH-014": Verdict.FLAWED,
        "AUTH-080": Verdict.SUSPECT,
    },
    "opensmtpd": {},
}
USER, PASSWORD = "user", "correct-horse-battery-staple-" * 3


class PostfixWithCyrus(PostfixNextHost):
    """Relays for whoever is in a sasldb; strangers write to next.test alone.

    Debian's Postfix looks for Cyrus's configuration beside its own.
    """

    def _settings(self) -> str:
        program = require_program("saslpasswd2")
        sasl = self.make_folder("sasl")
        database = sasl / "sasldb2"
        run(
            [program, "-c", "-p", "-f", str(database), "-u", HOSTNAME, USER],
            input=PASSWORD.encode(),
            check=True,
        )
        database.chmod(0o644)
        self.write(
            "conf/sasl/smtpd.conf",
            "pwcheck_method: auxprop\nauxprop_plugin: sasldb\n"
            "sasldb_path: /mnt/run/sasl/sasldb2\n"
            "mech_list: PLAIN LOGIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-256 NTLM\n",
        )
        return f"""{super()._settings()}
virtual_mailbox_domains = {HOSTNAME}
mynetworks = 192.0.2.0/24
smtpd_relay_restrictions = permit_sasl_authenticated, defer_unauth_destination
smtpd_sasl_auth_enable = yes
smtpd_sasl_local_domain = {HOSTNAME}
smtpd_tls_auth_only = yes
default_transport = discard
relay_transport = discard
"""


class EximWithAccount(EximNextHost):
    """Relays for one account, by PLAIN, LOGIN and CRAM-MD5 under TLS."""

    def configure(self) -> None:
        """Add authenticators, and ask for them."""
        super().configure()
        path = self.folder / "conf" / "exim4.conf"
        text = path.read_text().replace(
            "acl_smtp_rcpt = take\n",
            "acl_smtp_rcpt = rcpt\nauth_advertise_hosts = ${if def:tls_cipher{*}}\n",
        )
        text = text.replace(
            "begin acl\n",
            f"""begin acl
rcpt:
  accept authenticated = *
  accept domains = {HOSTNAME}
  deny message = relay not permitted
""",
        )
        right = (
            f"${{if and{{{{eq{{$auth%d}}{{{USER}}}}}{{eq{{$auth%d}}{{{PASSWORD}}}}}}}}}"
        )
        text += f"""
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = {right % (2, 3)}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = User : Password
  server_condition = {right % (1, 2)}
  server_set_id = $auth1
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${{if eq{{$auth1}}{{{USER}}}{{{PASSWORD}}}fail}}
  server_set_id = $auth1
"""
        path.write_text(text)


class OpenSmtpdAlone(OpenSmtpdNextHost):
    """Takes mail for next.test alone; it has no TLS here, and so no AUTH."""

    def configure(self) -> None:
        """Do not take mail for anybody."""
        super().configure()
        path = self.folder / "conf" / "smtpd.conf"
        path.write_text(
            path.read_text().replace("for any action", f"for domain {HOSTNAME} action")
        )


SERVERS: dict[str, Callable[[Path], MailServer]] = {
    "postfix": PostfixWithCyrus,
    "exim": EximWithAccount,
    "opensmtpd": OpenSmtpdAlone,
}


@pytest.fixture(scope="module", params=SERVERS)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, MailServer]]:
    """Serve one of them for all probes."""
    name = str(request.param)
    with SERVERS[name](tmp_path_factory.mktemp(name) / "server") as server:
        yield name, server


async def carried_out(probe: Probe, visit: Visit) -> Judgement:
    """Run it."""
    return await probe.run(visit)


def verdict(server: MailServer, probe: Probe) -> Verdict:
    """Run one probe; the transcript is shown where the test then fails."""
    names = Names(
        domain=HOSTNAME,
        server=HOSTNAME,
        foreign="canary.test",
        canary="",
        known=USER,
        unknown="nobody-q7x",
        other="other",
    )
    target = Target(host=server.address, address=server.address, port=server.port)
    account = Account(USER, PASSWORD) if Need.ACCOUNT in probe.needs else None
    visit = Visit(target=target, names=names, token="t0ken", account=account)
    try:
        judgement = asyncio.run(carried_out(probe, visit))
    except HindranceError as hindrance:
        sys.stdout.write(f"hindered: {hindrance}\n")
        return Verdict.UNDECIDED
    finally:
        for line in visit.transcript.lines:
            sys.stdout.write(f"{line.who.value} {line.text}\n")
    sys.stdout.write(judgement.evidence.en)
    return judgement.verdict


@pytest.mark.parametrize("probe", ASKED, ids=lambda probe: probe.id)
def test_servers_of_others_are_judged_as_they_are(
    served: tuple[str, MailServer], probe: Probe
) -> None:
    name, server = served
    if name == "opensmtpd" and Need.ACCOUNT in probe.needs:
        pytest.skip("it offers no AUTH here")
    found = verdict(server, probe)
    expected = TRULY[name].get(probe.id)
    if expected is not None:
        assert found is expected
    else:
        assert found in {Verdict.SAFE, Verdict.NOT_APPLICABLE}
