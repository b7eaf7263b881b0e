"""An upstream's answer in the client's dialect: bytes in, bytes out, synchronous.

    upstream bytes -> reader -> decoder -> filters -> encoder -> writer -> client bytes

Strategy: one pipeline, four ways through it. A stream or a document comes in, a stream or a document goes out; the
decoder and encoder in the middle are the same, so what a client sees does not depend on how it was sent. A document is
the fold of the frames that a stream would have had.

Contract: nothing here raises for anything an upstream sends. A failure before the answer's first content gives no bytes:
`early_error` holds it, so that the caller can try elsewhere or answer with a real status. After that it is an error
event of the client's dialect, and never a normal ending.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ccproxy.errors import CCProxyError, UpstreamError
from ccproxy.lightllm.compression import Decompressor
from ccproxy.lightllm.dialect import Context, Dialect, Encoded, Frame, StreamForm
from ccproxy.lightllm.errors import ErrorInfo, cut, info_of, malformed
from ccproxy.lightllm.ir.events import (
    ArgsDelta,
    End,
    Event,
    Failed,
    PartEnd,
    PartStart,
    Ping,
    Start,
    Stop,
    TextDelta,
    ThinkingDelta,
    UsageUpdate,
)
from ccproxy.lightllm.ir.usage import Usage
from ccproxy.lightllm.json_array import JsonArraySplitter, JsonArrayWriter
from ccproxy.lightllm.jsontext import dumps, loads_or_none
from ccproxy.lightllm.sse import SSE_COMMENT, SSEFramer, sse_event
from ccproxy.lightllm.stops import StopCutter

#: Events that tell the exchange nothing.
_PLAIN = frozenset({TextDelta, ThinkingDelta, ArgsDelta, PartEnd})

#: Content types of the two forms of a stream.
CONTENT_TYPES: dict[StreamForm, str] = {"sse": "text/event-stream", "json_array": "application/json"}


class Filter(Protocol):
    """Changes the events of an answer on their way."""

    def feed(self, event: Event) -> list[Event]: ...


class Reader(Protocol):
    """Cuts a stream's bytes into frames: event name and data. data None is a keep-alive."""

    def feed(self, chunk: bytes) -> Iterable[tuple[str | None, bytes | None]]: ...

    def eof(self) -> Iterable[tuple[str | None, bytes | None]]: ...


class SseReader:
    """Frames of server-sent events."""

    __slots__ = ("_framer",)

    def __init__(self) -> None:
        self._framer = SSEFramer()

    def feed(self, chunk: bytes) -> list[tuple[str | None, bytes | None]]:
        return [(event.name, None if event.comment else event.data) for event in self._framer.feed(chunk)]

    def eof(self) -> list[tuple[str | None, bytes | None]]:
        return [(event.name, None if event.comment else event.data) for event in self._framer.eof()]


class ArrayReader:
    """Frames of a streamed JSON array."""

    __slots__ = ("_splitter",)

    def __init__(self) -> None:
        self._splitter = JsonArraySplitter()

    def feed(self, chunk: bytes) -> list[tuple[str | None, bytes | None]]:
        return [(None, element) for element in self._splitter.feed(chunk)]

    def eof(self) -> list[tuple[str | None, bytes | None]]:
        return [(None, element) for element in self._splitter.eof()]


class SseWriter:
    """Frames as server-sent events."""

    def write(self, frames: Iterable[Frame]) -> bytes:
        """The bytes of `frames`."""
        return b"".join(
            SSE_COMMENT if frame.data is None else sse_event(frame.name, frame_bytes(frame)) for frame in frames
        )

    def close(self) -> bytes:
        """What ends the stream."""
        return b""


class ArrayWriter:
    """Frames as a streamed JSON array, which has no keep-alives."""

    __slots__ = ("_array",)

    def __init__(self) -> None:
        self._array = JsonArrayWriter()

    def write(self, frames: Iterable[Frame]) -> bytes:
        """The bytes of `frames`."""
        return b"".join(self._array.write(frame_bytes(frame)) for frame in frames if frame.data is not None)

    def close(self) -> bytes:
        """What ends the array."""
        return self._array.close()


def frame_bytes(frame: Frame) -> bytes:
    """The data of a frame as it goes on the wire, and as one message of a WebSocket."""
    return frame.data if isinstance(frame.data, bytes) else dumps(frame.data)


def filters_of(encoded: Encoded) -> list[Filter]:
    """What the answer to a converted request has to go through."""
    filters: list[Filter] = []
    if encoded.stop:
        filters.append(StopCutter(encoded.stop))
    if restorer := encoded.names.restorer():
        filters.append(restorer)
    return filters


