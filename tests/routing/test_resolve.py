"""From a request to its route."""

from __future__ import annotations

from typing import Any

import pytest

from ccproxy.errors import CCProxyError, ConfigError, CredentialError, NoRoute, NotSupported
from ccproxy.exchange.http import Headers
from ccproxy.exchange.route import Route
from ccproxy.providers.config import ProviderConfig
from ccproxy.providers.registry import build_provider
from ccproxy.routing.config import TransformRule
from ccproxy.routing.detect import detect
from ccproxy.routing.resolve import Facts, Router, compile_rules, converted_target

DIALECTS = frozenset({"anthropic", "openai", "openai_responses", "gemini"})
VERTEX_PROJECT = "/v1/projects/p/locations/l"
PROVIDERS = {
    "anthropic": ProviderConfig(type="anthropic"),
    "deepseek": ProviderConfig(type="deepseek"),
    "zai": ProviderConfig(type="zai"),
    "openai": ProviderConfig(type="openai"),
    "openrouter": ProviderConfig(type="openrouter"),
    "local": ProviderConfig(type="openai", base_url="http://localhost:11434/v1"),
    "azure": ProviderConfig(type="openai", base_url="https://r.openai.azure.com/openai/v1?api-version=9"),
    "deployment": ProviderConfig(
        type="openai",
        base_url="https://r.openai.azure.com?api-version=9",
        path="/openai/deployments/d/chat/completions",
    ),
    "custom": ProviderConfig(type="openai", base_url="http://h:1", path="/serve/complete"),
    "responses": ProviderConfig(type="openai", path="/v1/responses"),
    "codex": ProviderConfig(type="openai_responses", host="chatgpt.com", path="/backend-api/codex/responses"),
    "gemini": ProviderConfig(type="gemini"),
    "pinned": ProviderConfig(type="gemini", path="/v1beta/models/g-9:{action}"),
    "assist": ProviderConfig(type="gemini", host="cloudcode-pa.googleapis.com", path="/v1internal:{action}"),
    "vertex": ProviderConfig(
        type="vertex_ai",
        host="aiplatform.googleapis.com",
        path="/v1/projects/mine/locations/eu/publishers/google/models/{model}:{action}",
    ),
    "claude_vertex": ProviderConfig(
        type="anthropic",
        host="aiplatform.googleapis.com",
        path="/v1/projects/mine/locations/eu/publishers/anthropic/models/{model}:{action}",
    ),
    "demo": ProviderConfig(type="demo"),
}
DEFAULTS = {
    "anthropic": "https://api.anthropic.com",
    "openai": "https://api.openai.com",
    "gemini": "http://127.0.0.1:9/prefix?k=v",
    "codex": None,
    "code_assist": "https://cloudcode-pa.googleapis.com",
}


def route(
    target: str,
    *,
    sentinel: str | None = None,
    rules: list[TransformRule] | None = None,
    model: str = "",
    defaults: dict[str, str | None] | None = None,
    hosts: tuple[str, ...] = ("localhost",),
    headers: Headers | None = None,
    to: str = "",
    to_model: str = "",
) -> Route:
    providers = {name: build_provider(name, config, None) for name, config in PROVIDERS.items()}
    path, _, query = target.partition("?")
    operation = detect(path, query.encode(), headers or Headers())
    facts = Facts(
        target=target.encode(),
        path=path,
        query=query.encode(),
        hosts=hosts,
        operation=operation,
        model=model or operation.model,
        sentinel=sentinel,
    )
    upstreams = DEFAULTS if defaults is None else defaults
    router = Router(providers, compile_rules(rules or []), upstreams, DIALECTS)
    return router.to(to, facts, "hook h", model=to_model) if to else router.resolve(facts)


def where(found: Route) -> str:
    port = "" if found.port in {80, 443} else f":{found.port}"
    return f"{found.scheme}://{found.host}{port}{found.target.decode()}"


