"""Show whether the proxy runs and what it does.

What runs is asked for, not guessed: `/health` of the listener, and the run file for what an unanswering process was.
The exit code is a bit mask over the services asked about, for scripts and for `until ccproxy status --proxy; do ...`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from ccproxy.cli import output, target
from ccproxy.cli.context import CliContext
from ccproxy.cli.target import Health, Target
from ccproxy.telemetry.text import printable

PROXY, INSPECTOR, MCP = 1, 2, 4
ABSENT = "not part of this version"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--proxy", is_flag=True, help="Ask about the proxy: exit code 1 if it is down.")
@click.option("--inspect", is_flag=True, help="Ask about the inspector: exit code 2 if it is down.")
@click.option("--mcp", is_flag=True, help="Ask about the MCP endpoint: exit code 4 if it is down.")
@click.option("--mermaid", is_flag=True, help="Draw the hooks of both stages as a Mermaid flowchart, and nothing else.")
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="Port of the proxy, if several run.")
@click.pass_obj
def command(
    ctx: CliContext, *, as_json: bool, proxy: bool, inspect: bool, mcp: bool, mermaid: bool, port: int | None
) -> int:
    """Show whether the proxy runs, what it serves and what it has recorded.

    \b
    Exit codes: the sum of what is down among the services asked about:
      1 proxy, 2 inspector, 4 MCP endpoint
    so `ccproxy status --proxy --inspect` ends with 3 if both are down. Without
    these options everything is shown, and 0 means that the proxy runs, 1 that
    it does not. The MCP endpoint is not part of this version: it is always
    down.
    """
    if mermaid:
        _draw(ctx)
        return 0
    found = target.find(ctx, port)
    health = target.ask(found)
    asked = (PROXY if proxy else 0) | (INSPECTOR if inspect else 0) | (MCP if mcp else 0)
    shown = asked or PROXY | INSPECTOR | MCP
    inspecting = bool(target.inspector_report(health).get("up"))
    down = (0 if health.up else PROXY) | (0 if inspecting else INSPECTOR) | MCP
    if as_json:
        output.print_json(_document(found, health, shown))
    else:
        _print(found, health, shown)
    return down & (asked or PROXY)


def _draw(ctx: CliContext) -> None:
    """Draws the hooks that the configuration has. Raises ConfigError."""
    from ccproxy.cli.commands.hooks import load_pipelines
    from ccproxy.pipeline.graph import mermaid

    pipelines = load_pipelines(ctx)
    click.echo(mermaid(pipelines.inbound.graph, pipelines.outbound.graph), nl=False)


def _document(found: Target, health: Health, shown: int) -> dict[str, Any]:
    services: dict[str, Any] = {}
    if shown & PROXY:
        services["proxy"] = {
            "up": health.up,
            "url": found.url,
            "problem": health.problem or None,
            "health": health.report or None,
            "run": asdict(found.run) if found.run else None,
        }
    if shown & INSPECTOR:
        up, url, problem = _inspector(health)
        services["inspector"] = {"up": up, "url": url or None, "problem": problem or None}
    if shown & MCP:
        services["mcp"] = {"up": False, "problem": ABSENT}
    return services


def _inspector(health: Health) -> tuple[bool, str, str]:
    """Whether the inspector is up, where it is, and why it is not up."""
    report = target.inspector_report(health)
    url, up = str(report.get("url") or ""), bool(report.get("up"))
    if up:
        return True, url, ""
    unsaid = "it is starting" if url else "the proxy says nothing of it" if health.up else "the proxy is down"
    return False, url, str(report.get("problem") or unsaid)


def _print(found: Target, health: Health, shown: int) -> None:
    lines: list[tuple[str, str]] = []
    if shown & PROXY:
        lines += _proxy_lines(found, health)
    if shown & INSPECTOR:
        up, url, problem = _inspector(health)
        lines.append(("inspector", f"up, {url} (`ccproxy inspector` logs you in)" if up else f"down ({problem})"))
    if shown & MCP:
        lines.append(("mcp", f"down ({ABSENT})"))
    for name, value in lines:
        output.say(f"{name:<14} {printable(value)}")
    providers = _records(health.report.get("providers"))
    if shown & PROXY and providers:
        output.say()
        columns = ("name", "type", "dialect", "url", "auth")
        rows = [[*(provider.get(column) or "-" for column in columns), _expiry(provider)] for provider in providers]
        output.print_table(("provider", *columns[1:], "expires"), rows)
        for line in troubles(health.report):
            output.say(printable(line))


def _proxy_lines(found: Target, health: Health) -> list[tuple[str, str]]:
    if not health.up:
        lines = [("proxy", f"down ({health.problem})")]
        if found.run is not None:
            lines.append(
                ("process", f"pid {found.run.pid} runs but does not answer; its log is {output.tilde(found.run.log)}")
            )
        return lines
    report = health.report
    pid = report.get("pid", found.run.pid if found.run else "?")
    lines = [("proxy", f"up, {found.url}, pid {pid}, version {report.get('version', '?')}, up {_duration(report)}")]
    if health.problem:
        lines.append(("", health.problem))
    exchanges = _record(report.get("exchanges"))
    if exchanges:
        lines.append(
            ("exchanges", f"{exchanges.get('active', '?')} running, {exchanges.get('total', '?')} since the start")
        )
    recording = _record(report.get("recording"))
    if recording:
        state = "on" if recording.get("on") else "off"
        lines.append(("recording", f"{state}: {recording['problem']}" if recording.get("problem") else state))
    hooks = _record(report.get("hooks"))
    stages = [f"{stage} {', '.join(map(str, names))}" for stage, names in hooks.items() if names]
    if stages:
        lines.append(("hooks", "; ".join(stages)))
    configuration = _record(report.get("config"))
    if configuration:
        lines.append(("configuration", output.tilde(str(configuration.get("path") or "none"))))
        if configuration.get("problem"):
            lines.append(("", f"the file as it is now is not in use: {configuration['problem']}"))
    if found.run is not None:
        lines.append(("log", output.tilde(found.run.log)))
    return lines


def _expiry(provider: dict[str, Any]) -> str:
    """When the credentials of a provider expire, in their order."""
    found = [credential.get("expires_in") for credential in _records(provider.get("credentials"))]
    return ", ".join(output.until(seconds) for seconds in found if isinstance(seconds, int | float)) or "-"


def troubles(report: dict[str, Any]) -> list[str]:
    """What a report says is wrong with providers, a line each."""
    return [line for provider in _records(report.get("providers")) for line in _problems(provider)]


def _problems(provider: dict[str, Any]) -> list[str]:
    """What is wrong with a provider, a line each."""
    name = provider.get("name")
    found = [each.get("problem") for each in _records(provider.get("credentials"))] + [provider.get("problem")]
    lines = [f"{name}: {str(problem).removeprefix(f'provider {name!r}: ')}" for problem in found if problem]
    if provider.get("breaker") not in {None, "closed"}:
        lines.append(f"{name}: fails, and is left alone for a while (circuit breaker {provider['breaker']})")
    return lines


def _duration(report: dict[str, Any]) -> str:
    seconds = report.get("uptime_seconds")
    if not isinstance(seconds, int | float):
        return "?"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def _record(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _records(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
