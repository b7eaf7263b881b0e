"""Take a short tour: a real proxy, one request of each dialect, and what was recorded.

Nothing of the user's is touched: the proxy runs in a process of its own with a temporary configuration, state and port,
and knows the demo provider only, so nothing leaves the machine. It is stopped before its store is read, as any proxy is
when its flows are looked at later.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ccproxy.cli import launch, output, tour
from ccproxy.cli.tour import Seen, Stop
from ccproxy.errors import CommandError
from ccproxy.telemetry.text import printable

STOP_SECONDS = 20.0
CONFIG = """\
ccproxy:
  providers:
    demo:
      type: demo
  inspector: {port: null}
  gateway:
    drain_seconds: 1
    default_upstreams: {anthropic: null, openai: null, gemini: null, codex: null, code_assist: null}
"""


@click.command()
def command() -> None:
    """Take a short tour: a proxy of its own, a request in each dialect, and the flows it recorded.

    Needs no account, no network and no configuration, and leaves nothing behind.
    """
    with tempfile.TemporaryDirectory(prefix="ccproxy-demo-", ignore_cleanup_errors=True) as folder:
        directory = Path(folder)
        with _proxy(directory) as url:
            output.say(f"A proxy is listening on {url}, with a temporary configuration and the demo provider alone.")
            output.say(f"The key {tour.KEY} is no secret: it selects the provider called demo.")
            for number, stop in enumerate(tour.STOPS, 1):
                _heading(f"{number}. {stop.title}")
                seen = tour.visit(stop, url)
                _show(stop, seen)
                if seen.status != 200 or not seen.flow or not tour.said(stop, seen.body):
                    raise CommandError(
                        f"the answer to {stop.title} is not what it should be", hint="please report this"
                    )
        _recorded(directory / "state" / "flows.db")
    _heading("By yourself")
    output.say("  ccproxy init            write a configuration; the demo provider is in it")
    output.say("  ccproxy start           start the proxy")
    output.say("  ccproxy run -- claude   run a client through it")
    output.say("  ccproxy flows list      see what went through")
    output.say("or by hand:")
    output.say(f"  {tour.STOPS[0].curl('http://127.0.0.1:4000')}")


@contextmanager
def _proxy(directory: Path) -> Iterator[str]:
    """A proxy with everything in `directory`; its URL. It has ended, and written its flows, when the block is left."""
    (directory / "ccproxy.yaml").write_text(CONFIG, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CCPROXY_")}
    child, urls = launch.launch(
        ["start", "--host", "127.0.0.1", "--port", str(_free_port())],
        kept | {"CCPROXY_CONFIG_DIR": str(directory)},
    )
    try:
        yield urls[0]
    finally:
        child.terminate()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _heading(text: str) -> None:
    output.say()
    output.say(click.style(text, bold=True) if output.colour() else text)


def _show(stop: Stop, seen: Seen) -> None:
    sent = ", ".join(f"{name}: {value}" for name, value in stop.headers.items() if name != "content-type")
    output.say(f"  in   POST {stop.target}  ({sent})")
    output.say(f"         {json.dumps(stop.body)}")
    output.say(f"  out  {seen.status}, {seen.whole * 1000:.0f} ms, flow {printable(seen.flow)}")
    if not stop.text:
        output.say(
            f"         {len(tour.events(seen.body))} events, the first after {seen.first * 1000:.0f} ms, each passed on "
            "as it came"
        )
    output.say(f"         {printable(tour.said(stop, seen.body) or seen.body[:500].decode('utf-8', 'replace'))}")


def _recorded(store: Path) -> None:
    """The flows, and the first of them whole."""
    from ccproxy.flows import page, table
    from ccproxy.flows.reader import Reader
    from ccproxy.flows.views import flow_json
    from ccproxy.util.clock import SystemClock

    now = SystemClock().wall()
    with Reader(store) as reader:
        flows = list(reader.summaries())
        first = reader.get(flows[0].id) if flows else None
    if first is None:
        raise CommandError("no flow was recorded", hint="please report this")
    _heading("Recorded: ccproxy flows list")
    lines = table.rows([flow_json(flow) for flow in flows])
    if output.terminal():
        table.show(lines, now=now, colour=output.colour())
    else:
        output.say(table.plain(lines).rstrip("\n"))
    _heading(f"One of them: ccproxy flows show {first.id}")
    output.say(page.render(first, now=now).rstrip("\n"))