ANTHROPIC = "https://api.anthropic.com"
DEEPSEEK = "https://api.deepseek.com/anthropic"
ZAI = "https://api.z.ai/api/anthropic"
OPENAI = "https://api.openai.com"
AZURE = "https://r.openai.azure.com"
CHATGPT = "https://chatgpt.com/backend-api"
GEMINI = "https://generativelanguage.googleapis.com"
ASSIST = "https://cloudcode-pa.googleapis.com"
VERTEX = "https://aiplatform.googleapis.com/v1/projects/mine/locations/eu/publishers"
DEMO = "https://demo.invalid"


@pytest.mark.parametrize(
    ("provider", "target", "url"),
    [
        # the main operation, however the client writes it
        ("anthropic", "/v1/messages?beta=true", f"{ANTHROPIC}/v1/messages?beta=true"),
        ("anthropic", "/messages", f"{ANTHROPIC}/v1/messages"),
        ("anthropic", "//v1/messages/", f"{ANTHROPIC}/v1/messages"),
        ("deepseek", "/v1/messages", f"{DEEPSEEK}/v1/messages"),
        ("deepseek", "/anthropic/v1/messages", f"{DEEPSEEK}/v1/messages"),
        ("zai", "/v1/messages", f"{ZAI}/v1/messages"),
        ("openai", "/v1/chat/completions", f"{OPENAI}/v1/chat/completions"),
        (
            "openai",
            "/openai/deployments/d/chat/completions?api-version=1",
            f"{OPENAI}/v1/chat/completions?api-version=1",
        ),
        ("openrouter", "/v1/chat/completions", "https://openrouter.ai/api/v1/chat/completions"),
        ("local", "/v1/chat/completions", "http://localhost:11434/v1/chat/completions"),
        ("azure", "/v1/responses?x=1", f"{AZURE}/openai/v1/responses?api-version=9&x=1"),
        (
            "deployment",
            "/v1/chat/completions",
            f"{AZURE}/openai/deployments/d/chat/completions?api-version=9",
        ),
        ("custom", "/v1/chat/completions", "http://h:1/serve/complete"),
        ("codex", "/v1/responses", f"{CHATGPT}/codex/responses"),
        ("codex", "/backend-api/codex/responses", f"{CHATGPT}/codex/responses"),
        ("gemini", "/v1beta/models/g:generateContent", f"{GEMINI}/v1beta/models/g:generateContent"),
        ("gemini", "/v1/models/g:countTokens", f"{GEMINI}/v1beta/models/g:countTokens"),
        ("gemini", f"{VERTEX_PROJECT}/publishers/google/models/g:predict", f"{GEMINI}/v1beta/models/g:predict"),
        ("pinned", "/v1beta/models/g:generateContent", f"{GEMINI}/v1beta/models/g-9:generateContent"),
        ("assist", "/v1internal:streamGenerateContent?alt=sse", f"{ASSIST}/v1internal:streamGenerateContent?alt=sse"),
        ("vertex", "/v1beta/models/g%2Fx:generateContent", f"{VERTEX}/google/models/g%2Fx:generateContent"),
        ("vertex", f"{VERTEX_PROJECT}/publishers/google/models/g:countTokens", f"{VERTEX}/google/models/g:countTokens"),
        (
            "claude_vertex",
            f"{VERTEX_PROJECT}/publishers/anthropic/models/claude-x@1:streamRawPredict",
            f"{VERTEX}/anthropic/models/claude-x@1:streamRawPredict",
        ),
        (
            "claude_vertex",
            f"{VERTEX_PROJECT}/publishers/anthropic/models/count-tokens:rawPredict",
            f"{VERTEX}/anthropic/models/count-tokens:rawPredict",
        ),
        ("demo", "/v1/messages?a=1", f"{DEMO}/v1/messages?a=1"),
        ("demo", "/v1/responses", f"{DEMO}/v1/responses"),
        ("demo", "/v1internal:generateContent", f"{DEMO}/v1internal:generateContent"),
        # its siblings
        ("anthropic", "/v1/messages/count_tokens", f"{ANTHROPIC}/v1/messages/count_tokens"),
        ("anthropic", "/v1/messages/batches/b/results", f"{ANTHROPIC}/v1/messages/batches/b/results"),
        ("deepseek", "/v1/messages/count_tokens", f"{DEEPSEEK}/v1/messages/count_tokens"),
        ("deepseek", "/messages/batches", f"{DEEPSEEK}/v1/messages/batches"),
        ("zai", "/v1/messages/count_tokens", f"{ZAI}/v1/messages/count_tokens"),
        ("openai", "/v1/responses", f"{OPENAI}/v1/responses"),
        ("openai", "/v1/responses/r1/cancel", f"{OPENAI}/v1/responses/r1/cancel"),
        ("openai", "/v1/embeddings", f"{OPENAI}/v1/embeddings"),
        ("openai", "/v1/models/ft:gpt-4o:org::id", f"{OPENAI}/v1/models/ft:gpt-4o:org::id"),
        ("openai", "/v1/files/f%20x/content?a", f"{OPENAI}/v1/files/f%20x/content?a"),
        ("openai", "/v1/batches", f"{OPENAI}/v1/batches"),
        ("openrouter", "/v1/models/m", "https://openrouter.ai/api/v1/models/m"),
        ("openrouter", "/v1/messages", "https://openrouter.ai/api/v1/messages"),
        ("openrouter", "/v1/responses", "https://openrouter.ai/api/v1/responses"),
        ("local", "/v1/embeddings?a=1", "http://localhost:11434/v1/embeddings?a=1"),
        ("deployment", "/v1/embeddings", f"{AZURE}/openai/deployments/d/embeddings?api-version=9"),
        ("custom", "/v1/embeddings", "http://h:1/serve/embeddings"),
        ("responses", "/v1/responses", f"{OPENAI}/v1/responses"),
        ("responses", "/v1/chat/completions", f"{OPENAI}/v1/chat/completions"),
        ("codex", "/v1/responses/compact", f"{CHATGPT}/codex/responses/compact"),
        ("codex", "/backend-api/codex/models?client_version=1", f"{CHATGPT}/codex/models?client_version=1"),
        ("codex", "/backend-api/wham/accounts/check", f"{CHATGPT}/wham/accounts/check"),
        ("codex", "/v1/embeddings", f"{CHATGPT}/codex/embeddings"),
        ("gemini", "/v1beta/models/g", f"{GEMINI}/v1beta/models/g"),
        ("gemini", "/v1beta/tunedModels/t:generateContent", f"{GEMINI}/v1beta/tunedModels/t:generateContent"),
        ("gemini", "/v1beta/cachedContents", f"{GEMINI}/v1beta/cachedContents"),
        ("assist", "/v1internal/operations/o", f"{ASSIST}/v1internal/operations/o"),
        (
            "vertex",
            f"{VERTEX_PROJECT}/cachedContents",
            f"https://aiplatform.googleapis.com{VERTEX_PROJECT}/cachedContents",
        ),
        (
            "vertex",
            f"{VERTEX_PROJECT}/endpoints/4:generateContent",
            f"https://aiplatform.googleapis.com{VERTEX_PROJECT}/endpoints/4:generateContent",
        ),
        # what no dialect knows
        ("anthropic", "/api/hello", f"{ANTHROPIC}/api/hello"),
        ("zai", "/api/hello", f"{ZAI}/api/hello"),
        ("deepseek", "/anthropic/v1/files", f"{DEEPSEEK}/v1/files"),
        ("openai", "/v1/something/new", f"{OPENAI}/v1/something/new"),
        ("local", "/api/tags", "http://localhost:11434/api/tags"),
        # the key in the query is a credential, wherever it stands; all else stays
        ("gemini", "/v1beta/models?key=sk-ant-oat-ccproxy-gemini", f"{GEMINI}/v1beta/models"),
        (
            "gemini",
            "/v1beta/models/g:streamGenerateContent?alt=sse&key=x&&a=%20+",
            f"{GEMINI}/v1beta/models/g:streamGenerateContent?alt=sse&&a=%20+",
        ),
        ("azure", "/v1/responses?key=x", f"{AZURE}/openai/v1/responses?api-version=9"),
    ],
)
def test_where_a_sentinel_leads(provider: str, target: str, url: str) -> None:
    headers = Headers([(b"anthropic-version", b"2023-06-01")]) if provider in {"anthropic", "zai", "deepseek"} else None
    found = route(target, sentinel=provider, headers=headers)
    assert where(found) == url
    assert (found.provider, found.action, found.reason) == (provider, "redirect", "sentinel")
    assert not found.keep_credential


