"""Which dialect a request is in, and what it asks for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.exchange.http import Headers
from ccproxy.routing.detect import Operation, detect


def ask(target: str, **fields: str) -> Operation:
    path, _, query = target.partition("?")
    return detect(path, query.encode(), Headers((k.replace("_", "-").encode(), v.encode()) for k, v in fields.items()))


@pytest.mark.parametrize(
    ("target", "dialect", "name", "canonical", "upstream"),
    [
        ("/v1/messages", "anthropic", "messages", "/v1/messages", "anthropic"),
        ("/v1/messages?beta=true", "anthropic", "messages", "/v1/messages", "anthropic"),
        ("/messages", "anthropic", "messages", "/v1/messages", "anthropic"),
        ("/v1/v1/messages", "anthropic", "messages", "/v1/messages", "anthropic"),
        ("/v1/messages/count_tokens", "anthropic", "count_tokens", "/v1/messages/count_tokens", "anthropic"),
        ("/v1/messages/batches/b1/results", "anthropic", "other", "/v1/messages/batches/b1/results", "anthropic"),
        ("/v1/chat/completions", "openai", "chat", "/v1/chat/completions", "openai"),
        ("/chat/completions", "openai", "chat", "/v1/chat/completions", "openai"),
        ("/v1/chat/completions/c1/messages", "openai", "other", "/v1/chat/completions/c1/messages", "openai"),
        ("/v1/completions", "openai", "other", "/v1/completions", "openai"),
        ("/v1/embeddings", "openai", "other", "/v1/embeddings", "openai"),
        ("/v1/audio/transcriptions", "openai", "other", "/v1/audio/transcriptions", "openai"),
        ("/v1/responses", "openai_responses", "responses", "/v1/responses", "openai"),
        ("/responses", "openai_responses", "responses", "/v1/responses", "openai"),
        ("/v1/responses/input_tokens", "openai_responses", "count_tokens", "/v1/responses/input_tokens", "openai"),
        ("/v1/responses/r1/cancel", "openai_responses", "other", "/v1/responses/r1/cancel", "openai"),
        ("/backend-api/codex/responses", "openai_responses", "responses", "/backend-api/codex/responses", "codex"),
        ("/backend-api/wham/accounts/check", "openai_responses", "other", "/backend-api/wham/accounts/check", "codex"),
        ("/v1beta/models/g:generateContent", "gemini", "generate", "/v1beta/models/g:generateContent", "gemini"),
        (
            "/v1/models/g:streamGenerateContent?alt=sse",
            "gemini",
            "generate",
            "/v1/models/g:streamGenerateContent",
            "gemini",
        ),
        ("/models/g:countTokens", "gemini", "count_tokens", "/v1beta/models/g:countTokens", "gemini"),
        ("/v1beta/models/g:embedContent", "gemini", "other", "/v1beta/models/g:embedContent", "gemini"),
        ("/v1internal:generateContent", "gemini", "generate", "/v1internal:generateContent", "code_assist"),
        (
            "/v1internal:streamGenerateContent?alt=sse",
            "gemini",
            "generate",
            "/v1internal:streamGenerateContent",
            "code_assist",
        ),
        ("/v1internal:loadCodeAssist", "gemini", "other", "/v1internal:loadCodeAssist", "code_assist"),
        ("/v1internal/operations/x", "gemini", "other", "/v1internal/operations/x", "code_assist"),
        (
            "/v1/projects/p/locations/l/publishers/google/models/g:generateContent",
            "gemini",
            "generate",
            "/v1/projects/p/locations/l/publishers/google/models/g:generateContent",
            "gemini",
        ),
    ],
)
def test_by_path(target: str, dialect: str, name: str, canonical: str, upstream: str) -> None:
    found = ask(target)
    assert (found.dialect, found.name, found.canonical, found.upstream) == (dialect, name, canonical, upstream)


def test_model_and_action_of_a_gemini_path() -> None:
    found = ask("/v1beta/models/tuned%2Fx.1:streamGenerateContent")
    assert (found.model, found.action, found.generates) == ("tuned/x.1", "streamGenerateContent", True)
    assert found.rest == "/models/tuned%2Fx.1:streamGenerateContent"


@pytest.mark.parametrize(
    ("target", "fields", "dialect"),
    [
        ("/v1/models", {"anthropic_version": "2023-06-01", "authorization": "Bearer x"}, "anthropic"),
        ("/v1/models", {"x_api_key": "x"}, "anthropic"),
        ("/v1/models", {"x_goog_api_key": "x"}, "gemini"),
        ("/v1/models?key=x", {}, "gemini"),
        ("/v1/models?a=1&key=x", {}, "gemini"),
        ("/v1beta/models", {"authorization": "Bearer x"}, "gemini"),
        ("/v1/models", {"authorization": "Bearer x"}, "openai"),
        ("/models", {}, "openai"),
        ("/v1/models?monkey=x", {}, "openai"),
        ("/v1/models/m", {"x_api_key": "x"}, "anthropic"),
        ("/v1/files", {"anthropic_beta": "files"}, "anthropic"),
        ("/v1/files/f", {"authorization": "Bearer x"}, "openai"),
        ("/api/hello", {"user_agent": "claude-cli/2.1 (external)"}, "anthropic"),
        ("/api/hello", {}, ""),
        ("/", {}, ""),
    ],
)
def test_where_paths_collide_the_headers_decide(target: str, fields: dict[str, str], dialect: str) -> None:
    found = ask(target, **fields)
    assert found.dialect == dialect
    assert found.name == ("models" if target.split("?", maxsplit=1)[0].endswith("/models") else found.name)


def test_codex_with_a_chatgpt_login_means_its_own_backend() -> None:
    found = ask("/v1/responses", chatgpt_account_id="a", authorization="Bearer x")
    assert (found.canonical, found.upstream, found.name) == ("/backend-api/codex/responses", "codex", "responses")
    assert ask("/v1/models", chatgpt_account_id="a").canonical == "/backend-api/codex/models"
    assert ask("/v1/chat/completions", chatgpt_account_id="a").upstream == "openai"


@given(st.text(max_size=60), st.binary(max_size=20))
def test_any_path_has_an_answer(path: str, query: bytes) -> None:
    found = detect("/" + path, query, Headers())
    assert found.canonical.startswith("/")
    assert found.dialect in {"anthropic", "openai", "openai_responses", "gemini", ""}
