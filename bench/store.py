"""The disk a long agent session takes: each turn sends everything before it again."""

from __future__ import annotations

from bench import bodies
from bench.processes import BenchError
from bench.world import Row, Sample, World, settled

_MB = 1024 * 1024
_DISK_MB = 4


def store(world: World) -> list[Row]:
    """One session of many turns, recorded; what is left on disk after the proxy has stopped."""
    size = world.size
    kind = f"turn:{size.turn_bytes}"
    sent = sum(len(bodies.body(kind, turn)) for turn in range(size.turns)) / _MB
    with world.fresh_ccproxy() as server:
        world.client.send(server, size.turns, 1, kind=kind, first=0)
        settled(server)
    disk = sum(path.stat().st_size for path in server.home.rglob("flows.db*")) / _MB
    if not disk:
        raise BenchError("ccproxy recorded nothing")
    return [
        Row(
            f"store, {size.turns} turns, {sent:.0f} MB sent",
            "MB disk",
            {"ccproxy": Sample((disk,))},
            f"{disk:.1f} MB",
            f"<= {_DISK_MB} MB",
            disk <= _DISK_MB,
        )
    ]