ODD_QUERIES = ["", "?", "?a", "?a=b&&c", "?a=%20+&b=", "?&", "??", "?a=1&a=1", "?x=ä", "?key=own", "?a=/v1/messages"]


@pytest.mark.parametrize("query", ODD_QUERIES)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/files/f%20%2f", "/v1/something//new/../x"])
def test_to_a_default_upstream_a_target_goes_byte_for_byte(path: str, query: str) -> None:
    found = route(path + query, defaults=dict.fromkeys(DEFAULTS, "https://h"))
    assert found.target == (path + query).encode()


@pytest.mark.parametrize("query", ODD_QUERIES)
def test_a_path_that_is_tidied_keeps_its_query_byte_for_byte(query: str) -> None:
    assert route(f"/messages{query}").target == f"/v1/messages{query}".encode()


@pytest.mark.parametrize("query", [query for query in ODD_QUERIES if "key" not in query])
def test_to_a_provider_a_query_goes_byte_for_byte_but_for_a_key(query: str) -> None:
    assert route(f"/v1/messages{query}", sentinel="deepseek").target == f"/anthropic/v1/messages{query}".encode()


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ("/v1/messages?beta=true", f"{ANTHROPIC}/v1/messages?beta=true"),
        ("/messages?a", f"{ANTHROPIC}/v1/messages?a"),
        ("/v1/chat/completions", f"{OPENAI}/v1/chat/completions"),
        ("/v1/responses", f"{OPENAI}/v1/responses"),
        ("/v1internal:countTokens", f"{ASSIST}/v1internal:countTokens"),
        (
            "/v1beta/models/g:generateContent?key=own",
            "http://127.0.0.1:9/prefix/v1beta/models/g:generateContent?k=v&key=own",
        ),
        ("/v1beta/models/g:generateContent", "http://127.0.0.1:9/prefix/v1beta/models/g:generateContent?k=v"),
    ],
)
def test_without_a_sentinel_the_default_upstream_with_the_clients_credential(target: str, url: str) -> None:
    found = route(target)
    assert where(found) == url
    assert (found.provider, found.action, found.keep_credential) == ("", "passthrough", True)
    assert (found.reason, found.model) == ("default upstream", "")


