"""WebSockets to providers, by the `websockets` library.

What the client sent in its handshake is relayed but for what belongs to one connection alone: key, version, extensions
and Host are this connection's own, so compression is agreed on each side separately. No pings are sent: two ends that
want them send their own. The library's logger is silenced, since at DEBUG it writes out header values.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator

from websockets.asyncio.client import ClientConnection, connect
from websockets.datastructures import HeadersLike
from websockets.exceptions import (
    ConnectionClosed,
    InvalidMessage,
    InvalidStatus,
    PayloadTooBig,
    WebSocketException,
)
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from ccproxy.egress import failures, keepalive
from ccproxy.egress.proxy import EgressProxy
from ccproxy.egress.transport import Transport, UpstreamRequest, UpstreamResponse, UpstreamSocket
from ccproxy.egress.tunnel import connect_through
from ccproxy.egress.wire import encode_head
from ccproxy.errors import UpstreamCut, UpstreamError
from ccproxy.exchange.http import Headers

#: Seconds to wait for the peer's part of the closing handshake.
CLOSE_SECONDS = 2.0
_OWN = frozenset({b"host", b"connection", b"upgrade", b"content-length", b"transfer-encoding"})
_MAX_REASON = 123


class _Refused(InvalidStatus):
    """A handshake that was not accepted, with what was asked."""

    def __init__(self, response: Response, request: Request | None) -> None:
        super().__init__(response)
        self.request = request


class _Connection(ClientConnection):
    """The library's connection; a refusal brings the request along."""

    async def handshake(
        self, additional_headers: HeadersLike | None = None, user_agent_header: str | None = None
    ) -> None:
        try:
            await super().handshake(additional_headers, user_agent_header)
        except InvalidStatus as refused:
            raise _Refused(refused.response, self.request) from None


class _Connect(connect):
    """The library's opening handshake, following no redirects."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


def _silent_logger() -> logging.Logger:
    # Not registered by name: no configuration of logging reaches it.
    logger = logging.Logger("ccproxy.egress.websocket", level=logging.CRITICAL + 1)
    logger.addHandler(logging.NullHandler())
    return logger


async def open_socket(
    request: UpstreamRequest,
    subprotocols: list[str],
    *,
    max_message: int,
    context: ssl.SSLContext | None,
    proxy: EgressProxy | None,
) -> UpstreamSocket | UpstreamResponse:
    """Opens a WebSocket; see `Transport.open_socket`.

    Args:
        request: its scheme is `http` or `https`; it has no body.
        subprotocols: offered, in order of preference.
        max_message: most bytes of an incoming message.
        context: for https, else None.
        proxy: to go through, or None.

    Raises UpstreamError, UpstreamTimeout; BadRequest if the request is no valid message.
    """
    encode_head(request, b"")  # refuses what could not go out over HTTP either
    authority = f"[{request.host}]" if ":" in request.host else request.host
    where = f"{authority}:{request.port}"
    try:
        async with asyncio.timeout(request.timeouts.connect or None):
            tunnel = await connect_through(proxy, where) if proxy else None
            opening = _Connect(
                f"{'wss' if context else 'ws'}://{where}/",
                subprotocols=[Subprotocol(name) for name in subprotocols] or None,
                additional_headers=_relayed(request.headers),
                user_agent_header=None,
                proxy=None,
                open_timeout=None,
                ping_interval=None,
                close_timeout=CLOSE_SECONDS,
                max_size=max_message,
                logger=_silent_logger(),
                create_connection=_Connection,
                ssl=context,
                sock=tunnel,
            )
            # The target as it stands: taken apart and put together again it would lose an empty query.
            opening.ws_uri.path = request.target.decode("ascii")
            opening.ws_uri.query = ""
            connection = await opening
    except _Refused as refused:
        return RefusedHandshake(refused.response, _fields(refused.request))
    except TimeoutError:
        via = proxy.name if proxy else ""
        raise failures.connect_timeout(where, request.timeouts.connect, proxy=via) from None
    except InvalidMessage as error:
        if isinstance(error.__cause__, EOFError):
            raise failures.no_answer(error, where) from None
        raise failures.not_http(error, where) from None
    except WebSocketException as error:
        # Not its text: it quotes header fields.
        raise UpstreamError(f"{where} made no valid WebSocket handshake: {type(error).__name__}") from None
    except OSError as error:
        raise failures.cannot_connect(error, where) from error
    except ValueError:
        raise UpstreamError(f"cannot open a WebSocket to {where}: not a valid host name or target") from None
    with contextlib.suppress(OSError, AttributeError):
        keepalive.probe(connection.transport.get_extra_info("socket"))
    return OpenSocket(connection, where, max_message)


def _relayed(headers: Headers) -> list[tuple[str, str]]:
    """What of a client's handshake goes on to the upstream."""
    return [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in headers
        if (key := name.lower()) not in _OWN and not key.startswith(b"sec-websocket-")
    ]


