"""A transport that can send the head of an answer together with what follows it.

A write to a socket is the dearest step of a small answer, and uvicorn takes one for the head and one for the body. Where
the body is known to follow at once, the head is held for it; after a moment it goes alone, so that a body that is late
after all delays nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any

#: Seconds that a head waits for its body.
HOLD_SECONDS = 0.005
#: Of more bytes than that a copy costs as much as a write.
_JOINED_BYTES = 64 * 1024


class JoiningTransport:
    """Stands before the transport of a connection; everything but writing and ending goes straight to it."""

    __slots__ = ("_held", "_holding", "_loop", "_timer", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._holding = False
        self._held = b""
        self._timer: asyncio.TimerHandle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def hold(self) -> None:
        """Lets the next write wait for the one after it."""
        self._holding = not self._held

    def write(self, data: bytes) -> None:
        """Sends `data`, behind what was held."""
        if self._held:
            held = self._take()
            if len(data) <= _JOINED_BYTES:
                self._transport.write(held + data)
            else:
                self._transport.write(held)
                self._transport.write(data)
        elif self._holding:
            self._holding = False
            self._held = data
            self._timer = self._loop.call_later(HOLD_SECONDS, self.flush)
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Sends what is held."""
        if self._held:
            self._transport.write(self._take())

    def close(self) -> None:
        """Closes behind everything that was written."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Breaks the connection. What is held goes first, as far as it can go at once: the client is to see an answer
        that broke off."""
        self.flush()
        self._transport.abort()

    def _take(self) -> bytes:
        held, self._held = self._held, b""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return held
