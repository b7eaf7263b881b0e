"""What the jail of `run --inspect` costs: until its command runs, for a small request, and in bulk, against no jail.

Measured in the world that the jail's tests make (`tests/jail/world.py`): a network namespace with a TLS server on an
address of its own, as an unprivileged user. The chain is the whole one: jail, tunnel, TLS opened by the interceptor, TLS
to the server, recording on; the same client on the same machine without a jail is what it is held against.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.processes import BenchError
from bench.world import Row, Sample, World, ratio

_START_SECONDS = 0.6
_ROOT = Path(__file__).resolve().parent.parent
_CLIENT = "jail_client.py"
_RUN = ("-P", "-m", "ccproxy", "run")
#: Ways of running the client, by the name of the column.
_WAYS: dict[str, tuple[str, ...]] = {
    "direct": (),
    "tun": (*_RUN, "--inspect", "--quiet", "--engine", "tun", "--"),
    "redirect": (*_RUN, "--inspect", "--quiet", "--engine", "redirect", "--"),
}


def jail(world: World) -> list[Row]:
    """Start-up, latency and bulk, each in interleaved rounds."""
    if sys.platform != "linux":
        print("bench: jail: left out, it needs Linux", file=sys.stderr)
        return []
    sys.path.insert(0, str(_ROOT / "tests"))
    with import_module("jail.world").World() as place:
        client = place.directory / _CLIENT
        client.write_bytes((_ROOT / "bench" / _CLIENT).read_bytes())
        place.proxy("user", port=4100)
        _run(place, "-P", "-m", "ccproxy", "namespace", "doctor")
        return [_start(world, place, client), *_traffic(world, place, client)]


def _run(place: Any, *words: object) -> str:
    """What somebody in that world prints."""
    trust = {"SSL_CERT_FILE": str(place.certificates.ca)}
    done: subprocess.CompletedProcess[str] = place.run("user", place.python, *words, env=trust)
    if done.returncode:
        raise BenchError(f"{words} ended with {done.returncode}: {(done.stdout + done.stderr)[-500:]}")
    return done.stdout


def _start(world: World, place: Any, client: Path) -> Row:
    ways = {"direct": (*_RUN, "--"), **{name: way for name, way in _WAYS.items() if way}}
    values: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(world.size.starts + 1):
        for name, way in ways.items():
            (seconds,) = json.loads(_run(place, client, "start", 1, place.python, *way, "true"))["start"]
            if turn:  # the first warms the file cache, and starts the interceptor
                values[name].append(seconds * 1e3)
    samples = {name: Sample(tuple(found)) for name, found in values.items()}
    slowest = max(samples["tun"].median, samples["redirect"].median)
    verdict = f"{slowest:.0f} ms; {ratio(samples, 'tun', 'direct'):.1f} × `run` without a jail"
    kept = slowest <= _START_SECONDS * 1e3
    return Row("jail: `run -- true`", "ms", samples, verdict, f"<= {_START_SECONDS * 1e3:.0f} ms", kept)


def _traffic(world: World, place: Any, client: Path) -> list[Row]:
    size = world.size
    found: dict[str, dict[str, list[float]]] = {name: {way: [] for way in _WAYS} for name in ("small", "down", "up")}
    for turn in range(size.rounds):
        order = list(_WAYS)
        for way in order[turn % len(order) :] + order[: turn % len(order)]:
            said = json.loads(
                _run(place, *_WAYS[way], *([place.python] if _WAYS[way] else []), client, "traffic",
                     size.jail_requests, size.jail_megabytes)
            )  # fmt: skip
            found["small"][way].append(statistics.median(said["small"]) * 1e3)
            for bulk in ("down", "up"):
                found[bulk][way].append(size.jail_megabytes / said[bulk])
    rows = []
    for name, figure, unit in (
        ("small", "jail: small request, kept connection", "ms"),
        ("down", "jail: download", "MB/s"),
        ("up", "jail: upload", "MB/s"),
    ):
        samples = {way: Sample(tuple(values)) for way, values in found[name].items()}
        tun, redirect = (ratio(samples, way, "direct") for way in ("tun", "redirect"))
        rows.append(Row(figure, unit, samples, f"tun {tun:.2g} ×, redirect {redirect:.2g} × direct"))
    return rows
