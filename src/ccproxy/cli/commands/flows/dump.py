"""Write flows as a HAR file, for the developer tools of a browser."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ccproxy.cli import flowset
from ccproxy.cli.context import CliContext

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ccproxy.flows.model import Flow


@click.command()
@click.argument("flow_id", metavar="[ID]", required=False)
@flowset.jq_option
@click.option("-n", "number", metavar="N", type=click.IntRange(min=0), default=0, help="Only the N newest; 0 for all.")
@flowset.secrets_option
@click.option("--json", "as_json", is_flag=True, help="The same: HAR is JSON.")
@click.pass_obj
def command(
    obj: CliContext, flow_id: str | None, filters: tuple[str, ...], number: int, with_secrets: bool, as_json: bool
) -> None:
    """Write flows to stdout as a HAR 1.2 file: `ccproxy flows dump > all.har`.

    ID may be the beginning of an id, or "last"; without it, the set that the filters leave. Each flow is a page with
    two entries: the forwarded request with the provider's answer, then the client's request with the answer it got.
    What ccproxy knows of a flow is in `_ccproxy`. Open it in Chrome DevTools (Network, import), Charles or Fiddler.

    What looks like a secret is overwritten, in bodies too, unless --with-secrets is given.
    """
    from ccproxy.cli import output
    from ccproxy.flows import har
    from ccproxy.flows.open import open_reader
    from ccproxy.flows.text import count, printable_json

    config, path = flowset.store(obj)
    with open_reader(path) as reader:
        ids = flowset.chosen(reader, config, path, named=flow_id, filters=filters, number=number)
        flowset.say_what_secrets_are(with_secrets)
        others = 0

        def flows() -> Iterator[Flow]:
            nonlocal others
            for flow in flowset.whole(reader, ids, with_secrets=with_secrets):
                if har.is_http(flow):
                    yield flow
                else:
                    others += 1

        for piece in har.write(flows()):
            if output.terminal():
                click.echo(printable_json(piece.decode()), nl=False)
            else:
                sys.stdout.buffer.write(piece)
    if others:
        output.note(f"{count(others, 'flow')} left out that HAR cannot hold: bare TCP or UDP")
