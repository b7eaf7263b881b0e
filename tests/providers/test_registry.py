"""Provider types by name, and providers from configuration."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from ccproxy.errors import ConfigError
from ccproxy.providers.base import Provider
from ccproxy.providers.config import ProviderConfig
from ccproxy.providers.registry import build_provider, provider_types, types_in

GEMINI = "{model}:{action}"


def build(**config: object) -> Provider:
    return build_provider("p", ProviderConfig(**config), None)  # type: ignore[arg-type]


def test_every_type_is_there_once_and_complete() -> None:
    types = provider_types()
    assert set(types) >= {
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
    }
    for name, kind in types.items():
        assert kind.name == name
        assert kind.in_process or kind.main
        assert not kind.path or kind.path.endswith(kind.main)
        assert bool(kind.host) == bool(kind.path) or kind.in_process


def package(folder: Path, name: str, **modules: str) -> ModuleType:
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text("")
    for module, text in modules.items():
        (folder / name / f"{module}.py").write_text(text)
    return importlib.import_module(name)


def test_a_new_type_is_one_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    declared = (
        "from ccproxy.providers.base import ProviderType\n"
        "TYPES = tuple(ProviderType(n, ('openai',), 'h', '/v1/x', '/x') for n in ({names},))"
    )
    kinds = package(tmp_path, "new_kinds", one=declared.format(names="'b', 'a'"), two=declared.format(names="'c'"))
    assert list(types_in(kinds)) == ["b", "a", "c"]
    twice = package(tmp_path, "twice", one=declared.format(names="'a'"), two=declared.format(names="'a'"))
    with pytest.raises(ConfigError, match="'a' is defined twice"):
        types_in(twice)
    with pytest.raises(ConfigError, match=r"without\.one defines no TYPES"):
        types_in(package(tmp_path, "without", one="X = 1"))


def test_the_types_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        provider_types()["new"] = provider_types()["demo"]  # type: ignore[index]


@pytest.mark.parametrize("kind", [name for name, kind in provider_types().items() if kind.host])
def test_a_type_alone_is_enough(kind: str) -> None:
    built, declared = build(type=kind), provider_types()[kind]
    assert (built.name, built.type, built.scheme, built.host, built.port) == (
        "p",
        declared,
        declared.scheme,
        declared.host.partition(":")[0],
        int(declared.host.partition(":")[2] or 443),
    )
    assert (built.path, built.main, built.query) == (declared.path, declared.main, b"")
    assert built.base + built.main == built.path
    assert (built.verify, built.models) == (True, declared.models)


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
        ("https://h/a/chat/completions/", "https://h", "/a/chat/completions", b""),
        ("https://h/openai/v1?api-version=1&x=2", "https://h", "/openai/v1/chat/completions", b"api-version=1&x=2"),
        ("https://h?api-version=1", "https://h", "/v1/chat/completions", b"api-version=1"),
        ("http://[::1]:1/v1", "http://[::1]:1", "/v1/chat/completions", b""),
        # another version, or the version in the middle, as services write it
        ("https://api.z.ai/api/paas/v4", "https://api.z.ai", "/api/paas/v4/chat/completions", b""),
        ("https://g/v1beta/openai/", "https://g", "/v1beta/openai/chat/completions", b""),
        ("https://gateway/v1/account/name/openai", "https://gateway", "/v1/account/name/openai/chat/completions", b""),
        ("https://d/compatible-mode/v1", "https://d", "/compatible-mode/v1/chat/completions", b""),
        ("https://h/vertex", "https://h", "/vertex/v1/chat/completions", b""),
    ],
)
def test_people_write_base_urls_in_many_ways(base_url: str, origin: str, path: str, query: bytes) -> None:
    provider = build(type="openai", base_url=base_url)
    assert (provider.origin, provider.path, provider.query) == (origin, path, query)
    assert provider.base == path.removesuffix("/chat/completions")


@pytest.mark.parametrize(
    ("kind", "base_url", "path"),
    [
        ("anthropic", "http://h", "/v1/messages"),
        ("anthropic", "http://h/v1", "/v1/messages"),
        ("anthropic", "http://h/v1/messages", "/v1/messages"),
        ("anthropic", "https://api.moonshot.ai/anthropic", "/anthropic/v1/messages"),
        ("anthropic", "https://gateway/v1/account/name/anthropic", "/v1/account/name/anthropic/v1/messages"),
        ("deepseek", "http://h", "/anthropic/v1/messages"),
        ("deepseek", "https://api.deepseek.com/anthropic", "/anthropic/v1/messages"),
        ("deepseek", "https://api.deepseek.com/anthropic/v1", "/anthropic/v1/messages"),
        ("zai", "https://open.bigmodel.cn/api/anthropic", "/api/anthropic/v1/messages"),
        ("openrouter", "https://openrouter.ai/api/v1", "/api/v1/chat/completions"),
        ("openrouter", "https://openrouter.ai/api", "/api/v1/chat/completions"),
        ("openai_responses", "http://h/v1", "/v1/responses"),
        ("openai_responses", "https://chatgpt.com/backend-api/codex/responses", "/backend-api/codex/responses"),
        ("openai", "http://h/v1/responses", "/v1/responses"),
        ("gemini", "http://h", f"/v1beta/models/{GEMINI}"),
        ("gemini", "http://h/v1beta/", f"/v1beta/models/{GEMINI}"),
        ("gemini", "http://h/v1", f"/v1/models/{GEMINI}"),
        ("gemini", "http://h/prefix", f"/prefix/v1beta/models/{GEMINI}"),
        ("demo", "http://h/prefix", "/prefix"),
    ],
)
def test_base_urls_of_other_types(kind: str, base_url: str, path: str) -> None:
    assert build(type=kind, base_url=base_url).path == path


@pytest.mark.parametrize(
    ("config", "path", "main", "base"),
    [
        ({"type": "anthropic", "path": "/a/v9/messages"}, "/a/v9/messages", "/messages", "/a/v9"),
        ({"type": "openai", "path": "/v1/responses"}, "/v1/responses", "/responses", "/v1"),
        ({"type": "openai", "path": "/serve/complete"}, "/serve/complete", "/chat/completions", "/serve"),
        ({"type": "openai", "path": "/complete"}, "/complete", "/chat/completions", ""),
        (
            {"type": "openai_responses", "path": "/backend-api/codex/responses"},
            "/backend-api/codex/responses",
            "/responses",
            "/backend-api/codex",
        ),
        ({"type": "gemini", "path": "/v1internal:{action}"}, "/v1internal:{action}", f"/models/{GEMINI}", ""),
        (
            {"type": "vertex_ai", "host": "h", "path": f"/v1/projects/p/models/{GEMINI}"},
            f"/v1/projects/p/models/{GEMINI}",
            f"/models/{GEMINI}",
            "/v1/projects/p",
        ),
        # with a base URL the two are joined, without saying anything twice
        ({"type": "openai", "base_url": "http://h/v1", "path": "/v1/x"}, "/v1/x", "/chat/completions", "/v1"),
        ({"type": "openai", "base_url": "http://h/a", "path": "/v1/x"}, "/a/v1/x", "/chat/completions", "/a/v1"),
        ({"type": "openai", "base_url": "http://h/v1", "path": "/v2/x"}, "/v1/v2/x", "/chat/completions", "/v1/v2"),
        ({"type": "openai", "base_url": "http://h/x", "path": "/x"}, "/x/x", "/chat/completions", "/x"),
    ],
)
def test_a_path_of_ones_own(config: dict[str, str], path: str, main: str, base: str) -> None:
    provider = build(**config)
    assert (provider.path, provider.main, provider.base) == (path, main, base)


def test_models_and_verification_of_ones_own() -> None:
    provider = build(type="demo", models=["a", "b"], verify=False)
    assert (provider.models, provider.verify) == (("a", "b"), False)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"type": "nix"}, r"providers\.p\.type: unknown provider type 'nix' \(known types: anthropic, "),
        ({"type": ""}, "unknown provider type"),
        ({"type": "vertex_ai"}, r"providers\.p\.host: .* needs a host"),
        ({"type": "vertex_ai", "host": "h"}, r"providers\.p\.path: .* needs a path"),
        ({"type": "openai", "base_url": "ftp://h"}, r"providers\.p\.base_url: not a usable address"),
        ({"type": "openai", "base_url": "h:80"}, "not a usable address"),
        ({"type": "openai", "base_url": "http://u:p@h"}, "not a usable address"),
        ({"type": "openai", "base_url": "http://h/#f"}, "not a usable address"),
        ({"type": "openai", "base_url": "http://h:99999"}, "the port is not a number"),
        ({"type": "openai", "base_url": "http://h/ä"}, "%XX"),
        ({"type": "openai", "base_url": "http://h/?x=ä"}, "%XX"),
        ({"type": "openai", "host": "bücher.example"}, r"providers\.p\.host: .*%XX"),
        ({"type": "openai", "host": "h:x"}, r"providers\.p\.host: the port"),
        ({"type": "openai", "host": "u:p@h"}, "not a usable address"),
        ({"type": "openai", "host": "h/path"}, "a host name has no path"),
        ({"type": "openai", "host": "h?q"}, "a host name has no path"),
        ({"type": "openai", "path": "/ä"}, r"providers\.p\.path: .*%XX"),
        ({"type": "openai", "path": "/a\r\nb"}, r"providers\.p\.path: .*%XX"),
    ],
)
def test_what_cannot_be_used_is_said(config: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        build(**config)
    assert "u:p" not in str(refused.value)
