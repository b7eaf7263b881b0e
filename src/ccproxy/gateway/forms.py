"""A request in another form of its own dialect, for a provider that wants that one, and its answer in the client's form.

    plain Gemini    <-> Code Assist's envelope      (requests and answers)
    plain Messages  <-> Vertex AI's                 (requests; the answers are alike)

It is done behind routing and conversion and before the outbound hooks, which so see what a client of that form would have
sent. Where a request is converted from another dialect, only what the form still lacks is added here; its answer needs
nothing, because decoders read both forms. The bytes of what is inside stay as they are.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterable
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import quote

import msgspec

from ccproxy.errors import UpstreamError
from ccproxy.exchange.exchange import Exchange, ResponseHead
from ccproxy.exchange.http import Headers, Snapshot
from ccproxy.exchange.route import Route
from ccproxy.flows.recorder import Tape
from ccproxy.gateway.answer import Answer, outgoing
from ccproxy.gateway.conversion import Conversion, asks_array
from ccproxy.gateway.forward import MAX_DECODED
from ccproxy.gateway.steps import session_of
from ccproxy.lightllm import envelope, vertex
from ccproxy.lightllm.compression import Decompressor, decode
from ccproxy.lightllm.dialect import StreamForm
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.jsontext import loads_or_none
from ccproxy.providers.base import Provider
from ccproxy.routing.detect import Operation
from ccproxy.routing.resolve import converted_target, takes_another_form
from ccproxy.util.clock import Clock

#: Largest answer that is collected, in bytes.
MAX_DOCUMENT = 64 * 1024 * 1024
_VERTEX = "/v1/projects/-/locations/-/publishers/anthropic/models"
#: What paths of Gemini on Vertex AI hold.
_GOOGLES = "/publishers/google/"
_VERSION = b"anthropic-version"


@dataclass(frozen=True, slots=True)
class Turn:
    """How the answer to a rewritten request is turned back.

    Attributes:
        way: whether the client's form has the envelope, or the provider's.
        form: how a client that asked for a stream wants it; None for one that did not.
    """

    way: Literal["wrap", "unwrap"]
    form: StreamForm | None


@dataclass(frozen=True, slots=True)
class Formed:
    """A request in the form of its provider.

    Attributes:
        headers: header fields that fit `content`.
        turn: what its answer needs, or None.
        losses: what the form has no place for.
    """

    route: Route
    headers: Headers
    content: bytes
    turn: Turn | None
    losses: LossLedger


def formed(
    exchange: Exchange, request: Snapshot, operation: Operation, route: Route, provider: Provider, content: bytes
) -> Formed | None:
    """The client's request in the form of a provider of its dialect; None where it has that already.

    Args:
        request: the client's, or what inbound hooks have made of it; `content` is its body.

    Raises BadRequest if the body is no JSON object.
    """
    if not takes_another_form(provider, operation):
        return None
    headers, losses = request.headers.copy(), LossLedger()
    plain = decode(content, headers.text(b"content-encoding"), MAX_DECODED)
    counts = operation.name == "count_tokens"
    turn: Turn | None = None
    if operation.dialect == "anthropic":
        path, body = _messages(operation, provider, route.model, headers, plain, counts=counts)
    else:
        path, body = _gemini(exchange, operation, provider, route.model, plain, losses)
        if not counts:
            turn = Turn("wrap" if operation.wire == "code_assist" else "unwrap", _stream_form(operation, request.query))
    headers.pairs = headers.without((b"content-encoding",)).pairs
    headers.set(b"content-length", str(len(body)).encode())
    route = replace(route, target=converted_target(provider, path), model="")
    return Formed(route, headers, body, turn, losses)


def completed(exchange: Exchange, conversion: Conversion, route: Route, provider: Provider) -> tuple[Conversion, Route]:
    """A request that was converted, with what the form of its provider needs beyond that."""
    encoded = conversion.encoded
    if encoded is None:
        return conversion, route
    body, counts = encoded.body, conversion.asked == "count_tokens"
    if provider.wire == "plain":
        if not counts or _GOOGLES not in provider.path:
            return conversion, route
        body = envelope.flat_count(body)
    elif provider.wire == "vertex":
        body, action = vertex.to_vertex(body, "", "", counts=counts)
        route = replace(
            route, target=converted_target(provider, _vertex_path(encoded.request.model, action, counts=counts))
        )
    elif not counts:
        body = envelope.complete(body, prompt=str(uuid.uuid4()), session=_session(exchange, exchange.request.body))
    return replace(conversion, encoded=msgspec.structs.replace(encoded, body=body)), route


def _messages(
    operation: Operation, provider: Provider, model: str, headers: Headers, body: bytes, *, counts: bool
) -> tuple[str, bytes]:
    """Documented path and body of Messages in the provider's form."""
    if operation.wire == "vertex":
        body, version = vertex.from_vertex(body, model or operation.model, operation.action)
        headers.set(_VERSION, version.encode("latin-1", "replace"))
        return "/v1/messages/count_tokens" if counts else "/v1/messages", body
    named = model or _named(body)
    body, action = vertex.to_vertex(body, model, headers.text(_VERSION), counts=counts)
    return _vertex_path(named, action, counts=counts), body


