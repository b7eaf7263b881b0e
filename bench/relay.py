"""What ccproxy is measured against: the least that uvicorn and an aiohttp client can do as a proxy.

    python -m bench.relay PORT UPSTREAM_PORT

The same parser, event loop and client library as ccproxy, and nothing else: no routing, no credential, no recording, no
limits. Requests are read, answers are passed on piece by piece as they come.
"""

from __future__ import annotations

import sys
from typing import Any

import aiohttp
import uvicorn
from yarl import URL

_HOP = {b"host", b"connection", b"content-length", b"transfer-encoding", b"keep-alive"}


class Relay:
    """The ASGI application."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None),
                skip_auto_headers=("user-agent", "accept", "accept-encoding", "content-type"),
            )
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        headers = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"] if name not in _HOP
        ]
        url = URL(self._upstream + target.decode("latin-1"), encoded=True)
        async with self._session.request(scope["method"], url, headers=headers, data=body) as answer:
            kept = [
                (name.lower(), value)
                for name, value in answer.raw_headers
                if name.lower() not in _HOP - {b"content-length"}
            ]
            await send({"type": "http.response.start", "status": answer.status, "headers": kept})
            async for piece in answer.content.iter_any():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


if __name__ == "__main__":
    uvicorn.run(
        Relay(f"http://127.0.0.1:{sys.argv[2]}"),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
        backlog=1024,
    )
