"""The picture of one run: an SVG without script or font of its own.

Each workload is a block of bars, one a server, from zero, with its median as a number
and a line from the smallest to the largest value. Colours follow the reader's scheme.
"""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from bench.report import Results, short
from bench.servers import Server
from bench.works import Work

_WIDTH, _NAME, _BARS = 880, 110, 560
_BAR, _GAP, _TITLE, _MARGIN = 16, 5, 30, 16
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; font-size: 13px; }
.note { fill: #59636e; }
.paper { fill: #ffffff; stroke: #d1d9e0; }
.own { fill: #0b6bcb; } .other { fill: #aab4bf; }
.spread { stroke: #1f2328; stroke-width: 1.5; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .note { fill: #9198a1; }
  .paper { fill: #0d1117; stroke: #3d444d; }
  .own { fill: #4aa3ff; } .other { fill: #56606b; }
  .spread { stroke: #e6edf3; }
}
"""


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}">'
        f"{escape(words)}</text>"
    )


def _bar(name: str, values: list[float], median: float, most: float, y: float) -> str:
    scale = _BARS / most
    left = _MARGIN + _NAME
    middle, low = y + _BAR / 2, y + _BAR - 4
    kind = "own" if name == "sekisho" else "other"
    width = max(1.0, median * scale)
    first, last = left + max(0, min(values)) * scale, left + max(values) * scale
    parts = [
        _text(left - 8, low, name, anchor="end"),
        f'<rect class="{kind}" x="{left}" y="{y:g}" width="{width:.1f}" '
        f'height="{_BAR}" rx="2"/>',
        _text(max(last, left + width) + 8, low, short(median)),
    ]
    if len(values) > 1:
        parts.append(
            f'<path class="spread" d="M{first:.1f} {middle:g}H{last:.1f}" fill="none"/>'
        )
    return "\n".join(parts)


def _block(
    results: Results, servers: Sequence[Server], work: Work, top: float
) -> tuple[list[str], float]:
    """The bars of one workload, and where the next may begin."""
    shown = [
        (server.name, values)
        for server in servers
        if (values := results.all_of(server.name, work.name, work.key))
    ]
    if not shown:
        return [], top
    most = max(max(values) for _, values in shown) or 1.0
    sense = "less is better" if work.lower_is_better else "more is better"
    title = _text(_MARGIN, top + 18, work.says[0].upper() + work.says[1:], "title")
    note = f"{work.unit}; {sense}"
    parts = [title, _text(_WIDTH - _MARGIN, top + 18, note, "note", "end")]
    y = top + _TITLE
    for name, values in shown:
        median = results.median(name, work.name, work.key) or 0.0
        parts.append(_bar(name, values, median, most, y))
        y += _BAR + _GAP
    return parts, y + 10


def picture(results: Results, servers: Sequence[Server], works: Sequence[Work]) -> str:
    """Draw it."""
    parts: list[str] = []
    y = 10.0
    for work in works:
        block, y = _block(results, servers, work, y)
        parts += block
    early = [each.name for each in servers if not each.durable]
    if early:
        words = f"{', '.join(early)}: answers 250 before the message is synced"
        parts.append(_text(_MARGIN, y + 8, words, "note"))
    height = y + 20
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" '
            f'height="{height:g}" viewBox="0 0 {_WIDTH} {height:g}" role="img">',
            "<title>Sekisho beside other mail servers, one run</title>",
            f"<style>{_STYLE}</style>",
            f'<rect class="paper" x="0.5" y="0.5" width="{_WIDTH - 1}" '
            f'height="{height - 1:g}" rx="6"/>',
            *parts,
            "</svg>\n",
        ]
    )
