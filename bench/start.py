"""What a person waits for: the server to be ready, `--help`, and the list of a thousand flows."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench import processes
from bench.processes import BenchError, Server
from bench.world import Row, Sample, World

_READY_SECONDS = 0.6
_HELP_SECONDS = 0.15
_LIST_SECONDS = 0.3


def command(*arguments: str) -> list[str]:
    """A command line of ccproxy, by the script a user would call if it is installed."""
    script = Path(sys.executable).with_name("ccproxy")
    return [
        str(script) if script.exists() else sys.executable,
        *([] if script.exists() else ["-m", "ccproxy"]),
        *arguments,
    ]


def timed(line: list[str], home: Path, extra: dict[str, str]) -> float:
    """Wall seconds of a command line."""
    started = time.monotonic()
    ended = subprocess.run(
        line,
        check=False,
        env=processes.environment(home) | extra,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    seconds = time.monotonic() - started
    if ended.returncode != 0 or not ended.stdout:
        raise BenchError(f"{' '.join(line[1:])} ended with {ended.returncode}: {ended.stderr.decode()[-500:]}")
    return seconds


def row(figure: str, seconds: list[float], limit: float | None, **others: Sample) -> Row:
    """A line for something that a person waits for.

    Args:
        limit: the budget in seconds, or None if there is none.
    """
    sample = Sample(tuple(value * 1e3 for value in seconds))
    verdict, budget, kept = f"{sample.median:.0f} ms", "", None
    if limit is not None:
        budget, kept = f"<= {limit * 1e3:.0f} ms", sample.median <= limit * 1e3
    return Row(figure, "ms", {**others, "ccproxy": sample}, verdict, budget, kept)


def start(world: World) -> list[Row]:
    """Wall time to ready, of `--help`, and of `flows list`."""

    def starts(begin: Callable[[], Server]) -> list[float]:
        found = []
        for _ in range(world.size.starts):
            with begin() as server:
                found.append(server.seconds_to_ready)
        return found

    bare = starts(lambda: processes.start_relay(world.base, world.upstream.port))
    ready = starts(world.fresh_ccproxy)
    relay = Sample(tuple(value * 1e3 for value in bare))
    rows = [row("time to ready", ready, _READY_SECONDS, **{"uvicorn+aiohttp": relay})]

    with world.fresh_ccproxy() as server:
        world.client.send(server, world.size.flows, 16)
        extra = {"CCPROXY_CONFIG_DIR": str(server.home)}
        repeats = range(world.size.starts + 1)
        # The first of each warms the file cache.
        helps = [timed(command("--help"), server.home, extra) for _ in repeats][1:]
        lists = [timed(command("flows", "list"), server.home, extra) for _ in repeats][1:]
    rows.append(row("ccproxy --help", helps, _HELP_SECONDS))
    rows.append(row(f"flows list, {world.size.flows} flows", lists, _LIST_SECONDS))
    return rows
