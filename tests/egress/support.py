"""Helpers of the egress tests: a transport that is closed, requests in one line, servers that hide nothing."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

from ccproxy.egress.config import EgressConfig
from ccproxy.egress.pooled import PooledTransport
from ccproxy.egress.transport import Timeouts, UpstreamRequest, UpstreamResponse, UpstreamSocket
from ccproxy.exchange.http import Headers, Pair

#: Long enough that only a hanging test reaches it.
PATIENCE = 10.0
#: For tests in which a time limit is to strike.
SOON = 0.05


@asynccontextmanager
async def network(**config: object) -> AsyncIterator[PooledTransport]:
    """A transport with these settings of `egress`."""
    transport = PooledTransport(EgressConfig(**config))  # type: ignore[arg-type]
    try:
        yield transport
    finally:
        await transport.close()


def ask(
    port: int,
    target: bytes = b"/",
    *,
    method: str = "GET",
    headers: Iterable[Pair] = (),
    body: bytes | AsyncIterator[bytes] | None = None,
    scheme: str = "http",
    host: str = "127.0.0.1",
    timeouts: Timeouts = Timeouts(),  # noqa: B008 - immutable
    verify: bool = True,
) -> UpstreamRequest:
    """A request to a port of this machine."""
    return UpstreamRequest(method, scheme, host, port, target, Headers(headers), body, timeouts, verify)


def answered(answer: UpstreamSocket | UpstreamResponse) -> UpstreamResponse:
    """The answer, which must not be an open socket."""
    assert not hasattr(answer, "messages")
    return answer  # type: ignore[return-value]


async def whole(response: UpstreamResponse) -> bytes:
    """The rest of the body, and the response let go of."""
    body = b"".join([chunk async for chunk in response.chunks()])
    await response.close()
    return body


async def stream(*parts: bytes | asyncio.Event) -> AsyncIterator[bytes]:
    """A body that comes piece by piece; an event is waited for."""
    for part in parts:
        if isinstance(part, bytes):
            yield part
        else:
            await part.wait()


class Wire:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def head(self) -> bytes:
        """The next request head, up to and including its empty line."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def end(self) -> bytes:
        """Waits until the client ends the connection, and returns what it still sent."""
        try:
            return await self.reader.read()
        except ConnectionError:
            return b""

    def reset(self) -> None:
        """Ends the connection at once."""
        self.writer.transport.abort()


Handler = Callable[[Wire], Awaitable[None]]


@asynccontextmanager
async def server(handler: Handler, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serves each connection with `handler` on the port it gives. A handler's failure fails the test at the end."""
    tasks: list[asyncio.Task[None]] = []
    failures: list[BaseException] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(Wire(reader, writer))
        except AssertionError as error:
            failures.append(error)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away
        finally:
            writer.close()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.get_running_loop().create_task(serve(reader, writer)))

    listener = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls, limit=1 << 20)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listener.wait_closed()
    if failures:
        raise failures[0]


class ConnectProxy:
    """A small corporate proxy: CONNECT and absolute targets, with a password if `authorization` is given.

    Every destination is `upstream` on this machine, whatever name it is asked for: so a test can use names that only
    the proxy knows.
    """

    def __init__(self, upstream: int, *, authorization: bytes = b"") -> None:
        self.upstream = upstream
        self.authorization = authorization
        self.heads: list[bytes] = []

    async def __call__(self, wire: Wire) -> None:
        head = await wire.head()
        self.heads.append(head)
        if self.authorization and b"Proxy-Authorization: " + self.authorization not in head.split(b"\r\n"):
            await wire.send(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        reader, writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        try:
            if head.startswith(b"CONNECT "):
                await wire.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                writer.write(head)
            await asyncio.gather(_pipe(wire.reader, writer), _pipe(reader, wire.writer))
        finally:
            writer.close()


async def _pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    except ConnectionError:
        pass
    finally:
        sink.close()
