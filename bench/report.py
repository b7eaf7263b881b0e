"""The result of a run: as a table for people, as JSON for programs."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from typing import Any

from bench.world import Row, Sample

_COLUMNS = ("direct", "uvicorn+aiohttp", "mitmproxy", "ccproxy", "tun", "redirect")
_VERDICTS = {True: "ok", False: "OVER", None: ""}


def machine() -> str:
    """What the figures were taken on, in one line."""
    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, Python {sys.version.split()[0]}"


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _cell(sample: Sample | None) -> str:
    if sample is None:
        return ""
    if len(sample.values) == 1 or not sample.median:
        return _number(sample.median)
    spread = (max(sample.values) - min(sample.values)) / 2 / sample.median
    return f"{_number(sample.median)} ±{spread:.0%}"


def table(rows: Sequence[Row], *, judge: bool = True) -> str:
    """Aligned columns: medians and half the range between the extremes, then the budget, and with `judge` whether it
    is kept."""
    used = [column for column in _COLUMNS if any(column in row.samples for row in rows)]
    lines = [["figure", "unit", *used, "measured", "budget", ""]]
    for row in rows:
        cells = [_cell(row.samples.get(column)) for column in used]
        lines.append([row.figure, row.unit, *cells, row.verdict, row.budget, _VERDICTS[row.kept] if judge else ""])
    widths = [max(len(line[index]) for line in lines) for index in range(len(lines[0]))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def document(rows: Sequence[Row]) -> dict[str, Any]:
    """Everything that was measured, round by round."""
    return {
        "machine": machine(),
        "rows": [
            {
                "figure": row.figure,
                "unit": row.unit,
                "samples": {name: list(sample.values) for name, sample in row.samples.items()},
                "measured": row.verdict,
                "budget": row.budget,
                "kept": row.kept,
            }
            for row in rows
        ],
    }
