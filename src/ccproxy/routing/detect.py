"""The one place that says which dialect a request is in and which operation it asks for.

The path decides; where paths collide (`GET /v1/models`, `/v1/files`) the version and credential headers do. Clients
differ in how they join base URLs and paths, so `/messages`, `/v1/messages`, `/v1/v1/messages` and `//v1/messages` are
one operation; `canonical` is the path as the provider's documentation writes it. An operation that stands behind a
foreign prefix (`/anthropic/v1/messages`, `/openai/deployments/D/chat/completions`) is recognised too, but belongs to
no default upstream: a key made for another service must not go there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import unquote

from ccproxy.exchange.http import Headers
from ccproxy.providers.base import WireForm


@dataclass(frozen=True, slots=True)
class Operation:
    """What a request asks for.

    Attributes:
        dialect: `anthropic`, `openai`, `openai_responses`, `gemini`, or "" when nothing tells.
        name: `messages`, `chat`, `responses`, `generate`, `count_tokens`, `models`, `model`, or `other`.
        canonical: the path in the documented form, percent-encoding untouched.
        rest: `canonical` without its version segment (`/messages/count_tokens`): what follows a provider's base.
        model: the model named in the path (Gemini, Vertex), decoded, or "".
        segment: what stands for it in the path, or "" where that is not under `/models/`.
        action: the method after the colon (Gemini, Vertex), or "".
        upstream: which of `gateway.default_upstreams` serves it, or "" if none can.
    """

    dialect: str
    name: str
    canonical: str
    rest: str
    model: str = ""
    segment: str = ""
    action: str = ""
    upstream: str = ""

    @property
    def generates(self) -> bool:
        """Whether the answer is a model's: its request is a JSON document, its answer JSON or SSE."""
        return self.name in {"messages", "chat", "responses", "generate"}

    @property
    def wire(self) -> WireForm:
        """The form in which the dialect's request comes."""
        if self.upstream == "code_assist":
            return "code_assist"
        return "vertex" if self.dialect == "anthropic" and self.action else "plain"


_VERSIONS = re.compile(r"(?:/+(v1beta1|v1beta|v1alpha|v1)(?=/|$))*")
_CODE_ASSIST = re.compile(r"/v1internal(?::(?P<action>[A-Za-z]+))?(?:/.*)?")
_VERTEX = re.compile(r"/projects/[^/]+/locations/")
_CODEX = "/backend-api/codex"
#: What a model can stand under: the public ones, those of an account, those of a Vertex AI deployment.
_COLLECTIONS = ("models", "tunedModels", "endpoints")

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
#: First segments that several providers have.
_SHARED = frozenset({"models", "files", "batches"})

_GENERATE = frozenset({"generateContent", "streamGenerateContent"})
_RAW_PREDICT = frozenset({"rawPredict", "streamRawPredict"})
#: Methods that make a path Gemini's without further evidence: `/models/NAME:WORD` is a model with a tag elsewhere.
_ACTIONS = _GENERATE | {
    "countTokens",
    "computeTokens",
    "embedContent",
    "batchEmbedContents",
    "asyncBatchEmbedContent",
    "batchGenerateContent",
    "bidiGenerateContent",
    "predict",
    "predictLongRunning",
}

#: An operation behind a prefix, with a version before it and without.
_LATER_VERSION = re.compile(r"(?:/.+)?(?P<version>/v\d{1,3}(?:(?:alpha|beta)\d{0,3})?)(?P<rest>/.+)")
_TAIL = re.compile(r"/[^/]+(?P<messages>/messages(?:/count_tokens)?)/?|/.+?(?P<other>/chat/completions|/responses)/?")
_DEPLOYMENT = re.compile(r"/openai/deployments/[^/]+(?P<rest>/.+)")


def detect(path: str, query: bytes, headers: Headers) -> Operation:
    """The operation of a request. `path` is raw (percent-encoded), without its query."""
    version, rest = _split(path)
    if found := _CODE_ASSIST.fullmatch(rest):
        action = found["action"] or ""
        return Operation("gemini", _gemini_name(action), rest, rest, action=action, upstream="code_assist")
    if rest.startswith("/backend-api/"):
        return _codex(rest)
    if operation := _model_action(version, rest, query, headers):
        return operation
    first, _, more = rest[1:].partition("/")
    if first in {"responses", "models"} and b"chatgpt-account-id" in headers:
        # Codex with a ChatGPT login, pointed at /v1: it means the account's own backend, not the public API.
        return _codex(_CODEX + rest)
    if operation := _by_path(version, rest) or _behind_prefix(path, rest, query, headers):
        return operation
    if _VERTEX.match(rest):
        return Operation("gemini", "other", version + rest, rest, upstream="gemini")
    dialect = _by_headers(version, first, query, headers)
    if dialect and first in _SHARED:
        return _plain(dialect, _listing(first, more), version, rest)
    return Operation(dialect=dialect, name="other", canonical=path, rest=rest, upstream=dialect)