@pytest.mark.parametrize(
    ("target", "options", "error", "status", "words"),
    [
        ("/v1/messages", {"sentinel": "nobody"}, CredentialError, 401, "'nobody'.*one of: anthropic, assist"),
        ("/v1/embeddings", {"sentinel": "anthropic"}, NotSupported, 400, "/v1/embeddings is an endpoint of openai"),
        ("/v1/messages/batches", {"sentinel": "openai"}, NotSupported, 400, "openai and openai_responses"),
        ("/v1/responses/r1/cancel", {"sentinel": "local"}, NotSupported, 400, "speaks openai, which has none like it"),
        ("/v1internal:loadCodeAssist", {"sentinel": "gemini"}, NotSupported, 501, "form of Code Assist"),
        ("/v1beta/models/g:embedContent", {"sentinel": "assist"}, NotSupported, 501, "which has no embedContent"),
        ("/backend-api/x", {}, NoRoute, 404, "default_upstreams.codex is null"),
        ("/v1/messages", {"defaults": {}}, NoRoute, 404, "default_upstreams.anthropic is null"),
        ("/unknown", {}, NoRoute, 404, "no dialect.*sentinel key"),
        ("/openai/v1/chat/completions", {}, NoRoute, 404, "another service's"),
        (f"{VERTEX_PROJECT}/publishers/anthropic/models/c:rawPredict", {}, NoRoute, 404, "another service's"),
        ("/v1/messages", {"rules": [TransformRule(dest_provider="gone")]}, NoRoute, 404, "rule 1: provider 'gone'"),
        (
            "/v1/embeddings",
            {"rules": [TransformRule(action="transform", dest_provider="anthropic")]},
            NotSupported,
            400,
            "rule 1: /v1/embeddings",
        ),
    ],
)
def test_what_has_no_route_is_refused_with_the_fix_in_the_message(
    target: str, options: dict[str, Any], error: type[CCProxyError], status: int, words: str
) -> None:
    with pytest.raises(error, match=words) as refused:
        route(target, **options)
    assert refused.value.status == status
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("provider", "target"),
    [
        ("gemini", "/v1internal:generateContent"),
        ("gemini", "/v1internal:countTokens"),
        ("assist", "/v1beta/models/g:streamGenerateContent?alt=sse"),
        ("anthropic", f"{VERTEX_PROJECT}/publishers/anthropic/models/c:rawPredict"),
        ("openrouter", f"{VERTEX_PROJECT}/publishers/anthropic/models/c:rawPredict"),
        ("claude_vertex", "/v1/messages"),
        ("claude_vertex", "/v1/messages/count_tokens"),
    ],
)
def test_where_another_form_is_wanted_the_target_waits_for_it(provider: str, target: str) -> None:
    rules = [TransformRule(dest_provider=provider, dest_model="new")]
    found = route(target, rules=rules)
    assert (found.action, found.target, found.model, found.provider) == ("redirect", b"", "new", provider)


