"""Exim as the next host: anybody's mail, with STARTTLS, into one Maildir."""

import shutil
from types import MappingProxyType

from peers.mail_server import HOSTNAME, MailServer


class EximNextHost(MailServer):
    """Its configuration lies where it is compiled in: with -C it would lose root."""

    package = "exim4-daemon-light"
    binds = MappingProxyType({"/etc/exim4": "/mnt/run/conf"})
    program = ("/mnt/root/exim4-daemon-light/usr/sbin/exim4", "-bdf", "-q30m")

    def configure(self) -> None:
        """Write exim4.conf and let its user read the key."""
        for name in ("spool", "log", "mail"):
            self.make_folder(name, owner="Debian-exim")
        shutil.chown(self.certificate.key, "root", "Debian-exim")
        self.certificate.key.chmod(0o640)
        self.write(
            "conf/exim4.conf",
            f"""
exim_path = /mnt/root/exim4-daemon-light/usr/sbin/exim4
spool_directory = /mnt/run/spool
log_file_path = /mnt/run/log/%slog
primary_hostname = {HOSTNAME}
local_interfaces = {self.address}
daemon_smtp_ports = {self.port}
pid_file_path = /mnt/run/exim.pid
keep_environment =
hosts_require_helo =
smtputf8_advertise_hosts = *
chunking_advertise_hosts = *
tls_advertise_hosts = *
tls_certificate = /mnt/run/tls/cert.pem
tls_privatekey = /mnt/run/tls/key.pem
acl_smtp_rcpt = take
acl_smtp_data = take
begin acl
take:
  accept
begin routers
all:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  user = Debian-exim
  directory = /mnt/run/mail/box
  maildir_format
  create_directory
""",
            mode=0o640,
        )
