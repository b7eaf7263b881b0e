"""The seam between ccproxy and the network. Tests and the demo provider put their own `Transport` here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ccproxy.exchange.http import Headers


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits in seconds; 0 means none.

    `connect` covers DNS, TCP, a proxy's CONNECT and TLS; `first_byte` runs from the end of the request to the
    response head; `idle` is the longest silence between two pieces of the body.
    """

    connect: float = 10.0
    first_byte: float = 600.0
    idle: float = 300.0


@dataclass(slots=True)
class UpstreamRequest:
    """A request to send exactly as it stands.

    `headers` are complete except for Host, which comes from host and port unless given. `body` is None (no body and
    no Content-Length), bytes (a Content-Length is sent), or an iterator (sent as it comes: with the Content-Length
    in `headers` if there is one, else chunked).
    """

    method: str
    scheme: str
    host: str
    port: int
    target: bytes
    headers: Headers
    body: bytes | AsyncIterator[bytes] | None = None
    timeouts: Timeouts = Timeouts()
    verify: bool = True


class UpstreamResponse(Protocol):
    """An answer whose head has arrived."""

    @property
    def status(self) -> int: ...

    @property
    def reason(self) -> str: ...

    @property
    def headers(self) -> Headers: ...

    @property
    def http_version(self) -> str:
        """Like "1.1"."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, content-encoding untouched, transfer-encoding removed. Raises UpstreamCut when the
        connection ends before the body does, UpstreamTimeout on silence."""
        ...

    async def close(self) -> None:
        """Lets go of the answer. If the body was not read to its end the connection is closed at once, which
        tells the provider to stop. May be called twice."""
        ...


@runtime_checkable
class UpstreamSocket(Protocol):
    """An open WebSocket to an upstream."""

    @property
    def headers(self) -> Headers:
        """The header fields of the 101 answer."""
        ...

    @property
    def subprotocol(self) -> str | None: ...

    async def send(self, message: str | bytes) -> None: ...

    def messages(self) -> AsyncIterator[str | bytes]:
        """Messages until the peer closes. Raises UpstreamCut when the connection breaks."""
        ...

    @property
    def close_code(self) -> int: ...

    @property
    def close_reason(self) -> str: ...

    async def close(self, code: int = 1000, reason: str = "") -> None: ...


class Sends(Protocol):
    """What a request goes out by: a `Transport`, or what makes something else of a request on the way."""

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Sends the request and returns when the response head is there. Raises UpstreamError, UpstreamTimeout."""
        ...


class Transport(Sends, Protocol):
    """Sends requests. One instance serves the whole process."""

    async def open_socket(
        self, request: UpstreamRequest, subprotocols: list[str], *, max_message: int
    ) -> UpstreamSocket | UpstreamResponse:
        """Performs a WebSocket handshake. Returns the open socket, or the answer of an upstream that refused.
        Handshake headers (Sec-WebSocket-*, Connection, Upgrade) in `request.headers` are ignored. Raises UpstreamError."""
        ...

    async def close(self) -> None: ...
