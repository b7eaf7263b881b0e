"""From a client's request to the one that goes out: the same bytes but for what the route changes.

Dropped: hop-by-hop fields, forwarding fields, `x-ccproxy-*`; on a route to a provider also every credential of the
client. Replaced: Host (by the transport), Content-Length where the body changed, the credential. All else keeps its
name's case, its value and its place.
"""

from __future__ import annotations

from collections.abc import Callable

from ccproxy.errors import BadRequest
from ccproxy.exchange.http import HOP_BY_HOP, Headers, Pair, Snapshot
from ccproxy.exchange.route import Route
from ccproxy.lightllm.body import JsonBody
from ccproxy.lightllm.compression import decode
from ccproxy.providers.base import Field
from ccproxy.routing.sentinel import CREDENTIAL_FIELDS, CREDENTIAL_NAMES, PREFIX

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
    drop = _DROPPED
    if named := client.tokens(b"connection"):
        drop = drop | named
    kept: list[Pair] = []
    place = -1
    carriers = frozenset() if credential is None else CREDENTIAL_NAMES | {name.lower() for name, _ in credential}
    for pair in client:
        name = pair[0].lower()
        if name in drop or name.startswith(_INTERNAL):
            continue
        if credential is not None:
            # The provider's credential stands where the client's stood, so that the order of the fields stays.
            if place < 0 and name in CREDENTIAL_FIELDS:
                place = len(kept)
            if name in carriers or PREFIX in pair[1]:
                continue
        kept.append(pair)
    if credential is not None:
        place = len(kept) if place < 0 else place
        kept[place:place] = credential
    elif b"sec-fetch-site" in client:
        # A browser sends the cookies of every page on this host, whatever their port.
        kept = [pair for pair in kept if pair[0].lower() != b"cookie"]
    return Headers(kept)


def document(request: Snapshot) -> JsonBody:
    """The body of a request, content-encoding removed, to be read; edit a copy. Raises BadRequest if it cannot be
    decoded."""
    known = request.document
    if known is None:
        body = request.body or b""
        encoding = request.headers.text(b"content-encoding")
        if encoding and body:
            return JsonBody(decode(body, encoding, MAX_DECODED))  # not kept: it may be large
        known = request.document = JsonBody(body)
    return known


def set_model(headers: Headers, body: bytes, model: str, known: JsonBody | None = None) -> bytes:
    """The body with another model in it; see `edit`."""

    def change(document: JsonBody) -> None:
        document["model"] = model

    return edit(headers, body, change, known)


def edit(headers: Headers, body: bytes, change: Callable[[JsonBody], None], known: JsonBody | None = None) -> bytes:
    """The body as `change` leaves it, and `headers` made to fit: a compressed body that changed goes out plain.

    Args:
        known: this very body, if it has been looked at before.

    Raises BadRequest if the body is no JSON object or cannot be decoded.
    """
    encoding = headers.text(b"content-encoding")
    if known is not None and known.raw is body:
        document = known.copy()
    else:
        document = JsonBody(decode(body, encoding, MAX_DECODED) if encoding else body)
    change(document)
    if not document.dirty:
        return body
    if encoding:
        headers.pairs = headers.without((b"content-encoding",)).pairs
    headers.set(b"content-length", str(len(document.raw)).encode())
    return document.raw


def requested_model(request: Snapshot) -> str:
    """The model a JSON request names, or "" if it names none or cannot be read."""
    try:
        model = document(request).get("model")
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
