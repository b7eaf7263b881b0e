"""Errors for Responses clients; golden cases have OpenAI's own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.lightllm.dialects.openai_responses.errors import stream_code, websocket_error
from ccproxy.lightllm.errors import STATUS, ErrorInfo, ErrorKind

from ..kit import REGISTRY

RESPONSES = REGISTRY.get("openai_responses")


@pytest.mark.parametrize("kind", list(STATUS))
def test_every_kind_has_a_type_and_a_status_and_is_read_as_itself(kind: ErrorKind) -> None:
    status, body = RESPONSES.encode_error(ErrorInfo(kind, "why"))
    written = json.loads(body)["error"]
    assert status == STATUS[kind]
    assert (written["message"], written["param"]) == ("why", None)
    assert written["type"]
    assert stream_code(ErrorInfo(kind, "why"))
    if kind not in ("cut", "too_large", "unsupported"):
        assert RESPONSES.decode_error(status, body).kind == kind


def test_openais_clients_know_no_529() -> None:
    assert RESPONSES.encode_error(ErrorInfo("overloaded", "busy", 529))[0] == 503
    assert RESPONSES.encode_error(ErrorInfo("rate_limit", "slow", 429))[0] == 429


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (429, {"message": "m", "type": "requests", "code": "rate_limit_exceeded"}, "rate_limit"),
        (429, {"message": "m", "type": "insufficient_quota"}, "quota"),
        (429, {"message": "m", "type": "invalid_request_error"}, "rate_limit"),
        (401, {"message": "m", "type": "invalid_request_error", "code": None}, "authentication"),
        (404, {"message": "m", "type": "invalid_request_error", "code": "model_not_found"}, "not_found"),
        (400, {"message": "m", "type": "new_error", "code": "new"}, "invalid_request"),
        (500, {"message": "m", "type": "server_error"}, "api"),
        (503, {"message": "m", "type": "server_error", "code": "slow_down"}, "overloaded"),
        (402, {"message": "m", "code": 402}, "billing"),
        (0, {"message": "m", "code": "context_length_exceeded"}, "invalid_request"),
        (0, {"message": "m"}, "api"),
    ],
)
def test_codes_before_types_before_the_status(status: int, error: dict[str, Any], kind: str) -> None:
    info = RESPONSES.decode_error(status, json.dumps({"error": error}).encode())
    assert (info.kind, info.message, info.status) == (kind, "m", status)


@pytest.mark.parametrize(
    "error",
    [
        {},
        {"message": None, "type": "server_error"},
        {"message": "", "code": "x"},
        {"message": [], "code": [], "param": 5, "type": {}},
        {"message": 1, "resets_in_seconds": -1},
        {"resets_in_seconds": 1e300},
    ],
)
def test_odd_objects_are_read(error: dict[str, Any]) -> None:
    info = RESPONSES.decode_error(500, json.dumps({"error": error}).encode())
    assert "without a message" in info.message
    assert info.retry_after is None
    assert json.loads(RESPONSES.encode_error(info)[1])["error"]["message"]


def test_an_error_of_another_dialect_is_said_in_openais_words() -> None:
    info = ErrorInfo("overloaded", "busy", 503, code="UNAVAILABLE", dialect="gemini", details={"status": "UNAVAILABLE"})
    assert json.loads(RESPONSES.encode_error(info)[1]) == {
        "error": {"message": "busy", "type": "server_error", "param": None, "code": "server_is_overloaded"}
    }


def test_on_a_websocket_the_status_is_in_the_message() -> None:
    assert websocket_error(ErrorInfo("rate_limit", "slow", 429, retry_after=2.5)) == {
        "type": "error",
        "status": 429,
        "error": {"message": "slow", "type": "rate_limit_error", "param": None, "code": "rate_limit_exceeded"},
        "headers": {"retry-after": "2.5"},
    }
    assert websocket_error(ErrorInfo("overloaded", "busy", 529))["status"] == 503
