"""A machine that is a member of a Samba domain: winbindd, joined, with its own data.

Its winbind and the domain controller's are two: this one stays when the domain
controller goes, as it does on a machine of its own.
"""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from peers.loopback import fresh_address
from peers.namespace import require_program
from peers.process import Process, run, wait_for
from peers.samba import ADMIN_PASSWORD, DOMAIN, REALM, DomainController, where_pipes_are

NAME = "MEMBER"
LOCAL_USER, LOCAL_PASSWORD = "root", "the machine's own secret"
"""An account of the machine alone; the system must have one by this name."""

_KRB5 = """\
[libdefaults]
    default_realm = {realm}
    dns_lookup_realm = false
    dns_lookup_kdc = true
"""


class Member:
    """A machine, from `__enter__` to `__exit__`.

    Args:
        folder: All of its data.
        controller: The domain's; it must be running.

    """

    def __init__(self, folder: Path, controller: DomainController) -> None:
        self._winbindd = require_program("winbindd")
        self.folder = folder
        self.configuration = folder / "smb.conf"
        for name in ("data", "pipes"):
            (folder / name).mkdir(parents=True)
        data = folder / "data"
        options = {
            "workgroup": DOMAIN,
            "realm": REALM,
            "security": "ads",
            "netbios name": NAME,
            "interfaces": f"{fresh_address()}/8",
            "bind interfaces only": "yes",
            "private dir": data,
            "state directory": data,
            "lock directory": data,
            "cache directory": data,
            "pid directory": data,
            "ncalrpc dir": data / "ncalrpc",
            "winbindd socket directory": folder / "pipes",
            "log file": folder / "log.%m",
            "idmap config * : backend": "tdb",
            "idmap config * : range": "3000-7999",
            "winbind reconnect delay": 1,
        }
        lines = "".join(f"\t{key} = {value}\n" for key, value in options.items())
        self.configuration.write_text(f"[global]\n{lines}")
        (folder / "resolv.conf").write_text(f"nameserver {controller.address}\n")
        (folder / "krb5.conf").write_text(_KRB5.format(realm=REALM))
        self._given = f"--configfile={self.configuration}"
        self._variables = {**os.environ, "KRB5_CONFIG": str(folder / "krb5.conf")}
        self._join()
        self._add_local_user()

    @property
    def within(self) -> list[str]:
        """A command that runs another one on this machine, so to speak."""
        return where_pipes_are(self.folder / "pipes")

    @property
    def helper(self) -> list[str]:
        """winbind's helper, which must be run `within`."""
        program = require_program("ntlm_auth")
        return [program, self._given, "--helper-protocol=squid-2.5-ntlmssp"]

    def takes(self, user: str, password: str, domain: str) -> bool:
        """Whether winbind itself takes a password."""
        asked = [f"--username={user}", f"--password={password}", f"--domain={domain}"]
        program = require_program("ntlm_auth")
        return run([*self.within, program, self._given, *asked]).status == 0

    @property
    def _inside(self) -> list[str]:
        """As `within`, and with the domain's names."""
        mount = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        return [*self.within, "sh", "-c", mount, str(self.folder / "resolv.conf")]

    def _join(self) -> None:
        login = f"Administrator%{ADMIN_PASSWORD}"
        joined = ["net", "ads", "join", self._given, "-U", login, "--no-dns-updates"]
        run([*self._inside, *joined], environment=self._variables, seconds=120).well()

    def _add_local_user(self) -> None:
        password = f"{LOCAL_PASSWORD}\n" * 2
        added = ["smbpasswd", "-c", str(self.configuration), "-s", "-a", LOCAL_USER]
        run(added, data=password.encode()).well()

    def __enter__(self) -> Self:
        """Start it, and wait until it answers."""
        # In a namespace for processes: it starts others, which leave its session.
        apart = ["unshare", "-p", "-f", "--kill-child=SIGKILL", "--mount-proc"]
        arguments = [self._winbindd, "-F", "--debug-stdout", "--no-process-group"]
        self.process = Process(
            [*apart, *self._inside, *arguments, self._given],
            log=self.folder / "output.txt",
            environment=self._variables,
        ).start()

        def answers() -> bool:
            self.process.assert_alive()
            return (self.folder / "pipes/pipe").exists()

        wait_for("winbindd", answers, 30)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it at once: nothing of it is kept."""
        self.process.kill()
        if kind is not None:
            print(f"--- winbindd\n{self.process.output()[-2000:]}")  # noqa: T201 - shown
