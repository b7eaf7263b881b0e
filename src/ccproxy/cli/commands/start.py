"""Start the proxy, in the foreground or with --detach in the background.

The listener, its signals (SIGTERM drains and ends, a second one ends at once, SIGHUP reads the configuration again)
and everything else of the running proxy are `ccproxy.app`; this module does what surrounds it: the configuration and
the log, a port that is free or a message that names its holder, the run file, and what a person reads at the start.

Detached, the same command runs in a session of its own (`cli/launch.py`); its errors and its exit code become ours.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ccproxy import __version__
from ccproxy.cli import launch, output, ports, runfile, target
from ccproxy.cli.commands import status
from ccproxy.cli.context import CliContext
from ccproxy.errors import CommandError
from ccproxy.flows.store import shown_place, store_place
from ccproxy.telemetry.text import printable
from ccproxy.util.paths import state_dir

if TYPE_CHECKING:
    from ccproxy.config.load import LoadedConfig


#: Seconds that a start in the background waits for what the proxy finds out about its providers.
_FIRST_LOOK = 1.5


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line says about settings."""

    host: str | None
    port: int | None
    log_level: str | None

    def settings(self) -> dict[str, object]:
        """For the loader."""
        given = {"host": self.host, "port": self.port, "log_level": self.log_level}
        return {name: value for name, value in given.items() if value is not None}

    def arguments(self) -> list[str]:
        """For another `ccproxy start`."""
        return [word for name, value in self.settings().items() for word in (f"--{name.replace('_', '-')}", str(value))]


@click.command()
@click.option(
    "--port", type=click.IntRange(1, 65535), metavar="N", help="Port to listen on, instead of the configured one."
)
@click.option("--host", metavar="ADDRESS", help="Address to listen on, instead of the configured one.")
@click.option(
    "--detach", "-d", is_flag=True, help="Return as soon as the proxy is ready; it goes on in the background."
)
@click.option(
    "--log-level",
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
    help="How much to log, instead of what is configured.",
)
@click.option("--ready-fd", type=int, hidden=True)
@click.pass_obj
def command(
    ctx: CliContext, *, port: int | None, host: str | None, detach: bool, log_level: str | None, ready_fd: int | None
) -> int:
    """Start the proxy. It runs until Ctrl-C or `ccproxy stop`, and lets running answers finish.

    An edited configuration file is picked up for new requests; so is SIGHUP. In the foreground the log goes to stderr
    as well as to the log file.

    \b
    Exit codes: 0 ended as asked; 1 could not start (port taken, ...);
    2 the configuration is invalid; 130 interrupted before it was ready.
    """
    overrides = Overrides(host, port, log_level)
    config = ctx.load(overrides.settings())
    ports.check_free(config.settings.host, config.settings.port)
    if detach:
        return _detach(ctx, overrides, config)
    _serve(ctx, overrides, config, launch.announcer(ready_fd) if ready_fd is not None else None)
    return 0


def _serve(
    ctx: CliContext, overrides: Overrides, config: LoadedConfig, announce: Callable[[list[str]], None] | None
) -> None:
    """Runs the proxy until it ends. `announce` tells a launcher instead of a person that it is ready."""
    import uvloop

    from ccproxy.app import serve
    from ccproxy.telemetry import logging

    settings = config.settings
    log = runfile.log_file_of(settings.port)
    logging.setup(settings.log_level, log, console=announce is None, colour=output.colour(sys.stderr))
    run = runfile.of_this_process(
        host=settings.host, port=settings.port, version=__version__, config=config.path, log=log
    )

    def ready(urls: list[str], inspector: str) -> None:
        runfile.write(run)
        if announce is None:
            greet(urls, config, log, inspector)
        else:
            announce(urls)

    try:
        uvloop.run(serve(config, reload=lambda: ctx.load(overrides.settings()), on_ready=ready))
    finally:
        runfile.remove(run)


def greet(urls: list[str], config: LoadedConfig, log: Path, inspector: str, *, pid: int | None = None) -> None:
    """What a person needs to know when the proxy is ready: stdout; warnings on stderr. `inspector` is the address that
    logs a browser in, "" without one."""
    settings = config.settings
    url = next((each for each in urls if not is_any(each)), f"http://127.0.0.1:{settings.port}")
    flows = shown_place(store_place(settings.flows))
    lines = [
        ("listening", "  ".join(urls)),
        ("configuration", output.tilde(config.path) if config.path else "none (`ccproxy init` writes one)"),
        ("providers", ", ".join(settings.providers) or "none"),
        ("log", output.tilde(log)),
        ("flows", f"{output.tilde(flows)}  (`ccproxy flows list`)" if settings.flows.enabled else "not recorded"),
        ("inspector", inspector or "none"),
    ]
    output.say(f"ccproxy {__version__} is ready" + (f", pid {pid}" if pid else ""))
    for name, value in lines:
        output.say(f"  {name:<14} {printable(value)}")
    output.say("Point a client at it:")
    output.say("  ccproxy run -- claude")
    output.say(f"  export ANTHROPIC_BASE_URL={url} OPENAI_BASE_URL={url}/v1 GOOGLE_GEMINI_BASE_URL={url}")
    for warning in config.warnings:
        output.note(f"warning: {printable(warning)}")
    if settings.inspector.keylog:
        output.shout(
            f"the keys of every connection are written to {output.tilde(state_dir() / 'keylog')} (inspector.keylog)"
        )
    for name, provider in settings.providers.items():
        if not provider.verify:
            output.shout(
                f"the TLS certificate of provider {printable(name)} is NOT VERIFIED (verify: false): whoever "
                "stands between sees its credential and every request"
            )


def is_any(url: str) -> bool:
    """Whether a URL names every address of the machine, which is none to go to."""
    return url.startswith(("http://0.0.0.0:", "http://[::]:"))


def _warn(config: LoadedConfig) -> None:
    """Says what the proxy has found wrong with its providers, if it finds out soon; in the foreground its log does."""
    host = target.connect_host(config.settings.host)
    end = time.monotonic() + _FIRST_LOOK
    while True:
        report = target.ask(target.Target(host, config.settings.port)).report
        if report.get("checked") or time.monotonic() > end:
            break
        time.sleep(0.02)
    for line in status.troubles(report):
        output.note(f"warning: {printable(line)}")


def _inspector(config: LoadedConfig) -> str:
    """The address that logs a browser in to the inspector of a proxy that has just started in the background; "" if it has
    none, with a word if it was to have one."""
    settings = config.settings
    if settings.inspector.port is None:
        return ""
    health = target.ask(target.Target(target.connect_host(settings.host), settings.port))
    try:
        return target.inspector_login(health)
    except CommandError as error:
        output.note(f"warning: {printable(error.message)}")
        return ""


def _detach(ctx: CliContext, overrides: Overrides, config: LoadedConfig) -> int:
    """Starts the proxy in the background and returns the exit code of its start."""
    place = ["--config", str(ctx.config_path.absolute())] if ctx.config_path is not None else []
    log = runfile.log_file_of(config.settings.port)
    try:
        child, urls = launch.launch([*place, "start", *overrides.arguments()], os.environ)
    except launch.Ended as error:
        return error.exit_code  # its own message is on the terminal already
    except CommandError as error:
        raise CommandError(error.message, hint=f"its log is {output.tilde(log)}") from None
    greet(urls, config, log, _inspector(config), pid=child.pid)
    _warn(config)
    child.returncode = 0  # it goes on without us: there is nothing to wait for
    return 0
