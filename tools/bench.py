"""Sekisho beside Postfix, in one run, on this machine: ``make bench``.

Load generator and final sink are Postfix's own smtp-source and smtp-sink. One
measurement is a fresh queue, a fresh server and a fresh sink; repetitions are
interleaved, every peer once and then again, so that a slow minute hits all alike.
Each server is durable as in production: fsync before 250. Sekisho has its log, its
metrics and its timeline on. CPU is that of the whole process tree, ended processes too.

Compare only figures of one run. They are written to ``docs/bench/latest.json``.
"""

import argparse
import json
import os
import platform
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from peers.loopback import free_port  # noqa: E402
from peers.namespace import ROOT as PACKAGES  # noqa: E402
from peers.postfix import _Postfix  # noqa: E402
from peers.process import Process, run  # noqa: E402
from peers.service import COMMAND, as_toml  # noqa: E402

SIZE, SESSIONS = 4096, 20
TIMEOUT_SECONDS = 90.0
TOOLS = PACKAGES / "postfix" / "usr" / "sbin"
LIBRARIES = {"LD_LIBRARY_PATH": str(PACKAGES / "postfix" / "usr" / "lib" / "postfix")}
TICKS = os.sysconf("SC_CLK_TCK")
OUT = ROOT / "docs" / "bench" / "latest.json"


@dataclass(frozen=True)
class Work:
    """One kind of load: its name, what it shows, smtp-source's flags."""

    name: str
    says: str
    flags: tuple[str, ...]


WORKS = (
    Work("relay", "relay end to end, one message a connection", ()),
    Work("relay-kept", "relay end to end, connections kept", ("-d",)),
)


@dataclass(frozen=True)
class Figure:
    """One measurement."""

    peer: str
    work: str
    messages: int
    seconds: float
    rate: float
    cpu_ms_a_message: float
    fsync_us: int


class PostfixRelay(_Postfix):
    """Postfix, relaying everything from loopback to the sink."""

    def __init__(self, folder: Path, sink: int) -> None:
        self._sink = sink
        super().__init__(folder)

    def _settings(self) -> str:
        return f"""
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
relayhost = [127.0.0.1]:{self._sink}
"""


def sekisho_settings(port: int, sink: int) -> dict[str, Any]:
    """Sekisho, relaying what a grant by address allows to the sink."""
    return {
        "hostname": "bench.test",
        "data_dir": "data",
        "listener": [{"name": "mx", "role": "mx", "bind": [f"127.0.0.1:{port}"]}],
        "grant": [
            {
                "name": "bench",
                "who": ["127.0.0.1"],
                "listeners": ["mx"],
                "senders": ["s@src.test"],
            }
        ],
        "route": [{"to": "*", "via": f"smtp://127.0.0.1:{sink}?tls=off"}],
        "observe": {"metrics": f"127.0.0.1:{free_port()}"},
    }


@contextmanager
def sekisho(folder: Path, sink: int) -> Iterator[tuple[int, int]]:
    """A running Sekisho: its port and its process."""
    port = free_port()
    folder.mkdir()
    config = folder / "sekisho.toml"
    config.write_text(as_toml(sekisho_settings(port, sink)))
    with Process(
        [COMMAND, "serve", "-c", config],
        log=folder / "stderr.txt",
        separate_output=folder / "log.jsonl",
        folder=folder,
    ) as process:
        yield port, process.running.pid


@contextmanager
def postfix(folder: Path, sink: int) -> Iterator[tuple[int, int]]:
    """A running Postfix: its port and its process."""
    with PostfixRelay(folder, sink) as server:
        yield server.port, server.process.running.pid


PEERS = {"sekisho": sekisho, "postfix": postfix}


class Sink:
    """smtp-sink, counting."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        self.process = Process(
            [TOOLS / "smtp-sink", *user, "-c", f"127.0.0.1:{self.port}", "3000"],
            log=folder / "sink.txt",
            environment={**os.environ, **LIBRARIES},
        )

    def count(self) -> int:
        """How many messages it has taken."""
        last = self.process.output().replace("\r", "\n").rstrip().rpartition("mesg=")[2]
        digits = last.split(" ", 1)[0].strip()
        return int(digits) if digits.isdigit() else 0


def wait_for_greeting(port: int) -> None:
    """Wait until a server speaks."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as stream:
                if stream.recv(512).startswith(b"220"):
                    stream.sendall(b"QUIT\r\n")
                    stream.recv(512)
                    return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nobody speaks on port {port}")


