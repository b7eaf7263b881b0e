"""Configuration of one provider: the values of `providers.NAME`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from ccproxy.auth.config import Auth


class ProviderConfig(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A provider: where it is, what it speaks, how to authenticate."""

    type: Annotated[str, Meta(description="Kind of provider: what it speaks and where it is, by default.")]
    host: Annotated[
        str,
        Meta(
            description="Host name, reached by https on 443; `host:port` is allowed. Default: the type's own.",
            extra={"format": "authority"},
        ),
    ] = ""
    path: Annotated[
        str,
        Meta(
            description="Path of the main operation, for example `/anthropic/v1/messages`; `{model}` and `{action}` are "
            "filled in from the request. Sibling operations (count_tokens, models, files) are found beside it. Default: "
            "the type's own.",
            extra={"format": "path"},
        ),
    ] = ""
    base_url: Annotated[
        str,
        Meta(
            description="Instead of host: `http://` or `https://` URL with port, path prefix and query as needed.",
            extra={"format": "url"},
        ),
    ] = ""
    auth: Annotated[
        Auth | Annotated[str, Meta(extra={"secret": True})] | None,
        Meta(description="Where its credential comes from; a bare string is a shell command."),
    ] = None
    verify: Annotated[bool, Meta(description="Verify its TLS certificate. Only switch off for a test server.")] = True
    dialects: Annotated[
        list[Literal["anthropic", "openai", "openai_responses", "gemini"]],
        Meta(
            description="What it speaks; requests in another dialect are converted. Default: that of the type, and for "
            "type `openai` on another host than OpenAI's only `openai` (Chat Completions)."
        ),
    ] = []
    family: Annotated[
        str,
        Meta(
            description="What is behind it, where type and host do not tell: ollama, vllm, llamacpp, lmstudio, moonshot, "
            "dashscope, … Decides what a converted request may ask for."
        ),
    ] = ""
    models: Annotated[list[str], Meta(description="Model names to list under `/v1/models`.")] = []
