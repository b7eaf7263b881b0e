"""Steps that requests and WebSockets share."""

from __future__ import annotations

import msgspec
import pytest

from ccproxy.errors import BadRequest, CCProxyError, CredentialError, UpstreamCut, UpstreamError, UpstreamTimeout
from ccproxy.exchange.exchange import Client, Exchange, Timings
from ccproxy.exchange.http import Headers, Snapshot
from ccproxy.exchange.route import Route
from ccproxy.gateway.steps import facts, note_failure, prepare, session_of
from ccproxy.routing.detect import detect
from ccproxy.routing.sentinel import presented


def exchange(*pairs: tuple[bytes, bytes], target: bytes = b"/v1/messages") -> Exchange:
    request = Snapshot("POST", "http", "127.0.0.1", 4000, target, "1.1", Headers(pairs))
    return Exchange("f1", Client("127.0.0.1", 1), request, Timings())


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (UpstreamCut("x"), "upstream_cut"),
        (UpstreamTimeout("x"), "upstream_error"),
        (UpstreamError("x", status=500), "upstream_error"),
        (BadRequest("x"), "refused"),
        (CredentialError("x"), "refused"),
        (CCProxyError("x"), "failed"),
    ],
)
def test_how_an_exchange_ended(error: CCProxyError, outcome: str) -> None:
    it = exchange()
    note_failure(it, error)
    assert it.outcome == outcome
    assert it.failure is not None
    assert it.failure.kind == error.kind


def test_the_hosts_a_client_may_have_meant() -> None:
    it = exchange((b"Host", b"localhost:4000"), (b"X-Forwarded-Host", b"api.example.com"))
    request = it.request
    operation = detect(request.path, request.query, request.headers)
    found = facts(request, operation, presented(request.headers, request.query), "")
    assert found.hosts == ("localhost", "api.example.com")
    other = exchange((b"Host", b"[::1]:4000")).request
    assert facts(other, operation, presented(request.headers, b""), "").hosts == ("[::1]",)


def test_what_goes_out_is_noted_on_the_exchange() -> None:
    it = exchange((b"Host", b"x"), (b"A", b"1"))
    route = Route(action="redirect", reason="rule 1", host="up", target=b"/t", model="n")
    headers, body = prepare(it, route, None, None, b'{"model":"m"}')
    assert (headers.pairs[0], body) == ((b"A", b"1"), b'{"model":"n"}')
    assert it.forwarded is not None
    assert (it.forwarded.url, it.forwarded.body) == ("https://up/t", body)


def test_without_a_model_for_the_body_the_body_stays() -> None:
    it = exchange(target=b"/v1beta/models/m:generateContent")
    route = Route(action="redirect", reason="rule 1", host="up", target=b"/models/n:generateContent")
    assert (prepare(it, route, None, None, b'{"contents":[]}'))[1] == b'{"contents":[]}'


def asked(text: str = "hi", **more: object) -> bytes:
    return msgspec.json.encode({"model": "m", "messages": [{"role": "user", "content": text}], **more})


def test_a_conversation_is_what_a_hook_found_what_its_client_says_or_how_it_begins() -> None:
    it = exchange((b"Session-Id", b"s1"))
    it.operation = "messages"
    assert session_of(it, asked()) == "s1"
    it.session = "by-a-hook"
    assert session_of(it, asked()) == "by-a-hook"
    plain = exchange()
    plain.operation = "messages"
    assert session_of(plain, asked(metadata={"user_id": '{"session_id":"u"}'})) == "u"
    derived = session_of(plain, asked())
    assert derived.startswith("~")
    assert session_of(plain, asked()) == derived != session_of(plain, asked("something else"))
    assert session_of(plain, None) == ""


def test_a_coded_body_is_not_read_for_its_conversation() -> None:
    it = exchange((b"content-encoding", b"zstd"))
    it.operation = "messages"
    assert session_of(it, asked()) == ""
