"""Servers that people run themselves: where they are, and what is known of each."""

from __future__ import annotations

import pytest

from ccproxy.lightllm.families import FAMILIES, capabilities, family_of
from ccproxy.providers.config import ProviderConfig
from ccproxy.providers.kinds.local import TYPES
from ccproxy.providers.registry import build_provider

NAMES = [kind.name for kind in TYPES]


@pytest.mark.parametrize("name", NAMES)
def test_each_has_a_table_of_what_it_accepts_in_every_dialect_it_speaks(name: str) -> None:
    provider = build_provider("p", ProviderConfig(type=name), None)
    family = family_of(provider.type.name, provider.host)
    assert family == name
    for dialect in provider.dialects:
        assert capabilities(dialect, family) == FAMILIES[name][dialect]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("config", "address"),
    [
        ({"base_url": "http://gpu.lan:9000"}, "http://gpu.lan:9000/v1/chat/completions"),
        ({"base_url": "http://gpu.lan:9000/v1"}, "http://gpu.lan:9000/v1/chat/completions"),
        ({"base_url": "https://gpu.lan/models/v1/"}, "https://gpu.lan/models/v1/chat/completions"),
        ({"host": "gpu.lan"}, "https://gpu.lan/v1/chat/completions"),
    ],
)
def test_elsewhere(name: str, config: dict[str, str], address: str) -> None:
    provider = build_provider("p", ProviderConfig(type=name, **config), None)  # type: ignore[arg-type]
    assert provider.origin + provider.path == address
    assert provider.base + "/messages" == address.removeprefix(provider.origin).replace(
        "/chat/completions", "/messages"
    )
    assert family_of(provider.type.name, provider.host) == name


def test_dialects_can_be_named() -> None:
    provider = build_provider("p", ProviderConfig(type="ollama", dialects=["openai_responses", "openai"]), None)
    assert provider.dialects == ("openai", "openai_responses")
