"""Which proxy a command is about, and what it says of itself.

A command that talks to a running proxy takes, in this order: the port it was told (`--port`), the configured port, and
otherwise the only proxy of this state directory that runs. So a proxy started with `--port 5000` is found without
repeating it, and one whose configuration file has since become invalid can still be asked and stopped.
"""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass
from typing import Any

from ccproxy.cli import runfile
from ccproxy.cli.context import CliContext
from ccproxy.cli.runfile import RunFile
from ccproxy.errors import CommandError, ConfigError

HEALTH_SECONDS = 3.0
MAX_HEALTH_BYTES = 1024 * 1024


def connect_host(host: str) -> str:
    """The address at which a listener bound to `host` is reached from this machine."""
    return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "localhost": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


@dataclass(frozen=True, slots=True)
class Target:
    """A proxy that may or may not run. `run` is its run file while its process lives."""

    host: str
    port: int
    run: RunFile | None = None

    @property
    def url(self) -> str:
        """Its base URL, without a path and without a final slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Health:
    """What answers at a target.

    Attributes:
        up: a ccproxy answers there.
        report: the JSON object of `/health`; empty if not up, or if it gives this machine no report.
        problem: why it is not up, or why there is no report.
    """

    up: bool
    report: dict[str, Any]
    problem: str = ""


def find(ctx: CliContext, port: int | None = None) -> Target:
    """The proxy a command is about.

    Args:
        port: what `--port` said.

    Raises CommandError if several run and nothing says which; ConfigError if none runs and the configuration, which
    would say where one belongs, is invalid.
    """
    running = {run.port: run for run in runfile.live()}
    if port is not None:
        return _running(running[port]) if port in running else Target("127.0.0.1", port)
    try:
        settings = ctx.load().settings
    except ConfigError:
        if not running:
            raise
    else:
        if settings.port in running:
            return _running(running[settings.port])
        if not running:
            return Target(connect_host(settings.host), settings.port)
    if len(running) > 1:
        ports = ", ".join(str(number) for number in running)
        raise CommandError(f"several proxies run, on the ports {ports}", hint="say which with --port")
    return _running(next(iter(running.values())))


def ask(target: Target) -> Health:
    """Asks the target for its `/health`. Never raises."""
    connection = http.client.HTTPConnection(target.host, target.port, timeout=HEALTH_SECONDS)
    try:
        connection.request("GET", "/health", headers={"Accept": "application/json"})
        answer = connection.getresponse()
        body = answer.read(MAX_HEALTH_BYTES)
    except ConnectionRefusedError:
        return Health(False, {}, f"nothing listens on {target.url}")
    except TimeoutError:
        return Health(False, {}, f"{target.url} does not answer within {HEALTH_SECONDS:g} seconds")
    except (OSError, http.client.HTTPException) as error:
        return Health(False, {}, f"{target.url} does not answer: {error}")
    finally:
        connection.close()
    report = _object(body)
    if "status" in report and "version" in report:
        return Health(True, report)
    if target.run is not None:
        return Health(True, {}, f"{target.url}/health answered {answer.status}")
    return Health(False, {}, f"{target.url} is answered by something that is not ccproxy")


def _running(run: RunFile) -> Target:
    return Target(connect_host(run.host), run.port, run)


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def active_exchanges(health: Health) -> int:
    """How many exchanges run, as far as the report says."""
    exchanges = health.report.get("exchanges")
    active = exchanges.get("active") if isinstance(exchanges, dict) else None
    return active if isinstance(active, int) else 0


def inspector_report(health: Health) -> dict[str, Any]:
    """What the proxy says of its inspector: `up`, `url`, `problem`."""
    report = health.report.get("inspector")
    return report if isinstance(report, dict) else {}


def inspector_login(health: Health) -> str:
    """An address that logs a browser in to the inspector, once and for the next five minutes.

    Raises CommandError if there is no inspector, or if its key cannot be read.
    """
    from ccproxy.inspector.access import key_path, login_url

    if not health.up:
        raise CommandError(f"the proxy is down: {health.problem}", hint="start it: ccproxy start")
    report = inspector_report(health)
    url = report.get("url")
    if not isinstance(url, str) or not url:
        raise CommandError(f"no inspector: {report.get('problem') or 'the proxy does not say where it is'}")
    try:
        key = key_path().read_bytes()
    except OSError as error:
        raise CommandError(
            f"cannot read {key_path()}: {error.strerror}", hint="it belongs to who runs the proxy"
        ) from None
    return login_url(url, key, time.time())
