"""The table of `flows list`: rich on a terminal, tab-separated lines for a pipe.

Works on JSON (what the jq filters left), not on flows: a filter may have reshaped or dropped anything, and what is not
there is shown empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ccproxy.errors import CommandError
from ccproxy.flows.text import ago, moment, printable, seconds, short

#: Terminal columns from which on there is room for more than the essential.
_ROOM_FOR_TOKENS = 100
_ROOM_FOR_MODEL = 124
_SHORT_ID = 8

#: What the outcome adds to the status in the table; a complete answer needs no word.
_WORDS = {
    "client_gone": "gone",
    "upstream_cut": "cut",
    "upstream_error": "error",
    "refused": "refused",
    "failed": "failed",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table. `started` is seconds since the epoch, or None."""

    id: str
    method: str
    code: str
    host: str
    path: str
    agent: str
    model: str
    tokens: str
    duration: str
    started: float | None
    bad: bool
    process: str = ""


def rows(items: Iterable[Any]) -> list[Row]:
    """The lines for what the filters left. Raises CommandError if that is no list of objects."""
    return [_row(item) for item in items]


def _row(item: Any) -> Row:
    if not isinstance(item, dict):
        raise CommandError("the filters leave something else than flows", hint="use --json to print it")
    status = _number(item, "response", "status_code")
    word = _WORDS.get(_text(item, "ccproxy", "outcome"), "")
    code = " ".join(part for part in ("" if status is None else f"{status:.0f}", word) if part)
    duration = _number(item, "ccproxy", "duration")
    return Row(
        id=_text(item, "id"),
        method=_text(item, "request", "method"),
        code=code or "–",
        host=_text(item, "request", "pretty_host"),
        path=_text(item, "request", "path"),
        agent=_text(item, "ccproxy", "client", "user_agent"),
        model=_text(item, "ccproxy", "answer_model") or _text(item, "ccproxy", "model"),
        tokens=_tokens(item),
        duration="" if duration is None else seconds(duration),
        started=_number(item, "request", "timestamp_start") or _number(item, "timestamp_created"),
        bad=bool(word) or (status or 0) >= 400,
        process=_text(item, "ccproxy", "process"),
    )


def _get(item: Any, *path: str) -> Any:
    for name in path:
        if not isinstance(item, dict):
            return None
        item = item.get(name)
    return item


def _text(item: Any, *path: str) -> str:
    value = _get(item, *path)
    if not isinstance(value, str):
        return ""
    return value if value.isprintable() else printable(value).replace("\n", "\\n").replace("\t", "\\t")


def _number(item: Any, *path: str) -> float | None:
    value = _get(item, *path)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _tokens(item: Any) -> str:
    counts = [_number(item, "ccproxy", "usage", name) for name in ("input", "output")]
    if counts == [None, None]:
        return ""
    return " → ".join("?" if count is None else short(int(count)) for count in counts)


def plain(lines: Iterable[Row]) -> str:
    """Tab-separated lines: id, method, code, host, path, model, tokens, duration, time, user agent, process."""
    return "".join(
        "\t".join(
            (
                row.id,
                row.method,
                row.code,
                row.host,
                row.path,
                row.model,
                row.tokens,
                row.duration,
                "" if row.started is None else moment(row.started),
                row.agent,
                row.process,
            )
        )
        + "\n"
        for row in lines
    )


def show(lines: Sequence[Row], *, now: float, colour: bool) -> None:
    """Prints the table to the terminal.

    Args:
        now: seconds since the epoch, for the age of the flows.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(no_color=not colour, highlight=False, markup=False, emoji=False)
    with_tokens, with_model = console.width >= _ROOM_FOR_TOKENS, console.width >= _ROOM_FOR_MODEL
    # Columns with a ratio share what the others leave.
    table = Table(expand=True)
    table.add_column("ID", no_wrap=True)
    table.add_column("Method", no_wrap=True)
    table.add_column("Code", justify="right", no_wrap=True)
    table.add_column("Host", ratio=3, no_wrap=True)
    table.add_column("Path", ratio=3, no_wrap=True)
    if with_model:
        table.add_column("Model", ratio=3, no_wrap=True)
    if with_tokens:
        table.add_column("Tokens", justify="right", no_wrap=True)
        table.add_column("Duration", justify="right", no_wrap=True)
    table.add_column("UA", ratio=2, no_wrap=True)
    table.add_column("Time", no_wrap=True)
    for row in lines:
        cells: list[str | Text] = [row.id[:_SHORT_ID], row.method, Text(row.code, "red" if row.bad else "green")]
        cells += [row.host, row.path]
        cells += [row.model] if with_model else []
        cells += [row.tokens, row.duration] if with_tokens else []
        cells += [row.process or row.agent, "" if row.started is None else ago(now - row.started)]
        table.add_row(*cells)
    console.print(table)
