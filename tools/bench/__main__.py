"""``make bench``: measure, print, judge, write."""

import argparse
import gzip
import json
import os
import platform
import resource
import subprocess
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from bench.measuring import Figure, measure
from bench.numbers import judged
from bench.picture import picture
from bench.report import Results, pace, summary, verdicts
from bench.servers import SERVERS, Server
from bench.works import WORKS, Work
from peers.namespace import ROOT as PACKAGES

OUT = Path(__file__).resolve().parents[2] / "docs" / "bench"
QUICK_SHRINK = 8
WHOLE_SECONDS, QUICK_SECONDS = 24 * 60.0, 225.0
"""No measurement begins later, however busy the machine is."""
OPEN_FILES = 8192


def _there(server: Server) -> bool:
    if server.package and not (PACKAGES / server.package).is_dir():
        print(f"{server.name}: not there; run .ci/peers as root", flush=True)
        return False
    return True


def _tried(server: Server, work: Work, shrink: int) -> Figure:
    """One measurement, or why there is none."""
    try:
        return measure(server, work, shrink)
    except (
        OSError,
        AssertionError,
        RuntimeError,
        subprocess.SubprocessError,
    ) as error:
        text = f"{type(error).__name__}: {error}"[:400]
        return Figure(server.name, work.name, 0, {}, 0.0, 0.0, error=text)


def _chosen(names: str, all_names: list[str]) -> list[str]:
    wanted = [name for name in names.replace(" ", ",").split(",") if name]
    unknown = sorted(set(wanted) - set(all_names))
    if unknown:
        raise SystemExit(f"no {', '.join(unknown)}; there are {', '.join(all_names)}")
    return wanted or all_names


def _debian_version(package: str) -> str:
    log = PACKAGES / package / "usr" / "share" / "doc" / package
    with gzip.open(log / "changelog.Debian.gz", "rt", encoding="utf-8") as lines:
        return lines.readline().partition("(")[2].partition(")")[0]


def _versions(servers: list[Server]) -> dict[str, str]:
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        cwd=OUT.parent,
        check=False,
    ).stdout.strip()
    return {
        each.name: _debian_version(each.package) if each.package else version(each.name)
        for each in servers
    } | {"sekisho": f"{version('sekisho')} {commit}".strip()}


def _machine(servers: list[Server]) -> dict[str, object]:
    return {
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "servers": _versions(servers),
    }


def _run(
    servers: list[Server], works: list[Work], times: int, *, quick: bool
) -> Results:
    end = time.monotonic() + (QUICK_SECONDS if quick else WHOLE_SECONDS)
    shrink = QUICK_SHRINK if quick else 1
    plan = [
        (server, work)
        for _ in range(times)
        for work in works
        for server in servers
        if work.name in server.messages
    ]
    figures: list[Figure] = []
    for server, work in plan:
        if time.monotonic() > end:
            print(f"out of time: {len(figures)} of {len(plan)} measured", flush=True)
            break
        figures.append(_tried(server, work, shrink))
        print(json.dumps(asdict(figures[-1])), flush=True)
    return Results(figures)


def main() -> None:
    """Measure, print, judge; write, if it was the whole."""
    parser = argparse.ArgumentParser(description="Sekisho beside others, in one run")
    parser.add_argument("--quick", action="store_true", help="once, fewer messages")
    parser.add_argument("--peers", default="", help="only these beside Sekisho")
    parser.add_argument("--work", default="", help="only these workloads")
    parser.add_argument("--repetitions", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write here, whatever was chosen")
    options = parser.parse_args()
    if os.geteuid() != 0 or not (PACKAGES / "postfix").is_dir():
        raise SystemExit("run .ci/peers and this as root: other servers need it")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, OPEN_FILES), hard))
    names = _chosen(options.peers, [each.name for each in SERVERS])
    servers = [
        each
        for each in SERVERS
        if (each.name in names or each.name == "sekisho") and _there(each)
    ]
    chosen = _chosen(options.work, [each.name for each in WORKS])
    works = [each for each in WORKS if each.name in chosen]
    begun = time.monotonic()
    times = options.repetitions or (1 if options.quick else 3)
    results = _run(servers, works, times, quick=options.quick)
    rows = judged(results)
    print(
        f"\n{summary(results, servers, works)}\n\n{verdicts(rows)}\n\n{pace(results)}"
    )
    minutes = (time.monotonic() - begun) / 60
    print(f"\n{len(results.figures)} measurements in {minutes:.1f} minutes")
    whole = not (options.quick or options.peers or options.work)
    out = options.out or (OUT if whole else None)
    if out is None:
        print("not written: only a whole run is")
        return
    out.mkdir(parents=True, exist_ok=True)
    content = {
        "machine": _machine(servers),
        "numbers": [asdict(row) for row in rows],
        "runs": [asdict(figure) for figure in results.figures],
    }
    (out / "latest.json").write_text(json.dumps(content, indent=1) + "\n")
    (out / "latest.svg").write_text(picture(results, servers, works))
    print(f"written: {out}/latest.json and latest.svg")


main()
