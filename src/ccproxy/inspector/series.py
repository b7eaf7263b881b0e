"""Cost and tokens over time, by model or provider: what the charts show. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from ccproxy.flows.stats import Figures, Tally

type Json = dict[str, Any]
type Key = Literal["model", "provider"]

#: Most columns of a chart, and names with a colour of their own; the rest is one.
MOST_COLUMNS = 60
MOST_NAMES = 8
REST = "others"
_WIDTHS = (60, 300, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86_400, 7 * 86_400, 30 * 86_400)


def width_of(span: float) -> int:
    """Seconds of a column, so that `span` seconds take at most `MOST_COLUMNS`."""
    return next((width for width in _WIDTHS if span / width <= MOST_COLUMNS), int(span / MOST_COLUMNS) + 1)


def series(figures: Iterable[Figures], key: Key, since: float, until: float, *, offset: int = 0) -> Json:
    """The columns of the charts and the sums of each name, the dearest first.

    Args:
        figures: the flows, in any order; those before `since` or after `until` are left out.
        since, until: seconds since the epoch.
        offset: seconds that local time is ahead of UTC, so that days begin at midnight.
    """
    width = width_of(until - since)
    first = (int(since) + offset) // width * width - offset
    count = int((until - first) // width) + 1
    totals: dict[str, Tally] = {}
    cells: dict[tuple[int, str], list[float]] = {}
    for flow in figures:
        place = int((flow.started - first) // width)
        if not 0 <= place < count or flow.started < since:
            continue
        name = (flow.model if key == "model" else flow.provider) or "unknown"
        totals.setdefault(name, Tally()).add(flow)
        cell = cells.setdefault((place, name), [0, 0.0, 0, 0, 0])
        cell[0] += 1
        cell[1] += flow.cost or 0.0
        cell[2] += flow.input or 0
        cell[3] += flow.output or 0
        cell[4] += flow.cache_read or 0
    names = sorted(totals, key=lambda name: (totals[name].cost, totals[name].input), reverse=True)
    shown = names[:MOST_NAMES]
    columns = [
        {
            "at": first + place * width,
            "values": {
                name: _sum(cells, place, [name] if name != REST else names[MOST_NAMES:])
                for name in [*shown, *([REST] if len(names) > MOST_NAMES else [])]
            },
        }
        for place in range(count)
    ]
    return {
        "key": key,
        "since": since,
        "until": until,
        "width": width,
        "names": [*shown, *([REST] if len(names) > MOST_NAMES else [])],
        "columns": columns,
        "totals": [{"name": name, **totals[name].json()} for name in names],
    }


def _sum(cells: dict[tuple[int, str], list[float]], place: int, names: list[str]) -> list[float]:
    """Requests, dollars, tokens in, out and read from a cache."""
    found = [cells[place, name] for name in names if (place, name) in cells]
    return [sum(values) for values in zip(*found, strict=True)] if found else [0, 0, 0, 0, 0]
