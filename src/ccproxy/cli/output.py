"""How commands print: for a person on a terminal, plain for a pipe, JSON for a program.

stdout carries the result, stderr everything else. Colour only on a terminal and not with `NO_COLOR`. Text that came
from outside is made printable first, so that it cannot drive the terminal.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

import click

from ccproxy.telemetry.text import printable


def terminal() -> bool:
    """Whether stdout is read by a person."""
    return sys.stdout.isatty()


def colour(stream: TextIO | None = None) -> bool:
    """Whether to colour what goes to `stream` (default: stdout)."""
    return (stream or sys.stdout).isatty() and not os.environ.get("NO_COLOR")


def tilde(path: str | Path) -> str:
    """A path with the home directory written as `~`, for display."""
    text, home = str(path), str(Path.home())
    return f"~{text[len(home) :]}" if text == home or text.startswith(f"{home}/") else text


def until(seconds: float) -> str:
    """How far away a moment is: "in 52 min", "3 h ago"."""
    size = abs(seconds)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if size >= length:
            amount = f"{size / length:.0f} {unit}"
            break
    else:
        amount = f"{size:.0f} s"
    return f"in {amount}" if seconds > 0 else f"{amount} ago"


def say(text: str = "") -> None:
    """A line of the result, on stdout."""
    click.echo(text)


def note(text: str) -> None:
    """A line beside the result, on stderr."""
    click.echo(f"ccproxy: {text}", err=True)


def shout(text: str) -> None:
    """A warning nobody should miss, on stderr."""
    line = f"WARNING: {text}"
    click.echo(click.style(line, fg="red", bold=True) if colour(sys.stderr) else line, err=True)


def print_json(value: Any) -> None:
    """`value` as indented JSON on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on a terminal, tab-separated lines without a header for a pipe."""
    cells = [[printable(cell) for cell in row] for row in rows]
    if not terminal():
        for row in cells:
            click.echo("\t".join(row))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in header:
        table.add_column(name, overflow="fold")
    for row in cells:
        table.add_row(*row)
    Console(no_color=not colour(), markup=False, highlight=False).print(table)
