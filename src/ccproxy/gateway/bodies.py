"""Request bodies from the ASGI channel: whole, or passed on piece by piece, always within limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from ccproxy.errors import BadRequest, Overloaded
from ccproxy.exchange.http import Headers

Receive = Callable[[], Awaitable[Any]]


class ClientGone(Exception):
    """The client went away. Never leaves the gateway."""


class Budget:
    """Bytes of request bodies that may be held in memory at once, over all requests."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def take(self, size: int) -> None:
        """Raises Overloaded if `size` more bytes do not fit."""
        if self.used + size > self.limit:
            raise Overloaded(
                "too many bytes of request bodies are held at once",
                hint="try again; the limit is gateway.max_buffered_bytes",
            )
        self.used += size

    def give(self, size: int) -> None:
        """Gives `size` bytes back."""
        self.used -= size


class RequestBody:
    """The body of one request.

    Args:
        receive: the ASGI channel.
        headers: the request's head.
        limit: most bytes accepted.
        idle: seconds of silence after which the client is given up.
        budget: shared account for bytes that are held.

    Raises BadRequest (413) at once if Content-Length says it is too large.
    """

    def __init__(self, receive: Receive, headers: Headers, *, limit: int, idle: float, budget: Budget) -> None:
        self._receive = receive
        self._limit = limit
        self._idle = idle
        self._budget = budget
        self._held = 0
        self.complete = False
        length = headers.get(b"content-length")
        self.declared = int(length) if length is not None and length.isdigit() else None
        self.expected = self.declared is not None or b"transfer-encoding" in headers
        if self.declared == 0 or not self.expected:
            self.complete = True
        if self.declared is not None and self.declared > limit:
            raise self._too_large()

    async def read(self) -> bytes:
        """The whole body. Raises BadRequest (413, 408), Overloaded, ClientGone."""
        if self.complete:
            return b""
        pieces = [piece async for piece in self._pieces(hold=True)]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def stream(self, seen: Callable[[bytes], None]) -> AsyncIterator[bytes]:
        """The body in pieces as they come; each is shown to `seen` first. Raises as `read` does."""
        return self._pieces(hold=False, seen=seen)

    def release(self) -> None:
        """Gives the held bytes back to the budget."""
        self._budget.give(self._held)
        self._held = 0

    async def _pieces(self, *, hold: bool, seen: Callable[[bytes], None] | None = None) -> AsyncIterator[bytes]:
        total = 0
        while not self.complete:
            try:
                async with asyncio.timeout(self._idle):
                    message = await self._receive()
            except TimeoutError:
                raise BadRequest(f"the request body paused for more than {self._idle:g} seconds", status=408) from None
            if message["type"] == "http.disconnect":
                raise ClientGone
            piece: bytes = message.get("body", b"")
            self.complete = not message.get("more_body", False)
            if not piece:
                continue
            total += len(piece)
            if total > self._limit:
                raise self._too_large()
            if hold:
                self._budget.take(len(piece))
                self._held += len(piece)
            if seen is not None:
                seen(piece)
            yield piece

    def _too_large(self) -> BadRequest:
        return BadRequest(
            f"the request body is larger than {self._limit} bytes",
            hint="the limit is gateway.max_body_bytes",
            status=413,
        )
