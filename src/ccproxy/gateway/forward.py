"""From a client's request to the one that goes out: the same bytes but for what the route changes.

Dropped: hop-by-hop fields, forwarding fields, `x-ccproxy-*`; on a route to a provider also every credential of the
client. Replaced: Host (by the transport), Content-Length where the body changed, the credential. All else keeps its
name's case, its value and its place.
"""

from __future__ import annotations

from ccproxy.errors import BadRequest
from ccproxy.exchange.http import HOP_BY_HOP, Headers, Snapshot
from ccproxy.exchange.route import Route
from ccproxy.lightllm.body import JsonBody
from ccproxy.lightllm.compression import decode
from ccproxy.providers.base import Field
from ccproxy.routing.sentinel import CREDENTIAL_FIELDS, strip_credentials

_FORWARDING = frozenset(
    {
        b"forwarded",
        b"via",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-forwarded-port",
        b"x-real-ip",
    }
)
_DROPPED = HOP_BY_HOP | _FORWARDING | {b"host", b"expect"}
_INTERNAL = b"x-ccproxy-"
#: Largest expansion of a compressed request body, in bytes.
MAX_DECODED = 64 * 1024 * 1024


def forward_headers(client: Headers, credential: list[Field] | None) -> Headers:
    """The header fields for the upstream.

    Args:
        client: what the client sent.
        credential: the fields that carry the provider's credential (none of the client's go then), or None when the
            client's own credential goes along.
    """
    drop = _DROPPED | client.tokens(b"connection")
    kept = Headers(pair for pair in client if (name := pair[0].lower()) not in drop and not name.startswith(_INTERNAL))
    if credential is None:
        # A browser sends the cookies of every page on this host, whatever their port.
        return kept.without((b"cookie",)) if b"sec-fetch-site" in kept else kept
    return _with_credential(kept, credential)


def _with_credential(kept: Headers, credential: list[Field]) -> Headers:
    """The credential stands where the client's stood, so that the order of the fields stays."""
    place = next((i for i, (name, _) in enumerate(kept) if name.lower() in CREDENTIAL_FIELDS), len(kept))
    before = strip_credentials(Headers(kept.pairs[:place]))
    after = strip_credentials(Headers(kept.pairs[place:]))
    names = {name.lower() for name, _ in credential}
    return Headers([*before.without(names), *credential, *after.without(names)])


def set_model(headers: Headers, body: bytes, model: str) -> bytes:
    """The body with another model in it, and `headers` made to fit: a compressed body goes out plain.

    Raises BadRequest if the body is no JSON object or cannot be decoded.
    """
    encoding = headers.text(b"content-encoding")
    document = JsonBody(decode(body, encoding, MAX_DECODED) if encoding else body)
    document["model"] = model
    if not document.dirty:
        return body
    if encoding:
        headers.pairs = headers.without((b"content-encoding",)).pairs
    headers.set(b"content-length", str(len(document.raw)).encode())
    return document.raw


def requested_model(headers: Headers, body: bytes) -> str:
    """The model a JSON request names, or "" if it names none or cannot be read."""
    encoding = headers.text(b"content-encoding")
    try:
        document = JsonBody(decode(body, encoding, MAX_DECODED) if encoding else body)
        model = document.get("model")
    except BadRequest:
        return ""
    return model if isinstance(model, str) else ""


def forwarded_snapshot(request: Snapshot, route: Route, headers: Headers, body: bytes | None) -> Snapshot:
    """The request as it goes to the upstream."""
    return Snapshot(
        method=request.method,
        scheme=route.scheme,
        host=route.host,
        port=route.port,
        target=route.target,
        http_version="1.1",
        headers=headers,
        body=body,
    )
