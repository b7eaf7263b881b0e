"""A converting proxy without a network: what stands between an official SDK and a stand-in provider in these tests.

It is a transport of the SDK's HTTP client. A request is read in the client's dialect, written in the upstream's and
handed to a function that plays the provider; its native answer goes back through the translators, in ragged pieces.
Nothing of the gateway is here: a test that fails tells of a dialect.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2 as httpx
import msgspec

from ccproxy.errors import CCProxyError
from ccproxy.lightllm.dialect import Capabilities, Context, Dialect, Encoded, Target
from ccproxy.lightllm.errors import ErrorInfo, info_of
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.request import Request
from ccproxy.lightllm.reasoning_store import ReasoningStore
from ccproxy.lightllm.translate import CONTENT_TYPES, DocumentTranslator, Filter, StreamTranslator, filters_of

from ..kit import REGISTRY

#: How many bytes of an upstream's answer come at a time: a prime, so that no frame is spared.
PIECE = 97


@dataclass(frozen=True)
class Sent:
    """A request as it went to the provider."""

    path: str
    body: dict[str, Any]
    encoded: Encoded
    asked: Request


@dataclass(frozen=True)
class Given:
    """A provider's native answer."""

    body: bytes
    streamed: bool = False
    status: int = 200


type Provider = Callable[[Sent], Given]


@dataclass
class Proxy:
    """One cell: a client's dialect, an upstream's, and who plays the provider.

    Attributes:
        sent: what the provider got, in order.
        refused: errors that went to the client instead of a request to the provider.
        losses: of the last exchange: the request's and the answer's.
        keepalive: whether to send a keep-alive of our own after each piece of a stream.
    """

    client: Dialect
    upstream: Dialect
    provider: Provider
    capabilities: Capabilities | None = None
    keepalive: bool = False
    sent: list[Sent] = field(default_factory=list)
    refused: list[CCProxyError] = field(default_factory=list)
    losses: LossLedger = field(default_factory=LossLedger)
    store: ReasoningStore = field(default_factory=lambda: ReasoningStore(lambda: 0.0))
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answers a request of the SDK."""
        try:
            sent = self._converted(request)
        except CCProxyError as problem:
            self.refused.append(problem)
            return self._error(info_of(problem))
        self.sent.append(sent)
        given = self.provider(sent)
        if given.status >= 400:
            return self._error(self.upstream.decode_error(given.status, given.body))
        context = Context(sent.asked, ledger=self.losses, new_id=self._token, now=lambda: 1_700_000_000)
        filters: list[Filter] = [*filters_of(sent.encoded), self.store.recorder(sent.asked)]
        return (self._stream if sent.asked.stream else self._document)(given, context, filters)

    def _converted(self, request: httpx.Request) -> Sent:
        asked = read(self.client, request.url.path, request.content)
        capabilities = self.capabilities or self.upstream.capabilities
        restored = self.store.restored(asked, self.upstream.name, capabilities)
        self.losses = LossLedger()
        target = Target(model="m", capabilities=capabilities)
        encoded = self.upstream.encode_request(restored, target, losses=self.losses)
        return Sent(encoded.path, json.loads(encoded.body), encoded, asked)

    def _stream(self, given: Given, context: Context, filters: list[Filter]) -> httpx.Response:
        translator = StreamTranslator(self.upstream, self.client, context, filters=filters)
        if given.streamed:
            body = b""
            for piece in pieces(given.body):
                body += translator.feed(piece)
                body += translator.keepalive() if self.keepalive else b""
            body += translator.eof()
        else:
            body = translator.document(given.body)
        if translator.early_error is not None:
            return self._error(translator.early_error)
        return httpx.Response(200, content=body, headers={"content-type": CONTENT_TYPES[translator.form]})

    def _document(self, given: Given, context: Context, filters: list[Filter]) -> httpx.Response:
        translator = DocumentTranslator(self.upstream, self.client, context, filters=filters)
        if given.streamed:
            for piece in pieces(given.body):
                translator.feed(piece)
            answer = translator.answer()
        else:
            answer = translator.translate(given.body)
        return httpx.Response(answer.status, content=answer.body, headers={"content-type": "application/json"})

    def _error(self, error: ErrorInfo) -> httpx.Response:
        status, body = self.client.encode_error(error)
        return httpx.Response(status, content=body, headers={"content-type": "application/json"})

    def _token(self) -> str:
        return f"{next(self._numbers):024x}"


def read(client: Dialect, path: str, body: bytes) -> Request:
    """A generation as its client's dialect reads it; model and stream are in the path of some."""
    assert client.match(path) == "generate", path
    _, found, action = path.rpartition(":")
    if not found:
        return client.decode_request(body)
    model = "" if path.startswith("/v1internal") else path.rpartition("/")[2].partition(":")[0]
    return client.decode_request(body, model=model, stream=action.startswith("stream"))


def pieces(body: bytes) -> list[bytes]:
    """`body` as a network might deliver it."""
    return [body[start : start + PIECE] for start in range(0, len(body), PIECE)]


def cell(client: str, upstream: str, provider: Provider, **replaced: Any) -> Proxy:
    """The proxy for a pair of dialects. `replaced` are capabilities of the upstream that differ from its dialect's."""
    dialect = REGISTRY.get(upstream)
    capabilities = msgspec.structs.replace(dialect.capabilities, **replaced) if replaced else None
    return Proxy(REGISTRY.get(client), dialect, provider, capabilities)
