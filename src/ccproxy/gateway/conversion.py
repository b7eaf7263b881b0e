"""A request for a provider that speaks another dialect.

    client bytes -> Request -> what the client did not send back -> within the provider's capabilities -> provider bytes

The conversion itself is `lightllm`, pure and synchronous; here stands what it needs from an exchange: the model and the
path at the provider, header fields, strict mode. The way back is `translated.py`.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, replace
from functools import lru_cache
from http import HTTPStatus

from ccproxy.egress.peek import Held, read_error
from ccproxy.errors import BadRequest
from ccproxy.exchange.exchange import Exchange
from ccproxy.exchange.http import Headers, Snapshot
from ccproxy.exchange.route import Route
from ccproxy.gateway.forward import MAX_DECODED
from ccproxy.gateway.runtime import Runtime
from ccproxy.lightllm.compression import decode
from ccproxy.lightllm.dialect import Capabilities, Context, Dialect, Encoded, StreamForm, Target
from ccproxy.lightllm.dialect import Operation as Asked
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.estimate import estimate
from ccproxy.lightllm.ir.events import Failed
from ccproxy.lightllm.ir.parts import Source
from ccproxy.lightllm.ir.request import Request
from ccproxy.lightllm.remote import remote_images, with_images
from ccproxy.lightllm.translate import Filter, filters_of
from ccproxy.pipeline.answers import Answers
from ccproxy.providers.base import Provider
from ccproxy.routing.detect import Operation
from ccproxy.routing.resolve import converted_target

STRICT_HEADER = b"x-ccproxy-strict"
#: Whether the method in a path asks for a stream; where it does not say, the body does.
_STREAMS = {"generateContent": False, "streamGenerateContent": True, "streamRawPredict": True}
#: Seconds that reading a refusal may take.
_READ_ERROR = 10.0
#: Most images of a request that are fetched, and their bytes together.
_MOST_IMAGES = 20
_IMAGE_BYTES = 20 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Conversion:
    """One request between two dialects, and what its answer needs.

    Attributes:
        asked: what the client asks for.
        client, source: the client's dialect and the provider's.
        request: the request as the client sent it.
        encoded: the request in the provider's dialect; None where the provider cannot be asked (a token count that it
            has no endpoint for).
        context: what the decoder and the encoder of the answer share.
        form: how a client that streams gets its stream.
        recorder: keeps what the client will not send back.
        answers: what hooks want of the answer.
    """

    asked: Asked
    client: Dialect
    source: Dialect
    request: Request
    encoded: Encoded | None
    context: Context
    form: StreamForm
    recorder: Filter | None
    answers: Answers | None = None

    def filters(self) -> list[Filter]:
        """What the events of the answer go through."""
        further = [one for one in (self.recorder, self.answers) if one is not None]
        return [*(filters_of(self.encoded) if self.encoded is not None else ()), *further]

    def failed(self, error: ErrorInfo) -> ErrorInfo:
        """Tells hooks of an answer that is an error, which is given back."""
        if self.answers is not None:
            self.answers.failed(Failed(error))
        return error

    def headers(self, client: Headers) -> Headers:
        """The header fields of the request, without a credential. Of the client's only its name goes along: the others
        describe a body or belong to its dialect."""
        assert self.encoded is not None
        kept = [pair for pair in client if pair[0].lower() == b"user-agent"]
        accept = b"text/event-stream" if self.encoded.request.stream else b"application/json"
        written = [(name.encode("ascii"), value.encode("ascii")) for name, value in self.encoded.headers]
        length = str(len(self.encoded.body)).encode()
        return Headers([*kept, *written, (b"accept", accept), (b"content-length", length)])

    def estimate(self) -> bytes:
        """The body of a token count that is estimated here, in the client's dialect."""
        assert self.client.encode_count is not None
        return self.client.encode_count(estimate(self.request))


async def convert(
    runtime: Runtime,
    exchange: Exchange,
    request: Snapshot,
    operation: Operation,
    route: Route,
    provider: Provider,
    content: bytes,
) -> tuple[Conversion, Route]:
    """The request in the provider's dialect, and the route with its path; the losses are on the exchange.

    Args:
        request: the client's request, or what hooks have made of it; `content` is its body.

    Raises BadRequest (the body is none of the client's dialect), Untranslatable (something cannot be said and must not
    be left out, or, in strict mode, any loss at all).
    """
    client, source = runtime.dialects.get(operation.dialect), runtime.dialects.get(provider.dialect)
    headers = request.headers
    plain = decode(content, headers.text(b"content-encoding"), MAX_DECODED)
    streams = _STREAMS.get(operation.action)
    said = client.decode_request(plain, model=operation.model, stream=streams)
    capabilities = capabilities_of(provider, route.model or said.model) or source.capabilities
    origin, scope = origin_of(provider), exchange.client.key
    said = await _with_images(runtime, said, capabilities)
    restored = runtime.reasoning.restored(said, origin, capabilities, scope)
    asked: Asked = "count_tokens" if operation.name == "count_tokens" else "generate"
    encoded = None
    if asked == "generate" or source.write_count_request is not None:
        config = runtime.lightllm
        target = Target(
            model=route.model,
            origin=origin,
            capabilities=capabilities,
            default_max_tokens=config.default_max_tokens,
            repair=config.repair,
        )
        encoded = source.encode_request(restored, target, operation=asked)
        exchange.losses = encoded.losses
        if is_strict(runtime, exchange.request.headers):
            encoded.losses.require_empty()
        route = replace(route, target=converted_target(provider, encoded.path))
    exchange.upstream_dialect = source.name
    context = Context(request=said, origin=origin)
    if exchange.losses is not None:
        context.ledger = exchange.losses
    return (
        Conversion(
            asked=asked,
            client=client,
            source=source,
            request=said,
            encoded=encoded,
            context=context,
            form="json_array" if asks_array(operation, request.query) else client.stream_form,
            recorder=runtime.reasoning.recorder(said, scope),
        ),
        route,
    )