def test_a_rule_matches_only_with_all_of_its_patterns() -> None:
    rule = TransformRule(match_host="^h$", match_path="^/v1/messages$", match_model="^m$", dest_provider="zai")

    def matches(target: str = "/v1/messages", model: str = "m", host: str = "h") -> bool:
        return route(target, rules=[rule], model=model, hosts=(host,)).reason == "rule 1"

    assert matches()
    assert not matches(target="/v1/messages/count_tokens")
    assert not matches(model="other")
    assert not matches(model="")
    assert not matches(host="x.h")


def test_the_first_rule_that_matches_decides() -> None:
    rules = [
        TransformRule(match_path="^/v1/chat", dest_provider="openai"),
        TransformRule(match_host="^internal", dest_provider="deepseek"),
        TransformRule(match_model="^claude-opus", dest_provider="zai", dest_model="glm"),
        TransformRule(dest_provider="deepseek"),
    ]
    chosen = route("/v1/messages", rules=rules, model="claude-opus-4")
    assert (chosen.provider, chosen.model, chosen.reason) == ("zai", "glm", "rule 3")
    assert route("/v1/messages", rules=rules, model="other").reason == "rule 4"
    assert route("/v1/messages", rules=rules, hosts=("localhost", "internal.example")).reason == "rule 2"


@pytest.mark.parametrize("target", ["/v1/messages", "/messages", "/v1/v1/messages?beta=true", "//v1/messages"])
def test_a_pattern_for_the_documented_path_matches_however_the_client_writes_it(target: str) -> None:
    assert route(target, rules=[TransformRule(match_path="^/v1/messages$", dest_provider="zai")]).provider == "zai"


def test_a_pattern_may_also_be_for_the_path_as_it_came() -> None:
    rules = [TransformRule(match_path="^/team/", dest_provider="zai")]
    assert route("/team/v1/messages", rules=rules).provider == "zai"
    assert route("/v1/messages", rules=rules).reason == "default upstream"


def test_rules_stand_above_the_sentinel() -> None:
    ruled = route("/v1/messages", sentinel="anthropic", rules=[TransformRule(dest_provider="zai")])
    assert (ruled.provider, ruled.keep_credential) == ("zai", False)


