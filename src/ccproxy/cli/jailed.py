"""`ccproxy run --inspect`: what the command line adds to `jail/launch.py`: choices, the environment, and the summary."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from ccproxy.cli import output, target
from ccproxy.cli.context import CliContext
from ccproxy.errors import CommandError, StoreError
from ccproxy.jail import advice
from ccproxy.jail.namespace import EXIT_SETUP
from ccproxy.telemetry.text import printable

#: Variables that name a proxy for everything, in both cases.
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY", "WS_PROXY", "WSS_PROXY")
#: Variables that name where one client finds its provider.
_BASE_URLS = (
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_API_BASE",
    "OPENAI_BASE_URL",
    "OPENAI_API_BASE",
    "GOOGLE_GEMINI_BASE_URL",
    "GOOGLE_VERTEX_BASE_URL",
    "CODE_ASSIST_ENDPOINT",
)
_MOST_HOSTS = 6


@dataclass(frozen=True, slots=True)
class Choices:
    """What the command line says about the jail."""

    allow: tuple[str, ...]
    deny: tuple[str, ...]
    engine: str | None
    no_proxy_env: bool
    quiet: bool


def run(
    ctx: CliContext,
    words: Sequence[str],
    choices: Choices,
    replace_process: Callable[[Sequence[str], Mapping[str, str]], NoReturn],
) -> NoReturn:
    """Runs a command in a jail and ends as it ends. Raises CommandError with 125 if there could be no jail."""
    refuse_without(advice.missing(), words)
    settings = ctx.load().settings
    found = target.find(ctx)
    health = target.ask(found)
    if not health.up:
        raise CommandError(
            f"the proxy is down, {words[0]} was not started: {health.problem}",
            hint="start it with `ccproxy start --detach`",
            exit_code=EXIT_SETUP,
        )
    # Imported here: the cryptography of the tunnel is of no use for `--help`.
    from ccproxy.jail import launch
    from ccproxy.jail.protocol import socket_path
    from ccproxy.util.paths import state_dir

    environment = _environment(os.environ, choices)
    identity = secrets.token_hex(4)
    terminal = launch.Terminal()
    order = launch.Order(
        run=identity,
        command=tuple(words),
        environment=environment,
        control=socket_path(found.port),
        engine=launch.choose_engine(choices.engine or settings.jail.engine),
        redirect_ports=tuple(dict.fromkeys((80, 443, *settings.jail.redirect_ports))),
        own_bundle=state_dir() / "jail" / "ca-bundle.pem",
        fallback=certifi_bundle(),
        main=lambda final: replace_process(words, final),
        allow=choices.allow,
        deny=choices.deny,
        note=output.note,
    )
    try:
        ending = launch.run(order)
    except launch.StepError as error:
        other = f"`ccproxy run -- {words[0]}` needs no jail"
        raise CommandError(
            error.message, hint="; ".join(filter(None, (error.hint, other))), exit_code=EXIT_SETUP
        ) from None
    terminal.take_back()
    if not choices.quiet and settings.flows.enabled:
        _summarise(ctx, identity)
    sys.stdout.flush()
    sys.stderr.flush()
    launch.end_like(ending.status)


def refuse_without(lacks: Sequence[str], words: Sequence[str]) -> None:
    """Raises CommandError if a jail needs what this machine lacks."""
    if lacks:
        raise CommandError(
            f"no jail can be made here, {words[0]} was not started; missing: {', '.join(lacks)}",
            hint=advice.alternative(words[0]),
            exit_code=EXIT_SETUP,
        )


def _environment(environment: Mapping[str, str], choices: Choices) -> dict[str, str]:
    """The environment without what cannot work in a jail: proxies, and base URLs on this machine's loopback. With
    --no-proxy-env without any base URL."""
    kept = dict(environment)
    proxies = [name for name in (*_PROXIES, *(name.lower() for name in _PROXIES)) if kept.get(name)]
    urls = [name for name in _BASE_URLS if choices.no_proxy_env or _on_loopback(kept.get(name, ""))]
    dropped = [name for name in (*proxies, *urls) if kept.pop(name, "")]
    if dropped and not choices.no_proxy_env and not choices.quiet:
        output.note(f"left out, since everything goes through the jail's own way: {', '.join(dropped)}")
    return kept


def _on_loopback(value: str) -> bool:
    text = value if "://" in value else f"//{value}"
    try:
        host = urlsplit(text).hostname or ""
    except ValueError:
        return False
    return host in {"localhost", "::1"} or host.startswith("127.") or host.endswith(".localhost")


def certifi_bundle() -> bytes:
    """The authorities that Python's clients bring along."""
    import certifi

    return Path(certifi.where()).read_bytes()


def _summarise(ctx: CliContext, identity: str) -> None:
    """What the run did, on stderr."""
    from ccproxy.flows.open import open_reader
    from ccproxy.flows.store import store_place
    from ccproxy.flows.text import dollars, short

    try:
        with open_reader(store_place(ctx.load().settings.flows)) as reader:
            totals = reader.totals(identity)
    except StoreError as error:
        output.note(f"run {identity}: {error}")
        return
    hosts = ", ".join(f"{printable(host)} {count}" for host, count in totals.hosts[:_MOST_HOSTS])
    more = len(totals.hosts) - _MOST_HOSTS
    parts = [f"{totals.flows} request{'s' if totals.flows != 1 else ''}"]
    if totals.failed:
        parts.append(f"{totals.failed} failed or refused")
    if totals.input or totals.output:
        parts.append(f"{short(totals.input)} → {short(totals.output)} tokens")
    if totals.cost or totals.unpriced:
        unknown = f"cost unknown for {totals.unpriced}" if totals.unpriced else ""
        parts.append(", ".join(part for part in (dollars(totals.cost) if totals.cost else "", unknown) if part))
    if hosts:
        parts.append(hosts + (f" and {more} more" if more > 0 else ""))
    output.note(f"run {identity}: {'; '.join(parts)}")
