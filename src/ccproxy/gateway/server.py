"""Listening sockets and the orderly end: new connections stop, running answers go on for a while, then all closes."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Sequence
from typing import Any

from uvicorn.server import ServerState

from ccproxy.errors import CommandError
from ccproxy.gateway.config import GatewayConfig
from ccproxy.gateway.listener import GatewayProtocol, Limits, protocol_factory

_log = logging.getLogger("ccproxy.gateway")

_BACKLOG = 2048


class Server:
    """The listener of one application.

    Args:
        app: the ASGI application.
        config: limits; those of the listener itself stay as they were at the start.
    """

    def __init__(self, app: Any, config: GatewayConfig) -> None:
        self._app = app
        self._config = config
        self._state = ServerState()
        self._servers: list[asyncio.Server] = []

    async def start(self, host: str, port: int) -> list[str]:
        """Binds and listens; for IPv4 loopback the IPv6 one too, where the machine has it. Returns the URLs.

        Raises CommandError if an address cannot be bound.
        """
        return await self.serve(bind(host, port))

    async def serve(self, bound: Sequence[socket.socket]) -> list[str]:
        """Serves on sockets that were bound before. Returns the URLs."""
        config = self._config
        factory = protocol_factory(
            self._app,
            self._state,
            Limits(config.max_header_bytes, config.max_headers, config.header_seconds),
            keepalive=config.idle_seconds,
            max_message=config.max_websocket_message_bytes,
        )
        loop = asyncio.get_running_loop()
        for one in bound:
            self._servers.append(await loop.create_server(factory, sock=one, backlog=_BACKLOG))
        return [url_of(one) for one in bound]

    @property
    def address(self) -> tuple[str, int]:
        """Address and port at which this machine reaches the listener."""
        host, port = self._servers[0].sockets[0].getsockname()[:2]
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104

    async def drain(self, seconds: float, hurry: asyncio.Event) -> None:
        """Stops listening, waits up to `seconds` (or until `hurry`) for running exchanges, then ends them."""
        for server in self._servers:
            server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks and not hurry.is_set():
            _log.info("waiting up to %g seconds for %d running exchanges", seconds, len(self._state.tasks))
            hurried = asyncio.create_task(hurry.wait())
            finished = asyncio.create_task(_all_done(self._state.tasks))
            await asyncio.wait({hurried, finished}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            hurried.cancel()
            finished.cancel()
        cut = [task for task in self._state.tasks if not task.done()]
        if cut:
            _log.warning("%d exchanges were still running and are cut", len(cut))
        for task in cut:
            task.cancel()
        await asyncio.gather(*cut, return_exceptions=True)
        for connection in list(self._state.connections):
            if isinstance(connection, GatewayProtocol):
                connection.transport.close()


async def _all_done(tasks: set[asyncio.Task[None]]) -> None:
    while tasks:
        await asyncio.wait(tasks)


def url_of(bound: socket.socket) -> str:
    """The URL of a listening socket."""
    address, number = bound.getsockname()[:2]
    return f"http://[{address}]:{number}" if ":" in address else f"http://{address}:{number}"


def bind(host: str, port: int) -> list[socket.socket]:
    """The sockets for `host`. A loopback name that means two addresses gets both, so that no other program can sit on
    the one that a client happens to try first. Raises CommandError."""
    if host not in {"127.0.0.1", "localhost"}:
        return [_listen(host, port)]
    first = _listen("127.0.0.1", port)
    try:
        return [first, _listen("::1", first.getsockname()[1])]
    except CommandError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EADDRINUSE:
            first.close()
            raise
        return [first]  # no IPv6 on this machine


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = error.strerror or str(error)
        hint = "another program listens there; choose another with --port" if error.errno == errno.EADDRINUSE else ""
        raise CommandError(f"cannot listen on {host}:{port}: {reason}", hint=hint) from error