def test_a_passthrough_rule_ends_the_search_and_leaves_the_request_as_it_is() -> None:
    rules = [TransformRule(action="passthrough", dest_model="x"), TransformRule(dest_provider="zai")]
    kept = route("/v1/messages?", rules=rules)
    assert (where(kept), kept.keep_credential, kept.reason) == (f"{ANTHROPIC}/v1/messages?", True, "rule 1")
    assert kept.model == ""
    led = route("/v1/messages", sentinel="deepseek", rules=rules)
    assert (led.provider, led.keep_credential, led.reason, led.model) == ("deepseek", False, "rule 1", "")


@pytest.mark.parametrize(
    ("provider", "target", "path", "in_body"),
    [
        ("anthropic", "/v1/messages", "/v1/messages", True),
        ("openai", "/v1/responses/input_tokens", "/v1/responses/input_tokens", True),
        ("assist", "/v1internal:generateContent", "/v1internal:generateContent", True),
        ("pinned", "/v1beta/models/g:generateContent", "/v1beta/models/g-9:generateContent", False),
        ("gemini", "/v1beta/models/g%2Fx:generateContent", "/v1beta/models/new/one:generateContent", False),
        ("gemini", "/v1beta/models/g:countTokens", "/v1beta/models/new/one:countTokens", False),
        ("gemini", "/v1beta/tunedModels/t:generateContent", "/v1beta/models/new/one:generateContent", False),
        ("demo", "/v1beta/models/g%2Fx:generateContent", "/v1beta/models/new/one:generateContent", False),
        (
            "claude_vertex",
            f"{VERTEX_PROJECT}/publishers/anthropic/models/c:rawPredict",
            "/v1/projects/mine/locations/eu/publishers/anthropic/models/new/one:rawPredict",
            False,
        ),
        (
            "claude_vertex",
            f"{VERTEX_PROJECT}/publishers/anthropic/models/count-tokens:rawPredict",
            "/v1/projects/mine/locations/eu/publishers/anthropic/models/count-tokens:rawPredict",
            True,
        ),
    ],
)
def test_a_rules_model_goes_where_the_model_stands(provider: str, target: str, path: str, in_body: bool) -> None:
    rules = [TransformRule(dest_provider=provider, dest_model="new/one")]
    found = route(target, rules=rules, model="old" if in_body else "")
    assert found.target == path.encode()
    assert found.model == ("new/one" if in_body else "")


@pytest.mark.parametrize("target", ["/v1/messages/batches", "/api/event_logging/batch", "/v1/messages/count_tokens"])
@pytest.mark.parametrize("named", ["", "m"])
def test_a_rules_model_is_not_added_to_what_names_none(target: str, named: str) -> None:
    rules = [TransformRule(dest_provider="anthropic", dest_model="new")]
    assert route(target, rules=rules, model=named).model == ("new" if named else "")


@pytest.mark.parametrize(
    ("model", "segment"), [("g 1", b"g%201"), ("模", b"%E6%A8%A1"), ("é?#:", b"%C3%A9%3F%23%3A"), ("a@b~c", b"a@b~c")]
)
def test_a_model_of_any_characters_can_stand_in_a_path(model: str, segment: bytes) -> None:
    rules = [TransformRule(dest_provider="gemini", dest_model=model)]
    found = route("/v1beta/models/g:generateContent", rules=rules)
    assert found.target == b"/v1beta/models/" + segment + b":generateContent"


@pytest.mark.parametrize("segment", ["%E6%A8%A1", "%zz", "g%2Fx", "a{action}b"])
def test_the_clients_spelling_of_a_model_stays(segment: str) -> None:
    found = route(f"/v1beta/models/{segment}:generateContent", sentinel="gemini")
    assert found.target == f"/v1beta/models/{segment}:generateContent".encode()


def test_a_rule_needs_no_sentinel_and_the_clients_key_stays_behind() -> None:
    found = route("/v1beta/models/g:generateContent?key=own", rules=[TransformRule(dest_provider="gemini")])
    assert (found.keep_credential, found.target) == (False, b"/v1beta/models/g:generateContent")


