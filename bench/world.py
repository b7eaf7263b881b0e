"""What every figure is measured in: the servers, started when first asked for, and how much to send them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from bench import processes
from bench.load import Outcome
from bench.processes import Client, Server


@dataclass(frozen=True)
class Size:
    """How much is measured. Counts are per server and round."""

    rounds: int = 7
    small: int = 6000
    streams: int = 100
    deltas: int = 300
    burst_deltas: int = 20_000
    large: int = 1000
    starts: int = 7
    flows: int = 1000
    history: int = 100_000
    memory_small: int = 20_000
    memory_huge: int = 200
    slow_streams: int = 300
    slow_seconds: int = 30
    turns: int = 200
    turn_bytes: int = 5000
    translated: int = 5000
    converted: int = 20
    jail_requests: int = 200
    jail_megabytes: int = 32


FULL = Size()
QUICK = Size(
    rounds=3,
    small=2000,
    deltas=100,
    burst_deltas=8000,
    large=300,
    starts=3,
    slow_seconds=5,
    converted=5,
    history=20_000,
    jail_megabytes=16,
)
SMOKE = Size(
    rounds=1,
    small=20,
    streams=3,
    deltas=5,
    burst_deltas=20,
    large=3,
    starts=1,
    flows=20,
    history=200,
    memory_small=50,
    memory_huge=3,
    slow_streams=10,
    slow_seconds=1,
    turns=5,
    turn_bytes=2000,
    translated=20,
    converted=1,
    jail_requests=3,
    jail_megabytes=1,
)

#: mitmproxy gets a fraction of the requests, so that its rounds take about as long as the others'.
MITMPROXY_SHARE = 8


@dataclass(frozen=True)
class Sample:
    """What one server was measured at, once per round, in the figure's unit."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    `samples` are by server name; `verdict` is what the budget is about, as text; `kept` says whether it is kept, None
    where there is nothing to compare with.
    """

    figure: str
    unit: str
    samples: dict[str, Sample]
    verdict: str = ""
    budget: str = ""
    kept: bool | None = None


class World:
    """The upstream, the client and the servers of one run; everything that was started is stopped at the end."""

    def __init__(self, base: Path, size: Size) -> None:
        self.base = base
        self.size = size
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @cached_property
    def upstream(self) -> Server:
        return self._stack.enter_context(processes.start_upstream(self.base))

    @cached_property
    def client(self) -> Client:
        return self._stack.enter_context(Client(self.base))

    @cached_property
    def relay(self) -> Server:
        return self._stack.enter_context(processes.start_relay(self.base, self.upstream.port))

    @cached_property
    def ccproxy(self) -> Server:
        return self._stack.enter_context(self.fresh_ccproxy())

    @cached_property
    def mitmproxy(self) -> Server | None:
        executable = processes.mitmdump()
        if executable is None:
            return None
        return self._stack.enter_context(processes.start_mitmproxy(self.base, self.upstream.port, executable))

    def fresh_ccproxy(self) -> Server:
        """A ccproxy of its own, to be stopped by the caller."""
        return processes.start_ccproxy(self.base, self.upstream.port)

    @property
    def rivals(self) -> list[Server]:
        """The servers that are measured against one another."""
        return [self.relay, *([self.mitmproxy] if self.mitmproxy else []), self.ccproxy]


def settled(server: Server) -> float:
    """CPU seconds used, once the server has done what it does after answering (recording)."""
    before = server.cpu()
    for _ in range(100):
        time.sleep(0.05)
        after = server.cpu()
        if after - before < 0.001:
            break
        before = after
    return after


def cpu_rounds(
    world: World, send: Callable[[Server, int], Outcome], units: Callable[[Outcome, int], int], count: int
) -> dict[str, Sample]:
    """Microseconds of CPU per unit for each server, in interleaved rounds.

    Args:
        send: sends that many requests to a server.
        units: how many units an outcome of that many requests was.
        count: requests per round.
    """
    counts = {
        server: count if server is not world.mitmproxy else max(1, count // MITMPROXY_SHARE) for server in world.rivals
    }
    for server, requests in counts.items():
        send(server, max(1, requests // 4))
    values: dict[str, list[float]] = {server.name: [] for server in counts}
    for turn in range(world.size.rounds):
        order = list(counts)
        for server in order[turn % len(order) :] + order[: turn % len(order)]:
            before = settled(server)
            outcome = send(server, counts[server])
            used = settled(server) - before
            values[server.name].append(used / units(outcome, counts[server]) * 1e6)
    return {name: Sample(tuple(found)) for name, found in values.items()}


def ratio(samples: dict[str, Sample], upper: str, lower: str) -> float:
    """The median over the rounds of one server's value by another's in the same round."""
    pairs = zip(samples[upper].values, samples[lower].values, strict=True)
    return statistics.median(above / below if below else float("inf") for above, below in pairs)
