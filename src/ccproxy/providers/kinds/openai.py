"""OpenAI, and the services that speak Chat Completions. OpenAI serves Responses beside it, OpenRouter
Responses and Anthropic's Messages."""

from __future__ import annotations

from ccproxy.providers.base import ProviderType

TYPES = (
    ProviderType(
        name="openai",
        dialects=("openai", "openai_responses"),
        host="api.openai.com",
        path="/v1/chat/completions",
        main="/chat/completions",
        versioned_base=True,
        elsewhere=("openai",),
        own_hosts=("api.openai.com", ".api.openai.com", ".openai.azure.com"),
    ),
    ProviderType(
        name="openrouter",
        dialects=("openai", "openai_responses", "anthropic"),
        host="openrouter.ai",
        path="/api/v1/chat/completions",
        main="/chat/completions",
        versioned_base=True,
    ),
    ProviderType(
        name="openai_responses",
        dialects=("openai_responses",),
        host="api.openai.com",
        path="/v1/responses",
        main="/responses",
        versioned_base=True,
    ),
)
