"""What the gateway answers itself: `/health`, the configured models in the client's dialect, estimated token counts, and the
question of a browser whether one of the pages in `gateway.allowed_origins` may ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import msgspec

from ccproxy.errors import CCProxyError, NoRoute
from ccproxy.exchange.exchange import Exchange
from ccproxy.exchange.http import Headers, Snapshot
from ccproxy.gateway.answer import Send
from ccproxy.gateway.listener import Connection
from ccproxy.gateway.runtime import Runtime
from ccproxy.lightllm.dialect import Dialect, ModelInfo
from ccproxy.routing.detect import Operation
from ccproxy.routing.sentinel import Presented

HEALTH = frozenset({b"/health", b"/healthz"})

_JSON = (b"content-type", b"application/json")


async def health(
    runtime: Runtime, connection: Connection, scope: Any, send: Send, document: Callable[[], dict[str, object]]
) -> None:
    """`GET /health`: the state of the process. Guarded like every path, but not recorded and without a client key:
    a monitor has none. What it tells holds no secret."""
    headers = Headers(connection.pairs)
    status, body = 200, b""
    try:
        runtime.guard.check_host(headers, scope["http_version"])
        runtime.guard.check_origin(headers)
        body = msgspec.json.encode(document())
    except CCProxyError as error:
        status, body = error.status, msgspec.json.encode({"error": {"message": f"ccproxy: {error}"}})
    fields = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


def is_preflight(request: Snapshot) -> bool:
    """Whether this is a browser's question before a page's request (CORS, fetch.spec.whatwg.org)."""
    return request.method == "OPTIONS" and b"access-control-request-method" in request.headers


def preflight(request: Snapshot) -> tuple[int, Headers, bytes]:
    """The answer to a page whose origin the guard let pass; its `allow-origin` comes with every answer to it."""
    fields = [(b"access-control-allow-methods", request.headers.get(b"access-control-request-method") or b"POST")]
    if asked := request.headers.get(b"access-control-request-headers"):
        fields.append((b"access-control-allow-headers", asked))
    return 204, Headers([*fields, (b"access-control-max-age", b"600")]), b""


def answers_models(exchange: Exchange, operation: Operation, credentials: Presented) -> bool:
    """Whether a request for a model list is ours to answer: it is unless the client brings its own credential, with
    which its provider answers for itself, or meant that provider all along."""
    if operation.name != "models" or exchange.request.method not in {"GET", "HEAD"}:
        return False
    if exchange.door == "interceptor":
        return credentials.sentinel is not None
    return not credentials.own_credential


def models(runtime: Runtime, operation: Operation) -> tuple[int, Headers, bytes]:
    """Status, header fields and body of the list: every model the configuration names, and each provider that names
    none under its own name; each with the provider that has it."""
    encode = _dialect(runtime, operation).encode_models
    assert encode is not None
    return 200, Headers([_JSON]), encode(_listed(runtime))


def model(runtime: Runtime, operation: Operation) -> tuple[int, Headers, bytes]:
    """The same for one of them. Raises NoRoute where it is none of those."""
    encode = _dialect(runtime, operation).encode_model
    assert encode is not None
    name = unquote(operation.rest.partition("/models/")[2])
    found = next((info for info in _listed(runtime) if info.id == name), None)
    if found is None:
        raise NoRoute(
            f"no configured provider lists the model {name!r}", hint="name its models under providers.NAME.models"
        )
    return 200, Headers([_JSON]), encode(found)


def counted(document: bytes) -> tuple[int, Headers, bytes]:
    """A token count that was estimated, and says so."""
    return 200, Headers([_JSON, (b"x-ccproxy-estimated", b"1")]), document


def _dialect(runtime: Runtime, operation: Operation) -> Dialect:
    return runtime.dialects.get(operation.dialect if operation.dialect in runtime.dialects else "openai")


def _listed(runtime: Runtime) -> list[ModelInfo]:
    return [
        ModelInfo(id=model, name=f"{model} ({provider.name})", owner=provider.name)
        for provider in runtime.providers.values()
        for model in (provider.models or (provider.name,))
    ]
