"""Errors: the forms of Google's that the golden cases do not have."""

from __future__ import annotations

import json

import pytest

from ccproxy.lightllm.dialects.gemini.errors import decode_error, encode_error
from ccproxy.lightllm.errors import ErrorInfo


def body(**error: object) -> bytes:
    return json.dumps({"error": error}).encode()


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, {"status": "INVALID_ARGUMENT", "message": "x"}, "invalid_request"),
        (403, {"status": "PERMISSION_DENIED", "message": "x"}, "permission"),
        (404, {"status": "NOT_FOUND", "message": "x"}, "not_found"),
        (402, {"status": "FAILED_PRECONDITION", "message": "x"}, "billing"),
        (413, {"status": "INVALID_ARGUMENT", "message": "x"}, "too_large"),
        (429, {"status": "RESOURCE_EXHAUSTED", "message": "quota, limit: 0, model"}, "quota"),
        (499, {"status": "CANCELLED", "message": "x"}, "timeout"),
        (504, {"status": "DEADLINE_EXCEEDED", "message": "x"}, "timeout"),
        (418, {"status": "TEAPOT", "message": "x"}, "invalid_request"),
        (0, {"code": 503, "message": "x"}, "overloaded"),
        (0, {"message": "x"}, "api"),
    ],
)
def test_kinds(status: int, error: dict[str, object], kind: str) -> None:
    info = decode_error(status, body(**error))
    assert info.kind == kind
    assert decode_error(*encode_error(info)).kind == kind


def test_a_delay_in_the_message() -> None:
    info = decode_error(429, body(status="RESOURCE_EXHAUSTED", message="Slow. Please retry in 900ms."))
    assert info.retry_after == 0.9


@pytest.mark.parametrize(
    "details",
    [5, [5], [{"@type": 5}], [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "soon"}],
     [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": 5}, 5]}]],
)  # fmt: skip
def test_strange_details_do_no_harm(details: object) -> None:
    info = decode_error(429, body(status="RESOURCE_EXHAUSTED", message="x", details=details))
    assert (info.kind, info.retry_after) == ("rate_limit", None)


def test_errors_of_others() -> None:
    info = ErrorInfo("overloaded", "too much", 529, code="overloaded_error", retry_after=2.5, dialect="anthropic")
    status, written = encode_error(info)
    assert status == 503
    assert json.loads(written) == {
        "error": {
            "code": 503,
            "message": "too much",
            "status": "UNAVAILABLE",
            "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2.5s"}],
        }
    }


def test_no_message_and_no_error() -> None:
    assert "without a message" in decode_error(500, body(status="INTERNAL")).message
    assert decode_error(500, b"").message
    assert decode_error(500, b"[]").kind == "api"
