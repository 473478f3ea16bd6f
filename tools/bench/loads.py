"""The loads: what is done to a server that runs, and what is read off meanwhile."""

import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import clients, submitting
from bench.meter import Disk, Group
from bench.servers import Running
from peers.loopback import free_port
from peers.namespace import ROOT
from peers.process import Process

TOOLS = ROOT / "postfix" / "usr" / "sbin"
ENVIRONMENT = {
    **os.environ,
    "LD_LIBRARY_PATH": str(ROOT / "postfix" / "usr" / "lib" / "postfix"),
}
HERE = Path(__file__).resolve().parents[1]
MIB = 1024 * 1024
AT_MOST_SECONDS = 60.0
SETTLE_SECONDS = 0.3
"""How long after the last message its CPU is still counted."""
SETTLED_SECONDS = 1.0
"""How long memory may change after a start, and after sessions came."""
LARGE, ONE_LARGE = 5_000_000, 50 * MIB - 4096
"""Octets of a message's body; the header comes on top of it."""

Values = dict[str, float]


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


class _Stream:
    """What a stream of messages costs the server, and the load on it."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._server, self._load = scene.group.cpu(), scene.load.cpu()

    def figures(self, size: int, seconds: float) -> Values:
        """Rates and CPU; all messages of this size took so long."""
        scene = self._scene
        time.sleep(SETTLE_SECONDS)
        return {
            "rate": scene.messages / seconds,
            "mb_s": scene.messages * size / seconds / 1e6,
            "cpu_ms": 1000 * (scene.group.cpu() - self._server) / scene.messages,
            "load_ms": 1000 * (scene.load.cpu() - self._load) / scene.messages,
        }


def throughput(size: int, *flags: str, through: bool = True) -> Measure:
    """Make the measurement of a stream by smtp-source, to the 250 or to the sink."""

    def measure(scene: Scene) -> Values:
        stream, begun = _Stream(scene), time.monotonic()
        with _source(scene, size, flags) as source:
            _finish(source)
            if through:
                scene.sink.wait_for(scene.messages)
        return stream.figures(size, time.monotonic() - begun)

    return measure


def submission(*, kept: bool) -> Measure:
    """Make the measurement of a stream under TLS by clients that sign in."""

    def measure(scene: Scene) -> Values:
        numbers = (scene.running.port, scene.sessions, scene.messages, int(kept))
        program = [sys.executable, "-m", submitting.__name__, *map(str, numbers)]
        stream = _Stream(scene)
        with Process(
            [*scene.load.prefix, *program, scene.running.certificate],
            log=scene.folder / "source.txt",
            environment={**os.environ, "PYTHONPATH": str(HERE)},
        ) as source:
            _finish(source)
            scene.sink.wait_for(scene.messages)
            seconds = time.monotonic() - float(source.output().split()[0])
        return stream.figures(clients.SIZE, seconds)

    return measure


def idle(*, tls: bool) -> Measure:
    """Make the measurement of sessions that stay; each must still be alive after."""

    def measure(scene: Scene) -> Values:
        trust = clients.trusting(scene.running.certificate) if tls else None
        time.sleep(SETTLED_SECONDS)
        before = scene.group.memory()
        held = clients.idle(scene.running.port, scene.sessions, trust)
        time.sleep(SETTLED_SECONDS)
        grown = scene.group.memory() - before
        for client in held:
            client.say(b"NOOP\r\n", b"250")
            client.stream.close()
        a_thousand = 1000 * grown / scene.sessions
        return {"mib": a_thousand, "at_rest_mib": before}

    return measure


def lone(scene: Scene) -> Values:
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


def one_large(scene: Scene) -> Values:
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
