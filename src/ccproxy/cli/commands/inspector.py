"""Print a link that logs a browser in to the inspector, or open it.

The link holds a ticket, made here with the key that the proxy reads too (`inspector/access.py`): it works once.
"""

from __future__ import annotations

import click

from ccproxy.cli import output, target
from ccproxy.cli.context import CliContext
from ccproxy.errors import CommandError


@click.command()
@click.option("--open", "open_browser", is_flag=True, help="Open it in the browser instead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="Port of the proxy, if several run.")
@click.pass_obj
def command(ctx: CliContext, *, open_browser: bool, as_json: bool, port: int | None) -> int:
    """Print a link to the inspector: the web page that shows what went through.

    The link logs one browser in, once, within five minutes; it stays logged in
    for two weeks.

    \b
    Exit codes: 0 done; 1 the proxy or its inspector is down.
    """
    link = target.inspector_login(target.ask(target.find(ctx, port)))
    if open_browser:
        import webbrowser

        if not webbrowser.open(link):
            raise CommandError("no browser could be opened", hint="`ccproxy inspector` prints the link")
        return 0
    if as_json:
        output.print_json({"url": link})
    else:
        output.say(link)
    return 0
