"""Which dialect a request is in, and what it asks for."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ccproxy.exchange.http import Headers
from ccproxy.routing.detect import Operation, detect


def ask(target: str, **fields: str) -> Operation:
    path, _, query = target.partition("?")
    return detect(path, query.encode(), Headers((k.replace("_", "-").encode(), v.encode()) for k, v in fields.items()))


def summary(found: Operation) -> tuple[str, str, str, str]:
    return found.dialect, found.name, found.canonical, found.upstream


ANTHROPIC = [
    ("/v1/messages", "messages", "/v1/messages"),
    ("/v1/messages?beta=true", "messages", "/v1/messages"),
    ("/messages", "messages", "/v1/messages"),
    ("/v1/v1/messages", "messages", "/v1/messages"),
    ("//v1/messages", "messages", "/v1/messages"),
    ("/v1//messages", "messages", "/v1/messages"),
    ("/v1/messages/", "messages", "/v1/messages"),
    ("/v1/messages/count_tokens", "count_tokens", "/v1/messages/count_tokens"),
    ("/messages/count_tokens?beta=true", "count_tokens", "/v1/messages/count_tokens"),
    ("/v1/messages/batches", "other", "/v1/messages/batches"),
    ("/v1/messages/batches/b1/results", "other", "/v1/messages/batches/b1/results"),
]
CHAT = [
    ("/v1/chat/completions", "chat", "/v1/chat/completions"),
    ("/chat/completions", "chat", "/v1/chat/completions"),
    ("/v1/v1/chat/completions", "chat", "/v1/chat/completions"),
    ("/v1/chat/completions/", "chat", "/v1/chat/completions"),
    ("/v1/chat/completions/c1/messages", "other", "/v1/chat/completions/c1/messages"),
    ("/v1/completions", "other", "/v1/completions"),
    ("/v1/embeddings", "other", "/v1/embeddings"),
    ("/embeddings", "other", "/v1/embeddings"),
    ("/v1/audio/transcriptions", "other", "/v1/audio/transcriptions"),
    ("/v1/images/generations", "other", "/v1/images/generations"),
    ("/v1/threads/t/messages", "other", "/v1/threads/t/messages"),
    ("/v1/realtime?model=m", "other", "/v1/realtime"),
    ("/v1/batches", "other", "/v1/batches"),
    ("/v1/files/file-1/content", "other", "/v1/files/file-1/content"),
    ("/v1/models/llama3:latest", "model", "/v1/models/llama3:latest"),
    ("/v1/models/ft:gpt-4o:org::id", "model", "/v1/models/ft:gpt-4o:org::id"),
]
RESPONSES = [
    ("/v1/responses", "responses", "/v1/responses"),
    ("/responses", "responses", "/v1/responses"),
    ("/v1/v1/responses", "responses", "/v1/responses"),
    ("/v1/responses/", "responses", "/v1/responses"),
    ("/v1/responses/input_tokens", "count_tokens", "/v1/responses/input_tokens"),
    ("/v1/responses/compact", "other", "/v1/responses/compact"),
    ("/v1/responses/r1", "other", "/v1/responses/r1"),
    ("/v1/responses/r1/cancel", "other", "/v1/responses/r1/cancel"),
    ("/v1/responses/r1/input_items?limit=2", "other", "/v1/responses/r1/input_items"),
]
CODEX = [
    ("/backend-api/codex/responses", "responses", "/backend-api/codex/responses"),
    ("//backend-api/codex/responses", "responses", "/backend-api/codex/responses"),
    ("/backend-api/codex/responses/compact", "other", "/backend-api/codex/responses/compact"),
    ("/backend-api/codex/models?client_version=1", "other", "/backend-api/codex/models"),
    ("/backend-api/codex", "other", "/backend-api/codex"),
    ("/backend-api/codexes/responses", "other", "/backend-api/codexes/responses"),
    ("/backend-api/wham/accounts/check", "other", "/backend-api/wham/accounts/check"),
    ("/backend-api/ps/mcp", "other", "/backend-api/ps/mcp"),
]
GEMINI = [
    ("/v1beta/models/g-2.5:generateContent", "generate", "/v1beta/models/g-2.5:generateContent"),
    ("/v1beta1/models/g:generateContent", "generate", "/v1beta1/models/g:generateContent"),
    ("/v1alpha/models/g:generateContent", "generate", "/v1alpha/models/g:generateContent"),
    ("/v1/models/g:streamGenerateContent?alt=sse", "generate", "/v1/models/g:streamGenerateContent"),
    ("/models/g:generateContent", "generate", "/v1beta/models/g:generateContent"),
    ("/v1/v1beta/models/g:generateContent", "generate", "/v1beta/models/g:generateContent"),
    ("/v1beta/models/a/b:generateContent", "generate", "/v1beta/models/a/b:generateContent"),
    ("/v1beta/tunedModels/t:generateContent", "generate", "/v1beta/tunedModels/t:generateContent"),
    ("/models/g:countTokens", "count_tokens", "/v1beta/models/g:countTokens"),
    ("/v1/models/g:embedContent", "other", "/v1/models/g:embedContent"),
    ("/v1beta/models/g:batchEmbedContents", "other", "/v1beta/models/g:batchEmbedContents"),
    ("/v1beta/models/g:someNewMethod", "other", "/v1beta/models/g:someNewMethod"),
    ("/v1beta/models/g", "model", "/v1beta/models/g"),
    ("/v1beta/models?pageSize=5", "models", "/v1beta/models"),
    ("/v1beta/cachedContents", "other", "/v1beta/cachedContents"),
]
CODE_ASSIST = [
    ("/v1internal:generateContent", "generate", "/v1internal:generateContent"),
    ("/v1internal:streamGenerateContent?alt=sse", "generate", "/v1internal:streamGenerateContent"),
    ("/v1/v1internal:generateContent", "generate", "/v1internal:generateContent"),
    ("/v1internal:countTokens", "count_tokens", "/v1internal:countTokens"),
    ("/v1internal:loadCodeAssist", "other", "/v1internal:loadCodeAssist"),
    ("/v1internal/operations/x", "other", "/v1internal/operations/x"),
]
VERTEX_PROJECT = "/v1/projects/p/locations/l"
VERTEX = [
    (f"{VERTEX_PROJECT}{rest}", name, f"{VERTEX_PROJECT}{rest}")
    for rest, name in [
        ("/publishers/google/models/g:generateContent", "generate"),
        ("/publishers/google/models/g:countTokens", "count_tokens"),
        ("/endpoints/42:streamGenerateContent", "generate"),
        ("/publishers/google/models/g:predict", "other"),
        ("/publishers/mistralai/models/m:rawPredict", "other"),
        ("/cachedContents", "other"),
    ]
]
FAMILIES = [
    ("anthropic", "anthropic", ANTHROPIC),
    ("openai", "openai", CHAT),
    ("openai_responses", "openai", RESPONSES),
    ("openai_responses", "codex", CODEX),
    ("gemini", "gemini", GEMINI),
    ("gemini", "code_assist", CODE_ASSIST),
    ("gemini", "gemini", VERTEX),
]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param(target, (dialect, name, canonical, upstream), id=target)
        for dialect, upstream, rows in FAMILIES
        for target, name, canonical in rows
    ],
)
def test_the_path_tells(target: str, expected: tuple[str, str, str, str]) -> None:
    assert summary(ask(target)) == expected
    assert summary(ask(target, authorization="Bearer t", content_type="application/json")) == expected


@pytest.mark.parametrize(
    ("target", "dialect", "name", "rest"),
    [
        ("/anthropic/v1/messages?beta=true", "anthropic", "messages", "/messages"),
        ("/api/anthropic/v1/messages/count_tokens", "anthropic", "count_tokens", "/messages/count_tokens"),
        ("/anthropic/messages", "anthropic", "messages", "/messages"),
        ("/v1/account/gateway/anthropic/v1/messages", "anthropic", "messages", "/messages"),
        ("/compatible-mode/v1/chat/completions", "openai", "chat", "/chat/completions"),
        ("/api/paas/v4/chat/completions", "openai", "chat", "/chat/completions"),
        ("/v2/chat/completions", "openai", "chat", "/chat/completions"),
        ("/v1beta/openai/chat/completions", "openai", "chat", "/chat/completions"),
        ("/openai/chat/completions", "openai", "chat", "/chat/completions"),
        ("/openai/deployments/d/chat/completions?api-version=1", "openai", "chat", "/chat/completions"),
        ("/openai/deployments/d/embeddings?api-version=1", "openai", "other", "/embeddings"),
        (f"{VERTEX_PROJECT}/endpoints/openapi/chat/completions", "openai", "chat", "/chat/completions"),
        ("/openai/v1/responses", "openai_responses", "responses", "/responses"),
        ("/openai/responses?api-version=1", "openai_responses", "responses", "/responses"),
        ("/api/v1/models", "openai", "models", "/models"),
        ("/api/v1/models/m", "openai", "model", "/models/m"),
        ("/google/v1beta/models/g:generateContent", "gemini", "generate", "/models/g:generateContent"),
    ],
)
def test_behind_a_foreign_prefix_it_is_known_but_has_no_default_upstream(
    target: str, dialect: str, name: str, rest: str
) -> None:
    found = ask(target)
    assert summary(found) == (dialect, name, target.partition("?")[0], "")
    assert found.rest == rest


def test_a_prefix_is_no_excuse_for_a_guess() -> None:
    claude = "claude-cli/2.1 (external)"
    assert summary(ask("/api/event_logging/v2/batch", user_agent=claude)) == (
        "anthropic",
        "other",
        "/api/event_logging/v2/batch",
        "anthropic",
    )
    assert ask("/v1/sessions/s/messages", user_agent=claude).name == "other"
    assert ask("/docs/v1/guide").dialect == ""


def test_model_and_action_of_a_gemini_path() -> None:
    found = ask("/v1beta/models/tuned%2Fx.1:streamGenerateContent")
    assert (found.model, found.segment) == ("tuned/x.1", "tuned%2Fx.1")
    assert (found.action, found.generates) == ("streamGenerateContent", True)
    assert found.rest == "/models/tuned%2Fx.1:streamGenerateContent"


def test_a_model_of_ones_own_is_named_with_its_collection() -> None:
    tuned = ask("/v1beta/tunedModels/mine:generateContent")
    assert (tuned.model, tuned.segment, tuned.rest) == ("tunedModels/mine", "", "/tunedModels/mine:generateContent")
    assert ask(f"{VERTEX_PROJECT}/endpoints/42:generateContent").model == "endpoints/42"


@pytest.mark.parametrize(
    ("model", "name", "named"),
    [
        ("claude-x@20260101:rawPredict", "messages", "claude-x@20260101"),
        ("claude-x:streamRawPredict", "messages", "claude-x"),
        ("count-tokens:rawPredict", "count_tokens", ""),
    ],
)
def test_claude_on_vertex_is_anthropic_and_its_token_never_anthropics(model: str, name: str, named: str) -> None:
    target = f"{VERTEX_PROJECT}/publishers/anthropic/models/{model}"
    found = ask(target, authorization="Bearer ya29.x")
    assert summary(found) == ("anthropic", name, target, "")
    assert found.model == named


@pytest.mark.parametrize(
    ("target", "fields", "dialect"),
    [
        # `anthropic-version` first, whatever the credential
        ("/v1/models", {"anthropic_version": "2023-06-01", "authorization": "Bearer x"}, "anthropic"),
        ("/v1/models", {"anthropic_version": "2026-10-21", "x_goog_api_key": "x"}, "anthropic"),
        ("/v1/models?key=x", {"anthropic_version": "2026-10-21"}, "anthropic"),
        ("/models", {"anthropic_version": "2026-10-21"}, "anthropic"),
        ("/v1/models", {"anthropic_beta": "oauth-2025-04-20", "authorization": "Bearer x"}, "anthropic"),
        # then Google's key
        ("/v1/models", {"x_goog_api_key": "x"}, "gemini"),
        ("/v1/models", {"x_goog_api_key": "x", "x_api_key": "y"}, "gemini"),
        ("/v1/models", {"x_goog_api_client": "genai-js/1", "authorization": "Bearer x"}, "gemini"),
        ("/v1/models?key=x", {}, "gemini"),
        ("/v1/models?a=1&key=x", {}, "gemini"),
        ("/models?key=x", {}, "gemini"),
        # then x-api-key, then the version, then OpenAI
        ("/v1/models", {"x_api_key": "x"}, "anthropic"),
        ("/v1/models/m", {"x_api_key": "x"}, "anthropic"),
        ("/v1beta/models", {"authorization": "Bearer x"}, "gemini"),
        ("/v1/models", {"authorization": "Bearer x"}, "openai"),
        ("/v1/models", {"user_agent": "claude-cli/2.1", "authorization": "Bearer x"}, "anthropic"),
        ("/models", {}, "openai"),
        ("/v1/v1/models", {}, "openai"),
        ("/v1/models/", {}, "openai"),
        ("/v1/models?monkey=x", {}, "openai"),
        ("/v1/models?x=key=1", {}, "openai"),
    ],
)
def test_where_paths_collide_the_headers_decide(target: str, fields: dict[str, str], dialect: str) -> None:
    found = ask(target, **fields)
    default = "/v1" if "/v1" in target or dialect != "gemini" else "/v1beta"
    named = target.partition("?")[0].endswith("/m")
    assert (found.dialect, found.name) == (dialect, "model" if named else "models")
    assert found.upstream == dialect
    assert found.canonical.startswith(f"{default}")
    assert found.canonical.removesuffix("/").endswith("/models/m" if named else "/models")


@pytest.mark.parametrize(
    ("target", "fields", "dialect", "canonical"),
    [
        ("/v1/files", {"anthropic_beta": "files"}, "anthropic", "/v1/files"),
        ("/files", {"anthropic_version": "2026-10-21"}, "anthropic", "/v1/files"),
        ("/v1/files/f%20x", {"authorization": "Bearer x"}, "openai", "/v1/files/f%20x"),
        ("/files", {"authorization": "Bearer x"}, "openai", "/v1/files"),
        ("/v1beta/files", {"x_goog_api_key": "x"}, "gemini", "/v1beta/files"),
        ("/upload/v1beta/files", {"x_goog_api_key": "x"}, "gemini", "/upload/v1beta/files"),
        ("/upload/v1beta/files?uploadType=media&key=x", {}, "gemini", "/upload/v1beta/files"),
        ("/v1/batches", {"anthropic_version": "2026-10-21"}, "anthropic", "/v1/batches"),
        ("/v1/something/new", {"authorization": "Bearer x"}, "openai", "/v1/something/new"),
        ("/v1/something/new", {"x_api_key": "x"}, "anthropic", "/v1/something/new"),
        ("/api/hello", {"user_agent": "claude-cli/2.1 (external)"}, "anthropic", "/api/hello"),
        ("/api/claude_code/settings", {"x_api_key": "x"}, "anthropic", "/api/claude_code/settings"),
        ("/api/oauth/profile", {"user_agent": "claude-code/2.1"}, "anthropic", "/api/oauth/profile"),
        ("/api/hello", {}, "", "/api/hello"),
        ("/v3/unknown", {"authorization": "Bearer x"}, "", "/v3/unknown"),
        ("/", {}, "", "/"),
        ("*", {}, "", "*"),
    ],
)
def test_what_no_path_tells_is_other_and_stays_as_it_is(
    target: str, fields: dict[str, str], dialect: str, canonical: str
) -> None:
    assert summary(ask(target, **fields)) == (dialect, "other", canonical, dialect)


def test_codex_with_a_chatgpt_login_means_its_own_backend() -> None:
    found = ask("/v1/responses", chatgpt_account_id="a", authorization="Bearer x")
    assert summary(found) == ("openai_responses", "responses", "/backend-api/codex/responses", "codex")
    assert found.rest == "/responses"
    assert ask("/v1/models", chatgpt_account_id="a").canonical == "/backend-api/codex/models"
    assert ask("/responses/compact", chatgpt_account_id="a").canonical == "/backend-api/codex/responses/compact"
    assert ask("/v1/chat/completions", chatgpt_account_id="a").upstream == "openai"


SEGMENTS = st.sampled_from(
    [
        "v1",
        "v1beta",
        "v1beta1",
        "v1alpha",
        "v1internal",
        "v1internal:x",
        "messages",
        "count_tokens",
        "chat",
        "completions",
        "responses",
        "models",
        "tunedModels",
        "g:generateContent",
        "a:b",
        "projects",
        "p",
        "locations",
        "l",
        "publishers",
        "anthropic",
        "m:rawPredict",
        "openai",
        "deployments",
        "backend-api",
        "codex",
        "files",
        "batches",
        "%2F",
        "%zz",
        ":",
        "?",
        ".",
        "..",
        "",
    ]
)


@given(
    st.one_of(st.text(max_size=60), st.lists(SEGMENTS, max_size=9).map("/".join)),
    st.binary(max_size=20),
    st.sampled_from(["", "anthropic_version", "x_goog_api_key", "x_api_key", "chatgpt_account_id"]),
)
@example("v1/models/\ng:generateContent", b"", "")
@example("v1internal:x/\n", b"", "")
@example("ſ/models/g:generateContent", b"key=", "")
def test_any_path_has_an_answer(path: str, query: bytes, field: str) -> None:
    headers = Headers([(field.replace("_", "-").encode(), b"x")] if field else [])
    found = detect("/" + path, query, headers)
    assert found.canonical.startswith("/")
    assert found.rest.startswith("/")
    assert found.dialect in {"anthropic", "openai", "openai_responses", "gemini", ""}
    assert found.upstream in {"anthropic", "openai", "gemini", "codex", "code_assist", ""}
    assert found.dialect or not found.upstream


@given(st.lists(SEGMENTS, max_size=9).map("/".join))
def test_the_canonical_path_is_recognised_as_itself(path: str) -> None:
    found = ask(f"/{path}".replace("?", ""))
    again = ask(found.canonical)
    assert summary(again) == summary(found)


@pytest.mark.parametrize(
    "piece",
    ["/v1", "/", "/models/", "/models/x:", "/v1/messages", "/chat/completions", "/x/v1alpha1", "1", ":", "/a:b/v1"],
)
def test_a_long_path_is_no_attack(piece: str) -> None:
    path = ("/v" + piece * 100_000)[:100_000]
    begin = time.process_time()
    detect(path, b"", Headers())
    assert time.process_time() - begin < 1.0, "more than linear: it takes some milliseconds"
