"""A TCP connection through an HTTP proxy (RFC 9110 9.3.6), for the WebSocket client.

Ordinary requests get theirs from aiohttp. The tunnel is a plain socket: what runs over it begins to talk only when the
other end is there, so nothing can come behind the proxy's answer.
"""

from __future__ import annotations

import asyncio
import socket

from ccproxy.egress import failures, keepalive
from ccproxy.egress.proxy import EgressProxy

_MAX_ANSWER = 64 * 1024


async def connect_through(proxy: EgressProxy, authority: str) -> socket.socket:
    """A non-blocking socket that is connected to `authority` (`host:port`) through `proxy`.

    Sets no time limit. Raises UpstreamError.
    """
    loop = asyncio.get_running_loop()
    tunnel = await _connect(proxy)
    try:
        request = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n"
        if proxy.authorization:
            request += f"Proxy-Authorization: {proxy.authorization}\r\n"
        await loop.sock_sendall(tunnel, f"{request}\r\n".encode("ascii"))
        status = await _status(tunnel, proxy)
        if not 200 <= status < 300:
            raise failures.proxy_refused(status, authority, proxy.name)
    except OSError:
        tunnel.close()
        raise failures.proxy_broken(proxy.name) from None
    except BaseException:
        tunnel.close()
        raise
    return tunnel


async def _connect(proxy: EgressProxy) -> socket.socket:
    loop = asyncio.get_running_loop()
    try:
        addresses = await loop.getaddrinfo(proxy.host, proxy.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise failures.no_proxy(error, proxy.name) from error
    failure = OSError()
    for address in addresses:
        made = keepalive.new_socket(address)
        made.setblocking(False)
        try:
            await loop.sock_connect(made, address[4])
        except OSError as error:
            made.close()
            failure = error
        except BaseException:
            made.close()
            raise
        else:
            return made
    raise failures.no_proxy(failure, proxy.name) from failure


async def _status(tunnel: socket.socket, proxy: EgressProxy) -> int:
    loop = asyncio.get_running_loop()
    answer = b""
    while b"\r\n\r\n" not in answer:
        data = await loop.sock_recv(tunnel, 4096)
        answer += data
        if not data or len(answer) > _MAX_ANSWER:
            raise failures.proxy_broken(proxy.name)
    version, _, rest = answer.partition(b" ")
    digits = rest[:3]
    if not version.startswith(b"HTTP/1.") or not digits.isdigit():
        raise failures.proxy_broken(proxy.name)
    return int(digits)
