"""What is demanded: the table "Numbers" of the issue, as data, and its judge.

One row here is one demand. `judged` reads them from top to bottom against the medians
of one run; what was not measured in it says so, and is never called met.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, assert_never

from bench.report import Results, Row, short
from bench.servers import SERVERS

DEEP = Path(__file__).resolve().parents[2] / "docs" / "bench" / "deep.json"
"""Figures of ``make deep``, where a run of it has left them."""

PEERS = tuple(each.name for each in SERVERS if each.name != "sekisho")
DURABLE = tuple(each.name for each in SERVERS if each.durable and each.name in PEERS)
POSTFIX = ("postfix",)
CPU_MS = 0.45
MET, MISSED = "yes", "NO"


@dataclass(frozen=True)
class Times:
    """At least so many times the best of these peers."""

    factor: float
    peers: tuple[str, ...]
    worth: float | None = None


@dataclass(frozen=True)
class Below:
    """At most so much."""

    bound: float
    unit: str
    worth: float | None = None


@dataclass(frozen=True)
class Share:
    """At most this part of Postfix's."""

    part: float


@dataclass(frozen=True)
class NearDisk:
    """The disk's wait, one more commit's wait, and the CPU that a message may cost."""


@dataclass(frozen=True)
class Deep:
    """A figure of ``make deep``: a section and a key of `DEEP`, at most or at least."""

    section: str
    key: str
    bound: float
    unit: str
    at_least: bool = False


@dataclass(frozen=True)
class Installed:
    """What ``make install`` brings is all that ran."""


@dataclass(frozen=True)
class Demand:
    """One row.

    Attributes:
        what: As the issue says it.
        rule: What must hold.
        work: Of which workload.
        key: Of which value.

    """

    what: str
    rule: "Times | Below | Share | NearDisk | Deep | Installed"
    work: str = ""
    key: str = "rate"


_CPU = "cpu_ms"
_QUEUED, _DEAD = "1,000,000 queued", "100,000 deferred for a dead host"

DEMANDS = (
    Demand("relay, a connection a message", Times(4, POSTFIX, 5.5), "relay"),
    Demand("relay, connections kept", Times(6, PEERS, 8), "relay-kept"),
    Demand("accept only, durable", Times(2, DURABLE, 3), "accept"),
    Demand("CPU a message, relay", Below(CPU_MS, "ms", 0.30), "relay", _CPU),
    Demand("CPU a message, kept", Below(0.30, "ms", 0.20), "relay-kept", _CPU),
    Demand("CPU beside Postfix's, relay", Share(0.15), "relay", _CPU),
    Demand("CPU beside Postfix's, kept", Share(0.15), "relay-kept", _CPU),
    Demand("a lone client", NearDisk(), "lone", "wait_ms"),
    Demand("submission, a connection a message", Times(2, POSTFIX), "submit"),
    Demand("submission, connections kept", Times(4, POSTFIX), "submit-kept"),
    Demand("5 MB messages", Times(1, PEERS), "large", "mb_s"),
    Demand("1,000 idle sessions", Below(20, "MiB", 10), "idle", "mib"),
    Demand("1,000 idle TLS sessions", Below(40, "MiB", 25), "idle-tls", "mib"),
    Demand("a 50 MiB message through", Below(8, "MiB"), "one-large", "mib"),
    Demand(f"{_QUEUED}: start", Deep("million", "start", 5, "s")),
    Demand(f"{_QUEUED}: queue stats", Deep("million", "stats", 1, "s")),
    Demand(f"{_QUEUED}: first 100 of one", Deep("million", "first_100", 1, "s")),
    Demand(f"{_QUEUED}: resident", Deep("million", "resident", 200, "MiB")),
    Demand(f"{_DEAD}: probes a step", Deep("dead_host", "probes_a_step", 1, "")),
    Demand(
        f"{_DEAD}: others' rate",
        Deep("dead_host", "others_rate", 0.9, "x", at_least=True),
    ),
    Demand("default install", Installed()),
)


def _met(*, holds: bool) -> str:
    return MET if holds else MISSED