class _Pipeline:
    """From the upstream's bytes to the client's frames, and what the exchange wants to know about the answer."""

    def __init__(
        self,
        source: Dialect,
        client: Dialect,
        context: Context,
        filters: Iterable[Filter],
        form: StreamForm | None,
        encoding: str,
    ) -> None:
        self.encoder = client.encoder(context)
        self._decoder = source.decoder(context)
        self._filters = list(filters)
        self._reader: Reader = ArrayReader() if (form or source.stream_form) == "json_array" else SseReader()
        self._encoding = encoding
        self._decompressor: Decompressor | None = None
        self.started = False
        self.content = False
        self.ended = False
        self.id = ""
        self.model = ""
        self.usage: Usage | None = None
        self.stop: Stop | None = None
        self.error: ErrorInfo | None = None

    # Ways in

    def chunk(self, data: bytes) -> list[Frame]:
        """A chunk of a stream."""
        if self.ended:
            return []
        try:
            return self._read(self._reader.feed(self._plain(data)))
        except UpstreamError as problem:
            return self.failure(malformed(problem.message))

    def end_of_chunks(self) -> list[Frame]:
        """The stream has ended, well or not."""
        if self.ended:
            return []
        try:
            if self._decompressor is not None:
                self._decompressor.eof()
            rest = list(self._reader.eof())
        except UpstreamError as problem:
            return self.failure(malformed(problem.message))
        if any(data is not None and _is_torn(data) for _, data in rest):
            return self.failure(cut())
        return self._read(rest) + self._push(self._decoder.eof())

    def frame(self, name: str | None, data: bytes) -> list[Frame]:
        """A frame that is cut out already."""
        return [] if self.ended else self._push(self._decoder.frame(name, data))

    def document(self, body: bytes) -> list[Frame]:
        """A whole answer."""
        try:
            body = self._plain(body)
            if self._decompressor is not None:
                self._decompressor.eof()
        except UpstreamError as problem:
            return self.failure(malformed(problem.message))
        return self._push(self._decoder.document(body))

    def failure(self, error: ErrorInfo) -> list[Frame]:
        """The answer cannot go on."""
        return self._push(self._decoder.fail(error))

    # Inside

    def _plain(self, data: bytes) -> bytes:
        if not self._encoding:
            return data
        if self._decompressor is None:
            self._decompressor = Decompressor(self._encoding)
        return self._decompressor.feed(data)

    def _read(self, read: Iterable[tuple[str | None, bytes | None]]) -> list[Frame]:
        frames: list[Frame] = []
        for name, data in read:
            if self.ended:
                break
            if data is not None:
                frames += self._push(self._decoder.frame(name, data))
            elif self.started:
                frames += self._push([Ping()])
        return frames

    def _push(self, events: Iterable[Event]) -> list[Frame]:
        for item in self._filters:
            events = [changed for event in events for changed in item.feed(event)]
        frames: list[Frame] = []
        for event in events:
            if type(event) not in _PLAIN:
                self._note(event)
            frames += self.encoder.event(event)
        return frames

    def _note(self, event: Event) -> None:
        match event:
            case Start():
                self.started, self.id, self.model = True, event.id, event.model
                self.usage = event.usage
            case PartStart():
                self.content = True
            case UsageUpdate(usage=usage):
                self.usage = self.usage.merged(usage) if self.usage else usage
            case End(stop=stop):
                self.stop, self.ended = stop, True
            case Failed(error=error):
                self.error, self.ended = error, True
            case _:
                pass


def _is_torn(data: bytes) -> bool:
    """Whether the last frame of a stream ends in the middle of its object."""
    return not data or (data.startswith(b"{") and loads_or_none(data) is None)


class _Translator:
    """What both translators tell about the answer."""

    _pipeline: _Pipeline

    @property
    def done(self) -> bool:
        """Whether the answer is over: the upstream can be let go, also if it has more to say."""
        return self._pipeline.ended

    @property
    def usage(self) -> Usage | None:
        """Tokens reported so far."""
        return self._pipeline.usage

    @property
    def stop(self) -> Stop | None:
        """Why the answer ended, once it has."""
        return self._pipeline.stop

    @property
    def error(self) -> ErrorInfo | None:
        """Why it failed, if it has."""
        return self._pipeline.error

    @property
    def model(self) -> str:
        """The model that answered, as the upstream calls it."""
        return self._pipeline.model


