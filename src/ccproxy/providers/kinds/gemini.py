"""Google's Gemini API and Vertex AI.

Source: ai.google.dev: API keys go into `x-goog-api-key`; OAuth access tokens (`ya29.…`) into a Bearer field.
"""

from __future__ import annotations

from ccproxy.providers.base import Field, ProviderType, bearer


def credential_field(value: str) -> Field:
    """`Authorization: Bearer` for an OAuth access token, `x-goog-api-key` for everything else."""
    return bearer(value) if value.startswith("ya29.") else (b"x-goog-api-key", value.encode("latin-1", "replace"))


_MAIN = "/models/{model}:{action}"


def _gemini(name: str, host: str, path: str) -> ProviderType:
    return ProviderType(
        name=name, dialects=("gemini",), host=host, path=path, main=_MAIN, credential_field=credential_field
    )


TYPES = (
    _gemini("gemini", "generativelanguage.googleapis.com", "/v1beta" + _MAIN),
    _gemini("google", "generativelanguage.googleapis.com", "/v1beta" + _MAIN),
    # Project and location stand in host and path, so the configuration must give both.
    _gemini("vertex_ai", "", ""),
)
