"""What the gateway answers itself: `/health`, the list of configured providers in the client's dialect, and the question
of a browser whether one of the pages in `gateway.allowed_origins` may ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ccproxy.errors import CCProxyError
from ccproxy.exchange.http import Headers, Snapshot
from ccproxy.gateway.answer import Send
from ccproxy.gateway.listener import Connection
from ccproxy.gateway.runtime import Runtime
from ccproxy.routing.detect import Operation
from ccproxy.routing.sentinel import Presented

HEALTH = frozenset({b"/health", b"/healthz"})

#: The OpenAI and Anthropic lists want a creation time; ours has none to tell.
_EPOCH = "1970-01-01T00:00:00Z"


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


def answers_models(operation: Operation, request: Snapshot, credentials: Presented) -> bool:
    """Whether a request for a model list is ours to answer: it is unless the client brings its own credential, with
    which its provider answers for itself."""
    return operation.name == "models" and request.method in {"GET", "HEAD"} and not credentials.own_credential


def models(runtime: Runtime, operation: Operation) -> tuple[int, Headers, bytes]:
    """Status, header fields and body of the list: every model the configuration names, and each provider that names
    none under its own name."""
    entries = [
        (model, provider.name)
        for provider in runtime.providers.values()
        for model in (provider.models or (provider.name,))
    ]
    return (
        200,
        Headers([(b"content-type", b"application/json")]),
        msgspec.json.encode(_list(operation.dialect, entries)),
    )


def _list(dialect: str, entries: list[tuple[str, str]]) -> dict[str, object]:
    if dialect == "anthropic":
        data = [
            {"type": "model", "id": model, "display_name": f"{model} ({owner})", "created_at": _EPOCH}
            for model, owner in entries
        ]
        return {
            "data": data,
            "has_more": False,
            "first_id": entries[0][0] if entries else None,
            "last_id": entries[-1][0] if entries else None,
        }
    if dialect == "gemini":
        return {
            "models": [
                {
                    "name": f"models/{model}",
                    "displayName": f"{model} ({owner})",
                    "supportedGenerationMethods": ["generateContent", "countTokens"],
                }
                for model, owner in entries
            ]
        }
    return {
        "object": "list",
        "data": [{"id": model, "object": "model", "created": 0, "owned_by": owner} for model, owner in entries],
    }
