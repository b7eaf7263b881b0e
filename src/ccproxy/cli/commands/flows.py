"""Look at recorded flows: list, show, compare, clear.

Reads the store's file directly, whether the proxy runs or not. A set of flows is what is left of all of them after
`flows.default_jq_filters` and then every `--jq`; each filter takes a JSON array and gives one.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from ccproxy.cli.context import CliContext
from ccproxy.errors import CommandError

if TYPE_CHECKING:
    from pathlib import Path

    from ccproxy.flows.config import FlowsConfig
    from ccproxy.flows.reader import Reader

#: Rows shown on a terminal unless -n says otherwise.
DEFAULT_ROWS = 50

_jq_option = click.option(
    "--jq",
    "filters",
    metavar="FILTER",
    multiple=True,
    help="A jq filter from array to array; may be given several times, applied in order.",
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def command() -> None:
    """Look at recorded flows.

    A flow is one request and its answer. `ccproxy flows list` names the newest ones, `ccproxy flows show ID` tells all
    about one.
    """


@command.command("list")
@_json_option
@_jq_option
@click.option(
    "-n",
    "number",
    metavar="N",
    type=click.IntRange(min=0),
    help=f"Only the N newest of the set; 0 for all. Default: {DEFAULT_ROWS} on a terminal, else all.",
)
@click.option("--run", metavar="ID", help="Only flows of this run of `ccproxy run --inspect`.")
@click.pass_obj
def list_command(obj: CliContext, as_json: bool, filters: tuple[str, ...], number: int | None, run: str | None) -> None:
    """List flows, the newest last.

    On a terminal a table, in which a flow from a jail has its process in place of its user agent. For a pipe
    tab-separated lines: id, method, status, host, path, model, tokens, duration, time, user agent, process.
    """
    from ccproxy.flows.reader import Reader

    config, path = _store(obj)
    terminal = sys.stdout.isatty()
    limit = number if number is not None else DEFAULT_ROWS if terminal and not as_json else 0
    filters = (*config.default_jq_filters, *filters)
    with Reader(path) as reader:
        items = _select(reader, filters, limit if not filters and run is None else 0, run)
        total = len(items) if filters or run is not None else reader.count()
    if limit:
        items = items[-limit:]
    if as_json:
        _print_json(items)
    elif not items:
        click.echo(str(_nothing(path, filters)), err=True)
    else:
        _print_table(items, terminal=terminal)
        if terminal and len(items) < total:
            click.echo(f"The {len(items):,} newest of {total:,} flows; -n 0 shows all.", err=True)


@command.command()
@click.argument("flow_id", metavar="ID")
@_json_option
@click.pass_obj
def show(obj: CliContext, flow_id: str, as_json: bool) -> None:
    """Show one flow whole: what was sent, where it went and why, and what came back.

    ID may be the beginning of an id if no other flow has it, or "last". With --json bodies are in `content`, decoded,
    as base64 if they are binary.
    """
    from ccproxy.flows.reader import Reader

    _, path = _store(obj)
    with Reader(path) as reader:
        flow = reader.get(_resolve(reader, flow_id, path))
    if flow is None:
        raise CommandError(f"flow {flow_id} is gone", hint="retention or `flows clear` has just removed it")
    if as_json:
        from ccproxy.flows.views import flow_json_with_bodies

        _print_json(flow_json_with_bodies(flow))
        return
    from ccproxy.cli import output
    from ccproxy.flows.page import render

    heading = _bold if output.colour() else str
    click.echo(render(flow, now=_now(), heading=heading), nl=False)


@command.command()
@click.argument("flow_id", metavar="[ID]", required=False)
@_json_option
@_jq_option
@click.option("-n", "number", metavar="N", type=click.IntRange(min=0), default=10, help="Only the N newest; 0 for all.")
@click.option("--raw", is_flag=True, help="The bodies as a text diff.")
@click.pass_obj
def compare(
    obj: CliContext, flow_id: str | None, as_json: bool, filters: tuple[str, ...], number: int, raw: bool
) -> None:
    """Compare what clients sent with what went to providers: every change, and what caused it.

    ID may be the beginning of an id, or "last"; without it, the set that the filters leave, the newest last. A change
    is put down to the hooks that wrote its place, to the route, the credential or the conversion.
    """
    from ccproxy.flows.compare import compare as compared
    from ccproxy.flows.compare import render
    from ccproxy.flows.reader import Reader

    config, path = _store(obj)
    if flow_id is not None and filters:
        raise click.UsageError("ID and --jq exclude each other")
    with Reader(path) as reader:
        if flow_id is not None:
            ids = [_resolve(reader, flow_id, path)]
        else:
            filters = (*config.default_jq_filters, *filters)
            ids = [_id(item) for item in _select(reader, filters, number if not filters else 0)]
            ids = ids[-number:] if number else ids
        if not ids:
            raise _nothing(path, filters)
        found = [made for one in ids if (flow := reader.get(one)) is not None and (made := compared(flow)) is not None]
    if as_json:
        _print_json(found)
        return
    if not found:
        raise CommandError("nothing of this went to a provider", hint="`ccproxy flows show` says why")
    from ccproxy.cli import output

    heading = _bold if output.colour() else str
    click.echo("\n".join(render(one, raw=raw, heading=heading) for one in found), nl=False)


@command.command()
@click.option("--all", "everything", is_flag=True, help="Clear every flow, whatever the default filters say.")
@_jq_option
@click.pass_obj
def clear(obj: CliContext, everything: bool, filters: tuple[str, ...]) -> None:
    """Delete flows and give their disk space back. Works while the proxy runs.

    Deletes the set that `flows.default_jq_filters` and --jq leave, or everything with --all.
    """
    from ccproxy.flows import retention
    from ccproxy.flows.reader import Reader

    if everything and filters:
        raise click.UsageError("--all and --jq exclude each other")
    config, path = _store(obj)
    ids: list[str] | None = None
    if not everything:
        filters = (*config.default_jq_filters, *filters)
        if not filters:
            raise CommandError(
                "this would clear every flow", hint="say so with --all, or say which with --jq", exit_code=2
            )
        with Reader(path) as reader:
            ids = [_id(item) for item in _select(reader, filters, 0)]
    click.echo(f"Cleared {retention.clear(path, ids)} flow(s).")


def _store(obj: CliContext) -> tuple[FlowsConfig, Path]:
    """The configuration of the flows, and their file."""
    from ccproxy.flows.store import store_path

    config = obj.load().settings.flows
    return config, store_path(config)


def _select(reader: Reader, filters: Sequence[str], limit: int, run: str | None = None) -> list[Any]:
    """The set of flows as JSON values, the newest last. `run` is the id of a run, or its beginning."""
    from ccproxy.flows.filters import apply
    from ccproxy.flows.views import flow_json

    flows = (flow for flow in reader.summaries(limit) if run is None or (flow.run and flow.run.startswith(run)))
    return apply(filters, [flow_json(flow) for flow in flows])


def _resolve(reader: Reader, text: str, path: Path) -> str:
    if text == "last":
        if (last := reader.last()) is None:
            raise _nothing(path, ())
        return last
    found = reader.find(text, limit=6) if text else []
    if not found:
        raise CommandError(f"there is no flow {text!r}", hint="`ccproxy flows list` names the recorded ones")
    if len(found) > 1 and text not in found:
        more = " and more" if len(found) > 5 else ""
        raise CommandError(f"several flows begin with {text!r}: {', '.join(found[:5])}{more}", hint="give more digits")
    return text if text in found else found[0]


def _id(item: Any) -> str:
    if isinstance(item, dict) and isinstance(item.get("id"), str):
        return str(item["id"])
    raise CommandError("the filters leave something without an id, so nothing was done")


def _nothing(path: Path, filters: Sequence[str]) -> CommandError:
    from ccproxy.cli.output import tilde

    if filters:
        return CommandError("the filters leave no flow")
    return CommandError(
        f"no flows are recorded in {tilde(path)}",
        hint="they come with the first request through the proxy: `ccproxy start`, then `ccproxy run -- CMD`",
    )


def _print_json(value: Any) -> None:
    import msgspec

    from ccproxy.flows.text import printable_json

    click.echo(printable_json(msgspec.json.format(msgspec.json.encode(value), indent=2).decode()))


def _print_table(items: Sequence[Any], *, terminal: bool) -> None:
    from ccproxy.flows import table

    lines = table.rows(items)
    if terminal:
        from ccproxy.cli import output

        table.show(lines, now=_now(), colour=output.colour())
    else:
        click.echo(table.plain(lines), nl=False)


def _bold(text: str) -> str:
    return click.style(text, bold=True)


def _now() -> float:
    from ccproxy.util.clock import SystemClock

    return SystemClock().wall()
