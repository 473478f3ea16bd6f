"""The workloads, and how one measurement is made."""

import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import clients
from bench.meter import Disk, Group, machine_cpu
from bench.servers import Mode, Running, Server, Task
from peers.dns import NameServer
from peers.loopback import free_port, fresh_address
from peers.namespace import ROOT
from peers.process import Process, wait_for

TOOLS = ROOT / "postfix" / "usr" / "sbin"
ENVIRONMENT = {
    **os.environ,
    "LD_LIBRARY_PATH": str(ROOT / "postfix" / "usr" / "lib" / "postfix"),
}
MIB = 1024 * 1024
AT_MOST_SECONDS = 60.0
SETTLE_SECONDS = 0.3
"""How long after the last message its CPU is still counted."""
LARGE, ONE_LARGE = 5_000_000, 50 * MIB - 4096
"""Octets of a message's body; the header comes on top of it."""

Values = dict[str, float]


@dataclass(frozen=True)
class Figure:
    """One measurement: what was measured, and how quiet the machine was."""

    server: str
    work: str
    messages: int
    values: Values
    disk_ms: float
    foreign_cores: float
    error: str = ""


@dataclass(frozen=True)
class Scene:
    """All that a workload may look at."""

    running: Running
    group: Group
    load: Group
    sink: "Sink"
    disk: Disk
    folder: Path
    sessions: int
    messages: int


Measure = Callable[[Scene], Values]


class Sink:
    """smtp-sink, counting."""

    def __init__(self, folder: Path, load: Group) -> None:
        self.port = free_port()
        self._output = folder / "sink.txt"
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        program = [TOOLS / "smtp-sink", *user, "-c", "-m", "3000"]
        self.process = Process(
            [*load.prefix, *program, f"127.0.0.1:{self.port}", "3000"],
            log=self._output,
            environment=ENVIRONMENT,
        )

    def count(self) -> int:
        """How many messages it has taken."""
        with self._output.open("rb") as output:
            output.seek(max(0, self._output.stat().st_size - 200))
            last = output.read().rpartition(b"mesg=")[2]
        digits = last.partition(b" ")[0].strip()
        return int(digits) if digits.isdigit() else 0

    def wait_for(self, messages: int, seconds: float = AT_MOST_SECONDS) -> None:
        """Wait until so many have come."""
        end = time.monotonic() + seconds
        while (came := self.count()) < messages:
            if time.monotonic() > end:
                raise TimeoutError(f"{came} of {messages} came through")
            time.sleep(0.005)


def _source(scene: Scene, size: int, flags: Sequence[str] = ()) -> Process:
    program = [TOOLS / "smtp-source", "-s", str(scene.sessions), "-l", str(size)]
    people = ["-f", clients.SENDER, "-t", clients.RECIPIENT]
    target = f"127.0.0.1:{scene.running.port}"
    load = ["-m", str(scene.messages), *people, *flags, target]
    return Process(
        [*scene.load.prefix, *program, *load],
        log=scene.folder / "source.txt",
        environment=ENVIRONMENT,
    )


def _finish(process: Process) -> None:
    status = process.running.wait(AT_MOST_SECONDS)
    if status:
        raise RuntimeError(f"the load ended with {status}: {process.output()[-400:]}")


def _rates(scene: Scene, size: int, seconds: float, cpu: float) -> Values:
    return {
        "rate": scene.messages / seconds,
        "mb_s": scene.messages * size / seconds / 1e6,
        "cpu_ms": 1000 * cpu / scene.messages,
    }


def _throughput(size: int, *flags: str, through: bool = True) -> Measure:
    """Make the measurement of a stream by smtp-source, up to 250 or to the sink."""

    def measure(scene: Scene) -> Values:
        cpu, begun = scene.group.cpu(), time.monotonic()
        with _source(scene, size, flags) as source:
            _finish(source)
            if through:
                scene.sink.wait_for(scene.messages)
        seconds = time.monotonic() - begun
        time.sleep(SETTLE_SECONDS)
        return _rates(scene, size, seconds, scene.group.cpu() - cpu)

    return measure


