"""OpenLDAP's server from `.cache/peers/root/slapd`, with people of its own.

Its paths can all be configured, so it needs no namespace and no root. It listens on
``ldap://`` and ``ldaps://`` at an address of its own, and keeps its data in a folder.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from peers.certificate import Certificate, make_certificate
from peers.loopback import free_port, fresh_address
from peers.namespace import ROOT, require_program
from peers.process import STARTUP_SECONDS, Process, run, wait_for

PACKAGE = ROOT / "slapd"
LIBRARIES = PACKAGE / "usr/lib/ldap"
SCHEMAS = PACKAGE / "etc/ldap/schema"

BASE = "dc=own,dc=test"
PEOPLE = f"ou=people,{BASE}"
GROUPS = f"ou=groups,{BASE}"
ADMIN, ADMIN_PASSWORD = f"cn=admin,{BASE}", "the admin's own secret"
SERVICE, SERVICE_PASSWORD = f"cn=sekisho,{BASE}", "the service's own secret"
ALICE, ALICE_PASSWORD = "alice", "correct horse battery"
BOB, BOB_PASSWORD = "bob", "another battery entirely"

_CONFIGURATION = """
include {schemas}/core.schema
include {schemas}/cosine.schema
include {schemas}/nis.schema
include {schemas}/inetorgperson.schema
{schema}
modulepath {libraries}
moduleload back_mdb
moduleload ppolicy
moduleload memberof
pidfile {folder}/slapd.pid
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
{more}
database mdb
suffix "{base}"
rootdn "{admin}"
rootpw "{admin_password}"
directory {folder}/data
maxsize 104857600
overlay ppolicy
{overlay}
access to attrs=userPassword by anonymous auth by self write by * none
access to * by dn.exact="{service}" read by self read by anonymous auth by * none
"""

_ENTRIES = """
dn: {base}
objectClass: dcObject
objectClass: organization
o: own
dc: own

dn: {service}
objectClass: applicationProcess
objectClass: simpleSecurityObject
cn: sekisho
userPassword: {service_password}

dn: {people}
objectClass: organizationalUnit
ou: people

dn: {groups}
objectClass: organizationalUnit
ou: groups

dn: uid=alice,{people}
objectClass: inetOrgPerson
uid: alice
cn: Alice
sn: Liddell
mail: alice@own.test
mail: *@own.test
mail: no address
userPassword: {alice_password}

dn: uid=bob,{people}
objectClass: inetOrgPerson
uid: bob
cn: Bob
sn: Bob
mail: bob@own.test
userPassword: {bob_password}

dn: cn=Scanner Team,{groups}
objectClass: groupOfNames
cn: Scanner Team
member: uid=alice,{people}