def cpu_seconds(top: int) -> float:
    """CPU of a process and all its descendants, those that have ended included."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(fields[1])
            ticks[int(entry.name)] = sum(map(int, fields[11:15]))
    total = 0
    for pid, spent in ticks.items():
        above = pid
        while above not in (0, top):
            above = parents.get(above, 0)
        total += spent if above == top else 0
    return total / TICKS


def fsync_microseconds(folder: Path) -> int:
    """Median of a 4 KiB append and fdatasync, now."""
    times: list[float] = []
    with (folder / "probe").open("ab", buffering=0) as probe:
        for _ in range(100):
            begun = time.perf_counter()
            probe.write(b"x" * SIZE)
            os.fdatasync(probe.fileno())
            times.append(time.perf_counter() - begun)
    return round(statistics.median(times) * 1e6)


def measure(peer: str, work: Work, messages: int) -> Figure:
    """One measurement."""
    with tempfile.TemporaryDirectory(prefix="sekisho-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        os.sync()
        probe, sink = fsync_microseconds(folder), Sink(folder)
        with sink.process:
            wait_for_greeting(sink.port)
            with PEERS[peer](folder / "server", sink.port) as (port, pid):
                wait_for_greeting(port)
                time.sleep(0.5)
                sent, cpu, begun = sink.count(), cpu_seconds(pid), time.monotonic()
                run(
                    [
                        *(TOOLS / "smtp-source", "-s", str(SESSIONS)),
                        *("-l", str(SIZE), "-m", str(messages), "-f", "s@src.test"),
                        *("-t", "r@dest.test", *work.flags, f"127.0.0.1:{port}"),
                    ],
                    environment={**os.environ, **LIBRARIES},
                ).well()
                while sink.count() - sent < messages:
                    if time.monotonic() - begun > TIMEOUT_SECONDS:
                        raise SystemExit(f"{peer}: {sink.count() - sent} came through")
                    time.sleep(0.01)
                seconds = time.monotonic() - begun
                cpu = cpu_seconds(pid) - cpu
    rate, each = round(messages / seconds, 1), round(1000 * cpu / messages, 3)
    return Figure(peer, work.name, messages, round(seconds, 3), rate, each, probe)


def summary(figures: list[Figure]) -> str:
    """Medians, smallest and largest, and the ratios."""
    rows = [
        "| work | peer | messages a second | CPU ms a message | runs |",
        "| --- | --- | --- | --- | --- |",
    ]
    for work in WORKS:
        medians: dict[str, float] = {}
        for peer in PEERS:
            here = [f for f in figures if (f.peer, f.work) == (peer, work.name)]
            rates = [f.rate for f in here]
            medians[peer] = statistics.median(rates)
            cpu = statistics.median(f.cpu_ms_a_message for f in here)
            rows.append(
                f"| {work.says} | {peer} | {medians[peer]:.0f} "
                f"({min(rates):.0f} to {max(rates):.0f}) | {cpu:.2f} | {len(here)} |"
            )
        ratio = medians["sekisho"] / medians["postfix"]
        rows.append(f"| | sekisho to postfix | {ratio:.1f} x | | |")
    return "\n".join(rows)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--messages", type=int, default=5000)
    options = parser.parse_args()
    if not TOOLS.exists() or not shutil.which("unshare"):
        raise SystemExit("the peers are not there: run .ci/peers as root")
    figures: list[Figure] = []
    for _ in range(options.repetitions):
        for work in WORKS:
            for peer in PEERS:
                figures.append(measure(peer, work, options.messages))
                print(json.dumps(asdict(figures[-1])), flush=True)
    print(summary(figures))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    machine = {"cores": os.cpu_count(), "python": platform.python_version()}
    runs = [asdict(figure) for figure in figures]
    OUT.write_text(json.dumps({"machine": machine, "runs": runs}, indent=1) + "\n")


main()
