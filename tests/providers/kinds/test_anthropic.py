"""How Anthropic likes its credentials."""

from __future__ import annotations

from ccproxy.providers.kinds.anthropic import TYPES, credential_field


def test_login_tokens_and_api_keys_go_into_different_fields() -> None:
    assert credential_field("sk-ant-oat01-t") == (b"Authorization", b"Bearer sk-ant-oat01-t")
    assert credential_field("sk-ant-api03-k") == (b"x-api-key", b"sk-ant-api03-k")
    assert credential_field("another-key") == (b"x-api-key", b"another-key")


def test_the_compatible_services_are_one_dialect() -> None:
    assert {kind.dialects for kind in TYPES} == {("anthropic",)}
