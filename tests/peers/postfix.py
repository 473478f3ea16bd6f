"""Postfix: as the next host, and as somebody's mail server that relays through us."""

from pathlib import Path
from types import MappingProxyType
from typing import Self

from peers.mail_server import HOSTNAME, MailServer
from peers.namespace import ROOT
from peers.process import Finished, wait_for

_MAIN = f"""
compatibility_level = 3.6
command_directory = /mnt/root/postfix/usr/sbin
daemon_directory = /mnt/root/postfix/usr/lib/postfix/sbin
meta_directory = /mnt/root/postfix/etc/postfix
queue_directory = /mnt/run/spool
data_directory = /mnt/run/data
maillog_file_prefixes = /mnt/run
maillog_file = /mnt/run/log/maillog
myhostname = {HOSTNAME}
mydestination =
alias_maps =
alias_database =
inet_protocols = ipv4
smtputf8_enable = yes
smtpd_relay_restrictions = reject_unauth_destination
"""
_LEFT_OUT = ("smtp ", "maildrop", "uucp", "ifmail", "bsmtp", "scalemail", "mailman")


class _Postfix(MailServer):
    package = "postfix"
    binds = MappingProxyType({"/usr/lib/postfix": "/mnt/root/postfix/usr/lib/postfix"})
    program = ("/mnt/root/postfix/usr/sbin/postfix", "-c", "/mnt/run/conf", "start-fg")

    def _settings(self) -> str:
        raise NotImplementedError

    def configure(self) -> None:
        """Write main.cf and master.cf; nothing in a chroot."""
        for name in ("spool", "log"):
            self.make_folder(name)
        self.make_folder("data", owner="postfix")
        self.write("conf/main.cf", _MAIN + self._settings())
        sample = ROOT / "postfix" / "usr" / "share" / "postfix" / "master.cf.dist"
        services = [f"{self.address}:{self.port} inet n - n - - smtpd"]
        for line in sample.read_text().splitlines():
            words = line.split()
            is_service = line[:1].isalpha() and not line.startswith(_LEFT_OUT)
            if is_service or words[:2] == ["smtp", "unix"]:
                services.append(" ".join([*words[:4], "n", *words[5:]]))
        self.write("conf/master.cf", "\n".join(services) + "\n")


class PostfixNextHost(_Postfix):
    """Takes mail for anybody, with STARTTLS, into one Maildir."""

    def _settings(self) -> str:
        self.make_folder("mail", owner="nobody")
        return """
virtual_transport = virtual
virtual_mailbox_domains = static:all
virtual_mailbox_maps = static:box/
virtual_mailbox_base = /mnt/run/mail
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
smtpd_tls_security_level = may
smtpd_tls_cert_file = /mnt/run/tls/cert.pem
smtpd_tls_key_file = /mnt/run/tls/key.pem
smtpd_tls_received_header = yes
"""


class PostfixClient(_Postfix):
    """A machine's own Postfix that hands all its mail to a submission service.

    Args:
        folder: Its own.
        relay: Address and port of the service.
        user: The account there.
        password: Its password.
        mechanisms: Postfix's filter over what the service offers.

    """

    def __init__(
        self,
        folder: Path,
        *,
        relay: tuple[str, int],
        user: str,
        password: str,
        mechanisms: str = "plain",
    ) -> None:
        self._relay = f"[{relay[0]}]:{relay[1]}"
        self._login = f"{user}:{password}"
        self._mechanisms = mechanisms
        super().__init__(folder)

    def _settings(self) -> str:
        self.write("conf/login", f"{self._relay} {self._login}\n", mode=0o600)
        return f"""
relayhost = {self._relay}
smtp_tls_security_level = encrypt
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = texthash:/mnt/run/conf/login
smtp_sasl_security_options = noanonymous
smtp_sasl_tls_security_options = noanonymous
smtp_sasl_mechanism_filter = {self._mechanisms}
"""

    def sendmail(self, *arguments: str, message: bytes) -> Finished:
        """Inject a message with Postfix's ``sendmail``."""
        program = "/mnt/root/postfix/usr/sbin/sendmail"
        return self.run(program, "-C", "/mnt/run/conf", *arguments, data=message)

    def wait_until_sent(self, count: int, seconds: float = 15.0) -> Self:
        """Wait until its log says ``status=sent`` so many times."""
        wait_for(
            f"{count} times status=sent in Postfix's log",
            lambda: self.log().count("status=sent") >= count,
            seconds,
        )
        return self
