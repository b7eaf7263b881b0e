"""Show what changes from one request to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ccproxy.cli import flowset
from ccproxy.cli.context import CliContext
from ccproxy.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ccproxy.flows.diff import Pair
    from ccproxy.flows.lookup import FlowReader

#: Most characters of a line on a terminal: a prompt is one line of JSON.
_LONGEST = 400
_COLOURS = {"---": None, "+++": None, "@@ ": "cyan", "-": "red", "+": "green"}


@click.command()
@click.argument("flow_ids", metavar="[ID ID]", nargs=-1)
@flowset.json_option
@flowset.jq_option
@click.option("-n", "number", metavar="N", type=click.IntRange(min=0), default=10, help="Only the N newest; 0 for all.")
@click.option("--raw", is_flag=True, help="Compare the bodies as they are, JSON not indented.")
@click.option("--summary", is_flag=True, help="Only the line that says which messages, tools and settings differ.")
@click.option("--client", is_flag=True, help="What clients sent, in place of what went to providers.")
@click.pass_obj
def command(
    obj: CliContext,
    flow_ids: tuple[str, ...],
    as_json: bool,
    filters: tuple[str, ...],
    number: int,
    raw: bool,
    summary: bool,
    client: bool,
) -> None:
    """Show what changes from one request to the next: a unified diff for each two that follow each other.

    Of a set of flows f0, f1, f2 these are f0 to f1 and f1 to f2; of two IDs, the first to the second. Before each diff
    a line says which messages, tools and settings were added, removed or changed. With --json every changed place.
    """
    from ccproxy.flows.open import open_reader

    config, path = flowset.store(obj)
    if flow_ids and (filters or len(flow_ids) != 2):
        raise click.UsageError("give two IDs, or none and filters")
    with open_reader(path) as reader:
        if flow_ids:
            ids = [flowset.resolve(reader, one, path) for one in flow_ids]
        else:
            ids = flowset.chosen(reader, config, path, named=None, filters=filters, number=number)
        if len(ids) < 2:
            raise CommandError(
                "a diff needs two flows, and the set has one", hint="`-n 0` takes all; `flows list` shows the set"
            )
        pairs = _pairs(reader, ids, raw=raw, text=not summary, client=client)
        if as_json:
            flowset.print_json_items(pairs)
            return
        from ccproxy.cli import output

        show = _coloured if output.colour() else _cut if output.terminal() else str
        for pair in pairs:
            click.echo(_render(pair, show), nl=False)


def _pairs(reader: FlowReader, ids: Sequence[str], *, raw: bool, text: bool, client: bool) -> Iterator[Pair]:
    from ccproxy.flows.diff import diff, side

    before = None
    for one in ids:
        if (flow := reader.get(one)) is None:  # deleted meanwhile
            continue
        after = side(flow, client=client)
        if before is not None:
            yield diff(before, after, raw=raw, text=text)
        before = after


def _render(pair: Pair, show: Callable[[str], str]) -> str:
    from ccproxy.flows.text import printable

    lines = [f"# flow:{pair.old} -> flow:{pair.new}: {printable(pair.summary)}"]
    if pair.text:
        lines += [show(printable(line)) for line in pair.text.split("\n")]
    return "\n".join(lines) + "\n"


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}... ({len(line):,} characters)"


def _coloured(line: str) -> str:
    colour = next((colour for lead, colour in _COLOURS.items() if line.startswith(lead)), None)
    return click.style(_cut(line), fg=colour) if colour else _cut(line)
