"""One request on one connection: the answer's head, its body as it arrives, and the end of both.

The connection belongs to this object until the body is complete; then it goes back to the pool, or is closed if the
request was not fully sent. Anything else (a failure, `close`, cancellation) aborts it at once, which is what makes a
provider stop generating. Time limits cost one timer each: instead of being moved with every chunk it looks, when it
fires, how long the silence has lasted, and is set again if that is not long enough.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import HttpVersion11, RawResponseMessage
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from ccproxy.egress import failures
from ccproxy.egress.transport import Timeouts
from ccproxy.egress.upload import WHOLE, Upload, pieces
from ccproxy.errors import CCProxyError, UpstreamCut, UpstreamError
from ccproxy.exchange.http import Headers

#: An answer is read no further ahead of its reader than twice this many bytes.
_READ_AHEAD = 64 * 1024


class Line:
    """A connection, over all the answers it carries: knows the one it is busy with, and tells it of its end."""

    __slots__ = ("response",)

    def __init__(self) -> None:
        self.response: PooledResponse | None = None

    def ended(self, closed: asyncio.Future[None]) -> None:
        """The connection is closed, by whomever."""
        if not closed.cancelled():
            closed.exception()  # retrieved, so that asyncio does not report it as lost
        if self.response is not None:
            self.response.connection_ended()


class PooledResponse:
    """An answer (`UpstreamResponse`). Made by `PooledTransport`, ready after `begin`.

    Args:
        connection, protocol, line: the connection, for this answer alone.
        where: the provider's `host:port`, for messages.
        timeouts: limits for this answer.

    Attributes:
        untouched: `begin` failed because the connection ended before a byte of the answer.
    """

    def __init__(
        self,
        connection: Connection,
        protocol: ResponseHandler,
        line: Line,
        where: str,
        timeouts: Timeouts,
    ) -> None:
        line.response = self
        self._line = line
        self._connection: Connection | None = connection
        self._protocol = protocol
        self._where = where
        self._timeouts = timeouts
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._upload: Upload | None = None
        self._source_error: Exception | None = None
        self._progress = -1
        self._waiting_since = 0.0
        self._message: RawResponseMessage | None = None
        self._payload: StreamReader = EMPTY_PAYLOAD
        self.untouched = False
        self.status = 0
        self.reason = ""
        self.headers = Headers()

    @property
    def http_version(self) -> str:
        """Like "1.1"."""
        version = self._message.version if self._message else HttpVersion11
        return f"{version.major}.{version.minor}"

    async def begin(self, method: str, head: bytes, body: bytes | AsyncIterator[bytes] | None, length: int) -> None:
        """Sends the request and waits for the head of the answer.

        Raises UpstreamError, UpstreamTimeout, and whatever an iterator `body` raises, as it is.
        """
        protocol = self._protocol
        protocol.set_response_params(
            skip_payload=method.upper() == "HEAD",
            read_until_eof=True,
            auto_decompress=False,
            read_bufsize=_READ_AHEAD,
            max_line_size=failures.MAX_LINE,
            max_field_size=failures.MAX_LINE,
            max_headers=failures.MAX_FIELDS,
        )
        try:
            self._send(head, body, length)
            self._watch_for_head()
            message, payload = await protocol.read()
            while message.code < 200 and message.code != 101:  # 100 Continue, 103 Early Hints
                message, payload = await protocol.read()
            if message.code == 101:
                raise UpstreamError(f"{self._where} switched to another protocol without being asked")
        except BaseException as error:
            await self.close()
            if error is self._source_error or not isinstance(
                error, aiohttp.ClientError | HttpProcessingError | OSError
            ):
                raise
            self.untouched = _ended_silently(error)
            raise failures.no_answer(error, self._where) from error
        self._unwatch()
        self._message = message
        self._payload = payload
        self.status = message.code
        self.reason = _text(message.reason)
        self.headers.pairs = list(message.raw_headers)
        payload.on_eof(self._complete)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises UpstreamCut, UpstreamTimeout."""
        payload = self._payload
        now = self._loop.time
        cause: Exception | None = None
        if self._timeouts.idle and self._connection is not None:
            self._unwatch()
            self._timer = self._loop.call_later(self._timeouts.idle, self._look_at_silence)
        try:
            while True:
                self._waiting_since = now()
                data = await payload.readany()
                self._waiting_since = 0.0
                if not data:
                    break
                yield data
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            # RuntimeError: read again after the connection ended.
            cause = error
        if cause is None and not self._ended_by_reset():
            return
        failure, rest = self._failure(), self._rest()
        self._abort()
        if rest:
            yield rest
        raise failure from cause

    async def close(self) -> None:
        """Lets go of the answer; see `UpstreamResponse.close`."""
        self.give_up()
        if self._upload is not None:
            await self._upload.stop()

    def give_up(self) -> None:
        """Aborts the connection, if it is still needed; who waits for something gets an UpstreamCut."""
        if self._connection is not None:
            error = UpstreamCut(f"the answer of {self._where} was given up")
            self._protocol.set_exception(error)
            self._payload.set_exception(error)
            self._abort()

    def connection_ended(self) -> None:
        """The connection is closed. The parser has told the body so, unless it had failed itself before."""
        if self._message is not None and self._payload.exception() is None and not self._payload.is_eof():
            self._payload.set_exception(aiohttp.ClientPayloadError())

    def _rest(self) -> bytes:
        """What came before the connection failed and had not been read: the failure stands before it in the queue."""
        self._payload.set_exception(None)  # type: ignore[arg-type]
        return self._payload.read_nowait()

    def _failure(self) -> UpstreamError:
        """Why the body ended too early."""
        if isinstance(self._protocol.exception(), HttpProcessingError):
            return failures.broken_body(self._where, self._payload.total_bytes)
        return failures.cut(self._where, self._payload.total_bytes)

    def _send(self, head: bytes, body: bytes | AsyncIterator[bytes] | None, length: int) -> None:
        transport = self._protocol.transport
        if transport is None or transport.is_closing():
            raise aiohttp.ServerDisconnectedError
        if isinstance(body, bytes) and length <= WHOLE:
            transport.write(head + body)
            return
        transport.write(head)
        if body is not None:
            source = pieces(body) if isinstance(body, bytes) else body
            self._upload = Upload(
                source, length, self._protocol, ended=self._watch_for_head, failed=self._upload_failed
            )

    def _upload_failed(self, error: Exception) -> None:
        if self._message is None:
            self._source_error = error
            self._protocol.set_exception(error)  # `begin` raises it
        elif self._connection is not None:
            why = error if isinstance(error, CCProxyError) else UpstreamCut("the request ended before it was complete")
            self._payload.set_exception(why)
            self._abort()

    def _complete(self) -> None:
        """The last byte of the body is here, though perhaps not yet read."""
        self._unwatch()
        connection, self._connection = self._connection, None
        if connection is None:
            return
        self._line.response = None
        transport = self._protocol.transport
        uploading = self._upload is not None and not self._upload.complete
        if uploading or (transport is not None and transport.get_write_buffer_size()):
            if self._upload is not None:
                self._upload.cancel()
            self._protocol.abort()
            connection.close()
        else:
            connection.release()

    def _abort(self) -> None:
        self._unwatch()
        connection, self._connection = self._connection, None
        if connection is not None:
            self._line.response = None
            self._protocol.abort()  # not close(), which would first send what is left of the request
            connection.close()

    def _watch_for_head(self) -> None:
        seconds = self._timeouts.first_byte
        if seconds and self._message is None:
            self._unwatch()
            self._timer = self._loop.call_later(seconds, self._look_at_head)

    def _look_at_head(self) -> None:
        upload = self._upload
        sending = upload is not None and not upload.complete
        if upload is not None and sending:
            transport = self._protocol.transport
            progress = upload.handed - (transport.get_write_buffer_size() if transport else 0)
            if upload.waiting or progress != self._progress:
                self._progress = progress
                self._watch_for_head()
                return
        self._protocol.set_exception(
            failures.no_answer_in_time(self._where, self._timeouts.first_byte, sending=sending)
        )

    def _look_at_silence(self) -> None:
        idle = self._timeouts.idle
        now = self._loop.time()
        since = self._waiting_since or now  # a slow reader is not the provider's silence
        if (left := since + idle - now) > 0:
            self._timer = self._loop.call_later(left, self._look_at_silence)
            return
        self._payload.set_exception(failures.silence(self._where, idle, self._payload.total_bytes))
        self._abort()

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ended_by_reset(self) -> bool:
        """A body that only the end of the connection delimits is complete after an orderly end alone."""
        message = self._message
        if message is None or not message.should_close or message.chunked or b"content-length" in self.headers:
            return False
        return isinstance(self._protocol.exception(), aiohttp.ClientOSError)


def _ended_silently(error: BaseException) -> bool:
    """The connection ended before the answer began."""
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return isinstance(error.message, str)  # else it is the part of a head that came
    return isinstance(error, OSError)


def _text(reason: str) -> str:
    """The reason phrase as latin-1, as header fields are: the parser reads it as UTF-8."""
    return reason if reason.isascii() else reason.encode("utf-8", "surrogateescape").decode("latin-1")
