"""Sends a request body piece by piece while the answer may already be coming back.

Pieces go out as they are had and no faster than the provider takes them, so a large upload is never held twice and
never blocks the event loop. The length that was announced is kept to the byte: a piece too many would be read as the
start of the next request.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import StreamWriter

from ccproxy.egress.wire import CHUNKED
from ccproxy.errors import BadRequest

#: A body of bytes up to this size is written in one go.
WHOLE = 256 * 1024
_PIECE = 64 * 1024


async def pieces(body: bytes) -> AsyncIterator[bytes]:
    """`body` cut up."""
    view = memoryview(body)
    for start in range(0, len(body), _PIECE):
        yield bytes(view[start : start + _PIECE])


class Upload:
    """A running upload.

    Args:
        body: the pieces.
        length: how many bytes were announced, or CHUNKED.
        protocol: the connection, its head already written.
        ended: called when the whole body is written.
        failed: called with what the iterator raised, or with BadRequest if the body has not the announced length. A
            broken connection is not reported here: the reader of the answer sees it.

    Attributes:
        waiting: it is the source of the body that makes it wait, not the provider.
        handed: bytes given to the connection so far.
    """

    def __init__(
        self,
        body: AsyncIterator[bytes],
        length: int,
        protocol: BaseProtocol,
        *,
        ended: Callable[[], None],
        failed: Callable[[Exception], None],
    ) -> None:
        loop = asyncio.get_running_loop()
        self._body = body
        self._length = length
        self._ended = ended
        self._failed = failed
        self._writer = StreamWriter(protocol, loop)
        if length == CHUNKED:
            self._writer.enable_chunking()
        self.waiting = True
        self.handed = 0
        self.complete = False
        self._task = loop.create_task(self._run(), name="upload")

    async def stop(self) -> None:
        """Ends the upload and waits until the iterator is let go of. Does nothing to one that has ended."""
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    def cancel(self) -> None:
        """Ends the upload soon."""
        self._task.cancel()

    async def _run(self) -> None:
        try:
            async for piece in self._body:
                self.waiting = False
                self.handed += len(piece)
                if self._length != CHUNKED and self.handed > self._length:
                    raise BadRequest(f"the request body is longer than its Content-Length of {self._length}")
                if not await self._write(piece):
                    return
                self.waiting = True
            self.waiting = False
            if self.handed < self._length:
                raise BadRequest(f"the request body ended after {self.handed} of {self._length} bytes")
            if await self._finish():
                self.complete = True
                self._ended()
        except Exception as error:  # noqa: BLE001 - a background task: what the source raised goes to who waits for the answer
            self._failed(error)
        finally:
            if isinstance(self._body, AsyncGenerator):
                await self._body.aclose()

    async def _write(self, piece: bytes) -> bool:
        """Whether the connection still stands."""
        try:
            await self._writer.write(piece)
        except OSError:
            return False
        return True

    async def _finish(self) -> bool:
        try:
            await self._writer.write_eof()
        except OSError:
            return False
        return True
