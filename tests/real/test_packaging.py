"""The systemd units: understood, tight, and not tighter than the service bears.

No service manager runs here. What a unit asks for is read from its file, and the
service is run under the same bounds by other means.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from peers import confined
from peers.certificate import make_certificate
from peers.confined import PROGRAM, Place, as_nobody, beside
from peers.namespace import require_program
from peers.process import Process, run, wait_for
from peers.service import COMMAND, HOSTNAME, OWN, Service, Settings
from real.messages import token
from sekisho.app.supervisor import STOP_SECONDS, WATCHDOG_ANSWER_SECONDS
from sekisho.config.load import load_config

UNITS = Path(__file__).parents[2] / "packaging" / "systemd"
SERVICE = UNITS / "sekisho.service"
SOCKETS = sorted(UNITS.glob("*.socket"))
MOST_EXPOSURE = 17
"""Tenths, as `systemd-analyze security --threshold` takes them; without sandbox: 96."""


def directives(unit: Path, name: str) -> list[str]:
    """The values of a directive, in the file's order."""
    return re.findall(rf"^{name}=(.*)$", unit.read_text(), re.MULTILINE)


def directive(unit: Path, name: str) -> str:
    (only,) = directives(unit, name)
    return only


def seconds(span: str) -> float:
    (count, unit) = re.fullmatch(r"(\d+)(s|min)", span).groups()  # type: ignore[union-attr]
    return int(count) * (60 if unit == "min" else 1)


@pytest.fixture
def place() -> Iterator[Place]:
    with confined.place() as made:
        yield made


def test_systemd_understands_the_units(place: Place) -> None:
    analyze = require_program("systemd-analyze")
    within = place.entering(COMMAND.parents[1])
    done = run([*within, analyze, "verify", "--man=no", SERVICE, *SOCKETS])
    said = [line for line in done.errors.splitlines() if "sekisho" in line]
    assert (done.status, said) == (0, [])


def test_a_unit_that_systemd_does_not_understand_is_seen(
    place: Place, tmp_path: Path
) -> None:
    analyze = require_program("systemd-analyze")
    wrong = place.folder / SERVICE.name
    wrong.write_text(SERVICE.read_text().replace("ProtectClock=", "ProtectClocks="))
    within = place.entering(COMMAND.parents[1])
    done = run([*within, analyze, "verify", "--man=no", wrong])
    assert "ProtectClocks" in done.errors


def test_the_sandbox_is_as_tight_as_it_was() -> None:
    analyze = require_program("systemd-analyze")
    threshold = ["--offline=true", f"--threshold={MOST_EXPOSURE}", "--no-pager"]
    run([analyze, "security", *threshold, SERVICE]).well()


def test_the_user_and_its_folders_are_made(tmp_path: Path) -> None:
    sysusers = require_program("systemd-sysusers")
    tmpfiles = require_program("systemd-tmpfiles")
    confined.require_confinement()
    (tmp_path / "etc").mkdir()
    root = f"--root={tmp_path}"
    run([sysusers, root, UNITS / "sysusers.conf"]).well()
    (line,) = (tmp_path / "etc/passwd").read_text().splitlines()
    name, _, uid, *_, home, shell = line.split(":")
    assert (name, home) == ("sekisho", "/var/lib/sekisho")
    assert shell.endswith("nologin")
    run([tmpfiles, root, "--create", UNITS / "tmpfiles.conf"]).well()
    state = (tmp_path / "var/lib/sekisho").stat()
    assert (state.st_mode & 0o7777, state.st_uid) == (0o700, int(uid))
    settings = (tmp_path / "etc/sekisho").stat()
    assert (settings.st_mode & 0o7777, settings.st_uid) == (0o750, 0)
    assert settings.st_gid == state.st_gid


def test_the_sockets_are_those_of_the_default_listeners(tmp_path: Path) -> None:
    make_certificate(tmp_path, HOSTNAME)
    config = tmp_path / "sekisho.toml"
    config.write_text(
        f'hostname = "{HOSTNAME}"\n[tls]\ncertificate = "cert.pem"\nkey = "key.pem"\n'
    )
    expected = {
        one.name: sorted(str(address) for address in one.bind)
        for one in load_config(config, {}).listeners
    }
    named = {
        directive(unit, "FileDescriptorName"): sorted(directives(unit, "ListenStream"))
        for unit in SOCKETS
    }
    assert named == expected


def test_the_unit_waits_longer_than_the_service_does() -> None:
    assert seconds(directive(SERVICE, "TimeoutStopSec")) > STOP_SECONDS
    assert seconds(directive(SERVICE, "WatchdogSec")) / 2 > WATCHDOG_ANSWER_SECONDS


# -- the service under the unit's bounds ----------------------------------------------

# What MemoryDenyWriteExecute= forbids, the kernel's own way: prctl(PR_SET_MDWE).
NO_NEW_CODE = """
import ctypes, os, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):
    sys.exit("no PR_SET_MDWE")
os.execv(sys.argv[1], sys.argv[1:])
"""


