"""Flows on a user's machine."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ccproxy.flows.config import FlowsConfig
from ccproxy.flows.model import Flow, RequestRecord, ResponseRecord
from ccproxy.flows.sqlite import SqliteStore
from ccproxy.util.clock import SystemClock


def answered(number: int, request: dict[str, Any], answer: dict[str, Any], **changes: Any) -> Flow:
    """A flow of a request to Anthropic, a minute ago."""
    now = time.time() - 60 + number
    body, content = json.dumps(request).encode(), json.dumps(answer).encode()
    sides = (("http", "localhost", 4000), ("https", "api.anthropic.com", 443))
    client, forwarded = (
        RequestRecord(
            [("Content-Type", "application/json")], body, len(body), method="POST", scheme=scheme, host=host, port=port,
            target="/v1/messages", timestamp_start=now, timestamp_end=now,
        )
        for scheme, host, port in sides
    )  # fmt: skip
    response = ResponseRecord([("content-type", "application/json")], content, len(content), status=200, reason="OK")
    facts: dict[str, Any] = {
        "id": f"{number:012x}", "started": now, "duration": 1.0, "door": "gateway", "client_address": "127.0.0.1",
        "client_port": 50_000, "client_key": "", "user_agent": "claude-cli/2.1", "dialect": "anthropic",
        "operation": "messages", "model": request.get("model", ""), "provider": "anthropic", "action": "redirect",
        "reason": "sentinel", "credential": "command", "outcome": "complete", "error_kind": "", "error": "",
        "streaming": False, "ttfb": 0.5, "request": client, "forwarded": forwarded, "response": response,
    }  # fmt: skip
    return Flow(**(facts | changes))


def record(path: Path, flows: Sequence[Flow]) -> None:
    """Records flows as a proxy would."""

    async def run() -> None:
        store = SqliteStore(path, clock=SystemClock(), config=FlowsConfig())
        store.start()
        assert all(await asyncio.gather(*(store.put(flow) for flow in flows)))
        await asyncio.to_thread(store.close)

    asyncio.run(run())
