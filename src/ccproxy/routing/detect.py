"""The one place that says which dialect a request is in and which operation it asks for.

The path decides; where paths collide (`GET /v1/models`, `/v1/files`) the version and credential headers do. Clients
differ in how they join base URLs and paths, so `/messages`, `/v1/messages` and `/v1/v1/messages` are one operation;
`canonical` is the path as the provider's documentation writes it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from ccproxy.exchange.http import Headers


@dataclass(frozen=True, slots=True)
class Operation:
    """What a request asks for.

    Attributes:
        dialect: `anthropic`, `openai`, `openai_responses`, `gemini`, or "" when nothing tells.
        name: `messages`, `chat`, `responses`, `generate`, `count_tokens`, `models`, `model`, or `other`.
        canonical: the path in the documented form, percent-encoding untouched.
        rest: `canonical` without its version segment (`/messages/count_tokens`): what follows a provider's base.
        model: the model named in the path (Gemini), or "".
        action: the method after the colon (Gemini), or "".
        upstream: which of `gateway.default_upstreams` serves it.
    """

    dialect: str
    name: str
    canonical: str
    rest: str
    model: str = ""
    action: str = ""
    upstream: str = ""

    @property
    def generates(self) -> bool:
        """Whether the answer is a model's: its request is a JSON document, its answer JSON or SSE."""
        return self.name in {"messages", "chat", "responses", "generate"}


_VERSIONED = re.compile(r"/(v1beta1|v1beta|v1alpha|v1|v2)(?=/|$)")
_MODEL_ACTION = re.compile(r"(?:.*/)?models/(?P<model>[^/:]+):(?P<action>[A-Za-z]+)$")
_CODE_ASSIST = re.compile(r"/v1internal(?::(?P<action>[A-Za-z]+))?(?:/.*)?$")

#: First segments (after the version) that only OpenAI has.
_OPENAI_ONLY = frozenset(
    {
        "completions",
        "embeddings",
        "audio",
        "images",
        "moderations",
        "fine_tuning",
        "assistants",
        "threads",
        "vector_stores",
        "uploads",
        "realtime",
        "conversations",
        "videos",
        "containers",
        "evals",
    }
)
_GEMINI_COUNT = frozenset({"countTokens"})
_GEMINI_GENERATE = frozenset({"generateContent", "streamGenerateContent"})


def detect(path: str, query: bytes, headers: Headers) -> Operation:
    """The operation of a request. `path` is raw (percent-encoded), without its query."""
    if found := _CODE_ASSIST.match(path):
        return _gemini(path, path, unquote(found["action"] or ""), "", upstream="code_assist")
    if path.startswith("/backend-api/"):
        return _codex(path)
    version, rest = _split(path)
    if found := _MODEL_ACTION.match(rest):
        prefix = version or "/v1beta"
        return _gemini(prefix + rest, rest, found["action"], unquote(found["model"]))
    first, _, more = rest.removeprefix("/").partition("/")
    if first in {"responses", "models"} and b"chatgpt-account-id" in headers:
        # Codex with a ChatGPT login, pointed at /v1: it means the account's own backend, not the public API.
        return _codex(f"/backend-api/codex{rest}")
    if first == "messages":
        name = {"": "messages", "count_tokens": "count_tokens"}.get(more, "other")
        return _plain("anthropic", name, version, rest)
    if first == "chat" and more.startswith("completions"):
        return _plain("openai", "chat" if more == "completions" else "other", version, rest)
    if first == "responses":
        name = {"": "responses", "input_tokens": "count_tokens"}.get(more, "other")
        return _plain("openai_responses", name, version, rest)
    if first in _OPENAI_ONLY:
        return _plain("openai", "other", version, rest)
    dialect = _by_headers(version, path, query, headers)
    if first == "models" and dialect:
        return _plain(dialect, "model" if more else "models", version, rest)
    return Operation(dialect=dialect, name="other", canonical=path, rest=rest, upstream=dialect)


def _split(path: str) -> tuple[str, str]:
    """The version segment (`/v1`) or "", and the path after it; a doubled version counts once."""
    version = ""
    while found := _VERSIONED.match(path):
        version = found[0]
        path = path[found.end() :]
    return version, path or "/"


def _plain(dialect: str, name: str, version: str, rest: str) -> Operation:
    default = "/v1beta" if dialect == "gemini" else "/v1"
    return Operation(
        dialect=dialect,
        name=name,
        canonical=(version or default) + rest,
        rest=rest,
        upstream="openai" if dialect == "openai_responses" else dialect,
    )


def _gemini(canonical: str, rest: str, action: str, model: str, *, upstream: str = "gemini") -> Operation:
    if action in _GEMINI_GENERATE:
        name = "generate"
    elif action in _GEMINI_COUNT:
        name = "count_tokens"
    else:
        name = "other"
    return Operation(
        dialect="gemini", name=name, canonical=canonical, rest=rest, model=model, action=action, upstream=upstream
    )


def _codex(path: str) -> Operation:
    _, found, rest = path.partition("/backend-api/codex")
    name = "responses" if found and rest == "/responses" else "other"
    return Operation(
        dialect="openai_responses", name=name, canonical=path, rest=rest if found else path, upstream="codex"
    )


def _by_headers(version: str, path: str, query: bytes, headers: Headers) -> str:
    """The dialect of a path that several providers have, or of one that none is known to have."""
    if b"anthropic-version" in headers or b"anthropic-beta" in headers:
        return "anthropic"
    if b"x-goog-api-key" in headers or b"x-goog-api-client" in headers or _has_key(query):
        return "gemini"
    if b"x-api-key" in headers:
        return "anthropic"
    if version.startswith("/v1beta") or version == "/v1alpha":
        return "gemini"
    if headers.text(b"user-agent").startswith("claude-"):
        return "anthropic"
    return "openai" if version or path == "/models" or path.startswith("/models/") else ""


def _has_key(query: bytes) -> bool:
    return query.startswith(b"key=") or b"&key=" in query