def _submission(*, kept: bool) -> Measure:
    def measure(scene: Scene) -> Values:
        numbers = (scene.running.port, scene.sessions, scene.messages, int(kept))
        program = [sys.executable, clients.__file__, *map(str, numbers)]
        cpu = scene.group.cpu()
        with Process(
            [*scene.load.prefix, *program, scene.running.certificate],
            log=scene.folder / "source.txt",
        ) as source:
            _finish(source)
            scene.sink.wait_for(scene.messages)
            seconds = time.monotonic() - float(source.output().split()[0])
        time.sleep(SETTLE_SECONDS)
        return _rates(scene, clients.SIZE, seconds, scene.group.cpu() - cpu)

    return measure


def _idle(*, tls: bool) -> Measure:
    def measure(scene: Scene) -> Values:
        trust = clients.trusting(scene.running.certificate) if tls else None
        before = scene.group.memory()
        held = clients.idle(scene.running.port, scene.sessions, trust)
        time.sleep(1)
        grown = scene.group.memory() - before
        for client in held:
            client.stream.close()
        a_thousand = 1000 * grown / scene.sessions
        return {"mib": a_thousand, "at_rest_mib": before}

    return measure


def _lone(scene: Scene) -> Values:
    """The wait from the final dot to its 250, and the disk's beside it."""
    text = clients.content(clients.SENDER)
    client = clients.Client(scene.running.port)
    waits: list[float] = []
    disk: list[float] = []
    for _ in range(scene.messages):
        disk.append(scene.disk.seconds())
        client.envelope(clients.SENDER)
        begun = time.perf_counter()
        client.say(text, b"250")
        waits.append(time.perf_counter() - begun)
    client.quit()
    return {
        "wait_ms": 1000 * statistics.median(waits),
        "wait_p99_ms": 1000 * statistics.quantiles(waits, n=100)[98],
        "disk_ms": 1000 * statistics.median(disk),
        "disk_p99_ms": 1000 * statistics.quantiles(disk, n=100)[98],
    }


def _one_large(scene: Scene) -> Values:
    """The most memory that is seen while one message goes through."""
    idle = most = scene.group.memory()
    begun = time.monotonic()
    with _source(scene, ONE_LARGE) as source:
        while scene.sink.count() < scene.messages:
            most = max(most, scene.group.memory())
            if time.monotonic() - begun > AT_MOST_SECONDS:
                raise TimeoutError("the message did not come through")
            time.sleep(0.005)
        _finish(source)
    return {"mib": most - idle, "seconds": time.monotonic() - begun}


@dataclass(frozen=True)
class Work:
    """One workload.

    Attributes:
        name: By which ``WORK=`` chooses it.
        says: What it shows.
        unit: What its main value is, for people.
        key: The main value.
        measure: Makes it.
        mode: What the server does with the mail.
        tls: Whether the server offers TLS.
        sessions: At once.
        lower_is_better: Of the main value.

    """

    name: str
    says: str
    unit: str
    key: str
    measure: Measure
    mode: Mode = Mode.RELAY
    tls: bool = False
    sessions: int = 20
    lower_is_better: bool = False


_RATE = ("messages a second", "rate")
_KEPT = "-d"
SIZE = clients.SIZE

