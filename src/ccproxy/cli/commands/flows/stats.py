"""Add flows up: requests, tokens, cost, times, errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, cast

import click

from ccproxy.cli import flowset
from ccproxy.cli.context import CliContext

if TYPE_CHECKING:
    from ccproxy.flows.stats import Stats, Tally

_BY = ("model", "provider", "session", "client", "hour", "day")
_HEADER = ("Requests", "Errors", "Tokens in", "Cached", "Tokens out", "Cost", "First token", "Tokens/s")


@click.command()
@click.option("--by", type=click.Choice(_BY), default="model", show_default=True, help="What to add up by.")
@click.option("--since", "age", metavar="TIME", help="Only flows since then: an age (30m, 24h, 7d) or a date.")
@flowset.json_option
@flowset.jq_option
@click.pass_obj
def command(obj: CliContext, by: str, age: str | None, as_json: bool, filters: tuple[str, ...]) -> None:
    """Add flows up: requests, errors, tokens, cost, and how fast answers came.

    Cached is the part of the prompts that came from a provider's cache. The cost is by list prices; what it leaves out,
    because the price is not known, is counted. Times have two numbers: half of the streamed answers were quicker than
    the first, 95 % than the second. For a pipe tab-separated lines: the columns of the table, then the total.
    """
    from ccproxy.flows import stats
    from ccproxy.flows.open import open_reader
    from ccproxy.flows.query import Query

    config, path = flowset.store(obj)
    filters = (*config.default_jq_filters, *filters)
    begin = stats.since(age, flowset.now()) if age is not None else None
    with open_reader(path) as reader:
        figures = reader.figures(Query(since=begin))
        if filters:
            ids = {flowset.flow_id(item) for item in flowset.select(reader, filters, 0)}
            figures = (flow for flow in figures if flow.id in ids)
        found = stats.tally(figures, cast(stats.By, by))
    if as_json:
        flowset.print_json({"since": begin, **found.json()})
    elif not found.total.requests:
        said = flowset.nothing(path, filters) if begin is None else f"no flows since {age}"
        click.echo(str(said), err=True)
    else:
        _print(found)


def _print(found: Stats) -> None:
    from ccproxy.cli import output

    rows = [(key or "(none)", *_cells(tally)) for key, tally in found.groups.items()]
    if len(rows) > 1 or not output.terminal():
        rows.append(("total", *_cells(found.total)))
    output.print_table((found.by.capitalize(), *_HEADER), rows)


def _cells(tally: Tally) -> tuple[str, ...]:
    from ccproxy.flows.text import dollars, seconds, short

    errors = f"{tally.errors} ({tally.errors / tally.requests:.1%})" if tally.errors else "0"
    cost = dollars(tally.cost) if tally.priced else ""
    if tally.unpriced:
        cost = f"{cost} + {tally.unpriced:,} of unknown price".removeprefix(" + ")
    return (
        f"{tally.requests:,}",
        errors,
        short(tally.input),
        "" if tally.cached is None else f"{tally.cached:.0%}",
        short(tally.output),
        cost,
        _pair(tally.ttft, seconds),
        _pair(tally.speed, lambda value: f"{value:.0f}"),
    )


def _pair(values: Iterable[float], said: Callable[[float], str]) -> str:
    from ccproxy.flows.stats import quantile

    found = [quantile(values, part) for part in (0.5, 0.95)]
    return " / ".join(said(value) for value in found if value is not None)
