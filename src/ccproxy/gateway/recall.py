"""Thinking that a provider demands back from clients of its own dialect, which do not send it.

DeepSeek refuses a conversation in which the thinking before a tool call is missing; Chat clients drop it. So what an
answer thought is kept (`lightllm.reasoning_store`), and put into later requests where it is missing. A request that
lacks nothing, and every answer, pass as they are: answers are read beside their way.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable
from dataclasses import dataclass

from ccproxy.errors import BadRequest, CCProxyError
from ccproxy.exchange.exchange import Exchange, ResponseHead
from ccproxy.exchange.http import Headers, Snapshot
from ccproxy.gateway.conversion import capabilities_of, origin_of
from ccproxy.gateway.forward import MAX_DECODED
from ccproxy.gateway.runtime import Runtime
from ccproxy.lightllm.compression import decode
from ccproxy.lightllm.dialect import Context, Dialect, Target
from ccproxy.lightllm.errors import info_of
from ccproxy.lightllm.ir.events import Event, Failed
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.reasoning_store import Recorder
from ccproxy.pipeline.tap import Tap
from ccproxy.providers.base import Provider
from ccproxy.routing.detect import Operation


@dataclass(frozen=True, slots=True)
class Recall:
    """What one exchange with such a provider needs.

    Attributes:
        content: the body with what was missing, None if nothing was. It is plain JSON.
        losses: says that something was put in.
    """

    dialect: Dialect
    origin: str
    recorder: Recorder
    content: bytes | None
    losses: LossLedger

    def headers(self, client: Headers) -> Headers:
        """The client's header fields, made to fit the body."""
        assert self.content is not None
        headers = client.without((b"content-encoding",))
        headers.set(b"content-length", str(len(self.content)).encode())
        return headers

    def watched(self, head: ResponseHead, chunks: AsyncIterable[bytes]) -> AsyncIterable[bytes]:
        """The bytes of an answer, whose thinking is kept when it is complete."""
        if head.status != 200:
            return chunks
        tap = Tap(
            self.dialect,
            Context(origin=self.origin),
            _Keeper(self.recorder),
            status=head.status,
            content_type=head.headers.text(b"content-type").lower(),
            encoding=head.headers.text(b"content-encoding"),
        )
        return _tapped(tap, chunks)


class _Keeper:
    """The recorder as one that watches an answer."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def feed(self, event: Event) -> object:
        return self._recorder.feed(event)

    def failed(self, event: Failed) -> object:
        return self._recorder.feed(event)


async def _tapped(tap: Tap, chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
    try:
        async for chunk in chunks:
            yield chunk
            tap.feed(chunk)
    except CCProxyError as error:
        tap.fail(info_of(error))
        raise
    tap.end()


def recall(
    runtime: Runtime, exchange: Exchange, request: Snapshot, operation: Operation, provider: Provider, content: bytes
) -> Recall | None:
    """What is to be put back and kept, if the provider demands it; None for all others."""
    if operation.dialect not in runtime.dialects or operation.dialect != provider.dialect:
        return None
    capabilities = capabilities_of(provider, exchange.model)
    if capabilities is None or not capabilities.demands_thinking:
        return None
    dialect, origin, scope = runtime.dialects.get(operation.dialect), origin_of(provider), exchange.client.key
    try:
        plain = decode(content, request.headers.text(b"content-encoding"), MAX_DECODED)
        asked = dialect.decode_request(plain)
    except BadRequest:
        return None  # the provider has its own words for it
    losses = LossLedger()
    body = None
    restored = runtime.reasoning.restored(asked, origin, capabilities, scope)
    if restored is not asked:
        target = Target(origin=origin, capabilities=capabilities)
        body = dialect.encode_request(restored, target, losses=losses).body
        losses.repaired("messages", "the provider demands the thinking before tool calls back; it was put in")
    return Recall(dialect, origin, runtime.reasoning.recorder(asked, scope), body, losses)
