"""Provider types by name, and providers from configuration."""

from __future__ import annotations

import pytest

from ccproxy.errors import ConfigError
from ccproxy.providers.config import ProviderConfig
from ccproxy.providers.registry import build_provider, provider_types


def test_every_type_is_there_once_and_complete() -> None:
    types = provider_types()
    assert {
        "anthropic",
        "deepseek",
        "zai",
        "openai",
        "openrouter",
        "openai_responses",
        "gemini",
        "google",
        "vertex_ai",
        "demo",
    } <= set(types)
    for name, kind in types.items():
        assert kind.name == name
        assert kind.in_process or kind.main
        assert not kind.path or kind.path.endswith(kind.main)


@pytest.mark.parametrize(
    ("base_url", "origin", "path", "query"),
    [
        ("http://h:8000", "http://h:8000", "/v1/chat/completions", b""),
        ("http://h:8000/", "http://h:8000", "/v1/chat/completions", b""),
        ("http://h:8000/v1", "http://h:8000", "/v1/chat/completions", b""),
        ("http://h:8000/v1/", "http://h:8000", "/v1/chat/completions", b""),
        ("http://h:8000/prefix", "http://h:8000", "/prefix/v1/chat/completions", b""),
        ("http://h:8000/prefix/v1", "http://h:8000", "/prefix/v1/chat/completions", b""),
        ("http://h:8000/v1/chat/completions", "http://h:8000", "/v1/chat/completions", b""),
        ("https://h/openai/v1?api-version=1&x=2", "https://h", "/openai/v1/chat/completions", b"api-version=1&x=2"),
    ],
)
def test_people_write_base_urls_in_many_ways(base_url: str, origin: str, path: str, query: bytes) -> None:
    provider = build_provider("p", ProviderConfig(type="openai", base_url=base_url), None)
    assert (provider.origin, provider.path, provider.query) == (origin, path, query)
    assert provider.base == path.removesuffix("/chat/completions")


def test_a_path_of_ones_own() -> None:
    provider = build_provider("p", ProviderConfig(type="anthropic", host="h", path="/a/v9/messages"), None)
    assert (provider.path, provider.base) == ("/a/v9/messages", "/a/v9")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"type": "nix"}, "unknown provider type 'nix'"),
        ({"type": "vertex_ai"}, "needs a host"),
        ({"type": "vertex_ai", "host": "h"}, "needs a path"),
        ({"type": "openai", "base_url": "ftp://h"}, "not a usable address"),
        ({"type": "openai", "base_url": "h:80"}, "not a usable address"),
        ({"type": "openai", "base_url": "http://u:p@h"}, "not a usable address"),
        ({"type": "openai", "base_url": "http://h:99999"}, "base_url"),
        ({"type": "openai", "host": "h/path"}, "a host name has no path"),
    ],
)
def test_what_cannot_be_used_is_said(config: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        build_provider("p", ProviderConfig(**config), None)  # type: ignore[arg-type]
    assert "u:p" not in str(refused.value)