def _split(path: str) -> tuple[str, str]:
    """The version segment (`/v1`) or "", and the path after it; a doubled version or slash counts once."""
    found = _VERSIONS.match(path)
    if found is None or found[1] is None:
        return "", f"/{path.lstrip('/')}"
    return f"/{found[1]}", f"/{path[found.end() :].lstrip('/')}"


def _by_path(version: str, rest: str) -> Operation | None:
    """The operations whose path no other dialect has."""
    first, _, more = rest[1:].partition("/")
    match first, more.rstrip("/"):
        case "messages", ("" | "count_tokens") as name:
            return _plain("anthropic", name or "messages", version, rest.rstrip("/"))
        case "messages", _:
            return _plain("anthropic", "other", version, rest)
        case "chat", "completions":
            return _plain("openai", "chat", version, rest.rstrip("/"))
        case "chat", _ if more.startswith("completions/"):
            return _plain("openai", "other", version, rest)
        case "responses", "":
            return _plain("openai_responses", "responses", version, rest.rstrip("/"))
        case "responses", "input_tokens":
            return _plain("openai_responses", "count_tokens", version, rest.rstrip("/"))
        case "responses", _:
            return _plain("openai_responses", "other", version, rest)
        case _ if first in _OPENAI_ONLY:
            return _plain("openai", "other", version, rest)
    return None


def _behind_prefix(path: str, rest: str, query: bytes, headers: Headers) -> Operation | None:
    """An operation under a prefix of another service. Its path stays as it is."""
    operation = None
    if found := _LATER_VERSION.fullmatch(rest):
        version, tail = found["version"], found["rest"]
        operation = _by_path(version, tail)
        first, _, more = tail[1:].partition("/")
        if first == "models" and (dialect := _by_headers(version, first, query, headers)):
            operation = _plain(dialect, _listing(first, more), version, tail)
    if operation is None and (found := _DEPLOYMENT.fullmatch(rest)):
        operation = _by_path("", found["rest"])
    if operation is None and (found := _TAIL.fullmatch(path)):
        operation = _by_path("", found["messages"] or found["other"])
    return operation and replace(operation, canonical=path, upstream="")


def _plain(dialect: str, name: str, version: str, rest: str) -> Operation:
    default = "/v1beta" if dialect == "gemini" else "/v1"
    upstream = "openai" if dialect == "openai_responses" else dialect
    return Operation(dialect, name, (version or default) + rest, rest, upstream=upstream)


def _listing(first: str, more: str) -> str:
    if first != "models":
        return "other"
    return "model" if more else "models"


def _model_action(version: str, rest: str, query: bytes, headers: Headers) -> Operation | None:
    """`…/models/MODEL:ACTION`, as Gemini and Vertex AI have it."""
    head, colon, action = rest.rpartition(":")
    if not colon or not action.isalpha():
        return None
    place, kind = max((head.rfind(f"/{kind}/"), kind) for kind in _COLLECTIONS)
    segment = head[place + len(kind) + 2 :]
    if place < 0 or not segment or ":" in segment:
        return None
    parent = head[:place]
    vertex = _VERTEX.match(rest) is not None
    if not (vertex or action in _ACTIONS or _by_headers(version, "", query, headers) == "gemini"):
        return None
    # A model that is not one of the public ones is known together with its collection: `tunedModels/NAME`.
    public = kind == "models"
    model = unquote(segment) if public else f"{kind}/{unquote(segment)}"
    own = segment if public else ""
    canonical = (version if parent else version or "/v1beta") + rest
    if action in _RAW_PREDICT and parent.endswith("/publishers/anthropic"):
        # Claude on Vertex AI: a Messages body, without the model that stands in the path.
        if model == "count-tokens":
            return Operation("anthropic", "count_tokens", canonical, rest, segment=own, action=action)
        return Operation("anthropic", "messages", canonical, rest, model, own, action)
    if parent and not vertex:
        rest = rest[place:]
        return Operation("gemini", _gemini_name(action), canonical, rest, model, own, action)
    return Operation("gemini", _gemini_name(action), canonical, rest, model, own, action, upstream="gemini")


def _gemini_name(action: str) -> str:
    return "generate" if action in _GENERATE else "count_tokens" if action == "countTokens" else "other"


def _codex(path: str) -> Operation:
    rest = path.removeprefix(_CODEX) if path.startswith(f"{_CODEX}/") else path
    name = "responses" if rest == "/responses" else "other"
    return Operation(dialect="openai_responses", name=name, canonical=path, rest=rest, upstream="codex")


def _by_headers(version: str, first: str, query: bytes, headers: Headers) -> str:
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
    return "openai" if version or first in _SHARED else ""


def _has_key(query: bytes) -> bool:
    return query.startswith(b"key=") or b"&key=" in query
