"""Compare what clients sent with what went to providers."""

from __future__ import annotations

import click

from ccproxy.cli import flowset
from ccproxy.cli.context import CliContext
from ccproxy.errors import CommandError


@click.command()
@click.argument("flow_id", metavar="[ID]", required=False)
@flowset.json_option
@flowset.jq_option
@click.option("-n", "number", metavar="N", type=click.IntRange(min=0), default=10, help="Only the N newest; 0 for all.")
@click.option("--raw", is_flag=True, help="The bodies as a text diff.")
@click.pass_obj
def command(
    obj: CliContext, flow_id: str | None, as_json: bool, filters: tuple[str, ...], number: int, raw: bool
) -> None:
    """Compare what clients sent with what went to providers: every change, and what caused it.

    ID may be the beginning of an id, or "last"; without it, the set that the filters leave, the newest last. A change
    is put down to the hooks that wrote its place, to the route, the credential or the conversion.
    """
    from ccproxy.flows.compare import compare as compared
    from ccproxy.flows.compare import render
    from ccproxy.flows.open import open_reader

    config, path = flowset.store(obj)
    with open_reader(path) as reader:
        ids = flowset.chosen(reader, config, path, named=flow_id, filters=filters, number=number)
        found = [made for one in ids if (flow := reader.get(one)) is not None and (made := compared(flow)) is not None]
    if as_json:
        flowset.print_json(found)
        return
    if not found:
        raise CommandError("nothing of this went to a provider", hint="`ccproxy flows show` says why")
    from ccproxy.cli import output

    if output.terminal():
        from ccproxy.cli import panels

        panels.show(found, raw=raw, colour=output.colour())
        return
    click.echo("\n".join(render(one, raw=raw) for one in found), nl=False)
