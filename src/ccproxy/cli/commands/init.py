"""Write a commented configuration file to start from."""

from __future__ import annotations

import click

from ccproxy.cli import output
from ccproxy.cli.context import CliContext
from ccproxy.errors import CommandError
from ccproxy.telemetry.text import printable


@click.command()
@click.option("--force", is_flag=True, help="Replace the file that is there.")
@click.pass_obj
def command(ctx: CliContext, force: bool) -> None:
    """Write the configuration file, with every setting explained and the demo provider switched on.

    It goes to the place given by `ccproxy --config PATH`, else to $CCPROXY_CONFIG_DIR or ~/.config/ccproxy, and is
    readable by its owner alone. A file that is there is left alone without --force (exit code 1).
    """
    from ccproxy.config.load import config_path
    from ccproxy.config.template import template
    from ccproxy.util.fs import atomic_write

    path = config_path(ctx.config_path)
    shown = printable(output.tilde(path))
    if path.is_dir():
        raise CommandError(f"{shown} is a directory", hint="name a file")
    if path.exists() and not force:
        raise CommandError(f"{shown} is there already", hint="--force replaces it")
    try:
        atomic_write(path, template().encode())
    except OSError as error:
        raise CommandError(f"cannot write {shown}: {error.strerror}") from None
    output.say(f"wrote {shown}")
