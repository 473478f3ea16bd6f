"""OpenSMTPD as the next host: anybody's mail into one Maildir.

Debian 12's build offers STARTTLS but cannot go through with it: its key process and
OpenSSL 3 do not get along, and every handshake ends in an internal error alert. So
there are two of them: one without TLS, and one that shows what a next host with a
broken TLS does to us.
"""

from types import MappingProxyType

from peers.mail_server import HOSTNAME, MailServer


class OpenSmtpdNextHost(MailServer):
    """Spool and helpers lie at compiled-in paths; its socket is bound over, too."""

    tls = ""
    package = "opensmtpd"
    binds = MappingProxyType(
        {
            "/usr/libexec/opensmtpd": "/mnt/root/opensmtpd/usr/libexec/opensmtpd",
            "/var/spool/smtpd": "/mnt/run/spool",
            "/run": "/mnt/run/socket",
        }
    )
    program = (
        "/mnt/root/opensmtpd/usr/sbin/smtpd",
        *("-d", "-f", "/mnt/run/conf/smtpd.conf"),
    )

    def configure(self) -> None:
        """Write smtpd.conf; it refuses keys that others may read."""
        self.make_folder("spool").chmod(0o711)
        self.make_folder("socket")
        self.make_folder("mail", owner="nobody")
        self.write(
            "conf/smtpd.conf",
            f"""
pki {HOSTNAME} cert "/mnt/run/tls/cert.pem"
pki {HOSTNAME} key "/mnt/run/tls/key.pem"
table everybody {{ "@" = "nobody" }}
listen on {self.address} port {self.port} {self.tls} hostname {HOSTNAME}
action "in" maildir "/mnt/run/mail/box" virtual <everybody>
match from any for any action "in"
""",
        )


class OpenSmtpdWithBrokenTls(OpenSmtpdNextHost):
    """Offers STARTTLS, says 220, and fails in the handshake."""

    tls = f"tls pki {HOSTNAME}"
