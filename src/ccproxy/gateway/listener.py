"""The listener: uvicorn's HTTP/1.1 protocol with the limits and the fidelity a proxy needs.

uvicorn (on httptools) does the framing and speaks ASGI. Added here: the request head as it was on the wire (target,
names in their case, order), limits on its size and time, trailers kept out of the head, CONNECT and absolute-form
answered in words, and a `Connection` in the ASGI scope through which a handler learns at once that its client is gone
and can break off an answer that must not look complete.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from ccproxy.gateway.joining import JoiningTransport
from ccproxy.gateway.replies import plain_reply

#: Key of the `Connection` in the ASGI scope's `extensions`.
EXTENSION = "ccproxy.connection"


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a request head; seconds and bytes."""

    max_header_bytes: int
    max_headers: int
    header_seconds: float


@dataclass(slots=True)
class Connection:
    """What a handler may know of and do to its client's connection, for one request."""

    target: bytes
    #: Header fields as received: names in their case, in order.
    pairs: list[tuple[bytes, bytes]]
    #: Breaks the connection at once; what was not yet sent is lost.
    abort: Callable[[], None]
    #: Sends what was written and closes without the end that the answer's framing calls for.
    cut: Callable[[], None]
    #: Called once when the client goes away before the answer is complete.
    on_lost: Callable[[], object] | None = None
    lost: bool = False
    #: Says that the body follows the head of the answer at once: they are sent together.
    hold: Callable[[], None] = lambda: None


class _Refused(Exception):
    """Ends the parsing of a request that was already answered."""


class GatewayProtocol(HttpToolsProtocol):
    """One client connection."""

    def __init__(self, config: Config, state: ServerState, limits: Limits) -> None:
        super().__init__(config=config, server_state=state, app_state={})
        self._limits = limits
        self._requests: list[Connection] = []
        self._pairs: list[tuple[bytes, bytes]] = []
        self._in_head = True
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._refusal: bytes | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._joining = JoiningTransport(transport, self.loop)
        self.transport = self._joining  # type: ignore[assignment]  # it has what uvicorn asks of a transport
        self._arm_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm_head_timer()
        super().connection_lost(exc)
        self.pipeline.clear()
        for request in self._requests:
            request.lost = True
            if request.on_lost is not None:
                request.on_lost()
        self._requests.clear()

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None:
            return
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._refusal is None and not self.transport.is_closing():
            if self._head_bytes > self._limits.max_header_bytes:
                self._refuse_head_size()
            elif self._head_bytes and self._head_timer is None:
                self._arm_head_timer()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._pairs = []

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self._limits.max_header_bytes:
            self._refuse_head_size()
            raise _Refused

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # a trailer: meant for the hop, never part of the request that is forwarded
        self._pairs.append((name, value))
        if len(self._pairs) > self._limits.max_headers:
            self._refuse(
                431,
                f"the request has more than {self._limits.max_headers} header fields",
                "the limit is gateway.max_headers",
            )
            raise _Refused
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._disarm_head_timer()
        if sum(len(name) + len(value) for name, value in self._pairs) + len(self.url) > self._limits.max_header_bytes:
            self._refuse_head_size()
            raise _Refused
        if self.parser.get_method() == b"CONNECT":
            self._refuse(
                501,
                "CONNECT is not served: ccproxy is no forward proxy",
                "point the client's base URL here; unset HTTPS_PROXY",
            )
            raise _Refused
        codings = [value.strip().lower() for name, value in self._pairs if name.lower() == b"transfer-encoding"]
        if codings and codings != [b"chunked"]:
            # Undoing another coding is nobody's business here, and dropping its name would change the body.
            self._refuse(501, "the only transfer-encoding served is chunked", "")
            raise _Refused
        if not self.url.startswith(b"/") and not self._accept_absolute_form():
            raise _Refused
        connection = Connection(self.url, self._pairs, self._abort, self._cut, hold=self._joining.hold)
        self._requests.append(connection)
        self.scope["extensions"] = {EXTENSION: connection}  # type: ignore[dict-item]
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head = True
        self._head_bytes = 0

    def on_response_complete(self) -> None:
        if self._requests:
            del self._requests[0]
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """uvicorn's answer to a request that cannot be parsed; a refusal that was already decided goes first."""
        if self._refusal is None:
            self._refuse(400, "the request is not valid HTTP/1.1", "")

    def _accept_absolute_form(self) -> bool:
        """`GET http://127.0.0.1:4000/path` is the same request as `GET /path`; an address elsewhere is refused."""
        if self.url == b"*":
            return True
        try:
            parsed = httptools.parse_url(self.url)
        except httptools.HttpParserInvalidURLError:
            self._refuse(400, "the request target is not a valid URL", "")
            return False
        authority = (parsed.host or b"").lower() + (b":%d" % parsed.port if parsed.port else b"")
        hosts = [value.lower() for name, value in self._pairs if name.lower() == b"host"]
        if hosts != [authority]:
            self._refuse(
                400,
                f"the request is for {authority.decode('latin-1')!r}: ccproxy is no forward proxy",
                "point the client's base URL here; unset HTTP_PROXY",
            )
            return False
        path = parsed.path or b"/"
        self.url = path + (b"?" + parsed.query if parsed.query else b"")
        return True

    def _refuse_head_size(self) -> None:
        self._refuse(
            431,
            f"the request head is larger than {self._limits.max_header_bytes} bytes",
            "the limit is gateway.max_header_bytes",
        )

    def _refuse(self, status: int, message: str, hint: str) -> None:
        """Answers a request that does not reach a handler, and closes."""
        self._refusal = plain_reply(status, message, hint)
        self._disarm_head_timer()
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            self.transport.write(self._refusal)
            self.transport.close()
        elif not cycle.more_body:
            # An answer to an earlier request is under way: nothing may be put between.
            cycle.keep_alive = False
        elif cycle.response_started:
            self._abort()
        else:
            # The body of the request at hand is broken.
            cycle.disconnected = True
            self.transport.write(self._refusal)
            self.transport.close()

    def _abort(self) -> None:
        """Breaks the connection so that the client sees the answer as incomplete."""
        if self.cycle is not None:
            self.cycle.disconnected = True
        self.transport.abort()

    def _cut(self) -> None:
        """Closes behind the last bytes written, so that the client reads them and then misses the end."""
        if self.cycle is not None:
            self.cycle.disconnected = True
        self.transport.close()

    def _arm_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self._limits.header_seconds, self._head_too_slow)

    def _disarm_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_too_slow(self) -> None:
        self._head_timer = None
        if not self._head_bytes:
            self.transport.close()
        elif self._in_head:
            self._refuse(408, f"the request head did not arrive within {self._limits.header_seconds:g} seconds", "")


def protocol_factory(
    app: Any, state: ServerState, limits: Limits, *, keepalive: float, max_message: int
) -> Callable[[], GatewayProtocol]:
    """What `loop.create_server` wants: makes the protocol of each new connection.

    Args:
        app: the ASGI application.
        keepalive: seconds an idle connection is kept.
        max_message: bytes of the largest WebSocket message.
    """
    config = Config(
        app,
        http=GatewayProtocol,
        ws="websockets-sansio",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_keep_alive=keepalive,  # type: ignore[arg-type]  # a float serves `call_later` as well
        ws_max_size=max_message,
        ws_ping_interval=None,
        ws_ping_timeout=None,
        server_header=False,
        date_header=False,
        proxy_headers=False,
    )
    config.load()
    return lambda: GatewayProtocol(config, state, limits)
