"""Samba as an Active Directory domain controller, with people of its own.

It is installed and never started by the system; here it has an address of its own on
loopback, on which it has the ports that domain controllers always have, and all of its
data in a folder. winbind's pipe is there as well: whoever asks for it does so from a
mount namespace in which it stands at the place that is compiled in. Needs root.
"""

import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from peers.certificate import make_certificate
from peers.loopback import fresh_address
from peers.namespace import require_program
from peers.process import Finished, Process, run, wait_for
from peers.realm import krb5_conf

REALM, DOMAIN = "AD.TEST", "AD"
BASE = "DC=ad,DC=test"
ADMIN_PASSWORD = "Adm1n-of-the-domain!"
SERVICE, SERVICE_PASSWORD = "sekisho@ad.test", "S3rvice-of-its-own!"
CAROL, CAROL_PASSWORD = "carol", "C4rol-of-the-domain!"
DAVE, DAVE_PASSWORD = "dave", "D4ve-of-the-domain!"
GROUPS = f"OU=relay,{BASE}"
PRINCIPAL = "smtp/relay.test"
_PIPES = "/run/samba/winbindd"
_DOMAIN_REALM = f"[domain_realm]\n    relay.test = {REALM}\n"


def where_pipes_are(folder: Path) -> list[str]:
    """A command that runs another one where winbind's pipe is in a folder."""
    mount = f'mkdir -p {_PIPES} && mount --bind "$0" {_PIPES} && exec "$@"'
    return ["unshare", "-m", "sh", "-c", mount, str(folder)]


class DomainController:
    """A domain, from `__enter__` to `__exit__`; it can be stopped and come back."""

    def __init__(self, folder: Path) -> None:
        if os.geteuid() != 0:
            pytest.skip("samba needs root to be started")
        self._tool = require_program("samba-tool")
        self._samba = require_program("samba")
        self.folder = folder
        self.address = fresh_address()
        pair = make_certificate(folder / "tls", "dc.ad.test", self.address)
        self.authority = pair.certificate
        options = {
            "interfaces": f"{self.address}/8",
            "bind interfaces only": "yes",
            "log file": str(folder / "log.%m"),
            "tls keyfile": str(pair.key),
            "tls certfile": str(pair.certificate),
            "tls cafile": str(pair.certificate),
            "server services": "rpc s3fs ldap cldap kdc drepl winbindd kcc dns",
            "winbindd socket directory": str(folder / "pipes"),
            "smb ports": "445",
            "ncalrpc dir": str(folder / "ncalrpc"),
            "pid directory": str(folder),
        }
        self.tool(
            *("domain", "provision", "--server-role=dc", "--host-name=dc"),
            *("--dns-backend=SAMBA_INTERNAL", f"--host-ip={self.address}"),
            *(f"--realm={REALM}", f"--domain={DOMAIN}"),
            *(f"--targetdir={folder / 'dc'}", f"--adminpass={ADMIN_PASSWORD}"),
            *(f"--option={key}={value}" for key, value in options.items()),
        ).well()
        self.configuration = folder / "dc/etc/smb.conf"
        text = self.configuration.read_text()
        lines = "".join(f"\t{key} = {value}\n" for key, value in options.items())
        self.configuration.write_text(
            text.replace("[global]\n", f"[global]\n{lines}", 1)
        )
        self._people()
        self.krb5_conf = folder / "krb5.conf"
        self.krb5_conf.write_text(
            krb5_conf(REALM, f"{self.address}:88") + _DOMAIN_REALM
        )
        self.keytab = folder / "smtp.keytab"
        self.process = self._process()

    def _people(self) -> None:
        self.local("ou", "create", GROUPS)
        for name, password, mail in (
            ("sekisho", SERVICE_PASSWORD, ""),
            (CAROL, CAROL_PASSWORD, "carol@own.test"),
            (DAVE, DAVE_PASSWORD, "dave@own.test"),
        ):
            options = [f"--mail-address={mail}"] if mail else []
            self.local("user", "create", name, password, *options)
        for group in ("Inner Team", "Relay"):
            self.local(
                "group", "add", group, f"--groupou={GROUPS.removesuffix(f',{BASE}')}"
            )
        self.local("group", "addmembers", "Relay", "Inner Team")
        self.local("group", "addmembers", "Inner Team", CAROL)

    def tool(self, *arguments: str) -> Finished:
        """Run samba-tool."""
        return run([self._tool, *arguments], seconds=180)

    def local(self, *arguments: str) -> None:
        """Change the directory's own files; seen by a running controller."""
        database = f"--URL=tdb://{self.folder / 'dc/private/sam.ldb'}"
        self.tool(*arguments, database, f"--configfile={self.configuration}").well()

    def modify(self, *lines: str) -> None:
        """Change entries by LDIF, as the domain's administrator."""
        command = ["ldapmodify", *self._bound("Administrator@ad.test", ADMIN_PASSWORD)]
        data = ("\n".join(lines) + "\n").encode()
        run(command, data=data, environment=self._trusting).well()

    def make_keytab(self) -> None:
        """Give the service's user our principal, and write its keys to `keytab`."""
        self.modify(
            f"dn: {self.dn('sekisho')}",
            "changetype: modify",
            "replace: servicePrincipalName",
            f"servicePrincipalName: {PRINCIPAL}",
            "-",
            "replace: msDS-SupportedEncryptionTypes",
            "msDS-SupportedEncryptionTypes: 24",
        )
        self.tool(
            *("domain", "exportkeytab", str(self.keytab), f"--principal={PRINCIPAL}"),
            f"--configfile={self.configuration}",
        ).well()

    def _bound(self, name: str, password: str) -> list[str]:
        return ["-x", "-H", self.url, "-D", name, "-w", password]

    @property
    def _trusting(self) -> dict[str, str]:
        return {"LDAPTLS_CACERT": str(self.authority), "PATH": "/usr/bin:/bin"}

    def dn(self, name: str) -> str:
        """A user's entry."""
        return f"CN={name},CN=Users,{BASE}"

    @property
    def url(self) -> str:
        """Where TLS comes first."""
        return f"ldaps://{self.address}"

    @property
    def starttls_url(self) -> str:
        """Where TLS is started."""
        return f"ldap://{self.address}"

    def _process(self) -> Process:
        pipes = self.folder / "pipes"
        pipes.mkdir(exist_ok=True)
        arguments = [self._samba, "-i", "-s", self.configuration, "--debug-stdout"]
        return Process(
            [*where_pipes_are(pipes), *arguments], log=self.folder / "output.txt"
        )

    def start(self) -> Self:
        """Start it, and wait until it answers."""
        self.process = self._process().start()
        bound = self._bound(SERVICE, SERVICE_PASSWORD)
        searched = ["ldapsearch", *bound, "-b", BASE, "-s", "base", "dn"]

        def answers() -> bool:
            self.process.assert_alive()
            if not (self.folder / "pipes/pipe").exists():
                return False
            return run(searched, environment=self._trusting).status == 0

        wait_for("the domain controller", answers, 60)
        return self

    def stop(self) -> None:
        """Stop it; `start` brings it back with the same data."""
        self.process.stop()
        (self.folder / "pipes/pipe").unlink(missing_ok=True)

    def __enter__(self) -> Self:
        """Start it."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it, and take its data away."""
        self.process.stop()
        if kind is not None:
            print(f"--- samba\n{self.process.output()[-4000:]}")  # noqa: T201 - shown
        shutil.rmtree(self.folder / "dc", ignore_errors=True)
