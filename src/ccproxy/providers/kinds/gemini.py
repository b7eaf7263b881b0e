"""Google's Gemini API, Code Assist, and Vertex AI with Gemini and with Claude.

Source: ai.google.dev, cloud.google.com/vertex-ai: API keys go into `x-goog-api-key`; OAuth access tokens (`ya29.…`) into a
Bearer field. On Vertex AI project and location stand in host and path.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ccproxy.providers.base import CODE_ASSIST, Field, ProviderType, bearer


def credential_field(value: str) -> Field:
    """`Authorization: Bearer` for an OAuth access token, `x-goog-api-key` for everything else."""
    return bearer(value) if value.startswith("ya29.") else (b"x-goog-api-key", value.encode("latin-1", "replace"))


_MAIN = "/models/{model}:{action}"


def vertex_host(location: str) -> str:
    """The host that serves a location: a region, one of two continents, or the world."""
    if location == "global":
        return "aiplatform.googleapis.com"
    if location in {"us", "eu"}:
        return f"aiplatform.{location}.rep.googleapis.com"
    return f"{location}-aiplatform.googleapis.com"


def _vertex(version: str, publisher: str) -> Callable[[str, str], tuple[str, str]]:
    def place(project: str, location: str) -> tuple[str, str]:
        path = f"/{version}/projects/{project}/locations/{location}/publishers/{publisher}{_MAIN}"
        return vertex_host(location), path

    return place


def _gemini(name: str, host: str, path: str) -> ProviderType:
    return ProviderType(
        name=name, dialects=("gemini",), host=host, path=path, main=_MAIN, credential_field=credential_field
    )


TYPES = (
    _gemini("gemini", "generativelanguage.googleapis.com", "/v1beta" + _MAIN),
    _gemini("google", "generativelanguage.googleapis.com", "/v1beta" + _MAIN),
    ProviderType(
        name="code_assist",
        dialects=("gemini",),
        host="cloudcode-pa.googleapis.com",
        path=CODE_ASSIST + ":{action}",
        main=CODE_ASSIST + ":{action}",
    ),
    replace(_gemini("vertex_ai", "", ""), place=_vertex("v1beta1", "google")),
    ProviderType(
        name="vertex_claude", dialects=("anthropic",), host="", path="", main=_MAIN, place=_vertex("v1", "anthropic")
    ),
)
