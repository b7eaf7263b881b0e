"""Hundreds of slow streams at once: how soon each begins, and how long each delta is held up."""

from __future__ import annotations

from bench.load import Outcome
from bench.processes import BenchError, Server
from bench.world import Row, Sample, World

_PER_SECOND = 10
_FIRST_BYTE_SECONDS = 0.2
_DELAY_SECONDS = 0.025


def slow(world: World) -> list[Row]:
    """Streams of 10 deltas a second, all opened at once, against the same without a proxy."""
    size = world.size
    chunks = size.slow_seconds * _PER_SECOND
    target = f"/v1/messages?chunks={chunks}&gap={1 / _PER_SECOND}"

    def send(server: Server) -> Outcome:
        count = size.slow_streams
        outcome = world.client.send(
            server, count, count, kind="stream", target=target, limit=size.slow_seconds * 2 + 30.0
        )
        if outcome.deltas != count * chunks:
            raise BenchError(f"{server.name}: {outcome.deltas} deltas came of {count * chunks}")
        return outcome

    outcomes = {"direct": send(world.upstream)} | {server.name: send(server) for server in world.rivals}
    first = {name: Sample((outcome.first_byte.worst * 1e3,)) for name, outcome in outcomes.items()}
    delays = {name: Sample((outcome.delay.p99 * 1e3,)) for name, outcome in outcomes.items()}
    slowest = outcomes["ccproxy"].first_byte.worst
    added = outcomes["ccproxy"].delay.p99 - outcomes["direct"].delay.p99
    name = f"{size.slow_streams} slow streams"
    return [
        Row(
            f"{name}: first byte, worst",
            "ms",
            first,
            f"{slowest * 1e3:.0f} ms",
            f"<= {_FIRST_BYTE_SECONDS * 1e3:.0f} ms",
            slowest <= _FIRST_BYTE_SECONDS,
        ),
        Row(
            f"{name}: delay, p99",
            "ms",
            delays,
            f"{added * 1e3:.1f} ms added",
            f"<= {_DELAY_SECONDS * 1e3:.0f} ms",
            added <= _DELAY_SECONDS,
        ),
    ]
