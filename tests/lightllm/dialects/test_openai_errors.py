"""Errors for Chat clients; golden cases have the providers' own."""

from __future__ import annotations

import json

import pytest

from ccproxy.lightllm.errors import STATUS, ErrorInfo, ErrorKind

from ..kit import REGISTRY

OPENAI = REGISTRY.get("openai")


@pytest.mark.parametrize("kind", list(STATUS))
def test_every_kind_has_a_status_and_is_known_again(kind: ErrorKind) -> None:
    status, body = OPENAI.encode_error(ErrorInfo(kind, "why"))
    written = json.loads(body)
    assert status == STATUS[kind]
    assert written["error"]["message"] == "why"
    assert set(written["error"]) == {"message", "type", "param", "code"}
    assert OPENAI.decode_error(status, body).kind == kind
    if kind != "not_found":
        # Inside a stream there is no status to help.
        assert OPENAI.decode_error(0, body).kind == kind


def test_the_status_is_kept_but_for_anthropics_own() -> None:
    assert OPENAI.encode_error(ErrorInfo("rate_limit", "m", 429))[0] == 429
    assert OPENAI.encode_error(ErrorInfo("api", "m", 520))[0] == 520
    assert (
        OPENAI.encode_error(ErrorInfo("overloaded", "m", 529, code="overloaded_error", dialect="anthropic"))[0] == 503
    )


def test_words_of_another_dialect_stay_behind() -> None:
    error = ErrorInfo("overloaded", "busy", 503, "UNAVAILABLE", "p", "req_1", dialect="gemini", details={"a": 1})
    assert json.loads(OPENAI.encode_error(error)[1]) == {
        "error": {
            "message": "busy",
            "type": "service_unavailable_error",
            "param": "p",
            "code": "server_is_overloaded",
        }
    }


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (429, {"type": "insufficient_quota", "code": "insufficient_quota"}, "quota"),
        (429, {"type": "insufficient_quota", "code": "project_spend_limit_exceeded"}, "quota"),
        (429, {"type": "usage_limit_reached"}, "quota"),
        (429, {"type": "requests", "code": "rate_limit_exceeded"}, "rate_limit"),
        (401, {"type": "invalid_request_error", "code": "invalid_api_key"}, "authentication"),
        (404, {"type": "invalid_request_error", "code": "model_not_found"}, "not_found"),
        (403, {"type": "invalid_request_error", "code": "model_not_allowed"}, "permission"),
        (400, {"type": "invalid_request_error", "code": "context_length_exceeded"}, "invalid_request"),
        (503, {"type": "server_error", "code": "slow_down"}, "rate_limit"),
        (500, {"type": "server_error"}, "api"),
        (413, {}, "too_large"),
        (0, {"type": "invalid_request_error"}, "invalid_request"),
        (0, {"code": 429}, "rate_limit"),
        (0, {"code": "503"}, "overloaded"),
        (0, {"code": 1113}, "api"),
        (429, {"code": "1302"}, "rate_limit"),
        (429, {"code": "1113"}, "quota"),
        (429, {"type": "exceeded_current_quota_error"}, "quota"),
        (429, {"type": "engine_overloaded_error"}, "overloaded"),
        (400, {"code": "Arrearage"}, "billing"),
    ],
)
def test_kinds(status: int, error: dict[str, object], kind: str) -> None:
    assert OPENAI.decode_error(status, json.dumps({"error": {"message": "m", **error}}).encode()).kind == kind


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Please try again in 2.5s.", 2.5),
        ("Please try again in 20ms.", 0.02),
        ("try again in 6m0s", 360.0),
        ("try again in 1h2m3s", 3723.0),
        ("Try again in 12 s", 12.0),
        ("Please try again in a while", None),
        ("Please try again later.", None),
    ],
)
def test_how_long_to_wait(message: str, seconds: float | None) -> None:
    body = json.dumps({"error": {"message": message}}).encode()
    assert OPENAI.decode_error(429, body).retry_after == seconds


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {}}, "without a message"),
        ({"error": "plain"}, "plain"),
        ({"error": {"type": 5, "message": [], "code": {}, "param": 1}, "request_id": 1}, "without a message"),
        ({"error": {"code": 502, "metadata": {"raw": "from behind"}}}, "from behind"),
        ({"message": "top", "code": "x"}, "top"),
        ({"detail": "FastAPI"}, "FastAPI"),
        ([{"error": {"message": "in a list"}}], "in a list"),
        ([1, 2], "[1, 2]"),
        (None, "null"),
    ],
)
def test_odd_shapes(body: object, message: str) -> None:
    info = OPENAI.decode_error(500, json.dumps(body).encode())
    assert (info.kind, info.status) == ("api", 500)
    assert message in info.message
    assert json.loads(OPENAI.encode_error(info)[1])["error"]["message"] == info.message
