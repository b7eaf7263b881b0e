"""What real clients send reaches the provider byte for byte, but for the credential and the fields of one connection.

`tests/data/captures/` holds requests of forty clients and SDKs as they were on the wire, a file for each client.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import zstandard
from rig import KEY, Rig, read_answer, rig

from ccproxy.exchange.http import HOP_BY_HOP
from ccproxy.routing.detect import detect
from ccproxy.routing.sentinel import CREDENTIAL_FIELDS, CREDENTIAL_NAMES
from ccproxy.testing import Received, Reply, Send

FOLDER = Path(__file__).parent.parent / "data" / "captures"
ALL: list[dict[str, Any]] = [
    {"client": path.stem, **capture}
    for path in sorted(FOLDER.glob("*.json"))
    for capture in json.loads(path.read_text())
]
HANDSHAKES = [capture for capture in ALL if any(name.lower() == "upgrade" for name, _ in capture["headers"])]
CAPTURES = [capture for capture in ALL if capture not in HANDSHAKES]
CLIENTS = sorted({capture["client"] for capture in CAPTURES})

#: Fields that belong to one connection, and those that only this side of the proxy may see.
LOCAL = HOP_BY_HOP | {b"host", b"expect"}
PROVIDERS = {"anthropic": "anthropic", "openai": "openai", "openai_responses": "responses", "gemini": "gemini"}

Pairs = list[tuple[bytes, bytes]]


def odd(body: object) -> bytes:
    """The same document with white space, escapes, number forms and a repeated key, as no serialiser writes it."""
    text = json.dumps(body, indent=3, ensure_ascii=True).replace('": ', '"  :\t')
    return ("\r\n" + text.replace("{", '{"x-repeated" : 1.0e0, "x-repeated":-0,', 1) + "\n ").encode()


BODIES = {
    "compact": lambda body: json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
    "odd": odd,
    "zstd": lambda body: zstandard.ZstdCompressor().compress(json.dumps(body).encode()),
}


def pairs_of(capture: dict[str, Any], body: bytes, form: str, host: str) -> Pairs:
    """The capture's header fields for this connection and this body."""
    pairs: Pairs = []
    for name, value in capture["headers"]:
        lower = name.lower()
        if lower in {"content-encoding", "transfer-encoding"}:
            continue
        if lower == "host":
            value = host
        elif lower == "content-length":
            value = str(len(body))
        pairs.append((name.encode("latin-1"), value.encode("utf-8")))
    names = {name.lower() for name, _ in pairs}
    if b"host" not in names:
        pairs.insert(0, (b"Host", host.encode()))
    if body and b"content-length" not in names:
        pairs.append((b"Content-Length", str(len(body)).encode()))
    if form == "zstd" and body:
        pairs.append((b"Content-Encoding", b"zstd"))
    return pairs


async def replay(r: Rig, method: str, target: bytes, pairs: Pairs, body: bytes) -> Received:
    """Sends a request as it stands; what the provider got of it."""
    index = len(r.provider.requests)
    reader, writer = await r.open()
    head = method.encode() + b" " + target + b" HTTP/1.1\r\n"
    writer.write(head + b"".join(name + b": " + value + b"\r\n" for name, value in pairs) + b"\r\n" + body)
    if method == "HEAD":
        await reader.readuntil(b"\r\n\r\n")
    else:
        assert (await read_answer(reader)).status == 200
    writer.close()
    return await r.provider.wait_for_request(index)


def relayed(pairs: Pairs) -> Pairs:
    named = {t.strip().lower() for name, value in pairs if name.lower() == b"connection" for t in value.split(b",")}
    return [pair for pair in pairs if pair[0].lower() not in LOCAL | named]


def received(request: Received) -> Pairs:
    return [pair for pair in request.headers if pair[0].lower() not in LOCAL]


@pytest.mark.parametrize("form", BODIES)
@pytest.mark.parametrize("client", CLIENTS)
async def test_with_the_clients_own_credential_nothing_changes(client: str, form: str) -> None:
    async with rig() as r:
        r.provider.on(".*", Reply(body=[Send(b"{}")]))
        for capture in [capture for capture in CAPTURES if capture["client"] == client]:
            body = BODIES[form](capture["body"]) if capture["body"] is not None else b""
            pairs = pairs_of(capture, body, form, f"127.0.0.1:{r.port}")
            if not _detect(capture, pairs).upstream:
                continue  # belongs to no default upstream: a 404, which test_handler tells of
            if not _has_credential(pairs) and _is_model_list(capture, pairs):
                continue  # ours to answer
            target = capture["target"].encode()
            sent = await replay(r, capture["method"], target, pairs, body)
            assert (sent.method, sent.body) == (capture["method"], body)
            assert received(sent) == relayed(pairs)
            assert sent.target == _expected_target(capture, pairs)


