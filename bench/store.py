"""The disk and the CPU a long agent session takes to record: each turn sends everything before it again."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

from bench import bodies
from bench.processes import BenchError
from bench.world import Row, Sample, World, settled
from ccproxy.exchange.exchange import Client, Exchange, ResponseHead, Timings, new_id
from ccproxy.exchange.http import Headers, Snapshot
from ccproxy.flows.config import FlowsConfig
from ccproxy.flows.recorder import Recorder
from ccproxy.flows.sqlite import SqliteStore
from ccproxy.util.clock import SystemClock

_MB = 1024 * 1024
_DISK_MB = 4
_MICROSECONDS = 1000


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
        ),
        _recording(world),
    ]


def _recording(world: World) -> Row:
    """CPU of recorder and store for each request of a session that grows to half of that size, without a proxy around
    them."""
    size = world.size
    turn_bytes = size.turn_bytes // 2
    samples: list[float] = []
    for number in range(max(1, size.rounds // 2)):
        used = asyncio.run(_record(world.base / f"recorded-{number}" / "flows.db", size.turns, turn_bytes))
        samples.append(used / size.turns * 1e6)
    own = statistics.median(samples)
    kept = own <= _MICROSECONDS
    sample = {"ccproxy": Sample(tuple(samples))}
    return Row(
        f"recording a turn, to {size.turns * turn_bytes // 1000} KB",
        "µs CPU",
        sample,
        f"{own:.0f} µs",
        f"<= {_MICROSECONDS} µs",
        kept,
    )


async def _record(path: Path, turns: int, turn_bytes: int) -> float:
    """CPU seconds of this process to record a session."""
    clock, config = SystemClock(), FlowsConfig()
    contents = [bodies.body(f"turn:{turn_bytes}", turn) for turn in range(turns)]
    answer = bodies.answer().partition(b"\r\n\r\n")[2]
    store = SqliteStore(path, clock=clock, config=config)
    store.start()
    await store.flush()
    recorder = Recorder(store, config, clock)
    before = time.process_time()
    for content in contents:
        exchange = _exchange(clock, content)
        tape = recorder.open(exchange)
        tape.response_chunk(answer)
        if not await tape.finish():
            raise BenchError(f"a flow was not recorded: {store.problem}")
    await asyncio.to_thread(store.close)
    return time.process_time() - before


def _exchange(clock: SystemClock, content: bytes) -> Exchange:
    fields = [(name.encode(), value.encode()) for name, value in bodies.HEADERS.items()]
    now = clock.mono()
    request = Snapshot("POST", "http", "127.0.0.1", 4000, b"/v1/messages", "1.1", Headers(fields), content)
    return Exchange(
        id=new_id(),
        client=Client("127.0.0.1", 50_000),
        request=request,
        timings=Timings(clock.wall(), now, now, now, now, now, now),
        dialect="anthropic",
        operation="messages",
        model=bodies.MODEL,
        forwarded=Snapshot("POST", "https", "h", 443, b"/v1/messages", "1.1", Headers(fields), content),
        response=ResponseHead(200, "OK", Headers([(b"content-type", b"application/json")])),
        outcome="complete",
        secrets={"bench-secret-key"},
    )
