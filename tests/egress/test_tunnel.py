from __future__ import annotations

import asyncio

import pytest

from ccproxy.egress.proxy import EgressProxy
from ccproxy.egress.tunnel import connect_through
from ccproxy.errors import UpstreamError
from ccproxy.testing import refused_port
from egress.support import PATIENCE, Wire, server

OK = b"HTTP/1.1 200 Connection established\r\nvia: x\r\n\r\n"


async def test_what_is_asked_for_and_what_comes_of_it() -> None:
    heads: list[bytes] = []

    async def proxy(wire: Wire) -> None:
        heads.append(await wire.head())
        await wire.send(OK[:20])
        await wire.send(OK[20:])
        await wire.send(await wire.reader.readexactly(5))

    async with server(proxy) as port:
        tunnel = await connect_through(EgressProxy("127.0.0.1", port, "Basic eDp5"), "provider.test:443")
        with tunnel:
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(tunnel, b"hello")
            assert await loop.sock_recv(tunnel, 5) == b"hello"

    assert heads == [
        b"CONNECT provider.test:443 HTTP/1.1\r\nHost: provider.test:443\r\nProxy-Authorization: Basic eDp5\r\n\r\n"
    ]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            r"refused to connect to provider\.test:443 \(status 407\)",
        ),
        (b"HTTP/1.0 502 Bad Gateway\r\ncontent-length: 9\r\n\r\nno way in", r"\(status 502\)"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "did not answer in HTTP"),
        (b"HTTP/1.1 OK\r\n\r\n", "did not answer in HTTP"),
        (b"HTTP/1.1 200 OK\r\n", "did not answer in HTTP"),
        (b"x" * 100_000, "did not answer in HTTP"),
        (b"", "did not answer in HTTP"),
    ],
)
async def test_a_proxy_that_does_not_do_it(answer: bytes, message: str) -> None:
    async def proxy(wire: Wire) -> None:
        await wire.head()
        await wire.send(answer)

    async with server(proxy) as port:
        with pytest.raises(UpstreamError, match=message):
            await connect_through(EgressProxy("127.0.0.1", port, ""), "provider.test:443")


async def test_a_proxy_that_is_not_there() -> None:
    with refused_port() as port, pytest.raises(UpstreamError) as caught:
        await connect_through(EgressProxy("127.0.0.1", port, ""), "provider.test:443")
    assert caught.value.message == f"cannot connect to the proxy 127.0.0.1:{port}: connection refused"


async def test_a_proxy_whose_name_is_unknown() -> None:
    with pytest.raises(UpstreamError, match=r"cannot find the address of nowhere\.invalid: .*egress\.proxy"):
        await connect_through(EgressProxy("nowhere.invalid", 1, ""), "provider.test:443")


async def test_giving_up_closes_the_connection() -> None:
    closed = asyncio.Event()
    asked = asyncio.Event()

    async def proxy(wire: Wire) -> None:
        await wire.head()
        asked.set()
        await wire.end()
        closed.set()

    async with server(proxy) as port:
        connecting = asyncio.create_task(connect_through(EgressProxy("127.0.0.1", port, ""), "provider.test:443"))
        await asked.wait()
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)

        await asyncio.wait_for(closed.wait(), PATIENCE)
