"""The provider of the bench: a server process that costs as little as Python allows.

    python -m bench.upstream PORT

Any request is read to its end and answered with a 1 KB message, or, when its query says `chunks=N`, with an SSE stream
of N deltas: all at once, or one every `gap=SECONDS`. Each delta says when it was sent, so that whoever receives it can
tell how long it was under way (processes of one machine share the monotonic clock).
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from urllib.parse import parse_qsl

import httptools
import uvloop

from bench import bodies

_ANSWER = bodies.answer()
_START = bodies.stream_start()
_END = bodies.stream_end()


class Upstream(asyncio.Protocol):
    """One connection, kept alive, one request at a time."""

    def __init__(self, phase: float) -> None:
        self._phase = phase
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def on_message_begin(self) -> None:
        self._url = b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_message_complete(self) -> None:
        query = dict(parse_qsl(self._url.decode("latin-1").partition("?")[2]))
        if "chunks" not in query:
            self._transport.write(_ANSWER)
            return
        self._transport.write(bodies.STREAM_HEAD + _START)
        chunks, gap = int(query["chunks"]), float(query.get("gap", "0"))
        if gap:
            self._next(chunks, gap, self._loop.time() + gap * self._phase)
        else:
            for _ in range(chunks):
                self._transport.write(bodies.delta(time.monotonic_ns()))
            self._transport.write(_END)

    def _next(self, left: int, gap: float, at: float) -> None:
        self._loop.call_at(at, self._tick, left, gap, at)

    def _tick(self, left: int, gap: float, at: float) -> None:
        if self._transport.is_closing():
            return
        if left == 0:
            self._transport.write(_END)
            return
        self._transport.write(bodies.delta(time.monotonic_ns()))
        self._next(left - 1, gap, at + gap)


async def _serve(port: int) -> None:
    # Streams of real life are out of step: each connection has its own phase.
    phases = itertools.cycle(step / 97 for step in range(0, 97 * 61, 61))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Upstream(0.05 + next(phases) % 1), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
