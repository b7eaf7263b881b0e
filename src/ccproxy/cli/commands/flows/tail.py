"""Print flows as they end, until Ctrl-C."""

from __future__ import annotations

import select
import shutil
import sys
from typing import TYPE_CHECKING

import click

from ccproxy.cli import flowset
from ccproxy.cli.context import CliContext

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ccproxy.flows.model import Flow

POLL_MS = 100
EXIT_INTERRUPTED = 130


@click.command()
@flowset.json_option
@flowset.jq_option
@click.option(
    "-n",
    "number",
    metavar="N",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Begin with the N newest flows that are there.",
)
@click.pass_obj
def command(obj: CliContext, as_json: bool, filters: tuple[str, ...], number: int) -> int:
    """Print flows as they end, until Ctrl-C.

    Works before the proxy is started, and goes on when it is started again or the flows are cleared. Each flow goes
    through the filters as an array of its own; -n counts before them. With --json a line of JSON per flow.
    """
    from ccproxy.flows import filters as jq
    from ccproxy.flows.tail import Tail
    from ccproxy.util.clock import SystemClock

    config, path = flowset.store(obj)
    filters = (*config.default_jq_filters, *filters)
    jq.check(filters)
    tail = Tail(path, SystemClock(), last=number)
    try:
        while not _reader_is_gone(0):
            flows = tail.poll()
            if flows:
                _print(flows, filters, as_json)
            elif _reader_is_gone(POLL_MS):
                break
    except KeyboardInterrupt:  # the usual end; click would write an empty line
        return EXIT_INTERRUPTED
    finally:
        tail.close()
    return 0


def _reader_is_gone(milliseconds: int) -> bool:
    """Waits, but not for longer than somebody reads what is printed."""
    poll = select.poll()
    poll.register(sys.stdout, 0)
    return bool(poll.poll(milliseconds))


def _print(flows: Sequence[Flow], filters: Sequence[str], as_json: bool) -> None:
    import msgspec

    from ccproxy.cli import output
    from ccproxy.flows import table
    from ccproxy.flows.filters import apply
    from ccproxy.flows.sanitise import sanitised
    from ccproxy.flows.tail import line
    from ccproxy.flows.text import printable_json
    from ccproxy.flows.views import flow_json

    lines: list[str] = []
    for flow in flows:
        items = apply(filters, [flow_json(sanitised(flow))])
        if as_json:
            lines += [printable_json(msgspec.json.encode(item).decode()) for item in items]
        elif output.terminal():
            width = shutil.get_terminal_size().columns
            lines += [line(row, width, _paint) for row in table.rows(items)]
        else:
            lines += table.plain(table.rows(items)).splitlines()
    if lines:
        click.echo("\n".join(lines))


def _paint(text: str, bad: bool) -> str:
    from ccproxy.cli import output

    return click.style(text, fg="red" if bad else "green") if output.colour() else text
