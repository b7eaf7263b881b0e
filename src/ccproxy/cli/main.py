"""The `ccproxy` command: finds the commands, runs one, and turns every failure into one line and an exit code.

Commands are the modules in `cli/commands/`; adding one is adding a file there. Only the invoked command's module is
imported.

`main` is the error boundary. Exit codes: 0 done, 1 the command could not be carried out, 2 wrong usage or
configuration, 70 a bug of ccproxy (the traceback goes to a file, or to stderr with `CCPROXY_DEBUG=1`), 130 interrupted.
Commands document their own beyond these.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from ccproxy import __version__
from ccproxy.cli.context import CliContext
from ccproxy.cli.lazy import LazyGroup
from ccproxy.errors import CCProxyError, CommandError, ConfigError

EXIT_USAGE = 2
EXIT_BUG = 70
EXIT_INTERRUPTED = 130


@click.group(
    name="ccproxy",
    cls=LazyGroup,
    package="ccproxy.cli.commands",
    directory=Path(__file__).parent / "commands",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`ccproxy COMMAND --help` says more about a command. Start with `ccproxy demo`, or `ccproxy init` and "
    "`ccproxy start`.",
)
@click.option(
    "--config",
    "config_path",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="The configuration file. Default: ccproxy.yaml in $CCPROXY_CONFIG_DIR, else in ~/.config/ccproxy.",
)
@click.version_option(__version__, prog_name="ccproxy", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, config_path: Path | None) -> None:
    """See, route and explain every call between LLM clients and LLM providers."""
    ctx.obj = CliContext(config_path)
    if os.environ.get("NO_COLOR"):
        ctx.color = False


def _say(text: str) -> None:
    click.echo(text, err=True)


def _line(error: CCProxyError) -> str:
    # A configuration error may have several lines; each of them is complete as it stands.
    return "\n".join(f"ccproxy: {line}" for line in str(error).splitlines())


def _usage(error: click.UsageError) -> str:
    path = error.ctx.command_path if error.ctx else "ccproxy"
    return f"ccproxy: {error.format_message().rstrip('.')} (see `{path} --help`)"


def _crashed(error: Exception) -> None:
    import logging

    from ccproxy.telemetry import crash

    if os.environ.get("CCPROXY_DEBUG"):
        _say(crash.render(error))
        where = "traceback above"
    elif (path := crash.record(error)) is not None:
        where = f"traceback in {path}"
    else:
        where = "set CCPROXY_DEBUG=1 to see the traceback"
    line = f"internal error: {crash.summary(error)} ({where})"
    if logging.getLogger().handlers:  # of a proxy, whose stderr may be nobody's
        logging.getLogger("ccproxy").critical("%s", line)
    _say(f"ccproxy: {line}")


def _silence_stdout() -> None:
    """After the reader of a pipe has gone: what is still buffered goes nowhere, so that the exit is quiet."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def run(args: Sequence[str] | None = None, group: click.Group = cli) -> int:
    """Runs one command line (default: the process's own) and returns the exit code. Raises nothing but SystemExit."""
    try:
        result: Any = group.main(args, prog_name="ccproxy", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return EXIT_USAGE
    except click.UsageError as error:
        _say(_usage(error))
        return EXIT_USAGE
    except click.ClickException as error:
        _say(f"ccproxy: {error.format_message()}")
        return error.exit_code
    except click.Abort as error:
        if isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
            return EXIT_INTERRUPTED
        _say("ccproxy: nothing done")
        return 1
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except ConfigError as error:
        _say(_line(error))
        return EXIT_USAGE
    except CommandError as error:
        _say(_line(error))
        return error.exit_code
    except CCProxyError as error:
        _say(_line(error))
        return 1
    except BrokenPipeError:
        _silence_stdout()
        return 1
    except OSError as error:
        if error.filename is None:
            _crashed(error)
            return EXIT_BUG
        # The machine said no (permission, disk, a missing directory): for the user to mend, not a bug.
        _say(f"ccproxy: {error.filename}: {error.strerror}")
        return 1
    except Exception as error:  # noqa: BLE001 - the boundary of the command line
        _crashed(error)
        return EXIT_BUG
    return result if isinstance(result, int) else 0


def main(args: Sequence[str] | None = None) -> NoReturn:
    """The entry point of the `ccproxy` script."""
    sys.exit(run(args))
