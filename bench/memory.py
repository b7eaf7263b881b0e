"""Resident memory: idle, and after much traffic."""

from __future__ import annotations

import time

from bench.world import Row, Sample, World, settled

_MB = 1024 * 1024
_IDLE_MB = 60
_GROWTH_MB = 25
#: Seconds until memory that was freed has been given back (`ccproxy.util.memory`).
_REST = 6


def memory(world: World) -> list[Row]:
    """The gateway process at rest, and what it keeps after small and large requests."""
    size = world.size
    with world.fresh_ccproxy() as server:
        idle = server.memory() / _MB
        world.client.send(server, size.memory_small, 16)
        world.client.send(server, size.memory_huge, 8, kind="huge")
        settled(server)
        time.sleep(_REST)
        after = server.memory() / _MB
    relay = Sample((world.relay.memory() / _MB,))
    growth = after - idle
    return [
        Row(
            "memory, idle",
            "MB",
            {"uvicorn+aiohttp": relay, "ccproxy": Sample((idle,))},
            f"{idle:.0f} MB",
            f"<= {_IDLE_MB} MB",
            idle <= _IDLE_MB,
        ),
        Row(
            f"memory after {size.memory_small:,} requests, {size.memory_huge} of 1 MB",
            "MB",
            {"ccproxy": Sample((after,))},
            f"{growth:.0f} MB above idle",
            f"<= {_GROWTH_MB} MB",
            growth <= _GROWTH_MB,
        ),
    ]
