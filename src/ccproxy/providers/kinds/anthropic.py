"""Anthropic, and the services that speak its Messages API.

Source: docs of the Messages API; API keys go into `x-api-key`, OAuth access tokens (`sk-ant-oat…`) into a Bearer field.
"""

from __future__ import annotations

from ccproxy.providers.base import Field, ProviderType, bearer


def credential_field(value: str) -> Field:
    """`Authorization: Bearer` for an OAuth access token, `x-api-key` for everything else."""
    return bearer(value) if value.startswith("sk-ant-oat") else (b"x-api-key", value.encode("latin-1", "replace"))


def _messages(name: str, host: str, path: str) -> ProviderType:
    return ProviderType(
        name=name, dialects=("anthropic",), host=host, path=path, main="/messages", credential_field=credential_field
    )


TYPES = (
    _messages("anthropic", "api.anthropic.com", "/v1/messages"),
    _messages("deepseek", "api.deepseek.com", "/anthropic/v1/messages"),
    _messages("zai", "api.z.ai", "/api/anthropic/v1/messages"),
)
