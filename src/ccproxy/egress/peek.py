"""Looks at the beginning of an answer before any of it is passed on: providers hide errors inside of a 200.

Nothing of the answer is changed: what was read is given out again, byte for byte, in the pieces in which it came. A
stream is held until its first content (a dialect's decoder tells content from preamble), a document of moderate size
until it is complete, and neither longer than a limit, after which it is taken for good.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from ccproxy.egress.transport import UpstreamResponse
from ccproxy.errors import UpstreamError
from ccproxy.exchange.http import Headers
from ccproxy.lightllm.compression import Decompressor, decode, is_known
from ccproxy.lightllm.dialect import Context, Dialect
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.ir.events import Event, Failed, Ping, Start, UsageUpdate
from ccproxy.lightllm.jsontext import loads_or_none
from ccproxy.lightllm.sse import SSEFramer

#: The most that is held of an answer, in bytes.
MOST_HELD = 256 * 1024


class Held:
    """An answer of which the beginning has been read: an `UpstreamResponse` that gives it out once more."""

    def __init__(self, response: UpstreamResponse) -> None:
        self._response = response
        self._source = response.chunks()
        self._pending: asyncio.Task[bytes | None] | None = None
        self._kept: list[bytes] = []
        self._failure: UpstreamError | None = None
        self._ended = False

    @property
    def status(self) -> int:
        return self._response.status

    @property
    def reason(self) -> str:
        return self._response.reason

    @property
    def headers(self) -> Headers:
        return self._response.headers

    @property
    def http_version(self) -> str:
        return self._response.http_version

    @property
    def kept(self) -> bytes:
        """What has been read."""
        return b"".join(self._kept)

    @property
    def complete(self) -> bool:
        """Whether that is the whole body."""
        return self._ended

    async def read(self, end: float) -> bytes | None:
        """A further piece; None at the end of the body, or when the loop's time has come to `end`. Raises UpstreamError
        if the body breaks off."""
        if self._ended:
            return None
        if self._pending is None:
            self._pending = asyncio.create_task(self._next(), name="beginning of an answer")
        left = end - asyncio.get_running_loop().time()
        done, _ = await asyncio.wait({self._pending}, timeout=max(0.0, left))
        if not done:
            return None
        task, self._pending = self._pending, None
        try:
            piece = task.result()
        except UpstreamError as error:
            self._failure = error
            raise
        if piece is None:
            self._ended = True
        else:
            self._kept.append(piece)
        return piece

    async def chunks(self) -> AsyncIterator[bytes]:
        """The whole body."""
        kept, self._kept = self._kept, []
        for piece in kept:
            yield piece
        if self._pending is not None:
            pending, self._pending = self._pending, None
            try:
                late = await pending
            except asyncio.CancelledError:
                pending.cancel()
                raise
            if late is None:
                return
            yield late
        if self._failure is not None:
            raise self._failure
        if not self._ended:
            async for piece in self._source:
                yield piece

    async def close(self) -> None:
        if self._pending is not None:
            self._pending.cancel()
            await asyncio.wait([self._pending])
            if not self._pending.cancelled():
                self._pending.exception()
            self._pending = None
        await self._response.close()

    async def _next(self) -> bytes | None:
        return await anext(self._source, None)


async def read_error(held: Held, dialect: Dialect | None, *, seconds: float) -> ErrorInfo | None:
    """What an error answer says, or None if it takes too long, is too large or its dialect is not known."""
    if dialect is None:
        return None
    try:
        body = await _document(held, seconds)
    except UpstreamError:
        return None
    return dialect.decode_error(held.status, body) if body is not None else None


async def hidden_error(held: Held, dialect: Dialect, *, seconds: float) -> ErrorInfo | None:
    """The error that a 200 holds before any content, or None. Raises UpstreamError if the answer breaks off there."""
    kind = held.headers.text(b"content-type").partition(";")[0].strip().lower()
    encoding = held.headers.text(b"content-encoding")
    if encoding and not is_known(encoding):
        return None
    if kind == "text/event-stream":
        return await _in_stream(held, dialect, encoding, seconds)
    if kind == "application/json":
        body = await _document(held, seconds, array=False)
        if body is not None and _says_error(body):
            return _failure(dialect.decoder(Context()).document(body)) or dialect.decode_error(0, body)
    return None


async def _document(held: Held, seconds: float, *, array: bool = True) -> bytes | None:
    """The decoded body, or None if it is not complete within the limits. An `array` may be a stream of Gemini's: it is
    not waited for unless that is wanted."""
    end = asyncio.get_running_loop().time() + seconds
    plain = Decompressor(held.headers.text(b"content-encoding"), cap=8 * MOST_HELD)
    while len(held.kept) <= MOST_HELD and (piece := await held.read(end)) is not None:
        try:
            if not array and plain.feed(piece).lstrip()[:1] == b"[":
                return None
        except UpstreamError:
            return None
        array = True
    if not held.complete:
        return None
    encoding = held.headers.text(b"content-encoding")
    try:
        return decode(held.kept, encoding, 8 * MOST_HELD, error=UpstreamError)
    except UpstreamError:
        return None


async def _in_stream(held: Held, dialect: Dialect, encoding: str, seconds: float) -> ErrorInfo | None:
    end = asyncio.get_running_loop().time() + seconds
    plain = Decompressor(encoding, cap=8 * MOST_HELD)
    framer = SSEFramer(max_event=8 * MOST_HELD)
    decoder = dialect.decoder(Context())
    size, begun = 0, False
    while size <= MOST_HELD:
        piece = await held.read(end)
        if piece is None and not held.complete:
            return None
        try:
            frames = framer.eof() if piece is None else framer.feed(plain.feed(piece))
        except UpstreamError:
            return None  # not what it says it is: for the client to judge
        for frame in frames:
            if frame.comment:
                continue
            events = decoder.frame(frame.name, frame.data)
            if _says_error(frame.data) and (failure := _failure(events)) is not None:
                return failure
            if any(not isinstance(event, Start | UsageUpdate | Ping) for event in events):
                return None
            begun = begun or bool(events)
        if piece is None:
            # It ended in an orderly way, and before it had said anything.
            return _failure(decoder.eof()) if begun or not size else None
        size += len(piece)
    return None


def _failure(events: list[Event]) -> ErrorInfo | None:
    return next((event.error for event in events if isinstance(event, Failed)), None)


def _says_error(data: bytes) -> bool:
    """Whether a JSON object reports an error, in the words of any dialect."""
    value = loads_or_none(data)
    if not isinstance(value, dict):
        return False
    return bool(value.get("error")) or value.get("type") in {"error", "response.failed"}
