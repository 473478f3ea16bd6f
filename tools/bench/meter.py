"""What a server costs: CPU and memory of all its processes, those that ended too.

A server is started inside a cgroup of its own, so nothing that it ever starts gets
away, and the CPU of what has ended is counted. Where no cgroup can be made, /proc has
to do: the tree below the first process, with the times that parents collected.
"""

import contextlib
import os
import re
import signal
import statistics
import time
from itertools import count
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
_PSS = re.compile(r"^Pss:\s+(\d+)", re.MULTILINE)
_ENTER = 'echo $$ >"$0" && exec "$@"'
_number = count()


def _hierarchy() -> Path | None:
    places = (Path("/sys/fs/cgroup/cpuacct"), Path("/sys/fs/cgroup"))
    for place in places:
        if (place / "cgroup.procs").exists() and os.access(place, os.W_OK):
            return place
    return None


def _tree(top: int) -> dict[int, int]:
    """Ticks of a process and of all below it, by process id."""
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
    found: dict[int, int] = {}
    for pid, spent in ticks.items():
        above = pid
        while above not in (0, top):
            above = parents.get(above, 0)
        if above == top:
            found[pid] = spent
    return found


class Group:
    """The processes of one server, or of the load on it.

    Attributes:
        prefix: The command by which a process is started into it.

    """

    def __init__(self, name: str) -> None:
        self.top = 0
        self.prefix: list[str] = []
        self._folder: Path | None = None
        if (place := _hierarchy()) is not None:
            folder = place / f"sekisho-bench-{os.getpid()}-{next(_number)}-{name}"
            with contextlib.suppress(OSError):
                folder.mkdir()
                self._folder = folder
                self.prefix = ["sh", "-c", _ENTER, str(folder / "cgroup.procs")]

    def cpu(self) -> float:
        """Seconds of CPU so far."""
        if self._folder is None:
            return sum(_tree(self.top).values()) / TICKS if self.top else 0.0
        usage = self._folder / "cpuacct.usage"
        if usage.exists():
            return int(usage.read_text()) / 1e9
        return int((self._folder / "cpu.stat").read_text().split()[1]) / 1e6

    def pids(self) -> list[int]:
        """All that run now."""
        if self._folder is None:
            return list(_tree(self.top)) if self.top else []
        return [int(pid) for pid in (self._folder / "cgroup.procs").read_text().split()]

    def memory(self) -> float:
        """MiB, each shared page divided among those who share it."""
        kib = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
                kib += int(found[1]) if found else 0
        return kib / 1024

    def end(self) -> None:
        """End what is left, and remove the cgroup."""
        deadline = time.monotonic() + 10
        while (pids := self.pids()) and time.monotonic() < deadline:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        if self._folder is not None:
            with contextlib.suppress(OSError):
                self._folder.rmdir()


def machine_cpu() -> float:
    """Seconds of CPU that the whole machine has spent: neither idle nor waiting."""
    first = Path("/proc/stat").read_text().partition("\n")[0]
    ticks = [int(word) for word in first.split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / TICKS


def core_pace() -> float:
    """Seconds that a fixed piece of work takes a core: the least of some times."""
    return min(_piece_of_work() for _ in range(5))


def _piece_of_work() -> float:
    begun = time.perf_counter()
    sum(number * number % 7 for number in range(100_000))
    return time.perf_counter() - begun


class Disk:
    """The disk's own pace: appending 4 KiB and fdatasync, nothing else."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(
            folder / "disk", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600
        )

    def seconds(self) -> float:
        """One append, and the wait for the disk."""
        begun = time.perf_counter()
        os.write(self._file, b"x" * 4096)
        os.fdatasync(self._file)
        return time.perf_counter() - begun

    def median(self, times: int = 100) -> float:
        """Median seconds of so many."""
        return statistics.median(self.seconds() for _ in range(times))

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
