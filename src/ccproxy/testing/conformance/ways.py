"""Ways through a dialect, with ids and times that are the same in every run: bytes to events and back.

These are the pieces that the laws are made of; a dialect's own tests use them too. Nothing is kept between two calls.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from ccproxy.lightllm.dialect import Context, Dialect, Frame, StreamForm
from ccproxy.lightllm.ir.events import Event, EventChecker
from ccproxy.lightllm.ir.request import Request
from ccproxy.lightllm.ir.response import Response, fold
from ccproxy.lightllm.translate import ArrayReader, ArrayWriter, Reader, SseReader, SseWriter

#: What `Context.now` says here, in seconds since the epoch.
NOW = 1_700_000_000


def context(request: Request | None = None, *, model: str = "", origin: str = "") -> Context:
    """A context whose ids (`0001`, `0002`, ...) and time are the same in every run."""
    numbers = itertools.count(1)
    return Context(request, model, origin, new_id=lambda: f"{next(numbers):04d}", now=lambda: NOW)


def frames_of(form: StreamForm, chunks: Iterable[bytes]) -> Iterator[tuple[str | None, bytes]]:
    """The frames (event name, data) of a stream, however cut; keep-alives left out."""
    reader: Reader = ArrayReader() if form == "json_array" else SseReader()
    for chunk in [*chunks, None]:
        for name, data in reader.eof() if chunk is None else reader.feed(chunk):
            if data is not None:
                yield name, data


def decode_stream(
    dialect: Dialect, chunks: Iterable[bytes], origin: str = "", *, using: Context | None = None
) -> list[Event]:
    """The events of a stream, however cut, with its end. `using` is the context to use, for one that wants to see its
    ledger."""
    decoder = dialect.decoder(using or context(origin=origin))
    events: list[Event] = []
    for name, data in frames_of(dialect.stream_form, chunks):
        events += decoder.frame(name, data)
    return events + decoder.eof()


def decode_document(dialect: Dialect, body: bytes, origin: str = "", *, using: Context | None = None) -> list[Event]:
    """The events of a buffered answer."""
    return dialect.decoder(using or context(origin=origin)).document(body)


def encode_frames(
    dialect: Dialect, events: Iterable[Event], request: Request | None = None, *, using: Context | None = None
) -> list[Frame]:
    """The frames a client of `dialect` gets. `using` is the context to use, for one that wants to see its ledger."""
    encoder = dialect.encoder(using or context(request))
    return [frame for event in events for frame in encoder.event(event)]


def written(dialect: Dialect, frames: Sequence[Frame]) -> bytes:
    """Frames as the bytes of a stream."""
    writer = ArrayWriter() if dialect.stream_form == "json_array" else SseWriter()
    return writer.write(frames) + writer.close()


def encode_stream(dialect: Dialect, events: Iterable[Event], request: Request | None = None) -> bytes:
    """The bytes a client of `dialect` gets."""
    return written(dialect, encode_frames(dialect, events, request))


def collected(dialect: Dialect, events: Sequence[Event], request: Request | None = None) -> bytes:
    """The buffered answer a client of `dialect` gets."""
    return dialect.collect(encode_frames(dialect, events, request))


def checked(events: Sequence[Event]) -> Response:
    """The fold of events that obey the grammar and are complete. Raises AssertionError for others."""
    checker = EventChecker()
    checker.check_all(events)
    checker.finish()
    return fold(events)