class StreamTranslator(_Translator):
    """Translates an answer for a client that gets it as a stream, as it comes.

    Args:
        source: the upstream's dialect.
        client: the client's dialect.
        context: of the exchange.
        filters: `filters_of` the request that was sent.
        form: how the client gets the stream; None is its dialect's usual way.
        upstream_form: how the upstream sends its stream (by its content type); None is its dialect's usual way.
        encoding: the upstream's Content-Encoding.
    """

    def __init__(
        self,
        source: Dialect,
        client: Dialect,
        context: Context,
        *,
        filters: Iterable[Filter] = (),
        form: StreamForm | None = None,
        upstream_form: StreamForm | None = None,
        encoding: str = "",
    ) -> None:
        self._pipeline = _Pipeline(source, client, context, filters, upstream_form, encoding)
        self.form: StreamForm = form or client.stream_form
        self._writer = ArrayWriter() if self.form == "json_array" else SseWriter()
        self._held: list[Frame] = []
        self._closed = False
        #: Whether bytes were given out, so that nothing else can be tried.
        self.committed = False

    @property
    def early_error(self) -> ErrorInfo | None:
        """A failure that came before any content: no byte was given out, and none will be unless `commit` is called."""
        return None if self.committed else self._pipeline.error

    def feed(self, chunk: bytes) -> bytes:
        """The client's bytes for a chunk of the upstream's."""
        return self._give(self._pipeline.chunk(chunk))

    def message(self, data: bytes) -> bytes:
        """The client's bytes for one message of an upstream WebSocket."""
        return self._give(self._pipeline.frame(None, data))

    def document(self, body: bytes) -> bytes:
        """The client's bytes for a whole answer of an upstream that did not stream."""
        return self._give(self._pipeline.document(body))

    def eof(self) -> bytes:
        """The client's bytes when the upstream's stream has ended, well or not."""
        return self._give(self._pipeline.end_of_chunks())

    def fail(self, error: ErrorInfo | CCProxyError) -> bytes:
        """The client's bytes when the stream cannot go on: the upstream timed out, was cut, ..."""
        return self._give(self._pipeline.failure(info_of(error) if isinstance(error, CCProxyError) else error))

    def keepalive(self) -> bytes:
        """Bytes that keep a client waiting; b"" where its dialect has none. They commit the answer to status 200."""
        frames = [] if self.done else self._pipeline.encoder.keepalive()
        return self.commit() + self._writer.write(frames) if frames else b""

    def commit(self) -> bytes:
        """Gives out what was held back, an early error included: for a caller that has already sent its head."""
        self.committed = True
        return self._give([])

    def _give(self, frames: list[Frame]) -> bytes:
        pipeline = self._pipeline
        self._held += frames
        if not self.committed:
            # Until there is content, another upstream may still be asked.
            if not pipeline.content and pipeline.stop is None:
                return b""
            self.committed = True
        frames, self._held = self._held, []
        out = self._writer.write(frames)
        if pipeline.ended and not self._closed:
            self._closed = True
            out += self._writer.close()
        return out


class Answer:
    """A buffered answer for the client: status and body."""

    __slots__ = ("body", "status")

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.body = body


class DocumentTranslator(_Translator):
    """Translates an answer for a client that gets it whole, from a whole body or from a stream.

    Args: those of StreamTranslator, without the client's form.
    """

    def __init__(
        self,
        source: Dialect,
        client: Dialect,
        context: Context,
        *,
        filters: Iterable[Filter] = (),
        upstream_form: StreamForm | None = None,
        encoding: str = "",
    ) -> None:
        self._client = client
        self._pipeline = _Pipeline(source, client, context, filters, upstream_form, encoding)
        self._frames: list[Frame] = []

    def translate(self, body: bytes) -> Answer:
        """The answer for a whole body that came with status 2xx."""
        self._frames += self._pipeline.document(body)
        return self.answer()

    def feed(self, chunk: bytes) -> None:
        """Takes a chunk of a stream; `answer` gives the result."""
        self._frames += self._pipeline.chunk(chunk)

    def answer(self, failure: ErrorInfo | CCProxyError | None = None) -> Answer:
        """The answer when the stream has ended, or cannot go on for the reason given."""
        if failure is not None:
            info = info_of(failure) if isinstance(failure, CCProxyError) else failure
            self._frames += self._pipeline.failure(info)
        self._frames += self._pipeline.end_of_chunks()
        if self._pipeline.error is not None:
            return Answer(*self._client.encode_error(self._pipeline.error))
        return Answer(200, self._client.collect(self._frames))
