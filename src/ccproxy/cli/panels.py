"""`flows compare` on a terminal: a panel for the new URL, for each change with its cause, and for the bodies' diff."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ccproxy.flows.compare import Comparison, cause_lines, identical
from ccproxy.flows.text import printable

if TYPE_CHECKING:
    from rich.console import Console

#: Most characters of a line: a prompt is one line of JSON.
_LONGEST = 400
_STYLES = {"---": "bold", "+++": "bold", "@@ ": "cyan", "-": "red", "+": "green"}


def show(comparisons: Iterable[Comparison], *, raw: bool, colour: bool) -> None:
    """Prints comparisons to the terminal.

    Args:
        raw: the bodies as a text diff only, not change by change.
    """
    from rich.console import Console

    console = Console(no_color=not colour, highlight=False, markup=False, emoji=False)
    for one in comparisons:
        _show(console, one, raw=raw)


def _show(console: Console, comparison: Comparison, *, raw: bool) -> None:
    name = comparison.id
    for change in comparison.changes:
        if change.path == "url":
            causes = [f"  ({'; '.join(change.causes)})"] if change.causes else []
            _panel(console, f"URL change — {name}", [f"- {change.before}", f"+ {change.after}", *causes])
    if lines := cause_lines(comparison, raw=raw):
        _panel(console, f"Changes — {name}", [line.removeprefix("  ") for line in lines])
    if comparison.losses:
        _panel(console, f"Lost in conversion — {name}", comparison.losses)
    if comparison.text:
        _panel(console, f"Body diff — {name}", comparison.text.split("\n"))
    if comparison.identical:
        console.print(identical(comparison))


def _panel(console: Console, title: str, lines: Sequence[str]) -> None:
    from rich.panel import Panel
    from rich.text import Text

    content = Text("\n").join(Text(_cut(printable(line)), _style(line)) for line in lines)
    console.print(Panel(content, title=printable(title)))


def _style(line: str) -> str:
    bare = line.lstrip()  # the values of a change are indented
    for lead, style in _STYLES.items():
        if (bare if len(lead) == 1 else line).startswith(lead):
            return style
    return ""


def _cut(line: str) -> str:
    line = line.replace("\n", "\\n")
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}... ({len(line):,} characters)"
