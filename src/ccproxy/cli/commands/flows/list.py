"""List flows, the newest last."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from ccproxy.cli import flowset
from ccproxy.cli.context import CliContext


@click.command()
@flowset.json_option
@flowset.jq_option
@click.option(
    "-n",
    "number",
    metavar="N",
    type=click.IntRange(min=0),
    help=f"Only the N newest of the set; 0 for all. Default: {flowset.DEFAULT_ROWS} on a terminal, else all.",
)
@click.option("--run", metavar="ID", help="Only flows of this run of `ccproxy run --inspect`.")
@click.pass_obj
def command(obj: CliContext, as_json: bool, filters: tuple[str, ...], number: int | None, run: str | None) -> None:
    """List flows, the newest last.

    On a terminal a table, in which a flow from a jail has its process in place of its user agent. For a pipe
    tab-separated lines: id, method, status, host, path, model, tokens, duration, time, user agent, process.
    """
    from ccproxy.flows.reader import Reader

    config, path = flowset.store(obj)
    terminal = sys.stdout.isatty()
    limit = number if number is not None else flowset.DEFAULT_ROWS if terminal and not as_json else 0
    filters = (*config.default_jq_filters, *filters)
    with Reader(path) as reader:
        items = flowset.select(reader, filters, limit if not filters and run is None else 0, run)
        total = len(items) if filters or run is not None else reader.count()
    if limit:
        items = items[-limit:]
    if as_json:
        flowset.print_json(items)
    elif not items:
        click.echo(str(flowset.nothing(path, filters)), err=True)
    else:
        _print_table(items, terminal=terminal)
        if terminal and len(items) < total:
            click.echo(f"The {len(items):,} newest of {total:,} flows; -n 0 shows all.", err=True)


def _print_table(items: Sequence[Any], *, terminal: bool) -> None:
    from ccproxy.flows import table

    lines = table.rows(items)
    if terminal:
        from ccproxy.cli import output

        table.show(lines, now=flowset.now(), colour=output.colour())
    else:
        click.echo(table.plain(lines), nl=False)
