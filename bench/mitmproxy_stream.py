"""Run inside mitmproxy: passes SSE on as it comes, which a bare mitmproxy would hold back until its end."""

from __future__ import annotations

from typing import Any


def responseheaders(flow: Any) -> None:
    if flow.response.headers.get("content-type", "").startswith("text/event-stream"):
        flow.response.stream = True
