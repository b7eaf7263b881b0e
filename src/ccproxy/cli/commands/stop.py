"""Stop the running proxy and wait until it has ended.

The process comes from the run file and is compared with its creation time before it is signalled: a process that only
happens to have the same id is never touched.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click
import psutil

from ccproxy.cli import output, runfile, target
from ccproxy.cli.context import CliContext
from ccproxy.errors import CommandError, ConfigError

if TYPE_CHECKING:
    from ccproxy.cli.runfile import RunFile

#: Beyond the time the proxy gives running answers.
GRACE_SECONDS = 10.0
PATIENCE_SECONDS = 1.0
STEP_SECONDS = 0.05


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="Port of the proxy to stop, if several run.")
@click.pass_obj
def command(ctx: CliContext, port: int | None) -> None:
    """Stop the running proxy. New requests are refused at once, running answers may finish
    (`gateway.drain_seconds`); then it ends.

    \b
    Exit codes: 0 it has ended; 1 none runs, or it did not end in time.
    """
    found = target.find(ctx, port)
    run = found.run
    process = run.process() if run else None
    if run is None or process is None:
        raise _nothing(found)
    active = target.active_exchanges(target.ask(found))
    try:
        process.terminate()
    except psutil.AccessDenied:
        raise CommandError(f"the proxy (pid {run.pid}) belongs to another user", hint="stop it as that user") from None
    except psutil.NoSuchProcess:
        pass  # it ended by itself meanwhile
    drain = _drain_seconds(ctx)
    if not _ended(run, PATIENCE_SECONDS):
        what = f"{active} running answers" if active else "it to end"
        output.say(f"Waiting for {what} (at most {drain:g} seconds; Ctrl-C stops waiting, not the proxy)")
        if not _ended(run, drain + GRACE_SECONDS):
            raise CommandError(
                f"the proxy (pid {run.pid}) has not ended within {drain + GRACE_SECONDS:g} seconds",
                hint=f"`kill -9 {run.pid}` ends it; no recorded flow is lost",
            )
    runfile.remove(run)
    output.say(f"Stopped the proxy on {found.url} (pid {run.pid})")


def _ended(run: RunFile, seconds: float) -> bool:
    """Waits until the process is gone. It is no child of ours, so there is nothing to wait on but its absence."""
    deadline = time.monotonic() + seconds
    while run.process() is not None:
        if time.monotonic() >= deadline:
            return False
        time.sleep(STEP_SECONDS)
    return True


def _drain_seconds(ctx: CliContext) -> float:
    try:
        return ctx.load().settings.gateway.drain_seconds
    except ConfigError:
        return 30.0


def _nothing(found: target.Target) -> CommandError:
    health = target.ask(found)
    if not health.up:
        return CommandError(f"no proxy runs on {found.url}", hint="`ccproxy start` starts one")
    pid = health.report.get("pid", "?")
    return CommandError(
        f"a ccproxy answers on {found.url} (pid {pid}), but not one started with this configuration directory",
        hint="stop it where it was started",
    )
