"""CPU of the hook pipeline itself: ten hooks that do nothing, five a stage, around a request nobody edits.

Measured inside this process, as the difference to the same exchanges without hooks: what it adds is too little to be
seen beside a socket.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, cast

from bench import bodies
from bench.world import Row, Sample, World
from ccproxy.exchange.exchange import Client, Exchange, Timings
from ccproxy.exchange.http import Headers, Snapshot
from ccproxy.exchange.route import Route
from ccproxy.gateway.hooked import Asked, Hooked, hooked
from ccproxy.gateway.runtime import Runtime
from ccproxy.hooks import HookContext, hook
from ccproxy.lightllm.registry import Registry
from ccproxy.pipeline.loader import Loader
from ccproxy.pipeline.pipelines import Pipelines
from ccproxy.pipeline.runner import Configured, Pipeline
from ccproxy.pipeline.services import Services
from ccproxy.routing.detect import detect
from ccproxy.routing.sentinel import Presented
from ccproxy.util.clock import SystemClock

_BUDGET = 60.0
_CLIENT = Client("127.0.0.1", 1)
_NOBODY = Presented(None, "", ())
_ROUTE = Route("redirect", "bench", "bench", target=b"/v1/messages")


class _Standing:
    """The parts of a runtime that hooks use."""

    def __init__(self, hooks: Pipelines) -> None:
        self.hooks = hooks
        self.services = Services()
        self.dialects = Registry()


def _pipelines(count: int) -> Pipelines:
    @hook
    def nothing(ctx: HookContext) -> None:
        pass

    configured = [Configured(nothing, f"nothing{number}") for number in range(count)]
    return Pipelines(Pipeline("inbound", configured), Pipeline("outbound", configured), Loader(Path()))


async def _exchanges(standing: _Standing, count: int, headers: Headers, body: bytes) -> float:
    """CPU seconds for `count` exchanges as far as hooks are concerned."""
    runtime, clock = cast(Runtime, standing), SystemClock()
    target = b"/v1/messages"
    begun = time.process_time()
    for _ in range(count):
        request = Snapshot("POST", "http", "127.0.0.1", 4000, target, "1.1", headers, body)
        exchange = Exchange("bench", _CLIENT, request, Timings())
        asked = Asked(request, detect(request.path, b"", headers), _NOBODY, body, bodies.MODEL)
        hooks: Hooked | None = hooked(runtime, exchange, clock)
        if hooks is not None:
            own: Any = await hooks.inbound(asked)
            assert own is None
            _, _, content, own = await hooks.outbound(asked, _ROUTE, None, None)
            assert own is None and content is body
    return time.process_time() - begun


def hooks(world: World) -> list[Row]:
    """What ten hooks that do nothing add to a request."""
    headers = Headers((name.encode(), value.encode()) for name, value in bodies.HEADERS.items())
    body = b'{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}'
    count = max(world.size.small, 20)
    without, with_ten = _Standing(_pipelines(0)), _Standing(_pipelines(5))
    values = []
    for _ in range(world.size.rounds):
        bare = asyncio.run(_exchanges(without, count, headers, body))
        full = asyncio.run(_exchanges(with_ten, count, headers, body))
        values.append(max(0.0, full - bare) / count * 1e6)
    sample = Sample(tuple(values))
    own = sample.median
    return [
        Row(
            "ten hooks that do nothing",
            "µs CPU",
            {"ccproxy": sample},
            f"{own:.0f} µs added",
            "<= 60 µs",
            own <= _BUDGET,
        )
    ]