WORKS = (
    Work(
        "accept",
        "accept 4 KiB, nothing leaves; a connection a message",
        *_RATE,
        _throughput(SIZE, through=False),
        mode=Mode.KEEP,
    ),
    Work(
        "accept-kept",
        "accept 4 KiB, nothing leaves; connections kept",
        *_RATE,
        _throughput(SIZE, _KEPT, through=False),
        mode=Mode.KEEP,
    ),
    Work(
        "relay",
        "relay 4 KiB end to end; a connection a message",
        *_RATE,
        _throughput(SIZE),
    ),
    Work(
        "relay-kept",
        "relay 4 KiB end to end; connections kept",
        *_RATE,
        _throughput(SIZE, _KEPT),
    ),
    Work(
        "submit",
        "STARTTLS, AUTH PLAIN, relay 4 KiB; a connection a message",
        *_RATE,
        _submission(kept=False),
        mode=Mode.SUBMIT,
        tls=True,
    ),
    Work(
        "submit-kept",
        "STARTTLS, AUTH PLAIN, relay 4 KiB; connections kept",
        *_RATE,
        _submission(kept=True),
        mode=Mode.SUBMIT,
        tls=True,
    ),
    Work(
        "large",
        "relay messages of 5 MB end to end",
        "MB a second",
        "mb_s",
        _throughput(LARGE),
        sessions=5,
    ),
    Work(
        "lone",
        "a lone client's wait for the 250 after its final dot",
        "ms",
        "wait_ms",
        _lone,
        sessions=1,
        lower_is_better=True,
    ),
    Work(
        "idle",
        "memory of 1,000 idle sessions, over idle",
        "MiB",
        "mib",
        _idle(tls=False),
        mode=Mode.KEEP,
        sessions=1000,
        lower_is_better=True,
    ),
    Work(
        "idle-tls",
        "memory of 1,000 idle TLS sessions, over idle",
        "MiB",
        "mib",
        _idle(tls=True),
        mode=Mode.KEEP,
        tls=True,
        sessions=1000,
        lower_is_better=True,
    ),
    Work(
        "one-large",
        "memory while a 50 MiB message goes through, over idle",
        "MiB",
        "mib",
        _one_large,
        sessions=1,
        lower_is_better=True,
    ),
)


@contextmanager
def _groups() -> Iterator[tuple[Group, Group]]:
    server, load = Group("server"), Group("load")
    try:
        yield server, load
    finally:
        server.end()
        load.end()


_RESOLVER = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'


def _own_resolver(folder: Path, name_server: NameServer) -> list[str]:
    """Let no server wait for the site's resolver: a prefix to its command."""
    own = folder / "resolv.conf"
    own.write_text(f"nameserver {name_server.address}\n")
    return ["unshare", "-m", "sh", "-c", _RESOLVER, str(own)]


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sekisho-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def _greets(port: int) -> bool:
    with contextlib.suppress(OSError):
        clients.Client(port).quit()
        return True
    return False


def measure(server: Server, work: Work, shrink: int) -> Figure:
    """One measurement.

    Args:
        server: Of whom.
        work: Of what.
        shrink: Divides the number of messages, for a quick look.

    """
    messages = server.messages[work.name]
    if work.key in ("rate", "mb_s"):
        messages = max(messages // shrink, 1)
    sessions = server.sessions.get(work.name, work.sessions)
    if work.sessions == 1000 and shrink > 1 and server.name != "sekisho":
        sessions = 100
    os.sync()
    names = NameServer({}, fresh_address(), 53)
    with names, _folder() as folder, _groups() as (group, load):
        group.prefix += _own_resolver(folder, names)
        disk = Disk(folder)
        pace = disk.median()
        sink = Sink(folder, load)
        down = work.mode is Mode.KEEP
        with sink.process:
            load.top = sink.process.running.pid
            wait_for("smtp-sink", lambda: _greets(sink.port))
            task = Task(
                work.mode, work.tls, sessions, free_port() if down else sink.port
            )
            with server.start(folder / "server", task, group) as running:
                wait_for(server.name, lambda: _greets(running.port))
                time.sleep(0.7)
                scene = Scene(
                    *(running, group, load, sink, disk, folder, sessions, messages)
                )
                begun = time.monotonic()
                spent = machine_cpu() - group.cpu() - load.cpu()
                values = work.measure(scene)
                foreign = machine_cpu() - group.cpu() - load.cpu() - spent
                foreign /= time.monotonic() - begun
        disk.close()
    rounded = {key: float(f"{value:.4g}") for key, value in values.items()}
    return Figure(
        *(server.name, work.name, messages, rounded),
        disk_ms=round(1000 * pace, 3),
        foreign_cores=round(max(0.0, foreign), 2),
    )
