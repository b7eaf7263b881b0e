"""Errors for Anthropic clients; golden cases have Anthropic's own."""

from __future__ import annotations

import json

import pytest

from ccproxy.errors import Untranslatable
from ccproxy.lightllm.dialect import Target
from ccproxy.lightllm.errors import STATUS, ErrorInfo, ErrorKind, info_of

from ..kit import REGISTRY

ANTHROPIC = REGISTRY.get("anthropic")


@pytest.mark.parametrize("kind", list(STATUS))
def test_every_kind_has_a_type_and_a_status(kind: ErrorKind) -> None:
    status, body = ANTHROPIC.encode_error(ErrorInfo(kind, "why"))
    written = json.loads(body)
    assert status == STATUS[kind]
    assert written["type"] == "error"
    assert written["error"]["message"] == "why"
    assert written["error"]["type"].endswith(("_error", "too_large"))


def test_the_status_and_request_id_of_the_provider_are_kept() -> None:
    status, body = ANTHROPIC.encode_error(
        ErrorInfo("overloaded", "busy", 529, request_id="req_1", code="UNAVAILABLE", dialect="gemini")
    )
    assert status == 529
    assert json.loads(body) == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "busy"},
        "request_id": "req_1",
    }


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ({"type": "error", "error": {"type": "new_error", "message": "m"}}, "rate_limit", "m"),
        ({"error": {"message": "m"}}, "rate_limit", "m"),
        ({"error": {"code": "1113", "message": "m"}}, "quota", "m"),
        ({"type": "error", "error": {"type": "1308", "message": "m"}}, "quota", "m"),
        ({"error": {}}, "rate_limit", "without a message"),
        ({"error": "plain"}, "rate_limit", "plain"),
        ({"error": {"type": 5, "message": [], "details": 3}, "request_id": 1}, "rate_limit", "without a message"),
    ],
)
def test_odd_shapes_are_read_by_their_status(body: object, kind: str, message: str) -> None:
    info = ANTHROPIC.decode_error(429, json.dumps(body).encode())
    assert (info.kind, info.status) == (kind, 429)
    assert message in info.message


def test_an_overload_in_a_stream_has_the_status_it_would_have_had() -> None:
    assert ANTHROPIC.decode_error(0, b'{"error":{"type":"overloaded_error","message":"m"}}').http_status == 529


def test_a_thread_that_cannot_be_kept_is_refused_in_the_words_at_which_clients_send_everything() -> None:
    body = {
        "model": "m",
        "max_tokens": 9,
        "thread": {"type": "create"},
        "messages": [{"role": "user", "content": "hi"}],
    }
    request = ANTHROPIC.decode_request(json.dumps(body).encode())
    assert json.loads(ANTHROPIC.encode_request(request, Target()).body)["thread"] == {"type": "create"}
    with pytest.raises(Untranslatable, match="thread") as raised:
        REGISTRY.get("openai").encode_request(request, Target())
    status, written = ANTHROPIC.encode_error(info_of(raised.value))
    assert status == 400
    assert json.loads(written)["error"]["details"]["error_code"] == "thread_unsupported_request"