@pytest.mark.parametrize("pattern", ["(", "[a", "*"])
@pytest.mark.parametrize("key", ["match_host", "match_path", "match_model"])
def test_a_bad_pattern_is_a_configuration_error(key: str, pattern: str) -> None:
    rules = [TransformRule(dest_provider="x"), TransformRule(dest_provider="x", **{key: pattern})]  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=rf"transforms\[1\]\.{key}"):
        compile_rules(rules)


@pytest.mark.parametrize(
    "url", ["ftp://x", "x", "http://", "http://h:99999", "http://u:p@h", "http://h/ä", "http://[::"]
)
def test_a_bad_default_upstream_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigError, match=r"default_upstreams\.anthropic: ") as refused:
        Router({}, (), {"anthropic": url}, DIALECTS)
    assert "u:p" not in str(refused.value)


@pytest.mark.parametrize(
    ("target", "sentinel"),
    [
        ("/v1/chat/completions", "anthropic"),
        ("/v1/messages", "openai"),
        ("/v1/messages", "gemini"),
        ("/v1/responses", "local"),
        ("/v1/chat/completions", "codex"),
        ("/v1beta/models/g:streamGenerateContent", "deepseek"),
        ("/v1internal:generateContent", "openrouter"),
        ("/v1/messages/count_tokens", "openai"),
        (f"{VERTEX_PROJECT}/publishers/anthropic/models/c:rawPredict", "vertex"),
        ("/v1/responses/input_tokens", "gemini"),
    ],
)
def test_a_provider_of_another_dialect_is_a_conversion(target: str, sentinel: str) -> None:
    found = route(target, sentinel=sentinel)
    assert (found.action, found.provider, found.reason, found.keep_credential) == (
        "transform",
        sentinel,
        "sentinel",
        False,
    )


def test_a_rule_converts_too_and_brings_its_model() -> None:
    rules = [TransformRule(action="transform", dest_provider="gemini", dest_model="g-9")]
    found = route("/v1/messages", rules=rules)
    assert (found.action, found.provider, found.reason, found.model) == ("transform", "gemini", "rule 1", "g-9")


@pytest.mark.parametrize(
    ("provider", "path", "url"),
    [
        ("anthropic", "/v1/messages", "/v1/messages"),
        ("deepseek", "/v1/messages/count_tokens", "/anthropic/v1/messages/count_tokens"),
        ("zai", "/v1/messages", "/api/anthropic/v1/messages"),
        ("local", "/v1/chat/completions", "/v1/chat/completions"),
        ("azure", "/v1/chat/completions", "/openai/v1/chat/completions?api-version=9"),
        ("deployment", "/v1/chat/completions", "/openai/deployments/d/chat/completions?api-version=9"),
        ("custom", "/v1/chat/completions", "/serve/complete"),
        ("codex", "/v1/responses", "/backend-api/codex/responses"),
        (
            "gemini",
            "/v1beta/models/g%20x:streamGenerateContent?alt=sse",
            "/v1beta/models/g%20x:streamGenerateContent?alt=sse",
        ),
        ("pinned", "/v1beta/models/other:generateContent", "/v1beta/models/g-9:generateContent"),
        ("assist", "/v1beta/models/g:streamGenerateContent?alt=sse", "/v1internal:streamGenerateContent?alt=sse"),
        (
            "vertex",
            "/v1beta/models/g:countTokens",
            "/v1/projects/mine/locations/eu/publishers/google/models/g:countTokens",
        ),
    ],
)
def test_where_a_converted_request_goes(provider: str, path: str, url: str) -> None:
    built = build_provider(provider, PROVIDERS[provider], None)
    assert converted_target(built, path).decode() == url


def test_a_provider_chosen_by_name_wins_over_rules_and_sentinel() -> None:
    rules = [TransformRule(dest_provider="custom")]
    found = route("/v1/messages", sentinel="anthropic", rules=rules, to="gemini", to_model="g")
    assert (found.action, found.provider, found.reason, found.model) == ("transform", "gemini", "hook h", "g")
    with pytest.raises(NoRoute, match=r"hook h: provider 'nowhere' is not configured .there are: .*anthropic"):
        route("/v1/messages", to="nowhere")