def _fields(message: Request | Response | None) -> Headers:
    if message is None:
        return Headers()
    return Headers((name.encode("latin-1"), value.encode("latin-1")) for name, value in message.headers.raw_items())


class OpenSocket:
    """An open WebSocket (`UpstreamSocket`). `sent` are the header fields of the handshake as it went out."""

    def __init__(self, connection: ClientConnection, where: str, max_message: int) -> None:
        self._connection = connection
        self._where = where
        self._max_message = max_message
        self._closing = False
        self.headers = _fields(connection.response)
        self.sent = _fields(connection.request)

    @property
    def subprotocol(self) -> str | None:
        """What the upstream chose, or None."""
        return self._connection.subprotocol

    @property
    def close_code(self) -> int:
        """The code the upstream closed with: 1005 if it gave none, 1006 if the connection just ended, 0 while open."""
        return self._connection.close_code or 0

    @property
    def close_reason(self) -> str:
        """The reason that came with the code, or ""."""
        return self._connection.close_reason or ""

    async def send(self, message: str | bytes) -> None:
        """Sends text as a text message and bytes as a binary one. Raises UpstreamCut if the socket is closed."""
        try:
            await self._connection.send(message)
        except ConnectionClosed as closed:
            raise self._cut(closed) from None

    async def messages(self) -> AsyncIterator[str | bytes]:
        """Messages until either side closes. Raises UpstreamCut when the connection breaks or the upstream breaks the
        rules of the protocol."""
        while True:
            try:
                message = await self._connection.recv()
            except ConnectionClosed as closed:
                if self._closing or (closed.rcvd is not None and closed.rcvd_then_sent is not False):
                    return
                raise self._cut(closed) from None
            yield message

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Closes with `code` and `reason`; a code that may not be sent becomes 1000 (for 1005) or 1001.

        The close frame goes out at once; the peer's is waited for a short while.
        """
        self._closing = True
        text = reason.encode()[:_MAX_REASON].decode(errors="ignore")
        await self._connection.close(_sendable(code), text)

    def _cut(self, closed: ConnectionClosed) -> UpstreamCut:
        if isinstance(closed.__cause__, PayloadTooBig):
            return UpstreamCut(
                f"{self._where} sent a WebSocket message of more than {self._max_message} bytes",
                hint="see gateway.max_websocket_message_bytes",
            )
        if closed.rcvd is None and closed.sent is not None and not self._closing:
            return UpstreamCut(f"{self._where} broke the WebSocket protocol (closed with {closed.sent.code})")
        if closed.rcvd is not None:
            return UpstreamCut(f"{self._where} closed the WebSocket with {closed.rcvd.code}")
        return UpstreamCut(f"{self._where} broke the WebSocket connection")


def _sendable(code: int) -> int:
    """RFC 6455 7.4: which codes a close frame may carry."""
    if code == 1005:
        return 1000
    if code in {1004, 1006, 1015} or not (1000 <= code <= 1014 or 3000 <= code <= 4999):
        return 1001
    return code


class RefusedHandshake:
    """An upstream's answer to a handshake it did not accept (`UpstreamResponse`), whole. `sent` is as in `OpenSocket`."""

    def __init__(self, response: Response, sent: Headers) -> None:
        self._body = bytes(response.body)
        self.status = response.status_code
        self.reason = response.reason_phrase
        self.headers = _fields(response)
        self.sent = sent
        self.http_version = "1.1"

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, in one piece."""
        if self._body:
            yield self._body

    async def close(self) -> None:
        """Nothing is left to close."""


class Accepted:
    """A handshake that was accepted, as the answer it is (`UpstreamResponse`): `socket` is open."""

    status = 101
    reason = "Switching Protocols"
    http_version = "1.1"

    def __init__(self, socket: UpstreamSocket) -> None:
        self.socket = socket
        self.headers = socket.headers

    async def chunks(self) -> AsyncIterator[bytes]:
        """There is no body."""
        nothing: tuple[bytes, ...] = ()
        for piece in nothing:
            yield piece

    async def close(self) -> None:
        """Closes the socket, which nobody is to have."""
        await self.socket.close()


class Handshakes:
    """Makes WebSockets of the requests it is to send, so that they are tried like any request (`Sends`).

    Args:
        subprotocols, max_message: as in `Transport.open_socket`.

    Attributes:
        sent: the header fields of the last handshake as it went out, or None.
    """

    def __init__(self, transport: Transport, subprotocols: list[str], *, max_message: int) -> None:
        self._transport = transport
        self._subprotocols = subprotocols
        self._max_message = max_message
        self.sent: Headers | None = None

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """One handshake: `Accepted`, or the upstream's refusal. Raises as `Transport.open_socket`."""
        self.sent = None
        answer = await self._transport.open_socket(request, self._subprotocols, max_message=self._max_message)
        if isinstance(answer, OpenSocket | RefusedHandshake):
            self.sent = answer.sent
        return Accepted(answer) if isinstance(answer, UpstreamSocket) else answer
