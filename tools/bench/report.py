"""What was measured, for people: medians, smallest and largest, ratios."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.measuring import Figure
from bench.servers import Server
from bench.works import Work


@dataclass(frozen=True)
class Results:
    """All measurements of one run."""

    figures: Sequence[Figure]

    def all_of(self, server: str, work: str, key: str) -> list[float]:
        """Every value of this kind."""
        return [
            figure.values[key]
            for figure in self.figures
            if (figure.server, figure.work) == (server, work) and key in figure.values
        ]

    def median(self, server: str, work: str, key: str) -> float | None:
        """Their median; None where nothing was measured."""
        found = self.all_of(server, work, key)
        return statistics.median(found) if found else None

    def best(self, servers: Sequence[str], work: str, key: str) -> tuple[str, float]:
        """Who has the highest median, and it; an empty name where nobody has one."""
        medians = [(self.median(name, work, key), name) for name in servers]
        value, name = max(
            ((value, name) for value, name in medians if value is not None),
            default=(0.0, ""),
        )
        return name, value


@dataclass(frozen=True)
class Row:
    """One demand of the table "Numbers", and whether it is met."""

    what: str
    must: str
    measured: str
    verdict: str
    worth: str = ""


def short(value: float) -> str:
    """Three digits, as people write them."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _spread(values: list[float]) -> str:
    text = short(statistics.median(values))
    if len(values) > 1:
        text += f" ({short(min(values))} to {short(max(values))})"
    return text


def _aligned(table: list[list[str]]) -> str:
    widths = [max(len(row[at]) for row in table) for at in range(len(table[0]))]
    table[1:1] = [["-" * width for width in widths]]
    return "\n".join(
        "| "
        + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True))
        + " |"
        for row in table
    )


def _further(results: Results, server: str, work: Work) -> str:
    """What else a measurement tells."""
    told = {
        "wait_p99_ms": "p99 {} ms",
        "disk_ms": "the disk alone {} ms",
        "disk_p99_ms": "its p99 {} ms",
        "at_rest_mib": "at rest {} MiB",
    }
    parts = [
        text.format(short(value))
        for key, text in told.items()
        if (value := results.median(server, work.name, key)) is not None
    ]
    if any(
        f.error for f in results.figures if (f.server, f.work) == (server, work.name)
    ):
        parts.append("failed at times")
    return ", ".join(parts)


def _times(results: Results, server: str, work: Work) -> str:
    own = results.median("sekisho", work.name, work.key)
    other = results.median(server, work.name, work.key)
    if server == "sekisho" or not own or not other:
        return ""
    ratio = other / own if work.lower_is_better else own / other
    return f"{short(ratio)} x"


def summary(results: Results, servers: Sequence[Server], works: Sequence[Work]) -> str:
    """One table for all workloads."""
    head = ["workload", "unit", "server", "median (min to max)", "Sekisho is"]
    table = [[*head, "CPU ms a message", "the load's", "foreign cores", "more"]]
    for work in works:
        first = [work.says, work.unit]
        for server in servers:
            values = results.all_of(server.name, work.name, work.key)
            if work.name not in server.messages:
                continue
            cpu = results.all_of(server.name, work.name, "cpu_ms")
            load = results.all_of(server.name, work.name, "load_ms")
            foreign = [
                figure.foreign_cores
                for figure in results.figures
                if (figure.server, figure.work) == (server.name, work.name)
            ]
            name = server.name if server.durable else f"{server.name} (no sync)"
            table.append(
                [
                    *first,
                    name,
                    _spread(values) if values else "-",
                    _times(results, server.name, work),
                    _spread(cpu) if cpu else "",
                    _spread(load) if load else "",
                    short(statistics.median(foreign)) if foreign else "",
                    _further(results, server.name, work),
                ]
            )
            first = ["", ""]
    return _aligned(table)


def pace(results: Results) -> str:
    """How fast the machine was, so that one run can be compared with another."""
    done = [figure for figure in results.figures if not figure.error]
    if not done:
        return "nothing was measured"
    disk = _spread([figure.disk_ms for figure in done])
    core = _spread([figure.core_ms for figure in done])
    return (
        f"the machine: 4 KiB and fdatasync {disk} ms; a fixed piece of work"
        f" on a core {core} ms"
    )


def verdicts(rows: Sequence[Row]) -> str:
    """The table "Numbers", each demand with what was measured."""
    head = ["demand", "must", "measured", "met", "worth aiming at"]
    body = [[r.what, r.must, r.measured, r.verdict, r.worth] for r in rows]
    return _aligned([head, *body])
