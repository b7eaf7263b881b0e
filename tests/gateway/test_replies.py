"""Our own answers in the shapes that SDKs read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.errors import (
    BadRequest,
    CCProxyError,
    CredentialError,
    Overloaded,
    Untranslatable,
    UpstreamCut,
    UpstreamError,
    UpstreamTimeout,
)
from ccproxy.gateway.replies import error_document, error_event, error_headers, phrase, plain_reply
from ccproxy.lightllm.dialect import Context
from ccproxy.lightllm.ir.events import Failed
from ccproxy.lightllm.registry import Registry
from ccproxy.lightllm.sse import SSEFramer

DIALECTS = Registry()


def document(dialect: str, error: CCProxyError) -> Any:
    return json.loads(error_document(DIALECTS, dialect, error, "f1"))


def test_anthropic() -> None:
    assert document("anthropic", BadRequest("too big", hint="send less", status=413)) == {
        "type": "error",
        "error": {"type": "request_too_large", "message": "ccproxy: too big (send less)"},
        "request_id": "f1",
    }


def test_a_credential_that_is_missing_is_no_overload() -> None:
    assert document("anthropic", CredentialError("none"))["error"]["type"] == "api_error"
    assert document("openai", CredentialError("none"))["error"]["type"] == "server_error"
    assert document("anthropic", Overloaded("full"))["error"]["type"] == "overloaded_error"


def test_the_sdk_is_told_in_its_words_that_a_thread_cannot_be_kept() -> None:
    inner = document("anthropic", Untranslatable("no threads here", param="thread"))["error"]
    assert inner["details"]["error_code"] == "thread_unsupported_request"


def test_gemini() -> None:
    assert document("gemini", UpstreamTimeout("late")) == {
        "error": {"code": 504, "message": "ccproxy: late", "status": "DEADLINE_EXCEEDED"}
    }


@pytest.mark.parametrize("dialect", ["openai", "openai_responses", "", "unheard-of"])
def test_openai_and_whoever_speaks_nothing_we_know(dialect: str) -> None:
    assert document(dialect, UpstreamError("gone"))["error"] == {
        "message": "ccproxy: gone",
        "type": "server_error",
        "param": None,
        "code": "upstream_error",
    }


@pytest.mark.parametrize("dialect", DIALECTS.names())
@pytest.mark.parametrize("error", [UpstreamCut("it broke"), UpstreamTimeout("it broke"), CCProxyError("it broke")])
def test_the_last_events_of_a_stream_are_a_failure_of_its_dialect(dialect: str, error: CCProxyError) -> None:
    framer, decoder = SSEFramer(), DIALECTS.get(dialect).decoder(Context())
    frames = framer.feed(error_event(DIALECTS, dialect, error, "f1"))
    events = [event for frame in frames for event in decoder.frame(frame.name, frame.data)]
    assert [event.error.message for event in events if isinstance(event, Failed)] == ["ccproxy: it broke"]
    assert framer.eof() == [], "the last event is whole"


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
