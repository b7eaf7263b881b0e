"""Exchanges and flows to record, and a store whose ups and downs a test can wait for."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ccproxy.exchange.exchange import Client, Exchange, ResponseHead, Timings
from ccproxy.exchange.http import Headers, Snapshot
from ccproxy.exchange.route import Route
from ccproxy.flows.config import FlowsConfig
from ccproxy.flows.model import Flow, RequestRecord, ResponseRecord
from ccproxy.flows.redact import Scrubber
from ccproxy.flows.sqlite import SqliteStore
from ccproxy.flows.writer import Writer
from ccproxy.util.clock import Clock, FakeClock, SystemClock

START = 1_700_000_000.0
PATIENCE = 20.0

KEEP_ALL = FlowsConfig(keep_days=0, keep_flows=0, keep_bytes=0)


def make_flow(number: int = 0, **changes: Any) -> Flow:
    """A flow; `number` makes id and body its own."""
    body = b'{"model":"claude-x","n":%d}' % number
    answer = b'{"type":"message","model":"claude-x-2","usage":{"input_tokens":3,"output_tokens":2}}'
    facts: dict[str, Any] = {
        "id": f"{number:012x}",
        "started": START + number,
        "duration": 1.5,
        "door": "gateway",
        "client_address": "127.0.0.1",
        "client_port": 50_000,
        "client_key": "laptop",
        "user_agent": "test/1.0",
        "dialect": "anthropic",
        "operation": "messages",
        "model": "claude-x",
        "provider": "anthropic",
        "action": "redirect",
        "reason": "sentinel",
        "credential": "command",
        "outcome": "complete",
        "error_kind": "",
        "error": "",
        "streaming": False,
        "ttfb": 0.5,
        "request": RequestRecord(
            headers=[("Host", "localhost:4000"), ("Content-Type", "application/json")],
            body=body,
            size=len(body),
            method="POST",
            scheme="http",
            host="localhost",
            port=4000,
            target="/v1/messages?beta=true",
            timestamp_start=START + number,
            timestamp_end=START + number + 0.1,
        ),
        "forwarded": RequestRecord(
            headers=[("Content-Type", "application/json"), ("x-api-key", "…abcd")],
            body=body,
            size=len(body),
            method="POST",
            scheme="https",
            host="api.anthropic.com",
            port=443,
            target="/v1/messages?beta=true",
            timestamp_start=START + number,
            timestamp_end=START + number + 0.2,
        ),
        "response": ResponseRecord(
            headers=[("content-type", "application/json")],
            body=answer,
            size=len(answer),
            status=200,
            reason="OK",
            timestamp_start=START + number + 0.5,
            timestamp_end=START + number + 1.5,
        ),
    }
    return Flow(**(facts | changes))


def make_exchange(clock: Clock, **changes: Any) -> Exchange:
    """A finished exchange with a small body."""
    request = Snapshot(
        method="POST",
        scheme="http",
        host="localhost",
        port=4000,
        target=b"/v1/messages?beta=true",
        http_version="1.1",
        headers=Headers([(b"Host", b"localhost:4000"), (b"x-api-key", b"sk-ant-oat-ccproxy-anthropic")]),
        body=b'{"model":"claude-x"}',
    )
    forwarded = Snapshot(
        method="POST",
        scheme="https",
        host="api.anthropic.com",
        port=443,
        target=b"/v1/messages?beta=true",
        http_version="1.1",
        headers=Headers([(b"x-api-key", b"sk-ant-api03-0123456789abcdefghij")]),
        body=request.body,
    )
    now = clock.mono()
    facts: dict[str, Any] = {
        "id": "aabbccddeeff",
        "client": Client("127.0.0.1", 50_000, "test/1.0", "laptop"),
        "request": request,
        "timings": Timings(clock.wall(), now, now + 0.1, now + 0.2, now + 0.4, now + 0.5, now + 2.0),
        "dialect": "anthropic",
        "operation": "messages",
        "model": "claude-x",
        "route": Route(action="redirect", reason="sentinel", provider="anthropic"),
        "credential": "command",
        "forwarded": forwarded,
        "response": ResponseHead(200, "OK", Headers([(b"content-type", b"application/json")])),
        "outcome": "complete",
    }
    return Exchange(**(facts | changes))


class MemoryStore:
    """Keeps what it is given; the answer to each caller is the test's to give."""

    def __init__(self, *, answer: bool | None = True) -> None:
        self.problem = ""
        self.flows: list[Flow] = []
        self.scrubbers: list[Scrubber] = []
        self.futures: list[asyncio.Future[bool]] = []
        self._answer = answer

    def put(self, flow: Flow, scrubber: Scrubber) -> asyncio.Future[bool]:
        self.flows.append(flow)
        self.scrubbers.append(scrubber)
        future = asyncio.get_running_loop().create_future()
        if self._answer is not None:
            future.set_result(self._answer)
        self.futures.append(future)
        return future

    def put_all(self, flows: Sequence[tuple[Flow, Scrubber]]) -> list[asyncio.Future[bool]]:
        return [self.put(flow, scrubber) for flow, scrubber in flows]


class Watched:
    """A running store, with what it reports about its state."""

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock | None = None,
        config: FlowsConfig = KEEP_ALL,
        make: Callable[..., Writer] = SqliteStore,
        **options: Any,
    ) -> None:
        self.problems: queue.SimpleQueue[str] = queue.SimpleQueue()
        options = {"pause": (0.01, 0.01), "busy_seconds": 0.05} | options
        self.store = make(path, clock=clock or SystemClock(), config=config, on_problem=self.problems.put, **options)
        self.store.start()

    async def next_problem(self) -> str:
        """Waits for the next change of `problem`."""
        return await asyncio.to_thread(self.problems.get, timeout=PATIENCE)

    async def put(self, *flows: Flow) -> list[bool]:
        """Puts flows at once and waits for all answers, and for the database."""
        answers = [self.store.put(flow) for flow in flows]
        await self.flush()
        return await asyncio.wait_for(asyncio.gather(*answers), PATIENCE)

    async def flush(self) -> bool:
        """Waits until the database has everything."""
        return await asyncio.wait_for(self.store.flush(), PATIENCE)


def at(started: float) -> FakeClock:
    """A clock that stands at `started`."""
    return FakeClock(started)
