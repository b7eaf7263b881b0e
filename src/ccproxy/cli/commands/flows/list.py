"""List flows, the newest last."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from ccproxy.cli import flowset
from ccproxy.cli.context import CliContext

if TYPE_CHECKING:
    from ccproxy.flows.lookup import FlowReader
    from ccproxy.flows.query import Query


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
@click.option("--run", metavar="ID", default="", help="Only flows of this run of `ccproxy run --inspect`.")
@click.option("--model", metavar="NAME", default="", help="Only flows that ask for this model.")
@click.option("--provider", metavar="NAME", default="", help="Only flows of this provider.")
@click.option("--session", metavar="ID", default="", help="Only flows of this session.")
@click.option("--status", metavar="CODE", default="", help="Only answers with this status: 200, 4xx, or error.")
@click.option("--tool", metavar="NAME", default="", help="Only flows whose answer calls this tool.")
@click.pass_obj
def command(
    obj: CliContext,
    as_json: bool,
    filters: tuple[str, ...],
    number: int | None,
    run: str,
    model: str,
    provider: str,
    session: str,
    status: str,
    tool: str,
) -> None:
    """List flows, the newest last.

    On a terminal a table, in which a flow from a jail has its process in place of its user agent. For a pipe
    tab-separated lines: id, method, status, host, path, model, tokens, duration, time, user agent, process.

    The conditions are met before the filters see the set, and read only what they choose.
    """
    from ccproxy.flows.open import open_reader
    from ccproxy.flows.query import Query

    config, path = flowset.store(obj)
    terminal = sys.stdout.isatty()
    limit = number if number is not None else flowset.DEFAULT_ROWS if terminal and not as_json else 0
    filters = (*config.default_jq_filters, *filters)
    query = Query(run=run, model=model, provider=provider, session=session, status=status, tool=tool)
    with open_reader(path) as reader:
        items, total = _items(reader, filters, query, limit)
        if as_json:
            flowset.print_json_items(items)
        elif total:
            _print_table(items, terminal=terminal)
            if terminal and 0 < limit < total:
                click.echo(f"The {limit:,} newest of {total:,} flows; -n 0 shows all.", err=True)
        elif query != Query() and not filters:
            click.echo("no flow meets the conditions", err=True)
        else:
            click.echo(str(flowset.nothing(path, filters)), err=True)


def _items(reader: FlowReader, filters: Sequence[str], query: Query, limit: int) -> tuple[Iterable[Any], int]:
    """The set as JSON values, read as they are taken where there is no filter; and how many there are beyond the limit."""
    from ccproxy.flows.filters import apply
    from ccproxy.flows.views import flow_json

    if not filters:
        return (flow_json(flow) for flow in reader.summaries(limit, query)), reader.matching(query)
    items = apply(filters, [flow_json(flow) for flow in reader.summaries(query=query)])
    return items[-limit:] if limit else items, len(items)


def _print_table(items: Iterable[Any], *, terminal: bool) -> None:
    from ccproxy.flows import table

    if terminal:
        from ccproxy.cli import output

        table.show(table.rows(items), now=flowset.now(), colour=output.colour())
    else:
        flowset.print_lines(table.plain(table.rows([item])) for item in items)