async def _with_images(runtime: Runtime, request: Request, capabilities: Capabilities) -> Request:
    """The request with its remote images inline, if the provider takes none by URL and fetching is allowed.

    Raises BadRequest that names the URL which cannot be fetched.
    """
    files = runtime.files
    if files is None or capabilities.image_urls or not capabilities.image_types:
        return request
    urls = remote_images(request)
    if len(urls) > _MOST_IMAGES:
        raise BadRequest(
            f"{len(urls)} images are given by URL", hint=f"at most {_MOST_IMAGES} of a request are fetched"
        )
    fetched: dict[str, Source] = {}
    room = _IMAGE_BYTES
    for url in urls:
        kind, content = await files.get(url, accept=capabilities.image_types.__contains__, limit=room)
        room -= len(content)
        fetched[url] = Source("base64", b64encode(content).decode("ascii"), kind)
    return with_images(request, fetched) if fetched else request


def fold(
    runtime: Runtime, exchange: Exchange, asked: Snapshot, operation: Operation, content: bytes
) -> Conversion | None:
    """What puts the stream of a provider that only streams together again, for a client that does not stream; None for
    one that does. The request itself is not converted. Raises BadRequest if it cannot be read."""
    dialect = runtime.dialects.get(operation.dialect)
    plain = decode(content, asked.headers.text(b"content-encoding"), MAX_DECODED)
    request = dialect.decode_request(plain)
    if request.stream:
        return None
    recorder = runtime.reasoning.recorder(request, exchange.client.key)
    return Conversion("generate", dialect, dialect, request, None, Context(request=request), "sse", recorder)


async def estimated(
    runtime: Runtime, request: Snapshot, operation: Operation, content: bytes | None, refusal: Held, spoken: str
) -> bytes | None:
    """The body of a token count that is estimated here, because the provider has no endpoint for it. None if the request
    cannot be read, or if the 404 is in the provider's own words: then it may be the model that is not there.

    Args:
        refusal: the provider's answer; `spoken` is its dialect.
    """
    if not content or operation.dialect not in runtime.dialects or spoken not in runtime.dialects:
        return None
    if refusal.status == HTTPStatus.NOT_FOUND:
        error = await read_error(refusal, runtime.dialects.get(spoken), seconds=_READ_ERROR)
        if error is None or error.dialect:
            return None
    dialect = runtime.dialects.get(operation.dialect)
    if dialect.encode_count is None:
        return None
    try:
        plain = decode(content, request.headers.text(b"content-encoding"), MAX_DECODED)
        return dialect.encode_count(estimate(dialect.decode_request(plain, model=operation.model)))
    except BadRequest:
        return None


def capabilities_of(provider: Provider, model: str) -> Capabilities | None:
    """What a provider and one of its models accept; None where that is what its dialect says."""
    return _capabilities(provider.dialect, provider.family, provider.type.name, provider.host, model)


@lru_cache(maxsize=1024)
def _capabilities(dialect: str, family: str, kind: str, host: str, model: str) -> Capabilities | None:
    from ccproxy.lightllm.families import capabilities, family_of  # imports every dialect

    return capabilities(dialect, family or family_of(kind, host), model)


def origin_of(provider: Provider) -> str:
    """The tag of a provider's signatures. No provider can be called like a dialect, whose tag those have that a client
    brought along from elsewhere."""
    return f"provider:{provider.name}"


def is_strict(runtime: Runtime, client: Headers) -> bool:
    """Whether a request that would lose anything is to be refused."""
    return runtime.lightllm.strict or client.text(STRICT_HEADER).strip().lower() in {"1", "true", "yes"}


def asks_array(operation: Operation, query: bytes) -> bool:
    """Whether a client gets its stream as a JSON array: one that asks for it in the path, as Gemini's do, unless it says
    SSE."""
    return operation.dialect == "gemini" and bool(operation.action) and b"alt=sse" not in query.split(b"&")
