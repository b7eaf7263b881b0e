"""The answer to a client: the upstream's, passed on as it comes, or one of our own.

The last bytes of a recorded answer are held until the recorder has it on disk, so that what a client saw complete is
never lost with the process. An answer that broke off is ended so that no client can take it for complete.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ccproxy.errors import CCProxyError
from ccproxy.exchange.exchange import Exchange, ResponseHead
from ccproxy.exchange.http import HOP_BY_HOP, Headers
from ccproxy.flows.recorder import Tape
from ccproxy.gateway.listener import Connection
from ccproxy.gateway.replies import error_document, error_event, error_headers, phrase
from ccproxy.lightllm.ir.losses import LOSSES_HEADER
from ccproxy.lightllm.registry import Registry

Send = Callable[[Any], Awaitable[None]]

#: Header fields of an upstream that say something about a connection or origin that is not ours.
_NOT_OURS = HOP_BY_HOP | {b"alt-svc", b"strict-transport-security"}
_MAX_BUFFERED = 64 * 1024 * 1024


class Answer:
    """Writes one answer.

    Args:
        send: the ASGI channel.
        connection: the client's connection.
        exchange: the exchange that is answered.
        tape: records the answer where it is our own.
        dialects: those in which errors can be told.
        http_version: the client's; an HTTP/1.0 client cannot read a chunked body, so its answer is collected first.
    """

    def __init__(
        self,
        send: Send,
        connection: Connection,
        exchange: Exchange,
        tape: Tape,
        dialects: Registry,
        http_version: str,
    ) -> None:
        self._send = send
        self._dialects = dialects
        self._connection = connection
        self._exchange = exchange
        self._tape = tape
        self._collected: bytearray | None = bytearray() if http_version == "1.0" else None
        self._head: ResponseHead | None = None
        self._outgoing = Headers()
        self._remaining: int | None = None
        self._held = b""
        self._tail = b""
        self.started = False

    async def begin(self, head: ResponseHead) -> None:
        """Sends the head of an upstream's answer."""
        self._head = head
        headers = self._outgoing = outgoing(head.headers)
        length = head.headers.get(b"content-length")
        bodiless = self._exchange.request.method == "HEAD" or head.status in {204, 304}
        if head.status in {204, 304}:
            headers = headers.without((b"content-length",))
        if bodiless:
            self._collected = None
        elif length is not None and length.isdigit():
            self._remaining = int(length)
            self._collected = None
        if self._collected is None:
            if bodiless or self._remaining is not None:
                self._connection.hold()
            await self._start(head.status, headers)

    async def write(self, chunk: bytes) -> None:
        """Passes a piece of the body on. The piece that completes a body of known length is held for `end`."""
        if self._remaining is not None:
            self._remaining -= len(chunk)
            if self._remaining <= 0:
                self._held = chunk
                return
        if self._collected is not None:
            self._collected += chunk
            if len(self._collected) > _MAX_BUFFERED:
                raise CCProxyError("the answer is too large for an HTTP/1.0 client", hint="use HTTP/1.1", status=502)
            return
        self._tail = chunk
        await self._send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def end(self) -> None:
        """Ends a complete answer."""
        if self._collected is not None and self._head is not None:
            headers = self._outgoing.without((b"content-length",))
            headers.add(b"content-length", str(len(self._collected)).encode())
            await self._start(self._head.status, headers)
            self._held = bytes(self._collected)
        await self._send({"type": "http.response.body", "body": self._held, "more_body": False})

    async def reply(self, status: int, headers: Headers, body: bytes) -> None:
        """Prepares a whole answer of our own; `end` lets it go."""
        self._collected = None
        if status != 204:
            headers.add(b"content-length", str(len(body)).encode())
        self._connection.hold()
        await self._start(status, headers)
        self._held = body if self._exchange.request.method != "HEAD" else b""

    async def fail(self, error: CCProxyError, *, close: bool) -> bool:
        """Tells the client of a failure, in its dialect. Returns whether `end` may follow; if not, the answer had begun,
        and the connection was broken so that nobody takes it for complete.

        Args:
            close: the request was not read to its end, so the connection cannot be used again.
        """
        exchange = self._exchange
        if not self.started:
            headers = error_headers(error)
            if close:
                headers.add(b"connection", b"close")
            document = error_document(self._dialects, exchange.dialect, error, exchange.id)
            if exchange.response is None:
                exchange.response = ResponseHead(error.status, phrase(error.status), headers.copy())
                self._tape.response_chunk(document)
            self._remaining = None
            await self.reply(error.status, headers, document)
            return True
        if self._can_append_event():
            event = error_event(self._dialects, exchange.dialect, error, exchange.id)
            # An unfinished line is ended first; joined to the error it cannot be read as content.
            gap = b"" if not self._tail or self._tail.endswith((b"\n\n", b"\r\n\r\n", b"\r\r")) else b"\n"
            await self._send({"type": "http.response.body", "body": gap + event, "more_body": True})
            # There are clients that pass over an event they do not know: the end that does not come tells those.
            self._connection.cut()
            return False
        self._connection.abort()
        return False

    def cut(self) -> None:
        """Breaks the connection when what was written is out: the end that does not come tells the client that the
        answer failed."""
        self._connection.cut()

    def _can_append_event(self) -> bool:
        if self._head is None or self._remaining is not None:
            return False
        headers = self._head.headers
        encoded = headers.text(b"content-encoding").lower() not in {"", "identity"}
        return headers.text(b"content-type").lower().startswith("text/event-stream") and not encoded

    async def _start(self, status: int, headers: Headers) -> None:
        exchange = self._exchange
        headers.add(b"x-ccproxy-flow", exchange.id.encode())
        if exchange.losses and (losses := exchange.losses.header()):
            headers.set(LOSSES_HEADER.encode(), losses.encode("ascii", "replace"))
        if origin := exchange.client.origin:
            headers.set(b"access-control-allow-origin", origin.encode("latin-1"))
            headers.add(b"access-control-expose-headers", b"*")
            headers.add(b"vary", b"Origin")
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers.pairs})


def outgoing(headers: Headers) -> Headers:
    """The upstream's header fields that the client gets."""
    drop = _NOT_OURS | headers.tokens(b"connection")
    return Headers(
        pair for pair in headers if (name := pair[0].lower()) not in drop and not name.startswith(b"x-ccproxy-")
    )