dn: cn=others,{groups}
objectClass: groupOfNames
cn: others
member: uid=bob,{people}
"""


def person(uid: str, password: str, *lines: str, people: str = PEOPLE) -> str:
    """An entry of one more person."""
    more = "".join(f"{line}\n" for line in lines)
    return (
        f"dn: uid={uid},{people}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\n"
        f"sn: {uid}\nuserPassword: {password}\n{more}"
    )


class Slapd:
    """A directory, from `__enter__` to `__exit__`; it can be stopped and come back.

    Args:
        folder: Everything of it.
        entries: More entries than those above, as LDIF.
        more: More lines of configuration.
        certificate: Its own, if not one for its name and its address.
        address: Where it listens, if not at one of its own.
        active_directory: Know Active Directory's attributes, too.

    """

    NAME = "localhost"

    def __init__(
        self,
        folder: Path,
        *,
        entries: Sequence[str] = (),
        more: str = "",
        certificate: Certificate | None = None,
        address: str = "",
        active_directory: bool = False,
    ) -> None:
        if not (PACKAGE / "usr/sbin/slapd").exists():
            pytest.skip("slapd is not there: run .ci/peers")
        require_program("ldapmodify")
        self.folder = folder
        (folder / "data").mkdir(parents=True)
        self.address = address or fresh_address()
        self.port, self.tls_port = free_port(self.address), free_port(self.address)
        self.certificate = certificate or make_certificate(
            folder / "tls", self.NAME, self.address
        )
        names = {
            "base": BASE,
            "people": PEOPLE,
            "groups": GROUPS,
            "admin": ADMIN,
            "admin_password": ADMIN_PASSWORD,
            "service": SERVICE,
            "service_password": SERVICE_PASSWORD,
            "alice_password": ALICE_PASSWORD,
            "bob_password": BOB_PASSWORD,
        }
        self.configuration = folder / "slapd.conf"
        self.configuration.write_text(
            _CONFIGURATION.format(
                schemas=SCHEMAS,
                libraries=LIBRARIES,
                folder=folder,
                certificate=self.certificate.certificate,
                key=self.certificate.key,
                more=more,
                # Each of the two has an attribute memberOf of its own.
                schema=f"include {SCHEMAS}/msuser.schema" if active_directory else "",
                overlay="" if active_directory else "overlay memberof",
                **names,
            )
        )
        ldif = folder / "entries.ldif"
        ldif.write_text("\n".join([_ENTRIES.format(**names), *entries]))
        libraries = PACKAGE.glob("usr/lib/**/libslapi*.so.0")
        folders = ":".join(sorted({str(one.parent) for one in libraries}))
        self.environment = {"LD_LIBRARY_PATH": folders, "PATH": "/usr/bin:/bin"}
        options = ["-f", self.configuration, "-l", ldif]
        slapadd = PACKAGE / "usr/sbin/slapadd"
        run([slapadd, *options], environment=self.environment, seconds=30).well()
        self.process = self._process()

    def _process(self) -> Process:
        urls = (
            f"ldap://{self.address}:{self.port} ldaps://{self.address}:{self.tls_port}"
        )
        program = PACKAGE / "usr/sbin/slapd"
        return Process(
            [program, "-f", self.configuration, "-h", urls, "-d", "0"],
            log=self.folder / "output.txt",
            environment=self.environment,
        )

    @property
    def url(self) -> str:
        """Where TLS is started."""
        return f"ldap://{self.address}:{self.port}"

    @property
    def tls_url(self) -> str:
        """Where TLS comes first."""
        return f"ldaps://{self.address}:{self.tls_port}"

    def start(self) -> Self:
        """Start it, and wait until it answers."""
        self.process = self._process().start()

        def answers() -> bool:
            self.process.assert_alive()
            asked = [
                "ldapwhoami",
                "-x",
                "-H",
                self.url,
                "-D",
                ADMIN,
                "-y",
                "/dev/stdin",
            ]
            return run(asked, data=ADMIN_PASSWORD.encode()).status == 0

        wait_for("slapd", answers, STARTUP_SECONDS)
        return self

    def stop(self) -> None:
        """Stop it; `start` brings it back with the same data."""
        self.process.stop()

    def modify(self, *lines: str) -> None:
        """Change entries, as the administrator, by LDIF."""
        command = [
            "ldapmodify",
            "-x",
            "-H",
            self.url,
            "-D",
            ADMIN,
            "-w",
            ADMIN_PASSWORD,
        ]
        run(command, data=("\n".join(lines) + "\n").encode()).well()

    def change(self, uid: str, attribute: str, *values: str) -> None:
        """Put values in the place of an attribute's; none takes it away."""
        self.modify(
            f"dn: uid={uid},{PEOPLE}",
            "changetype: modify",
            f"replace: {attribute}",
            *(f"{attribute}: {value}" for value in values),
        )

    def delete(self, uid: str) -> None:
        """Take a person away."""
        self.modify(f"dn: uid={uid},{PEOPLE}", "changetype: delete")

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
            print(f"--- slapd\n{self.process.output()[-4000:]}")  # noqa: T201 - shown
        shutil.rmtree(self.folder / "data", ignore_errors=True)
