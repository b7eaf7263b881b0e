"""Find flows by what was said in them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from ccproxy.cli import flowset
from ccproxy.cli.context import CliContext

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ccproxy.flows.lookup import FlowReader
    from ccproxy.flows.search import Hit

_DEFAULT_HITS = 20


@click.command()
@click.argument("words", metavar="TEXT...", nargs=-1, required=True)
@flowset.json_option
@flowset.jq_option
@click.option(
    "-n",
    "number",
    metavar="N",
    type=click.IntRange(min=0),
    default=_DEFAULT_HITS,
    help=f"Only the N newest of the set; 0 for all. Default: {_DEFAULT_HITS}.",
)
@click.pass_obj
def command(obj: CliContext, words: tuple[str, ...], as_json: bool, filters: tuple[str, ...], number: int) -> None:
    """Find flows by what was said in them, the newest last.

    TEXT is words, all of which must be there, and phrases in double quotes. A word may be the beginning of a longer one.
    Searched are the new words of each prompt (an agent repeats its history with each request), the results of tools, and
    the answer with its tool calls.

    Prints for each flow its id, whose words they are (prompt or answer), and the words around the match. With --json, and
    for --jq, a flow is as `ccproxy flows list` gives it, with `.ccproxy.match`: role, snippet, and marks, where in the
    snippet the matches begin and end.
    """
    from ccproxy.flows.open import open_reader

    config, path = flowset.store(obj)
    text = " ".join(words)
    filters = (*config.default_jq_filters, *filters)
    with open_reader(path) as reader:
        hits = reader.search(text, 0 if filters else number)
        items = _flows(reader, text, hits) if filters or as_json else []
    if filters:
        from ccproxy.flows.filters import apply

        items = apply(filters, items)
        items = items[-number:] if number else items
    if as_json:
        flowset.print_json(items)
        return
    if filters:
        kept = {flowset.flow_id(item) for item in items}
        hits = [hit for hit in hits if hit.id in kept]
    if hits:
        _print(hits, terminal=sys.stdout.isatty())
    else:
        click.echo(f"Nothing with {text!r} was said{', or the filters leave none of it' if filters else ''}.", err=True)


def _flows(reader: FlowReader, text: str, hits: Sequence[Hit]) -> list[Any]:
    """The flows of the hits as JSON values."""
    from ccproxy.flows.query import Query
    from ccproxy.flows.views import flow_json

    by_id = {hit.id: hit for hit in hits}
    items: list[Any] = []
    for flow in reader.select(Query(text=text), limit=len(hits)) if hits else ():
        if hit := by_id.get(flow.id):
            item = flow_json(flow)
            item["ccproxy"]["match"] = {"role": hit.role, "snippet": hit.snippet, "marks": hit.marks}
            items.append(item)
    return items


def _print(hits: Sequence[Hit], *, terminal: bool) -> None:
    from ccproxy.cli import output

    colour = output.colour()
    for hit in hits:
        words = "".join(flowset.bold(part) if colour and marked else part for part, marked in _parts(hit))
        click.echo(f"{hit.id}  {hit.role:6}  {words}" if terminal else f"{hit.id}\t{hit.role}\t{words}")


def _parts(hit: Hit) -> list[tuple[str, bool]]:
    """The snippet in pieces that a terminal shows as they are, and whether each is a match."""
    from ccproxy.flows.text import printable

    parts: list[tuple[str, bool]] = []
    at = 0
    for begin, end in hit.marks:
        parts += ((printable(hit.snippet[at:begin]), False), (printable(hit.snippet[begin:end]), True))
        at = end
    return [*parts, (printable(hit.snippet[at:]), False)]
