"""Look at the jail of `run --inspect`: whether it works here, who is in one, how to let a phone in.

`doctor` takes the real steps in a child (`jail/doctor.py`); `status` and `wireguard-config` ask the running proxy over
its control socket.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ccproxy.cli import output, target
from ccproxy.cli.context import CliContext
from ccproxy.errors import CommandError
from ccproxy.jail import advice

if TYPE_CHECKING:
    from ccproxy.jail.protocol import Status

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def command() -> None:
    """Look at the jail of `ccproxy run --inspect`."""


@command.command()
@_json_option
@click.pass_obj
def status(ctx: CliContext, as_json: bool) -> int:
    """Show the interceptor and the jails that run.

    \b
    Exit codes: 0 the proxy runs; 1 it does not.
    """
    _check_platform()
    from ccproxy.jail import launch

    engine = launch.choose_engine(ctx.load().settings.jail.engine)
    state, problem = _state(ctx)
    if as_json:
        import msgspec

        document = msgspec.to_builtins(state) if state is not None else None
        output.print_json({"engine": engine, "proxy": state is not None, "problem": problem, "interceptor": document})
        return 0 if state is not None else 1
    output.say(f"engine       {engine}")
    if state is None:
        output.say(f"interceptor  down: {problem}")
        return 1
    output.say(
        f"interceptor  {f'runs, pid {state.pid}' if state.pid else state.problem or 'starts with the first jail'}"
    )
    if state.http_proxy:
        output.say(f"http proxy   {state.http_proxy}")
    if state.authority:
        output.say(f"authority    {output.tilde(state.authority)}")
    output.say(f"jails        {len(state.jails) or 'none'}")
    if state.jails:
        now = time.time()
        rows = [
            (jail.run, jail.engine, f"{now - jail.started:.0f} s", jail.pid, " ".join(jail.command))
            for jail in state.jails
        ]
        output.print_table(("Run", "Engine", "Age", "Pid", "Command"), rows)
    return 0


@command.command()
@_json_option
@click.option("--engine", type=click.Choice(["auto", "tun", "redirect"]), help="Instead of jail.engine.")
@click.pass_obj
def doctor(ctx: CliContext, as_json: bool, engine: str | None) -> int:
    """Take every step of making a jail, and tell the first that fails and what to do about it.

    Needs no network beyond this machine. With a running proxy the way out is tried too.

    \b
    Exit codes: 0 a jail can be made here; 1 it cannot.
    """
    if lacks := advice.missing():
        return say_missing(lacks, as_json=as_json)
    from ccproxy.cli.jailed import certifi_bundle
    from ccproxy.jail.doctor import Patient, examine
    from ccproxy.jail.protocol import socket_path
    from ccproxy.util.paths import state_dir

    found = target.find(ctx)
    report = examine(
        Patient(
            preference=engine or ctx.load().settings.jail.engine,
            control=socket_path(found.port) if target.ask(found).up else None,
            environment=os.environ,
            own_bundle=state_dir() / "jail" / "ca-bundle.pem",
            fallback=certifi_bundle(),
        )
    )
    if as_json:
        output.print_json(report.document())
        return 0 if report.ok else 1
    output.say(f"engine {report.engine}")
    for check in report.checks:
        mark = "ok  " if check.ok else "skip" if check.skipped else "warn" if check.optional else "FAIL"
        output.say(f"{mark}  {check.name:<16} {check.detail}".rstrip())
        if check.fix and not check.ok:
            output.say(f"      {'':<16} {check.fix}")
    return 0 if report.ok else 1


@command.command("apparmor-profile")
def apparmor_profile() -> None:
    """Print an AppArmor profile with which a jail can be made on Ubuntu 23.10 and later.

    It allows user namespaces to the interpreter that runs ccproxy, and so to whatever else that interpreter runs.

    \b
    ccproxy namespace apparmor-profile | sudo tee /etc/apparmor.d/ccproxy
    sudo apparmor_parser -r /etc/apparmor.d/ccproxy
    """
    output.say(advice.apparmor_profile().rstrip())


@command.command("wireguard-config")
@click.pass_obj
def wireguard_config(ctx: CliContext) -> None:
    """Print the WireGuard configuration for a phone or a virtual machine.

    Needs `interceptor.wireguard.listen`. What is printed holds a private key: whoever has it can use the proxy. The
    client has to trust the proxy's authority, `mitmproxy-ca-cert.pem` in the configuration directory.
    """
    state, problem = _state(ctx)
    if state is None:
        raise CommandError(f"the proxy is down: {problem}", hint="start it with `ccproxy start --detach`")
    if not state.wireguard:
        raise CommandError(
            state.problem or "there is no endpoint for clients beyond this machine",
            hint="set interceptor.wireguard.listen to the address it shall listen on, and restart the proxy",
        )
    output.say(state.wireguard.rstrip())


def _state(ctx: CliContext) -> tuple[Status | None, str]:
    """What the running proxy says, or why it says nothing."""
    from ccproxy.jail import launch, protocol

    found = target.find(ctx)
    path: Path = protocol.socket_path(found.port)
    health = target.ask(found)
    if not health.up:
        return None, health.problem
    try:
        return launch.ask_status(path), ""
    except OSError as error:
        return None, f"{path}: {error.strerror or error}"


def say_missing(lacks: Sequence[str], *, as_json: bool) -> int:
    """The doctor's report where there is no point in trying. Returns its exit code."""
    detail, fix = f"missing: {', '.join(lacks)}", advice.alternative("COMMAND")
    if as_json:
        check = {"name": "kernel", "ok": False, "skipped": False, "optional": False, "errno": 0}
        output.print_json({"ok": False, "engine": None, "checks": [{**check, "detail": detail, "fix": fix}]})
    else:
        output.say(f"FAIL  {'kernel':<16} {detail}")
        output.say(f"      {'':<16} {fix}")
    return 1


def _check_platform() -> None:
    if lacks := advice.missing():
        raise CommandError(f"no jail can be made here: missing: {', '.join(lacks)}", hint=advice.alternative("COMMAND"))
