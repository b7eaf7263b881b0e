"""The way out over HTTP/1.1: pooled connections, shared by all clients, and an exact relay over them.

From aiohttp come the connections (pool, name lookup, TLS, CONNECT) and the parser of answers. The request is written
by ourselves and `aiohttp.ClientSession` is not used: it would send a method, a target and header fields that are not
quite those it was given, add Content-Length to requests without a body, repeat requests at its own discretion, and
cost twice the time. What is relied on are public names of `TCPConnector`, `Connection` and `ResponseHandler`.

A request is repeated in one case only: the connection had been used before and turns out to be closed before a byte
of the answer (providers close idle connections whenever they like), and its body can be sent again.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp import ClientRequest, ClientTimeout, TCPConnector
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from yarl import URL

from ccproxy.egress import failures, keepalive
from ccproxy.egress.config import EgressConfig
from ccproxy.egress.proxy import Direct, EgressProxy, parse_proxy
from ccproxy.egress.response import Line, PooledResponse
from ccproxy.egress.sockets import open_socket
from ccproxy.egress.tls import Trust
from ccproxy.egress.transport import Timeouts, UpstreamRequest, UpstreamResponse, UpstreamSocket
from ccproxy.egress.wire import encode_head
from ccproxy.errors import Overloaded, UpstreamError
from ccproxy.exchange.http import Headers

#: Seconds an unused connection is kept. Less than the idle limit of common load balancers (60) and of node (5-72).
KEEPALIVE = 25.0
_MOST_ORIGINS = 1000


@dataclass(frozen=True, slots=True)
class _Origin:
    """A destination, with what every request to it shares."""

    where: str
    host: bytes
    absolute: bytes
    authorization: bytes
    request: ClientRequest
    proxy: str


class PooledTransport:
    """The `Transport` to real providers. One for the whole process and one configuration.

    Args:
        new_socket: makes the socket for an address that is to be connected to, or raises OSError.

    Raises ConfigError if `egress.proxy` cannot be used. A bad `egress.ca_file` is found by `tls.check_trust`, else when
    the first https connection is made.
    """

    def __init__(
        self,
        config: EgressConfig,
        *,
        new_socket: Callable[[Iterable[Any]], socket.socket] = keepalive.new_socket,
        keylog: Path | None = None,
    ) -> None:
        self._config = config
        self._new_socket = new_socket
        self._proxy = parse_proxy(config.proxy)
        self._direct = Direct(config.no_proxy)
        self._trust = Trust(config, keylog)
        self._connector: TCPConnector | None = None
        self._closed = False
        self._origins: dict[tuple[str, str, int, bool], _Origin] = {}
        self._limits: dict[float, ClientTimeout] = {}
        self._lines: WeakKeyDictionary[ResponseHandler, Line] = WeakKeyDictionary()

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Sends `request` and returns when the head of the answer is there.

        Raises UpstreamError, UpstreamTimeout; BadRequest if the request is no valid message; ConfigError if
        `egress.ca_file` is bad; and whatever an iterator body raises, as it is.
        """
        origin = self._origins.get((request.scheme, request.host, request.port, request.verify))
        if origin is None:
            origin = await self._origin(request)
        body = request.body
        head, length = encode_head(
            request, origin.host, absolute=origin.absolute, proxy_authorization=origin.authorization
        )
        replayable = body is None or isinstance(body, bytes)
        fresh = False
        while True:
            connection, protocol, line, reused = await self._connect(origin, request.timeouts, fresh=fresh)
            response = PooledResponse(connection, protocol, line, origin.where, request.timeouts)
            try:
                await response.begin(request.method, head, body, length)
            except UpstreamError:
                if not (reused and replayable and response.untouched):
                    raise
                fresh = True
            else:
                if (
                    response.status == 407 and origin.absolute
                ):  # RFC 9110 15.5.8: the proxy's word, never the provider's
                    await response.close()
                    raise failures.proxy_refused(response.status, origin.where, origin.proxy)
                return response

    async def open_socket(
        self, request: UpstreamRequest, subprotocols: list[str], *, max_message: int
    ) -> UpstreamSocket | UpstreamResponse:
        """Performs a WebSocket handshake; see `Transport.open_socket`."""
        context = await self._trust.context(verify=request.verify) if request.scheme == "https" else None
        return await open_socket(
            request, subprotocols, max_message=max_message, context=context, proxy=self._proxy_for(request.host)
        )

    async def reach(self, scheme: str, host: str, port: int, *, verify: bool, timeouts: Timeouts) -> None:
        """Makes a connection as a request would, a new one, and closes it unused. Raises as `send`."""
        request = UpstreamRequest("GET", scheme, host, port, b"/", Headers(), verify=verify)
        connection, _, _, _ = await self._connect(await self._origin(request), timeouts, fresh=True)
        connection.close()

    async def close(self) -> None:
        """Closes every connection, also those in use: their readers get an UpstreamCut."""
        self._closed = True
        for response in self._answers():
            response.give_up()
        if self._connector is not None:
            await self._connector.close()

    async def _connect(
        self, origin: _Origin, timeouts: Timeouts, *, fresh: bool
    ) -> tuple[Connection, ResponseHandler, Line, bool]:
        """A connection in its parts, and whether it has been used before. `fresh` gives up the idle ones: one was found closed."""
        connector = self._connector or self._make_connector()
        limit = self._limits.get(timeouts.connect) or self._limit(timeouts.connect)
        proxy = origin.proxy
        while True:
            try:
                connection = await connector.connect(origin.request, [], limit)
            except TimeoutError:
                busy = len(self._answers())
                full = busy if busy >= self._config.max_connections else 0
                raise failures.connect_timeout(origin.where, timeouts.connect, proxy=proxy, full=full) from None
            except (aiohttp.ClientError, OSError, ValueError) as error:
                raise failures.cannot_connect(error, origin.where, proxy) from error
            protocol = connection.protocol
            if protocol is None:
                continue
            line = self._lines.get(protocol)
            if line is None:
                line = self._lines[protocol] = Line()
                if (closed := protocol.closed) is not None:
                    closed.add_done_callback(line.ended)
                return connection, protocol, line, False
            # should_close: something came unasked while it was idle; it would be taken for the next answer.
            if not fresh and not protocol.should_close:
                return connection, protocol, line, True
            connection.close()

    def _proxy_for(self, host: str) -> EgressProxy | None:
        return None if host in self._direct else self._proxy

    def _answers(self) -> list[PooledResponse]:
        """Those that still need their connection."""
        return [line.response for line in self._lines.values() if line.response is not None]

    def _limit(self, connect: float) -> ClientTimeout:
        if len(self._limits) >= _MOST_ORIGINS:
            self._limits.clear()
        # aiohttp rounds long limits up to whole seconds unless told not to.
        limit = ClientTimeout(total=None, connect=connect or None, ceil_threshold=math.inf)
        return self._limits.setdefault(connect, limit)

    def _make_connector(self) -> TCPConnector:
        if self._closed:
            raise Overloaded("ccproxy is shutting down")
        self._connector = TCPConnector(
            limit=self._config.max_connections,
            keepalive_timeout=KEEPALIVE,
            resolver=aiohttp.ThreadedResolver(),
            socket_factory=self._new_socket,
        )
        return self._connector

    async def _origin(self, request: UpstreamRequest) -> _Origin:
        secure = request.scheme == "https"
        where = f"[{request.host}]:{request.port}" if ":" in request.host else f"{request.host}:{request.port}"
        context = await self._trust.context(verify=request.verify) if secure else True
        try:
            url = URL.build(scheme=request.scheme, host=request.host, port=request.port)
            host = url.host_port_subcomponent or ""
        except ValueError as error:
            raise failures.cannot_connect(aiohttp.InvalidURL(where), where) from error
        proxy = self._proxy_for(request.host)
        proxy_headers = {"Host": host}
        if proxy is not None and proxy.authorization:
            proxy_headers["Proxy-Authorization"] = proxy.authorization
        template = ClientRequest(
            "GET",
            url,
            ssl=context,
            proxy=URL(proxy.origin) if proxy else None,
            proxy_headers=proxy_headers if proxy else None,
        )
        plainly = proxy is not None and not secure
        origin = _Origin(
            where=where,
            host=host.encode("ascii"),
            absolute=f"http://{host}".encode("ascii") if plainly else b"",
            authorization=proxy.authorization.encode("ascii") if proxy is not None and plainly else b"",
            request=template,
            proxy=proxy.name if proxy is not None else "",
        )
        if len(self._origins) >= _MOST_ORIGINS:
            self._origins.clear()
        self._origins[(request.scheme, request.host, request.port, request.verify)] = origin
        return origin
