"""One measurement: a fresh server, a fresh sink, and how quiet the machine was."""

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import clients
from bench.loads import Scene, Sink, Values
from bench.meter import Disk, Group, core_pace, machine_cpu
from bench.servers import Mode, Server, Task
from bench.works import Work
from peers.dns import NameServer
from peers.loopback import free_port, fresh_address
from peers.process import wait_for


@dataclass(frozen=True)
class Figure:
    """One measurement: what was measured, and how fast and quiet the machine was.

    Attributes:
        server: Of whom.
        work: Of what.
        messages: How many.
        values: By their names.
        disk_ms: Of 4 KiB and fdatasync, before it.
        foreign_cores: What others used meanwhile.
        core_ms: Of a fixed piece of work, before it.
        error: Why there is nothing.

    """

    server: str
    work: str
    messages: int
    values: Values
    disk_ms: float
    foreign_cores: float
    core_ms: float = 0.0
    error: str = ""


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
        pace, core = disk.median(), core_pace()
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
        core_ms=round(1000 * core, 3),
    )
