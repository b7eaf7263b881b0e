"""Delete flows and give their disk space back."""

from __future__ import annotations

import click

from ccproxy.cli import flowset
from ccproxy.cli.context import CliContext
from ccproxy.errors import CommandError


@click.command()
@click.option("--all", "everything", is_flag=True, help="Clear every flow, whatever the default filters say.")
@flowset.json_option
@flowset.jq_option
@click.pass_obj
def command(obj: CliContext, everything: bool, as_json: bool, filters: tuple[str, ...]) -> None:
    """Delete flows and give their disk space back. Works while the proxy runs.

    Deletes the set that `flows.default_jq_filters` and --jq leave, or everything with --all.
    """
    from ccproxy.flows.open import clear, open_reader

    if everything and filters:
        raise click.UsageError("--all and --jq exclude each other")
    config, path = flowset.store(obj)
    ids: list[str] | None = None
    if not everything:
        filters = (*config.default_jq_filters, *filters)
        if not filters:
            raise CommandError(
                "this would clear every flow", hint="say so with --all, or say which with --jq", exit_code=2
            )
        with open_reader(path) as reader:
            ids = [flowset.flow_id(item) for item in flowset.select(reader, filters, 0)]
    cleared = clear(path, ids)
    if as_json:
        flowset.print_json({"cleared": cleared})
    else:
        click.echo(f"Cleared {cleared} flow(s).")
