"""Show one flow whole."""

from __future__ import annotations

import click

from ccproxy.cli import flowset
from ccproxy.cli.context import CliContext
from ccproxy.errors import CommandError


@click.command()
@click.argument("flow_id", metavar="[ID]", required=False)
@flowset.json_option
@flowset.jq_option
@click.pass_obj
def command(obj: CliContext, flow_id: str | None, as_json: bool, filters: tuple[str, ...]) -> None:
    """Show one flow whole: what was sent, where it went and why, and what came back.

    ID may be the beginning of an id if no other flow has it, or "last"; without it, the newest of the set that the filters
    leave. With --json bodies are in `content`, decoded, as base64 if they are binary.
    """
    from ccproxy.flows.open import open_reader

    config, path = flowset.store(obj)
    with open_reader(path) as reader:
        [found] = flowset.chosen(reader, config, path, named=flow_id, filters=filters, number=1)
        flow = reader.get(found)
    if flow is None:
        raise CommandError(f"flow {found} is gone", hint="retention or `flows clear` has just removed it")
    if as_json:
        from ccproxy.flows.views import flow_json_with_bodies

        flowset.print_json(flow_json_with_bodies(flow))
        return
    from ccproxy.cli import output
    from ccproxy.flows.page import render

    heading = flowset.bold if output.colour() else str
    click.echo(render(flow, now=flowset.now(), heading=heading), nl=False)
