"""Check, show and describe the configuration.

Every subcommand sees what `ccproxy start` would see: the file, the `CCPROXY_*` variables and the defaults.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ccproxy.cli import output
from ccproxy.cli.context import CliContext
from ccproxy.errors import ConfigError
from ccproxy.telemetry.text import printable

if TYPE_CHECKING:
    from ccproxy.config.settings import Settings

UNUSABLE = 1
INVALID = 2

_config_option = click.option(
    "--config",
    "config_path",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="The configuration file, if not the one of `ccproxy --config`.",
)


@click.group()
def command() -> None:
    """Check, show and describe the configuration."""


@command.command()
@_config_option
@click.option(
    "--online",
    is_flag=True,
    help="Get every credential and connect to every provider, too; exit code 1 if one cannot be used.",
)
@click.pass_context
def check(click_context: click.Context, config_path: Path | None, *, online: bool) -> None:
    """Say whether the configuration is valid, and if not, every problem with its line (exit code 2).

    The modules and files of its hooks are loaded, as `ccproxy start` would. With --online credential commands are run
    and expired logins renewed; providers are connected to and sent nothing.
    """
    from ccproxy.cli.commands.hooks import pipelines_of
    from ccproxy.egress.tls import check_trust

    ctx = _chosen(click_context.obj, config_path)
    try:
        loaded = ctx.load()
        check_trust(loaded.settings.egress)
        pipelines = pipelines_of(loaded)
    except ConfigError as error:
        # The problems are the result, ready for an editor that jumps to FILE:LINE.
        output.say(str(error))
        click_context.exit(INVALID)
    for warning in [*loaded.warnings, *pipelines.warnings]:
        output.note(f"warning: {warning}")
    if online and (problems := _unusable(loaded.settings)):
        for problem in problems:
            output.say(printable(problem))
        click_context.exit(UNUSABLE)
    output.say(f"{printable(loaded.path)}: ok" if loaded.path else "no configuration file, defaults: ok")


def _unusable(settings: Settings) -> list[str]:
    """What keeps its providers from being used."""
    import asyncio

    from ccproxy.cli.credentials import Credentials

    async def main() -> list[str]:
        credentials = Credentials(settings)
        try:
            return await credentials.check()
        finally:
            await credentials.close()

    return asyncio.run(main())


@command.command()
@_config_option
@click.option("--json", "as_json", is_flag=True, help="As JSON, with the origins beside the settings.")
@click.pass_obj
def show(obj: CliContext, config_path: Path | None, as_json: bool) -> None:
    """Print the effective settings, credentials masked, with the place that each came from unless it is a default."""
    from ccproxy.config.render import effective, masked

    loaded = _chosen(obj, config_path).load()
    if as_json:
        file = None if loaded.path is None else str(loaded.path)
        output.print_json({"file": file, "ccproxy": masked(loaded.settings), "origins": dict(loaded.origins)})
    else:
        click.echo(effective(loaded.settings, loaded.origins), nl=False)


@command.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors.

    With the YAML language server: save it, and put `# yaml-language-server: $schema=PATH` at the top of the file.
    """
    from ccproxy.config.schema import json_schema

    output.print_json(json_schema())


def _chosen(ctx: CliContext, config_path: Path | None) -> CliContext:
    return ctx if config_path is None else replace(ctx, config_path=config_path)