@pytest.mark.parametrize("client", CLIENTS)
async def test_with_a_sentinel_only_the_credential_changes(client: str) -> None:
    async with rig() as r:
        r.provider.on(".*", Reply(body=[Send(b"{}")]))
        for capture in [capture for capture in CAPTURES if capture["client"] == client]:
            body = BODIES["odd"](capture["body"]) if capture["body"] is not None else b""
            pairs = pairs_of(capture, body, "odd", f"127.0.0.1:{r.port}")
            target = capture["target"].encode()
            operation = _detect(capture, pairs)
            if not _has_credential(pairs) or not operation.generates or operation.upstream in {"codex", "code_assist"}:
                continue
            sentinel = f"sk-ant-oat-ccproxy-{PROVIDERS[operation.dialect]}".encode()
            client_pairs = [(n, _with_key(v, sentinel)) if n.lower() in CREDENTIAL_FIELDS else (n, v) for n, v in pairs]
            sent = await replay(r, capture["method"], target, client_pairs, body)
            assert sent.body == body
            assert b"ccproxy" not in sent.raw
            kept = [pair for pair in received(sent) if pair[0].lower() not in CREDENTIAL_NAMES]
            assert kept == [pair for pair in relayed(pairs) if pair[0].lower() not in CREDENTIAL_NAMES]
            credentials = [pair for pair in received(sent) if pair[0].lower() in CREDENTIAL_NAMES]
            assert [KEY.encode() in value for _, value in credentials] == [True]
            before = [name.lower() for name, _ in relayed(pairs)]
            place = next(i for i, name in enumerate(before) if name in CREDENTIAL_FIELDS)
            assert received(sent)[place] == credentials[0]


@pytest.mark.parametrize("capture", HANDSHAKES, ids=lambda capture: capture["client"])
async def test_a_websocket_handshake_brings_every_field_along(capture: dict[str, Any]) -> None:
    """Names in lower case: the listener's WebSocket side keeps no other. Sec-WebSocket-* belong to one connection."""
    own = LOCAL | {b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-extensions"}
    async with rig() as r:
        pairs = pairs_of(capture, b"", "compact", f"127.0.0.1:{r.port}")
        pairs = [(n, b"AAAAAAAAAAAAAAAAAAAAAA==" if n.lower() == b"sec-websocket-key" else v) for n, v in pairs]
        _, writer = await r.open()
        head = b"GET " + capture["target"].encode() + b" HTTP/1.1\r\n"
        writer.write(head + b"".join(name + b": " + value + b"\r\n" for name, value in pairs) + b"\r\n")
        sent = await r.provider.wait_for_request(0)
        assert sent.upgrade
        assert sent.target == _expected_target(capture, pairs)
        kept = [(name.lower(), value) for name, value in sent.headers if name.lower() not in own]
        assert kept == [(name.lower(), value) for name, value in pairs if name.lower() not in own]


async def test_multipart_and_chunked_uploads_and_bodiless_requests() -> None:
    async with rig() as r:
        r.provider.on(".*", Reply(body=[Send(b"{}")]))
        own = (b"AUTHORIZATION", b"Bearer own")
        host = (b"hOST", f"127.0.0.1:{r.port}".encode())
        form = b'--b\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\n\x00\xff\r\n--b--\r\n'
        multipart = [
            host,
            own,
            (b"content-TYPE", b"multipart/form-data; boundary=b"),
            (b"Content-Length", b"%d" % len(form)),
        ]
        sent = await replay(r, "POST", b"/v1/files?purpose=batch&&x", multipart, form)
        assert (sent.target, sent.body, received(sent)) == (b"/v1/files?purpose=batch&&x", form, multipart[1:])
        for method in ("GET", "DELETE", "POST", "PATCH", "HEAD"):
            sent = await replay(r, method, b"/v1/files/f%20x", [host, own], b"")
            assert (sent.method, sent.body, received(sent)) == (method, b"", [own])


def _detect(capture: dict[str, Any], pairs: Pairs) -> Any:
    from ccproxy.exchange.http import Headers

    path, _, query = capture["target"].partition("?")
    return detect(path, query.encode(), Headers(pairs))


def _expected_target(capture: dict[str, Any], pairs: Pairs) -> bytes:
    query = capture["target"].partition("?")[2]
    canonical = _detect(capture, pairs).canonical
    return (canonical + (f"?{query}" if query else "")).encode()


def _has_credential(pairs: Pairs) -> bool:
    return any(name.lower() in CREDENTIAL_FIELDS for name, _ in pairs)


def _is_model_list(capture: dict[str, Any], pairs: Pairs) -> bool:
    return bool(_detect(capture, pairs).name == "models")


def _with_key(value: bytes, key: bytes) -> bytes:
    return b"Bearer " + key if value.lower().startswith(b"bearer ") else key
