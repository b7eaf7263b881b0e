"""From a request to its route."""

from __future__ import annotations

import pytest

from ccproxy.errors import BadRequest, CCProxyError, ConfigError, CredentialError, NoRoute, NotSupported
from ccproxy.exchange.http import Headers
from ccproxy.exchange.route import Route
from ccproxy.providers.config import ProviderConfig
from ccproxy.providers.registry import build_provider
from ccproxy.routing.config import TransformRule
from ccproxy.routing.detect import detect
from ccproxy.routing.resolve import Facts, Router, compile_rules

PROVIDERS = {
    "anthropic": ProviderConfig(type="anthropic"),
    "deepseek": ProviderConfig(type="deepseek"),
    "zai": ProviderConfig(type="zai"),
    "openai": ProviderConfig(type="openai"),
    "openrouter": ProviderConfig(type="openrouter"),
    "local": ProviderConfig(type="openai", base_url="http://localhost:11434/v1"),
    "azure": ProviderConfig(type="openai", base_url="https://r.openai.azure.com/openai/v1?api-version=9"),
    "codex": ProviderConfig(type="openai_responses", host="chatgpt.com", path="/backend-api/codex/responses"),
    "gemini": ProviderConfig(type="gemini"),
    "assist": ProviderConfig(type="gemini", host="cloudcode-pa.googleapis.com", path="/v1internal:{action}"),
    "vertex": ProviderConfig(
        type="vertex_ai",
        host="aiplatform.googleapis.com",
        path="/v1/projects/p/locations/l/publishers/google/models/{model}:{action}",
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
    hosts: tuple[str, ...] = ("localhost",),
    headers: Headers | None = None,
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
    return Router(providers, compile_rules(rules or []), DEFAULTS).resolve(facts)


def where(found: Route) -> str:
    port = "" if found.port in {80, 443} else f":{found.port}"
    return f"{found.scheme}://{found.host}{port}{found.target.decode()}"


@pytest.mark.parametrize(
    ("provider", "target", "url"),
    [
        ("anthropic", "/v1/messages?beta=true", "https://api.anthropic.com/v1/messages?beta=true"),
        ("anthropic", "/messages", "https://api.anthropic.com/v1/messages"),
        ("anthropic", "/v1/messages/count_tokens", "https://api.anthropic.com/v1/messages/count_tokens"),
        ("deepseek", "/v1/messages", "https://api.deepseek.com/anthropic/v1/messages"),
        ("deepseek", "/v1/messages/count_tokens", "https://api.deepseek.com/anthropic/v1/messages/count_tokens"),
        ("deepseek", "/v1/messages/batches", "https://api.deepseek.com/anthropic/v1/messages/batches"),
        ("zai", "/v1/messages", "https://api.z.ai/api/anthropic/v1/messages"),
        ("zai", "/api/hello", "https://api.z.ai/api/anthropic/api/hello"),
        ("openai", "/v1/chat/completions", "https://api.openai.com/v1/chat/completions"),
        ("openai", "/v1/responses", "https://api.openai.com/v1/responses"),
        ("openai", "/v1/embeddings", "https://api.openai.com/v1/embeddings"),
        ("openrouter", "/v1/chat/completions", "https://openrouter.ai/api/v1/chat/completions"),
        ("openrouter", "/v1/models/m", "https://openrouter.ai/api/v1/models/m"),
        ("local", "/v1/chat/completions", "http://localhost:11434/v1/chat/completions"),
        ("local", "/v1/embeddings?a=1", "http://localhost:11434/v1/embeddings?a=1"),
        ("azure", "/v1/responses?x=1", "https://r.openai.azure.com/openai/v1/responses?api-version=9&x=1"),
        ("codex", "/v1/responses", "https://chatgpt.com/backend-api/codex/responses"),
        ("codex", "/backend-api/codex/responses", "https://chatgpt.com/backend-api/codex/responses"),
        (
            "gemini",
            "/v1beta/models/g:generateContent",
            "https://generativelanguage.googleapis.com/v1beta/models/g:generateContent",
        ),
        ("gemini", "/v1/models/g:countTokens", "https://generativelanguage.googleapis.com/v1beta/models/g:countTokens"),
        (
            "gemini",
            "/v1beta/models?key=sk-ant-oat-ccproxy-gemini",
            "https://generativelanguage.googleapis.com/v1beta/models",
        ),
        (
            "gemini",
            "/v1beta/models/g:streamGenerateContent?alt=sse&key=x",
            "https://generativelanguage.googleapis.com/v1beta/models/g:streamGenerateContent?alt=sse",
        ),
        (
            "assist",
            "/v1beta/models/g:streamGenerateContent?alt=sse",
            "https://cloudcode-pa.googleapis.com/v1internal:streamGenerateContent?alt=sse",
        ),
        (
            "vertex",
            "/v1beta/models/g%2Fx:generateContent",
            "https://aiplatform.googleapis.com/v1/projects/p/locations/l/publishers/google/models/g/x:generateContent",
        ),
        ("demo", "/v1/messages?a=1", "https://demo.invalid/v1/messages?a=1"),
        ("demo", "/v1/responses", "https://demo.invalid/v1/responses"),
    ],
)
def test_where_a_sentinel_leads(provider: str, target: str, url: str) -> None:
    found = route(target, sentinel=provider)
    assert where(found) == url
    assert (found.provider, found.action, found.reason, found.keep_credential) == (
        provider,
        "redirect",
        "sentinel",
        False,
    )


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ("/v1/messages?beta=true&&x=%20", "https://api.anthropic.com/v1/messages?beta=true&&x=%20"),
        ("/v1/messages?", "https://api.anthropic.com/v1/messages?"),
        ("/messages?a", "https://api.anthropic.com/v1/messages?a"),
        ("/v1/chat/completions", "https://api.openai.com/v1/chat/completions"),
        ("/v1/responses", "https://api.openai.com/v1/responses"),
        ("/v1internal:countTokens", "https://cloudcode-pa.googleapis.com/v1internal:countTokens"),
        (
            "/v1beta/models/g:generateContent?key=own",
            "http://127.0.0.1:9/prefix/v1beta/models/g:generateContent?k=v&key=own",
        ),
    ],
)
def test_without_a_sentinel_the_default_upstream_with_the_clients_credential(target: str, url: str) -> None:
    found = route(target)
    assert where(found) == url
    assert (found.provider, found.action, found.keep_credential) == ("", "passthrough", True)


