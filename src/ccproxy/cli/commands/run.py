"""Run a command so that its LLM calls go through the proxy: by its environment, or in a jail.

Without a jail ccproxy replaces itself by the command (exec): exit code, signals, terminal and job control are the
command's own, there is nothing in between that could get them wrong. What each client needs is the table in
`cli/clients.py`. The jail is `cli/jailed.py`.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

import click

from ccproxy.cli import clients, output, target
from ccproxy.cli.clients import Offer
from ccproxy.cli.context import CliContext
from ccproxy.errors import CommandError, ConfigError

EXIT_NOT_EXECUTABLE = 126
EXIT_NOT_FOUND = 127


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--inspect", is_flag=True, help="Run in a jail in which everything is intercepted (Linux).")
@click.option(
    "--provider",
    metavar="NAME",
    help="Let the command use this provider: its sentinel key takes the place of every key, yours included.",
)
@click.option(
    "--allow-net",
    "allow",
    metavar="HOST",
    multiple=True,
    help="With --inspect: reach only this host (and the providers). A name, *.DOMAIN, an address or a network; may be repeated.",
)
@click.option("--deny", metavar="HOST", multiple=True, help="With --inspect: do not reach this host; may be repeated.")
@click.option(
    "--engine",
    type=click.Choice(["auto", "tun", "redirect"]),
    help="With --inspect: how traffic leaves the jail, instead of jail.engine.",
)
@click.option(
    "--no-proxy-env",
    is_flag=True,
    help="With --inspect: take every base URL out of CMD's environment, beside proxies and what is on loopback.",
)
@click.option("--quiet", "-q", is_flag=True, help="With --inspect: no summary at the end.")
@click.argument("words", metavar="-- CMD [ARGS]...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def command(
    ctx: CliContext,
    words: tuple[str, ...],
    *,
    inspect: bool,
    provider: str | None,
    allow: tuple[str, ...],
    deny: tuple[str, ...],
    engine: str | None,
    no_proxy_env: bool,
    quiet: bool,
) -> NoReturn:
    """Run CMD with the environment that sends its LLM calls through the running proxy. Everything after CMD is
    CMD's own.

    Base URLs: ANTHROPIC_BASE_URL, ANTHROPIC_API_BASE, OPENAI_BASE_URL and OPENAI_API_BASE (with /v1),
    GOOGLE_GEMINI_BASE_URL, GOOGLE_VERTEX_BASE_URL and CODE_ASSIST_ENDPOINT are set, and loopback is added to NO_PROXY
    and no_proxy. codex, which reads none of them, gets `-c` options; opencode gets them in OPENCODE_CONFIG_CONTENT.

    Keys: yours stay as they are, in variables or as a saved login of the client, and go to the provider unchanged.
    Where you have none, a sentinel key selects the first provider of the proxy that speaks the client's dialect, or
    the demo provider, so that the client starts; what was chosen is said on stderr. With --provider that provider is
    used instead of whatever you have. A command that is no known client (a shell, a script) gets no sentinel key for
    a dialect in which you have a saved login, since it may start that client.

    With --inspect none of that is needed: CMD runs in namespaces whose only way out leads to the proxy, which looks
    into everything, TLS included. It keeps its user, its files and its terminal; what it trusts is extended by the
    proxy's own authority. Requests to providers are treated like all others; the rest goes where it was going, and is
    recorded. `ccproxy namespace doctor` tells whether this machine can do it.

    \b
    Exit codes: those of CMD; 1 the proxy is down, so CMD was not started;
    125 --inspect could make no jail, so CMD was not started;
    126 CMD cannot be executed; 127 CMD was not found.
    """
    if inspect:
        if provider is not None:
            raise click.UsageError("--provider does not go with --inspect: in a jail a client's own key stays")
        from ccproxy.cli import jailed

        jailed.run(ctx, words, jailed.Choices(allow, deny, engine, no_proxy_env, quiet), replace_process)
    if allow or deny or engine or no_proxy_env or quiet:
        raise click.UsageError("--allow-net, --deny, --engine, --no-proxy-env and --quiet go with --inspect")
    found = target.find(ctx)
    health = target.ask(found)
    if not health.up:
        raise CommandError(
            f"the proxy is down, {words[0]} was not started: {health.problem}",
            hint="start it with `ccproxy start --detach`",
        )
    offers = clients.offers(health.report.get("providers"))
    launch = clients.prepare(
        words,
        os.environ,
        base_url=found.url,
        offers=offers,
        client_key=_client_key(ctx),
        forced=_forced(provider, offers),
    )
    for line in launch.notes:
        output.note(line)
    replace_process(launch.words, launch.environment)


def _forced(provider: str | None, offers: Sequence[Offer]) -> str | None:
    if provider is not None and offers and provider not in {offer.name for offer in offers}:
        names = ", ".join(offer.name for offer in offers)
        raise CommandError(f"the proxy has no provider {provider!r}", hint=f"it has: {names}")
    return provider


def _client_key(ctx: CliContext) -> str:
    """A key that the gateway accepts, if it asks for one: who may read the configuration may use it."""
    try:
        keys = ctx.load().settings.gateway.client_keys
    except ConfigError:
        return ""  # the running proxy has loaded an earlier state of the file
    return next(iter(keys.values()), "")


def replace_process(words: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Turns this process into the command. Raises CommandError with 127 or 126, as a shell would, if it cannot."""
    name = words[0]
    path = name if os.sep in name else shutil.which(name, path=environment.get("PATH"))
    if path is None:
        raise CommandError(f"{name}: command not found", exit_code=EXIT_NOT_FOUND)
    sys.stdout.flush()
    sys.stderr.flush()
    # Python ignores these two, and what is ignored stays so across exec: `yes | head` would never end.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        try:
            os.execve(path, list(words), dict(environment))  # noqa: S606
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            # A script without a `#!` line: a shell runs it, as execvp does.
            os.execve("/bin/sh", ["/bin/sh", path, *words[1:]], dict(environment))  # noqa: S606
    except FileNotFoundError:
        what = "its interpreter was not found" if os.path.lexists(path) else "not found"
        raise CommandError(f"{path}: {what}", exit_code=EXIT_NOT_FOUND) from None
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", exit_code=EXIT_NOT_EXECUTABLE) from None
