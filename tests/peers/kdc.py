"""A MIT KDC with a realm of its own, on loopback; needs Debian's krb5-kdc."""

import shutil
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from peers.loopback import free_port
from peers.process import Process, run, wait_for
from peers.realm import krb5_conf

REALM = "OWN.TEST"
SERVICE = "smtp/relay.test"
ALICE, ALICE_PASSWORD = "alice", "correct horse battery"
BOB, BOB_PASSWORD = "bob", "another battery entirely"

_KDC = """\
[kdcdefaults]
    kdc_listen = 127.0.0.1:{port}
    kdc_tcp_listen = 127.0.0.1:{port}
[realms]
    {realm} = {{
        database_name = {folder}/principal
        key_stash_file = {folder}/stash
        acl_file = {folder}/acl
        max_life = 1h
    }}
"""
_PROGRAMS = ("krb5kdc", "kadmin.local", "kdb5_util")


def require_kdc() -> None:
    """Skip where Kerberos's server or its Python package is not installed."""
    pytest.importorskip("gssapi", reason="no package gssapi: run .ci/peers")
    for program in _PROGRAMS:
        if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            pytest.skip(f"no {program}: run .ci/peers")


class Kdc:
    """One realm: two users and our service, whose key is in `keytab`."""

    def __init__(self, folder: Path) -> None:
        require_kdc()
        folder.mkdir(parents=True)
        self.folder = folder
        self.port = free_port()
        self.krb5_conf = folder / "krb5.conf"
        self.keytab = folder / "smtp.keytab"
        self.krb5_conf.write_text(krb5_conf(REALM, f"127.0.0.1:{self.port}"))
        kdc_conf = folder / "kdc.conf"
        kdc_conf.write_text(
            _KDC.format(realm=REALM, port=self.port, folder=folder.resolve())
        )
        self.environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "KRB5_CONFIG": str(self.krb5_conf),
            "KRB5_KDC_PROFILE": str(kdc_conf),
            "KRB5CCNAME": f"MEMORY:{folder}",
            "KRB5RCACHENAME": f"file2:{folder}/kdc.rcache",
        }
        create = ["kdb5_util", "create", "-s", "-r", REALM, "-P", "master key of tests"]
        run([*create], environment=self.environment).well()
        self.admin(f'addprinc -pw "{ALICE_PASSWORD}" +requires_preauth {ALICE}')
        self.admin(f'addprinc -pw "{BOB_PASSWORD}" +requires_preauth {BOB}')
        self.admin(f'addprinc -pw "{BOB_PASSWORD}" {BOB}/admin')
        self.admin(f"addprinc -randkey {SERVICE}")
        self.admin("addprinc -randkey http/relay.test")
        self.admin(f"ktadd -k {self.keytab} {SERVICE}")
        self._process = self._new_process()

    def admin(self, command: str) -> str:
        """Change the realm, by a command of kadmin."""
        return (
            run(
                ["kadmin.local", "-r", REALM, "-q", command],
                environment=self.environment,
            )
            .well()
            .output
        )

    def start(self) -> None:
        """Start it, also after `stop`."""
        self._process = self._new_process()
        self._process.start()
        try:
            wait_for("the KDC", self._answers, 20.0)
        except BaseException:
            self._process.kill()
            raise

    def stop(self) -> None:
        """End it."""
        self._process.stop()

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self.stop()

    def _answers(self) -> bool:
        self._process.assert_alive()
        try:
            socket.create_connection(("127.0.0.1", self.port), 1.0).close()
        except OSError:
            return False
        return True

    def _new_process(self) -> Process:
        return Process(
            ["krb5kdc", "-n", "-r", REALM],
            log=self.folder / "kdc.log",
            environment=self.environment,
            folder=self.folder,
        )
