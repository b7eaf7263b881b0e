"""Reads an answer beside its way to the client, for hooks that watch it. The client's bytes do not come from here.

Contract: nothing is raised, whatever the provider sends; an answer that cannot be read is one that failed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ccproxy.errors import UpstreamError
from ccproxy.lightllm.compression import Decompressor, is_known
from ccproxy.lightllm.dialect import Context, Dialect
from ccproxy.lightllm.errors import ErrorInfo, malformed
from ccproxy.lightllm.ir.events import Event, Failed
from ccproxy.lightllm.translate import ArrayReader, Reader, SseReader

#: Most bytes of an answer that is no stream.
MAX_DOCUMENT = 32 * 1024 * 1024


class Watcher(Protocol):
    """Whoever watches an answer."""

    def feed(self, event: Event) -> object: ...

    def failed(self, event: Failed) -> object: ...


class Tap:
    """Feeds the callbacks of one answer.

    Args:
        dialect: what the answer speaks.
        context: of the exchange.
        answers: the callbacks.
        status: the answer's HTTP status; one from 400 on is told as a failure.
        content_type: the answer's, which tells a stream from a document.
        encoding: its content-encoding.
        array: the client asked for a stream in the form of a JSON array.
    """

    def __init__(
        self,
        dialect: Dialect,
        context: Context,
        answers: Watcher,
        *,
        status: int,
        content_type: str,
        encoding: str = "",
        array: bool = False,
    ) -> None:
        self._dialect = dialect
        self._answers = answers
        self._status = status
        self._decoder = dialect.decoder(context)
        self._reader = _reader(content_type, array=array) if status < 400 else None
        self._document = bytearray()
        self._off = not is_known(encoding)
        self._decompressor = Decompressor(encoding) if encoding and not self._off else None

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes of the answer."""
        if self._off:
            return
        try:
            plain = self._decompressor.feed(chunk) if self._decompressor is not None else chunk
            if self._reader is not None:
                self._read(self._reader.feed(plain))
                return
            self._document += plain
        except UpstreamError as problem:
            self.fail(malformed(problem.message))
            return
        if len(self._document) > MAX_DOCUMENT:
            self.fail(malformed(f"an answer of more than {MAX_DOCUMENT} bytes is not shown to hooks"))

    def end(self) -> None:
        """The answer has ended."""
        if self._off:
            return
        try:
            if self._decompressor is not None:
                self._decompressor.eof()
            if self._reader is not None:
                self._read(self._reader.eof())
        except UpstreamError as problem:
            self.fail(malformed(problem.message))
            return
        if self._reader is not None:
            self._tell(self._decoder.eof())
        elif self._status >= 400:
            self._answers.failed(Failed(self._dialect.decode_error(self._status, bytes(self._document))))
        else:
            self._tell(self._decoder.document(bytes(self._document)))
        self._off = True

    def fail(self, error: ErrorInfo) -> None:
        """The answer cannot go on."""
        if not self._off:
            self._off = True
            self._tell(self._decoder.fail(error))

    def _read(self, frames: Iterable[tuple[str | None, bytes | None]]) -> None:
        for name, data in frames:
            if data is not None:
                self._tell(self._decoder.frame(name, data))

    def _tell(self, events: Iterable[Event]) -> None:
        for event in events:
            self._answers.feed(event)


def _reader(content_type: str, *, array: bool) -> Reader | None:
    """What cuts the answer into frames; None for a document."""
    if content_type.startswith("text/event-stream"):
        return SseReader()
    return ArrayReader() if array else None
