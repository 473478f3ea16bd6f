"""Mail servers as Debian sets them up for a host of its own, or opened on purpose.

They serve accounts of this machine under `mail_server.HOSTNAME`. Sound, they relay for
loopback alone. Opened, everybody's mail goes on to ``onward``.
"""

from pathlib import Path

from peers.exim import EximNextHost
from peers.mail_server import HOSTNAME
from peers.opensmtpd import OpenSmtpdNextHost
from peers.postfix import PostfixNextHost


class DebianPostfix(PostfixNextHost):
    """With the `main.cf` that its package writes for an Internet site."""

    def __init__(self, folder: Path, *, address: str, onward: str = "") -> None:
        self.onward = onward
        super().__init__(folder, address=address)

    def _settings(self) -> str:
        trusted = "0.0.0.0/0" if self.onward else "127.0.0.0/8"
        onward = self.onward.rpartition(":")
        return f"""
mydestination = {HOSTNAME}, localhost
mynetworks = {trusted}
relayhost = {f"[{onward[0]}]:{onward[2]}" if self.onward else ""}
recipient_delimiter = +
smtpd_relay_restrictions =
    permit_mynetworks permit_sasl_authenticated defer_unauth_destination
smtpd_tls_security_level = may
smtpd_tls_cert_file = /mnt/run/tls/cert.pem
smtpd_tls_key_file = /mnt/run/tls/key.pem
"""


_EXIM_ACL = r"""
acl_check_rcpt:
  accept
    hosts = :
  deny
    domains = +local_domains
    local_parts = ^[.] : ^.*[@%!/|`#&?]
    message = restricted characters in address
  deny
    domains = !+local_domains
    local_parts = ^[./|] : ^.*[@%!`#&?] : ^.*/\\.\\./
    message = restricted characters in address
  accept
    local_parts = postmaster
    domains = +local_domains
  deny
    !verify = sender
  accept
    hosts = +relay_from_hosts
    control = submission/sender_retain
  require
    message = relay not permitted
    domains = +local_domains
  require
    verify = recipient
  accept
"""


class DebianExim(EximNextHost):
    """With the access rules of Debian's `30_exim4-config_check_rcpt`."""

    def __init__(self, folder: Path, *, address: str, onward: str = "") -> None:
        self.onward = onward
        super().__init__(folder, address=address)

    def configure(self) -> None:
        """Put Debian's rules in place of those that take everything."""
        super().configure()
        file = self.folder / "conf" / "exim4.conf"
        start = file.read_text().partition("acl_smtp_rcpt")[0]
        host, _, port = (self.onward or "192.0.2.1:25").rpartition(":")
        trusted = "*" if self.onward else "127.0.0.1"
        file.write_text(
            f"""{start}
domainlist local_domains = @ : localhost : {HOSTNAME}
hostlist relay_from_hosts = {trusted}
acl_smtp_rcpt = acl_check_rcpt
acl_smtp_data = acl_check_data
begin acl
{_EXIM_ACL}
acl_check_data:
  accept
begin routers
onward:
  driver = manualroute
  domains = ! +local_domains
  route_list = * {host}
  self = send
  transport = smtp
  no_more
local:
  driver = accept
  check_local_user
  transport = drop
begin transports
smtp:
  driver = smtp
  port = {port}
  hosts_avoid_tls = *
drop:
  driver = appendfile
  file = /mnt/run/mail/$local_part
"""
        )


class DebianOpenSmtpd(OpenSmtpdNextHost):
    """With the `smtpd.conf` of its package, and listening to the world."""

    def __init__(self, folder: Path, *, address: str, onward: str = "") -> None:
        self.onward = onward
        super().__init__(folder, address=address)

    def configure(self) -> None:
        """Write the package's rules."""
        super().configure()
        self.write("conf/aliases", "postmaster: root\n")
        onward = f"host smtp://{self.onward}" if self.onward else ""
        self.write(
            "conf/smtpd.conf",
            f"""
table aliases file:/mnt/run/conf/aliases
listen on {self.address} port {self.port} hostname {HOSTNAME}
action "local" maildir "/mnt/run/mail/box" alias <aliases>
action "relay" relay {onward}
match from any for domain "{HOSTNAME}" action "local"
match from {"any" if self.onward else "local"} for any action "relay"
""",
        )
