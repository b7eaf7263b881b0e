"""Our own answers in the shapes that SDKs read."""

from __future__ import annotations

import json

import pytest

from ccproxy.errors import BadRequest, CredentialError, Overloaded, UpstreamTimeout
from ccproxy.gateway.replies import error_document, error_event, error_headers, phrase, plain_reply


def test_anthropic() -> None:
    assert json.loads(error_document("anthropic", 413, "bad_request", "too big", "f1")) == {
        "type": "error",
        "error": {"type": "request_too_large", "message": "ccproxy: too big"},
        "request_id": "f1",
    }


def test_gemini() -> None:
    assert json.loads(error_document("gemini", 504, "upstream_timeout", "late", "f1")) == {
        "error": {"code": 504, "message": "ccproxy: late", "status": "DEADLINE_EXCEEDED"}
    }


@pytest.mark.parametrize("dialect", ["openai", "openai_responses", ""])
def test_openai_and_whoever_speaks_nothing_we_know(dialect: str) -> None:
    error = json.loads(error_document(dialect, 502, "upstream_error", "gone", "f1"))["error"]
    assert error == {"message": "ccproxy: gone", "type": "server_error", "param": None, "code": "upstream_error"}


@pytest.mark.parametrize(
    ("dialect", "start"),
    [
        ("anthropic", b"event: error\ndata: "),
        ("openai", b"data: "),
        ("gemini", b"data: "),
        ("openai_responses", b"event: error\ndata: "),
    ],
)
def test_events_are_whole(dialect: str, start: bytes) -> None:
    event = error_event(dialect, 502, "upstream_cut", "cut", "f1")
    assert event.startswith(start)
    assert event.endswith(b"\n\n")
    assert b"ccproxy: cut" in event or b'"message":"cut"' in event
    json.loads(event.removeprefix(start))


@pytest.mark.parametrize(
    ("error", "final"),
    [(BadRequest("x"), True), (CredentialError("x"), True), (Overloaded("x"), False), (UpstreamTimeout("x"), False)],
)
def test_clients_are_told_what_a_retry_cannot_mend(error: Exception, final: bool) -> None:
    headers = error_headers(error)  # type: ignore[arg-type]
    assert headers.text(b"x-should-retry") == ("false" if final else "")
    assert headers.text(b"x-ccproxy-error") == error.kind  # type: ignore[attr-defined]


def test_plain_reply_is_a_whole_answer() -> None:
    head, _, body = plain_reply(431, "too many", "less").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert b"connection: close" in head
    assert f"content-length: {len(body)}".encode() in head
    assert json.loads(body)["error"]["message"] == "ccproxy: too many (less)"


def test_phrase() -> None:
    assert (phrase(404), phrase(529)) == ("Not Found", "")
