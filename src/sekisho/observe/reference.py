"""The reference pages of events and metrics, made from the code that uses them."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_type_hints

from prometheus_client.metrics_core import Metric

from sekisho.observe import events
from sekisho.observe.metrics import Metrics

_EVENTS_PREFACE = """\
# Events

One event is one line of the log: a JSON object that begins with `time` (RFC 3339, UTC,
milliseconds) and `event`. Names are for ever; fields may be added, and one that is
empty or 0 by default is left out. With `log = "text"` the same stands as `key=value`.
Events with a `message` are on that message's timeline (`sekisho trace`).

Made from `sekisho.observe.events`; `make docs` writes it anew.

"""
_METRICS_PREFACE = """\
# Metrics

Served under `/metrics` on the address of `[observe] metrics`, for Prometheus. Beside
these there are the `process_…` metrics of the client library.

Made from `sekisho.observe.metrics`; `make docs` writes it anew.

| metric | type | says |
| --- | --- | --- |
"""


def events_page() -> str:
    """Every event: its name, what it says, its fields."""
    return _EVENTS_PREFACE + "\n".join(_event(kind) for kind in event_types())


def event_types() -> Iterator[type[events.Event]]:
    """All events, in the order of their module."""
    for value in vars(events).values():
        is_event = isinstance(value, type) and issubclass(value, events.Event)
        if is_event and value is not events.Event:
            yield value


def _event(kind: type[events.Event]) -> str:
    hints = get_type_hints(kind)
    rows = [f"| `{name}` | {_type(hints[name])} |" for name in kind.__struct_fields__]
    says = re.sub(r"\s+", " ", (kind.__doc__ or "").strip())
    table = "\n".join(["| field | type |", "| --- | --- |", *rows])
    return f"## {kind.__struct_config__.tag}\n\n{says}\n\n{table}\n"


def _type(hint: object) -> str:
    name = getattr(hint, "__name__", str(hint))
    words = {
        "str": "text",
        "int": "number",
        "float": "number",
        "list": "list",
        "dict": "object",
    }
    return words.get(name, name)


def metrics_page() -> str:
    """Every metric: its name, type and what it says."""
    return _METRICS_PREFACE + "".join(
        f"| `{_name(one)}` | {one.type} | {one.documentation} |\n"
        for one in sorted(Metrics().registry.collect(), key=lambda one: one.name)
        if one.name.startswith("sekisho_")
    )


def _name(metric: Metric) -> str:
    return metric.name + ("_total" if metric.type == "counter" else "")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "events.md").write_text(events_page(), encoding="utf-8")
    (folder / "metrics.md").write_text(metrics_page(), encoding="utf-8")
