"""Servers that people run themselves: Ollama, vLLM, llama.cpp, LM Studio, at the address each listens on by default.

All speak Chat Completions and, beside it, Anthropic's Messages. Their Responses are young and take few of the tools that
Codex offers, so Responses are converted unless `dialects` says otherwise. None wants a credential unless told so; where
one does it takes a Bearer field. What each accepts in a converted request is in `lightllm.families`, by the type's name.

Source: docs.ollama.com (OpenAI and Anthropic compatibility), docs.vllm.ai (OpenAI-compatible server), the README of
llama.cpp's server, lmstudio.ai/docs/developer.
"""

from __future__ import annotations

from ccproxy.providers.base import ProviderType


def _local(name: str, port: int) -> ProviderType:
    return ProviderType(
        name=name,
        dialects=("openai", "anthropic"),
        scheme="http",
        host=f"127.0.0.1:{port}",
        path="/v1/chat/completions",
        main="/chat/completions",
        versioned_base=True,
    )


TYPES = (
    _local("ollama", 11434),
    _local("vllm", 8000),
    _local("llamacpp", 8080),
    _local("lmstudio", 1234),
)