def _gemini(
    exchange: Exchange, operation: Operation, provider: Provider, model: str, body: bytes, losses: LossLedger
) -> tuple[str, bytes]:
    """The same of Gemini."""
    action = operation.action
    streams = "?alt=sse" if action.startswith("stream") else ""
    if operation.wire == "code_assist":
        named, inner = envelope.unwrap_request(body)
        return f"/v1beta/models/{_quoted(model or named)}:{action}{streams}", inner
    named = model or operation.model
    path = f"/v1internal:{action}{streams}"
    if operation.name == "count_tokens":
        return path, envelope.wrap_count(body, named, losses)
    wrapped = envelope.wrap_request(body, named)
    return path, envelope.complete(wrapped, prompt=str(uuid.uuid4()), session=_session(exchange, body))


def _stream_form(operation: Operation, query: bytes) -> StreamForm | None:
    if not operation.action.startswith("stream"):
        return None
    return "json_array" if asks_array(operation, query) else "sse"


def _vertex_path(model: str, action: str, *, counts: bool) -> str:
    return f"{_VERTEX}/{'count-tokens' if counts else _quoted(model)}:{action}"


def _named(body: bytes) -> str:
    document = loads_or_none(body)
    model = document.get("model") if isinstance(document, dict) else None
    return model if isinstance(model, str) else ""


def _quoted(model: str) -> str:
    return quote(model, safe="-._~@")


def _session(exchange: Exchange, body: bytes | None) -> str:
    """The id of the conversation as Code Assist has them: always the same UUID for the same conversation."""
    session = session_of(exchange, body)
    if not session:
        return ""
    try:
        return str(uuid.UUID(session))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, session))


async def relay_turned(
    turn: Turn, exchange: Exchange, clock: Clock, chunks: AsyncIterable[bytes], answer: Answer, tape: Tape
) -> None:
    """Passes an answer on in the client's form. Its head is noted on the exchange.

    Args:
        chunks: its body.

    Raises UpstreamError where it breaks off, or is none that could be passed on.
    """
    head = exchange.response
    assert head is not None
    kind = head.headers.text(b"content-type").partition(";")[0].strip().lower()
    rewriter = envelope.AnswerRewriter(turn.way, kind, turn.form)
    plain = Decompressor(head.headers.text(b"content-encoding"))
    headers = head.headers.without((b"content-encoding", b"content-length", b"content-type"))
    headers.add(b"content-type", rewriter.content_type.encode())
    exchange.answer = ResponseHead(head.status, head.reason, headers, head.http_version)
    streams = kind == "text/event-stream"
    if streams:
        await answer.begin(exchange.answer)
    async for chunk in chunks:
        if not exchange.timings.first_byte:
            exchange.timings.first_byte = clock.mono()
        tape.response_chunk(chunk)
        if data := rewriter.feed(plain.feed(chunk)):
            tape.answer_chunk(data)
            await answer.write(data)
        if rewriter.held > MAX_DOCUMENT:
            raise UpstreamError(f"the provider's answer is larger than {MAX_DOCUMENT // 2**20} MiB")
    plain.eof()
    rest = rewriter.eof()
    tape.answer_chunk(rest)
    if not streams:
        await answer.reply(head.status, outgoing(headers), rest)
    elif rest:
        await answer.write(rest)