def on_port_25(place: Place) -> Settings:
    """Mail for the own domain goes into a folder beside the queue."""
    return {
        "hostname": HOSTNAME,
        "data_dir": str(place.state / "data"),
        "workers": 2,
        "listener": [{"name": "mx", "role": "mx", "bind": ["127.0.0.1:25"]}],
        "domains": {OWN: {"route": f"drop:{place.state}/drop", "recipients": "any"}},
    }


def started_in(place: Place, *wrapped: str | Path) -> Service:
    capabilities = [
        one.removeprefix("CAP_").lower()
        for one in directive(SERVICE, "AmbientCapabilities").split()
    ]
    within = [*place.entering(COMMAND.parents[1]), *as_nobody(capabilities), *wrapped]
    service = Service(place.folder, on_port_25(place), within=within)
    service.configuration.chmod(0o644)
    return service


def carry_one(service: Service, place: Place) -> None:
    """Send a message to port 25 in there, and find it where it belongs."""
    mark = token()
    who = ["--from", "a@outside.test", "--to", f"b@{OWN}", "--subject", mark]
    where = ["--server", "127.0.0.1:25", "--tls", "off"]
    beside(service.process, COMMAND, "send", *where, *who).well()
    drop = place.state / "drop"
    wait_for(
        "the message",
        lambda: [one for one in drop.glob("*.eml") if mark in one.read_text()],
    )


def assert_shut(process: Process, state: Path) -> None:
    """Even root could write only where the state is."""
    for folder in ("/", "/etc", "/opt", "/var/tmp", str(PROGRAM)):
        assert beside(process, "test", "-w", folder, root=True).status == 1, folder
    assert beside(process, "test", "-w", str(state)).status == 0


def test_a_message_goes_through_as_the_unit_has_it(place: Place) -> None:
    assert directive(SERVICE, "MemoryDenyWriteExecute") == "yes"
    bounding = directive(SERVICE, "CapabilityBoundingSet")
    assert bounding == directive(SERVICE, "AmbientCapabilities")
    try_it = [sys.executable, "-c", NO_NEW_CODE]
    if run([*try_it, "/bin/true"]).status != 0:
        pytest.skip("this kernel has no PR_SET_MDWE")
    service = started_in(place, *try_it)
    with service:
        carry_one(service, place)
        assert_shut(service.process, place.state)
        (ready,) = service.events("service.ready")
        for pid in (ready["pid"], *service.workers().values()):
            status = Path(f"/proc/{pid}/status").read_text()
            assert re.search(rf"^Uid:\s+{confined.NOBODY}\s", status, re.MULTILINE)
            assert re.search(r"^CapBnd:\s+0000000000000400$", status, re.MULTILINE)
            assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
        beside(service.process, COMMAND, "ping").well()
        before = service.workers()[0]
        beside(service.process, "kill", "-KILL", str(before)).well()
        service.wait_for_worker(0, after=before)
        beside(service.process, COMMAND, "reload").well()
        carry_one(service, place)


def allowed_calls() -> set[str]:
    """What `SystemCallFilter=` of the unit leaves, by systemd's own sets."""
    analyze = require_program("systemd-analyze")
    listed = run([analyze, "syscall-filter", "--no-pager"]).well().output
    sets: dict[str, list[str]] = {}
    current: list[str] = []
    for line in listed.splitlines():
        if line.startswith("@"):
            current = sets[line.strip()] = []
        elif line.startswith("    ") and not line.strip().startswith("#"):
            current.append(line.strip())

    def whole(name: str) -> set[str]:
        if not name.startswith("@"):
            return {name}
        return set[str]().union(*(whole(one) for one in sets[name]))

    allowed: set[str] = set()
    for value in directives(SERVICE, "SystemCallFilter"):
        named = set[str]().union(*(whole(n) for n in value.lstrip("~").split()))
        allowed = allowed - named if value.startswith("~") else allowed | named
    # A deny list takes back nothing that systemd itself needs for each program.
    return allowed | whole("@default")


def test_the_service_asks_the_kernel_for_nothing_that_the_unit_forbids(
    place: Place,
) -> None:
    strace = require_program("strace")
    trace = place.state / "trace"
    service = started_in(place, strace, "-D", "-f", "-qq", "-o", trace)
    with service:
        carry_one(service, place)
        beside(service.process, COMMAND, "reload").well()
    lines = trace.read_text(errors="replace").splitlines()
    used = {found[1] for line in lines if (found := re.match(r"\d+ +(\w+)\(", line))}
    assert {"accept4", "fdatasync", "execve"} <= used
    assert used - allowed_calls() == set()
    families = {
        found[1] for line in lines if (found := re.search(r" socket\((\w+),", line))
    }
    assert families <= set(directive(SERVICE, "RestrictAddressFamilies").split())


def test_a_refused_file_fails_the_reload_of_the_unit(place: Place) -> None:
    command = directive(SERVICE, "ExecReload").split()
    assert command[0] == str(PROGRAM / "bin" / "sekisho")
    service = started_in(place)
    with service:
        service.configuration.write_text("hostname = 1\n")
        entered = [COMMAND, *command[1:-1], service.configuration]
        done = beside(service.process, *entered)
        assert done.status != 0
        assert "hostname" in done.errors
        service.change(on_port_25(place))
        beside(service.process, *entered).well()
