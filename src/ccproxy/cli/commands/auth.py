"""Look at, renew and try out the credentials of providers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import click

from ccproxy.cli import output
from ccproxy.cli.context import CliContext
from ccproxy.telemetry.text import printable

if TYPE_CHECKING:
    from ccproxy.cli.credentials import Credentials, Outcome

FAILED = 1

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def command() -> None:
    """Look at, renew and try out the credentials of providers.

    These commands read the configuration and the files it names; a running proxy is not needed and not disturbed. No
    secret is printed.
    """


@command.command()
@click.argument("name", required=False)
@_json_option
@click.pass_context
def status(click_context: click.Context, name: str | None, as_json: bool) -> None:
    """Show where credentials come from and when they expire. Nobody is asked and no command is run.

    Exit code 1 if something is wrong with one of them.
    """
    found = _run(click_context.obj, lambda credentials: credentials.report(name))
    if as_json:
        output.print_json(found)
    else:
        rows = [[each["provider"], each["source"], _expiry(each), _state(each)] for each in found]
        output.print_table(("provider", "source", "expires", "state"), rows)
    if any(each["problem"] for each in found):
        click_context.exit(FAILED)


@command.command()
@click.argument("name")
@click.pass_context
def refresh(click_context: click.Context, name: str) -> None:
    """Renew the credentials of the provider NAME now, whether they have expired or not.

    Exit code 1 if one of them could not be renewed.
    """
    _tell(click_context, name, _run(click_context.obj, lambda credentials: credentials.refresh(name)))


@command.command()
@click.argument("name")
@click.pass_context
def test(click_context: click.Context, name: str) -> None:
    """Ask the provider NAME for its models with each of its credentials.

    Costs nothing. Exit code 1 if one of them is refused or the provider cannot be reached.
    """
    _tell(click_context, name, _run(click_context.obj, lambda credentials: credentials.test(name)))


def _run[T](ctx: CliContext, act: Callable[[Credentials], Awaitable[T]]) -> T:
    import asyncio

    from ccproxy.cli.credentials import Credentials

    settings = ctx.load().settings

    async def main() -> T:
        credentials = Credentials(settings)
        try:
            return await act(credentials)
        finally:
            await credentials.close()

    return asyncio.run(main())


def _tell(click_context: click.Context, name: str, outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        left = f", expires {output.until(outcome.expires_in)}" if outcome.expires_in is not None else ""
        output.say(printable(f"{name}: {outcome.source}: {outcome.words}{left}"))
    if not all(outcome.good for outcome in outcomes):
        click_context.exit(FAILED)


def _expiry(entry: dict[str, Any]) -> str:
    left = entry["expires_in"]
    return "-" if left is None else output.until(left)


def _state(entry: dict[str, Any]) -> str:
    if entry["problem"]:
        return str(entry["problem"])
    if entry["renews"]:
        return "ok, renewed when it expires"
    return "ok, not renewed" if entry["expires_in"] is not None else "ok"
