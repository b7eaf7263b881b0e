"""Errors as values."""

from __future__ import annotations

import pytest

from ccproxy.errors import NotSupported, Overloaded, Untranslatable, UpstreamCut, UpstreamError, UpstreamTimeout
from ccproxy.lightllm.errors import STATUS, ErrorInfo, cut, info_of, kind_of_status, malformed, plain_text_error


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request"), (401, "authentication"), (402, "billing"), (403, "permission"), (404, "not_found"),
     (413, "too_large"), (418, "invalid_request"), (422, "invalid_request"), (429, "rate_limit"), (500, "api"),
     (502, "api"), (503, "overloaded"), (504, "timeout"), (529, "overloaded"), (599, "api")],
)  # fmt: skip
def test_statuses_have_a_meaning(status: int, kind: str) -> None:
    assert kind_of_status(status) == kind


def test_an_error_knows_a_status_to_answer_with() -> None:
    assert ErrorInfo("overloaded", "x", 529).http_status == 529
    assert {kind: ErrorInfo(kind, "x").http_status for kind in STATUS} == STATUS
    assert cut().http_status == malformed("x").http_status == 502


@pytest.mark.parametrize(
    ("problem", "kind", "status"),
    [
        (Untranslatable("x"), "invalid_request", 400),
        (UpstreamCut("x"), "cut", 502),
        (UpstreamError("x"), "api", 502),
        (UpstreamTimeout("x"), "timeout", 504),
        (Overloaded("x"), "overloaded", 503),
        (NotSupported("x"), "unsupported", 501),
    ],
)
def test_our_own_errors_are_values_too(problem: UpstreamError, kind: str, status: int) -> None:
    info = info_of(problem)
    assert (info.kind, info.status, info.code, info.message) == (kind, status, problem.kind, "x")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the provider answered with status 502 and no message"),
        (b"<h1>Bad\n gateway</h1>", "<h1>Bad gateway</h1>"),
        (b'{"detail": "no such model"}', "no such model"),
        (b'{"detail": [{"msg": "x"}]}', '[{"msg":"x"}]'),
        (b'{"message": "m"}', "m"),
        (b'{"error": "e"}', "e"),
        (b'{"other": 1}', '{"other":1}'),
        (b'"text"', "text"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_a_body_of_no_known_shape_is_the_message(body: bytes, message: str) -> None:
    assert plain_text_error(502, body) == ErrorInfo("api", message, 502)


def test_a_long_body_is_shortened() -> None:
    assert len(plain_text_error(500, b"x" * 100_000).message) == 2000