def _times(demand: Demand, rule: Times, results: Results) -> Row:
    whose = rule.peers[0] if len(rule.peers) == 1 else "the best peer"
    must = f"≥ {rule.factor:g} x {whose}'s"
    worth = f"{rule.worth:g} x" if rule.worth else ""
    own = results.median("sekisho", demand.work, demand.key)
    name, best = results.best(rule.peers, demand.work, demand.key)
    if own is None or not name:
        return Row(demand.what, must, "-", "not measured", worth)
    measured = f"{own / best:.2f} x {name} ({short(own)} : {short(best)})"
    return Row(
        demand.what, must, measured, _met(holds=own >= rule.factor * best), worth
    )


def _below(demand: Demand, rule: Below, results: Results) -> Row:
    must = f"≤ {rule.bound:g} {rule.unit}"
    worth = f"{rule.worth:g} {rule.unit}" if rule.worth else ""
    own = results.median("sekisho", demand.work, demand.key)
    if own is None:
        return Row(demand.what, must, "-", "not measured", worth)
    measured = f"{short(own)} {rule.unit}"
    return Row(demand.what, must, measured, _met(holds=own <= rule.bound), worth)


def _share(demand: Demand, rule: Share, results: Results) -> Row:
    must = f"≤ {rule.part:g} x Postfix's"
    own = results.median("sekisho", demand.work, demand.key)
    other = results.median("postfix", demand.work, demand.key)
    if own is None or not other:
        return Row(demand.what, must, "-", "not measured")
    measured = f"{own / other:.3f} x ({short(own)} : {short(other)} ms)"
    return Row(demand.what, must, measured, _met(holds=own <= rule.part * other + 1e-9))


def _near_disk(demand: Demand, results: Results) -> Row:
    must = f"≤ disk + a commit + {CPU_MS} ms; p99 told"
    own = results.median("sekisho", demand.work, demand.key)
    disk = results.median("sekisho", demand.work, "disk_ms")
    late = results.median("sekisho", demand.work, "wait_p99_ms")
    if own is None or disk is None or late is None:
        return Row(demand.what, must, "-", "not measured")
    measured = f"{short(own)} ms, p99 {short(late)} ms (disk {short(disk)} ms)"
    return Row(demand.what, must, measured, _met(holds=own <= 2 * disk + CPU_MS))


def _deep_figures() -> Mapping[str, Mapping[str, Any]]:
    return json.loads(DEEP.read_text()) if DEEP.exists() else {}


def _deep(demand: Demand, rule: Deep) -> Row:
    must = f"{'≥' if rule.at_least else '≤'} {rule.bound:g} {rule.unit}".rstrip()
    value = _deep_figures().get(rule.section, {}).get(rule.key)
    if value is None:
        return Row(demand.what, must, "-", "see make deep")
    holds = value >= rule.bound if rule.at_least else value <= rule.bound
    return Row(demand.what, must, f"{short(value)} {rule.unit}", _met(holds=holds))


def _installed(demand: Demand) -> Row:
    """Whether each package that the distribution asks for is here, from pip."""
    must = "nothing that pip does not bring"
    wanted = [text for text in requires("sekisho") or () if "extra ==" not in text]
    missing: list[str] = []
    for text in wanted:
        name = text.split(";")[0].split(">")[0].strip()
        try:
            version(name)
        except PackageNotFoundError:
            missing.append(name)
    measured = f"{len(wanted) - len(missing)} of {len(wanted)} packages, nothing else"
    return Row(demand.what, must, measured, _met(holds=not missing))


def _judge(demand: Demand, results: Results) -> Row:
    match demand.rule:
        case Times() as rule:
            return _times(demand, rule, results)
        case Below() as rule:
            return _below(demand, rule, results)
        case Share() as rule:
            return _share(demand, rule, results)
        case NearDisk():
            return _near_disk(demand, results)
        case Deep() as rule:
            return _deep(demand, rule)
        case Installed():
            return _installed(demand)
        case _:
            assert_never(demand.rule)


def judged(results: Results) -> list[Row]:
    """Every demand, with what was measured of it."""
    return [_judge(demand, results) for demand in DEMANDS]
