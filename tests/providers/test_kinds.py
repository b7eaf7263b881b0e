"""What each type of provider declares: where it is, what it speaks, and where a bare key goes."""

from __future__ import annotations

import pytest

from ccproxy.auth.base import Credential
from ccproxy.providers.config import ProviderConfig
from ccproxy.providers.registry import build_provider, provider_types

MODEL = "{model}:{action}"

#: type, dialects, address of the main operation, the field that a key of no special form goes into
KINDS = [
    ("anthropic", ("anthropic",), "https://api.anthropic.com/v1/messages", b"x-api-key"),
    ("deepseek", ("anthropic",), "https://api.deepseek.com/anthropic/v1/messages", b"x-api-key"),
    ("zai", ("anthropic",), "https://api.z.ai/api/anthropic/v1/messages", b"x-api-key"),
    ("openai", ("openai", "openai_responses"), "https://api.openai.com/v1/chat/completions", b"Authorization"),
    (
        "openrouter",
        ("openai", "openai_responses", "anthropic"),
        "https://openrouter.ai/api/v1/chat/completions",
        b"Authorization",
    ),
    ("openai_responses", ("openai_responses",), "https://api.openai.com/v1/responses", b"Authorization"),
    ("gemini", ("gemini",), f"https://generativelanguage.googleapis.com/v1beta/models/{MODEL}", b"x-goog-api-key"),
    ("google", ("gemini",), f"https://generativelanguage.googleapis.com/v1beta/models/{MODEL}", b"x-goog-api-key"),
    ("code_assist", ("gemini",), "https://cloudcode-pa.googleapis.com/v1internal:{action}", b"Authorization"),
    ("codex", ("openai_responses",), "https://chatgpt.com/backend-api/codex/responses", b"Authorization"),
    ("ollama", ("openai", "anthropic"), "http://127.0.0.1:11434/v1/chat/completions", b"Authorization"),
    ("vllm", ("openai", "anthropic"), "http://127.0.0.1:8000/v1/chat/completions", b"Authorization"),
    ("llamacpp", ("openai", "anthropic"), "http://127.0.0.1:8080/v1/chat/completions", b"Authorization"),
    ("lmstudio", ("openai", "anthropic"), "http://127.0.0.1:1234/v1/chat/completions", b"Authorization"),
    ("demo", (), "https://demo.invalid", b"Authorization"),
]


@pytest.mark.parametrize(("name", "dialects", "address", "field"), KINDS, ids=[kind[0] for kind in KINDS])
def test_a_kind(name: str, dialects: tuple[str, ...], address: str, field: bytes) -> None:
    provider = build_provider("p", ProviderConfig(type=name), None)
    assert provider.type.dialects == dialects
    assert provider.origin + provider.path == address
    [(used, value)] = provider.credential_fields(Credential("a-key"))
    assert (used, value.removeprefix(b"Bearer ")) == (field, b"a-key")


def test_vertex_must_be_told_where_it_is() -> None:
    kind = provider_types()["vertex_ai"]
    assert (kind.dialects, kind.host, kind.path, kind.main) == (("gemini",), "", "", f"/models/{MODEL}")


def test_the_demo_is_answered_inside_and_names_a_model() -> None:
    kind = provider_types()["demo"]
    assert kind.in_process
    assert kind.models
