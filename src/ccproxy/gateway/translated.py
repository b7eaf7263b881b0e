"""The answer of a provider that speaks another dialect, in the client's.

    upstream bytes -> (decompressed) -> events -> client bytes

A client that streams gets each piece as it comes; one that does not gets a document, also where the provider streamed.
Until there is content nothing is sent, so an error that a provider hides in a stream still becomes a status. After that
it is the client's own error event, behind which the connection breaks: no client takes a failed answer for a good one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Literal

from ccproxy.egress.transport import UpstreamResponse
from ccproxy.errors import HookError, UpstreamError
from ccproxy.exchange.exchange import Exchange, Failure, ResponseHead
from ccproxy.exchange.http import Headers
from ccproxy.flows.recorder import Tape
from ccproxy.gateway.answer import Answer
from ccproxy.gateway.conversion import Conversion
from ccproxy.gateway.replies import phrase
from ccproxy.lightllm.compression import decode
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.translate import CONTENT_TYPES, DocumentTranslator, StreamTranslator
from ccproxy.util.clock import Clock

#: Fields of a provider's answer that clients act on, by their beginnings.
_RELAYED = (
    b"retry-after",
    b"x-ratelimit-",
    b"anthropic-ratelimit-",
    b"request-id",
    b"x-request-id",
    b"x-should-retry",
)
#: Largest answer that is collected, in bytes, and its largest expansion.
MAX_DOCUMENT = 64 * 1024 * 1024


class Translated:
    """One converted answer on its way to the client.

    Args:
        keepalive: seconds of silence after which a streaming client is told to keep waiting; 0 = never.
    """

    def __init__(
        self,
        conversion: Conversion,
        exchange: Exchange,
        upstream: UpstreamResponse,
        answer: Answer,
        tape: Tape,
        clock: Clock,
        *,
        keepalive: float,
    ) -> None:
        # One ledger for the exchange: what the request lost, and what the answer loses.
        if exchange.losses is None:
            exchange.losses = conversion.context.ledger
        conversion.context.ledger = exchange.losses
        self._conversion = conversion
        self._exchange = exchange
        self._upstream = upstream
        self._answer = answer
        self._tape = tape
        self._clock = clock
        self._keepalive = keepalive
        self._kind = upstream.headers.text(b"content-type").partition(";")[0].strip().lower()
        self._encoding = upstream.headers.text(b"content-encoding")

    async def relay(self) -> bool:
        """Passes the answer on. Returns whether it can be ended normally; if not, the connection is broken behind an
        error. Raises UpstreamError where the answer is none that a client could be given."""
        conversion, status = self._conversion, self._upstream.status
        if status >= 300:
            await self._refuse(conversion.failed(conversion.source.decode_error(status, await self._plain())))
        elif self._kind == "text/html":
            await self._collect()  # the page is recorded
            raise UpstreamError(
                "the provider answered with a web page instead of an API answer",
                hint=f"ccproxy flows show {self._exchange.id} has the page; check the provider's host and path",
            )
        elif conversion.asked == "count_tokens":
            assert conversion.source.decode_count is not None and conversion.client.encode_count is not None
            counted = conversion.source.decode_count(await self._plain())
            await self._reply(200, conversion.client.encode_count(counted))
        elif conversion.request.stream:
            return await self._stream()
        else:
            await self._document()
        return True

    async def _stream(self) -> bool:
        """An answer for a client that streams."""
        conversion = self._conversion
        whole = self._kind == "application/json"
        first = await self._collect() if whole else b""
        array = whole and first.lstrip()[:1] == b"["
        translator = StreamTranslator(
            conversion.source,
            conversion.client,
            conversion.context,
            filters=conversion.filters(),
            form=conversion.form,
            upstream_form="json_array" if array else "sse",
            encoding=self._encoding,
        )
        patience = _Patience(self, translator, self._keepalive)
        try:
            if whole:
                await self._give(translator, translator.feed(first) if array else translator.document(first))
            else:
                async for chunk in self._chunks():
                    await self._give(translator, translator.feed(chunk))
                    patience.restart()
                    if translator.done:
                        break
            await self._give(translator, translator.eof())
        except UpstreamError as problem:
            data = translator.fail(problem)
            if translator.early_error is not None:
                raise
            await self._give(translator, data)
        finally:
            await patience.stop()
        if (early := translator.early_error) is not None:
            await self._refuse(early)
        if translator.error is None:
            return True
        self._note(translator.error)
        if early is None:
            self._answer.cut()
        return early is not None

    async def _document(self) -> None:
        """An answer for a client that does not stream."""
        conversion = self._conversion
        translator = DocumentTranslator(
            conversion.source,
            conversion.client,
            conversion.context,
            filters=conversion.filters(),
            upstream_form="sse",
            encoding=self._encoding,
        )
        if self._kind == "text/event-stream":
            size = 0
            async for chunk in self._chunks():
                size += len(chunk)
                _check_size(size)
                translator.feed(chunk)
                if translator.done:
                    break
            made = translator.answer()
        else:
            made = translator.translate(await self._collect())
        if translator.error is not None:
            self._note(translator.error)
        await self._reply(made.status, made.body)

    async def give_keepalive(self, translator: StreamTranslator) -> None:
        """Tells the client to keep waiting, where its dialect has words for it."""
        await self._give(translator, translator.keepalive())

    async def _give(self, translator: StreamTranslator, data: bytes) -> None:
        if not data:
            return
        if not self._answer.started:
            head = self._head(200, CONTENT_TYPES[translator.form].encode())
            head.headers.add(b"cache-control", b"no-cache")
            self._exchange.answer = head
            await self._answer.begin(head)
        self._tape.answer_chunk(data)
        await self._answer.write(data)

    async def _refuse(self, error: ErrorInfo) -> None:
        """The provider's error in the client's words, its meaning and message kept."""
        await self._reply(*self._conversion.client.encode_error(error))

    async def _reply(self, status: int, body: bytes) -> None:
        head = self._head(status, b"application/json")
        self._exchange.answer = head
        self._tape.answer_chunk(body)
        await self._answer.reply(status, head.headers.copy(), body)

    def _head(self, status: int, content_type: bytes) -> ResponseHead:
        """The head of the answer: ours, with the provider's fields that clients act on."""
        headers = Headers([(b"content-type", content_type)])
        headers.pairs += [pair for pair in self._upstream.headers if pair[0].lower().startswith(_RELAYED)]
        return ResponseHead(status, phrase(status), headers)

    def _note(self, error: ErrorInfo) -> None:
        """An answer that failed inside a 200 is noted as what it is."""
        if error.code == HookError.kind:
            self._exchange.outcome = "failed"
            self._exchange.failure = Failure(HookError.kind, error.message)
            return
        kind: Literal["upstream_cut", "upstream_error"] = "upstream_cut" if error.kind == "cut" else "upstream_error"
        self._exchange.outcome = kind
        self._exchange.failure = Failure(kind, error.message)

    async def _plain(self) -> bytes:
        return decode(await self._collect(), self._encoding, MAX_DOCUMENT, error=UpstreamError)

    async def _collect(self) -> bytes:
        pieces, size = [], 0
        async for chunk in self._chunks():
            pieces.append(chunk)
            size += len(chunk)
            _check_size(size)
        return b"".join(pieces)

    async def _chunks(self) -> AsyncGenerator[bytes]:
        """The upstream's bytes, recorded as they pass."""
        timings = self._exchange.timings
        async for chunk in self._upstream.chunks():
            if not timings.first_byte:
                timings.first_byte = self._clock.mono()
            self._tape.response_chunk(chunk)
            yield chunk


class _Patience:
    """Sends keep-alives while the upstream is silent. Costs nothing where it talks: one timer that looks back."""

    def __init__(self, translated: Translated, translator: StreamTranslator, interval: float) -> None:
        self._translated = translated
        self._translator = translator
        self._interval = interval
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._task: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(interval, self._look) if interval else None

    def restart(self) -> None:
        """Something was sent just now."""
        self._last = self._loop.time()

    async def stop(self) -> None:
        """No more keep-alives; one that is being written is written to its end."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    def _look(self) -> None:
        silent = self._loop.time() - self._last
        wait = self._interval - silent
        if wait <= 0:
            wait = self._interval
            if self._task is None or self._task.done():
                self._task = self._loop.create_task(self._translated.give_keepalive(self._translator))
        self._timer = self._loop.call_later(wait, self._look)


def _check_size(size: int) -> None:
    if size > MAX_DOCUMENT:
        raise UpstreamError(f"the provider's answer is larger than {MAX_DOCUMENT // 2**20} MiB")
