"""Show one flow whole."""

from __future__ import annotations

import click

from ccproxy.cli import flowset
from ccproxy.cli.context import CliContext
from ccproxy.errors import CommandError


@click.command()
@click.argument("flow_id", metavar="ID")
@flowset.json_option
@click.pass_obj
def command(obj: CliContext, flow_id: str, as_json: bool) -> None:
    """Show one flow whole: what was sent, where it went and why, and what came back.

    ID may be the beginning of an id if no other flow has it, or "last". With --json bodies are in `content`, decoded,
    as base64 if they are binary.
    """
    from ccproxy.flows.open import open_reader

    _, path = flowset.store(obj)
    with open_reader(path) as reader:
        flow = reader.get(flowset.resolve(reader, flow_id, path))
    if flow is None:
        raise CommandError(f"flow {flow_id} is gone", hint="retention or `flows clear` has just removed it")
    if as_json:
        from ccproxy.flows.views import flow_json_with_bodies

        flowset.print_json(flow_json_with_bodies(flow))
        return
    from ccproxy.cli import output
    from ccproxy.flows.page import render

    heading = flowset.bold if output.colour() else str
    click.echo(render(flow, now=flowset.now(), heading=heading), nl=False)
