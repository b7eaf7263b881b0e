import pytest

from ccproxy.providers.answers.paths import Call, dialect_for, recognise

POSTS = {
    b"/v1/messages": Call("anthropic", "generate"),
    b"/v1/messages?beta=true": Call("anthropic", "generate"),
    b"/anthropic/v1/messages": Call("anthropic", "generate"),
    b"/messages": Call("anthropic", "generate"),
    b"/v1/messages/count_tokens": Call("anthropic", "count_tokens"),
    b"/v1/chat/completions": Call("openai", "generate"),
    b"/api/coding/paas/v4/chat/completions": Call("openai", "generate"),
    b"/v1/responses": Call("openai_responses", "generate"),
    b"/backend-api/codex/responses": Call("openai_responses", "generate"),
    b"/v1/responses/input_tokens": Call("openai_responses", "count_tokens"),
    b"/v1beta/models/g-1:generateContent": Call("gemini", "generate", "g-1", stream=False, sse=False),
    b"/v1/models/g-1:streamGenerateContent?alt=sse": Call("gemini", "generate", "g-1", stream=True, sse=True),
    b"/v1beta/models/g-1:streamGenerateContent?key=K": Call("gemini", "generate", "g-1", stream=True, sse=False),
    b"/v1beta/models/g%2F1:countTokens": Call("gemini", "count_tokens", "g/1"),
    b"/v1beta1/projects/p/locations/l/publishers/google/models/g-1:generateContent": Call(
        "gemini", "generate", "g-1", stream=False, sse=False
    ),
    b"/v1/projects/p/locations/l/publishers/anthropic/models/c-1:streamRawPredict": Call(
        "anthropic", "generate", "c-1"
    ),
    b"/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict": Call(
        "anthropic", "count_tokens"
    ),
    b"/v1internal:generateContent": Call("gemini", "generate", stream=False, sse=False, envelope=True),
    b"/v1internal:streamGenerateContent?alt=sse": Call("gemini", "generate", stream=True, sse=True, envelope=True),
    b"/v1internal:countTokens": Call("gemini", "count_tokens"),
    b"/v1internal:loadCodeAssist": Call("gemini", "load"),
    b"/v1internal:onboardUser": Call("gemini", "onboard"),
}


@pytest.mark.parametrize(("target", "call"), POSTS.items(), ids=[target.decode() for target in POSTS])
def test_operations_are_recognised_behind_any_prefix(target: bytes, call: Call) -> None:
    assert recognise("POST", target, {}) == call
    assert recognise("POST", b"/some/prefix" + target, {}) == call


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", b"/v1/embeddings"),
        ("POST", b"/v1internal:retrieveUserQuota"),
        ("POST", b"/v1beta/models/g:embedContent"),
        ("GET", b"/v1/messages"),
        ("DELETE", b"/v1/models/x"),
        ("GET", b"/"),
    ],
)
def test_others_are_not(method: str, target: bytes) -> None:
    assert recognise(method, target, {}) is None


@pytest.mark.parametrize(
    ("target", "headers", "dialect"),
    [
        (b"/v1/models", {"anthropic-version": "x", "authorization": "Bearer k"}, "anthropic"),
        (b"/v1/models", {"x-api-key": "k"}, "anthropic"),
        (b"/v1/models", {"x-goog-api-key": "k"}, "gemini"),
        (b"/v1/models?key=k", {}, "gemini"),
        (b"/v1beta/models", {}, "gemini"),
        (b"/v1/models", {"authorization": "Bearer k"}, "openai"),
    ],
)
def test_model_lists_are_told_apart_by_headers(target: bytes, headers: dict[str, str], dialect: str) -> None:
    assert recognise("GET", target, headers) == Call(dialect, "models")


def test_one_model() -> None:
    assert recognise("GET", b"/v1/models/vendor%2Fname", {}) == Call("openai", "model", "vendor/name")


@pytest.mark.parametrize(
    ("target", "dialect"),
    [
        (b"/v1/chat/completions", "openai"),
        (b"/v1/messages/batches", "anthropic"),
        (b"/v1internal:unheardOf", "gemini"),
        (b"/nowhere", "openai"),
    ],
)
def test_every_path_has_a_dialect_for_errors(target: bytes, dialect: str) -> None:
    assert dialect_for(target, {}) == dialect