@pytest.mark.parametrize(
    ("target", "options", "error", "words"),
    [
        ("/v1/messages", {"sentinel": "nobody"}, CredentialError, "'nobody'"),
        ("/v1/chat/completions", {"sentinel": "anthropic"}, NotSupported, "speaks openai"),
        ("/v1/messages", {"sentinel": "openai"}, NotSupported, "openai and openai_responses"),
        ("/backend-api/x", {}, NoRoute, "default_upstreams.codex is null"),
        ("/unknown", {}, NoRoute, "no dialect"),
        ("/v1/messages", {"rules": [TransformRule(dest_provider="gone")]}, NoRoute, "'gone'"),
        ("/v1beta/models", {"sentinel": "assist"}, None, ""),
    ],
)
def test_what_has_no_route(
    target: str, options: dict[str, object], error: type[CCProxyError] | None, words: str
) -> None:
    if error is None:
        route(target, **options)  # type: ignore[arg-type]
        return
    with pytest.raises(error, match=words) as refused:
        route(target, **options)  # type: ignore[arg-type]
    assert refused.value.hint or error is NoRoute


def test_the_first_rule_that_matches_in_all_its_patterns_decides() -> None:
    rules = [
        TransformRule(match_path="^/v1/chat", dest_provider="openai"),
        TransformRule(match_host="^internal", dest_provider="deepseek"),
        TransformRule(match_model="^claude-opus", dest_provider="zai", dest_model="glm"),
        TransformRule(dest_provider="deepseek"),
    ]
    assert route("/v1/messages", rules=rules, model="claude-opus-4").provider == "zai"
    assert route("/v1/messages", rules=rules, model="claude-opus-4").model == "glm"
    assert route("/v1/messages", rules=rules, model="other").reason == "rule 4"
    assert route("/v1/messages", rules=rules, hosts=("localhost", "internal.example")).reason == "rule 2"


def test_rules_stand_above_the_sentinel_and_passthrough_ends_them() -> None:
    assert route("/v1/messages", sentinel="anthropic", rules=[TransformRule(dest_provider="zai")]).provider == "zai"
    rules = [TransformRule(action="passthrough"), TransformRule(dest_provider="zai")]
    kept = route("/v1/messages", rules=rules)
    assert (kept.host, kept.keep_credential, kept.reason) == ("api.anthropic.com", True, "rule 1")
    led = route("/v1/messages", sentinel="deepseek", rules=rules)
    assert (led.provider, led.keep_credential) == ("deepseek", False)


def test_a_rules_model_stands_in_geminis_path() -> None:
    rules = [TransformRule(dest_provider="vertex", dest_model="new/one")]
    found = route("/v1beta/models/g:generateContent", rules=rules)
    assert found.target.endswith(b"/models/new/one:generateContent")
    rules = [TransformRule(dest_provider="demo", dest_model="new")]
    assert route("/v1beta/models/g:generateContent", rules=rules).target == b"/v1beta/models/new:generateContent"


def test_a_path_that_needs_a_model_and_gets_none() -> None:
    with pytest.raises(BadRequest, match="needs the model"):
        providers = {"x": build_provider("x", ProviderConfig(type="gemini", path="/v1/m/{model}:{action}"), None)}
        operation = detect("/v1internal:generateContent", b"", Headers())
        Router(providers, (), {}).resolve(Facts(b"/", "/", b"", (), operation, "", "x"))


@pytest.mark.parametrize("pattern", ["(", "[a", "*"])
def test_a_bad_pattern_is_a_configuration_error(pattern: str) -> None:
    with pytest.raises(ConfigError, match=r"transforms\[0\]\.match_path"):
        compile_rules([TransformRule(match_path=pattern, dest_provider="x")])


@pytest.mark.parametrize("url", ["ftp://x", "x", "http://", "http://h:99999"])
def test_a_bad_default_upstream_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigError, match="default_upstreams"):
        Router({}, (), {"anthropic": url})
