"""Flows in a store, for commands that read them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from ccproxy.flows.config import FlowsConfig
from ccproxy.flows.model import Flow, RequestRecord, ResponseRecord
from ccproxy.flows.redact import Scrubber
from ccproxy.flows.sqlite import SqliteStore
from ccproxy.util.clock import SystemClock

STARTED = 1_790_000_000.0
TEXT = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


def flow(number: int, *, path: str = "/v1/messages", body: Any = None, status: int = 200, **changes: Any) -> Flow:
    """A flow from Anthropic; `body` is the JSON that was asked with."""
    content = json.dumps({"model": "claude-x", "n": number} if body is None else body).encode()
    started = STARTED + number
    moments = {"timestamp_start": started, "timestamp_end": started + 0.1}
    request = RequestRecord(
        headers=[("Host", "localhost:4000"), ("x-api-key", "sk-ant-oat-ccproxy-anthropic")],
        body=content,
        size=len(content),
        method="POST",
        scheme="http",
        host="localhost",
        port=4000,
        target=path,
        **moments,
    )
    forwarded = RequestRecord(
        headers=[("Host", "api.anthropic.com"), ("x-api-key", "…abcd")],
        body=content,
        size=len(content),
        method="POST",
        scheme="https",
        host="api.anthropic.com",
        port=443,
        target=path,
        **moments,
    )
    response = ResponseRecord(
        headers=[("content-type", "text/event-stream")],
        body=TEXT,
        size=len(TEXT),
        status=status,
        reason="OK",
        timestamp_start=started + 0.3,
        timestamp_end=started + 1.3,
    )
    facts: dict[str, Any] = {
        "id": f"{number:012x}",
        "started": started,
        "duration": 1.3,
        "door": "gateway",
        "client_address": "127.0.0.1",
        "client_port": 50_000,
        "client_key": "",
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
        "streaming": True,
        "ttfb": 0.3,
        "request": request,
        "forwarded": forwarded,
        "response": response,
    }
    return Flow(**(facts | changes))


def tcp(number: int) -> Flow:
    """A connection from a jail that was not HTTP."""
    request = RequestRecord(headers=[], scheme="tcp", host="192.0.2.1", port=22, size=10)
    return flow(number, request=request, forwarded=request, response=None, provider="", model="", dialect="")


def record(path: Path, *flows: Flow, secrets: tuple[str, ...] = ()) -> None:
    """Records flows as a proxy would."""

    async def run() -> None:
        store = SqliteStore(path, clock=SystemClock(), config=FlowsConfig(keep_days=0))
        store.start()
        assert all(await asyncio.gather(*(store.put(one, Scrubber(secrets)) for one in flows)))
        await asyncio.to_thread(store.close)

    asyncio.run(run())
