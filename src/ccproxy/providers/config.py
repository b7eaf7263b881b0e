"""Configuration of one provider: the values of `providers.NAME`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from ccproxy.auth.config import Auth


class Retry(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What to do when the provider fails before its answer has begun."""

    attempts: Annotated[int, Meta(ge=1, le=20, description="How often a request is sent, the first time included.")] = 3
    base_seconds: Annotated[
        float, Meta(ge=0, description="First wait, where the provider names none; each further one is twice as long.")
    ] = 0.5
    max_seconds: Annotated[
        float, Meta(ge=0, description="Longest wait. A provider that asks for a longer one is not asked again.")
    ] = 30.0
    total_seconds: Annotated[float, Meta(ge=0, description="No wait begins that would end after this time.")] = 120.0
    hold_seconds: Annotated[
        float, Meta(ge=0, description="How long a stream without content is held back to see whether it is an error.")
    ] = 15.0
    breaker_failures: Annotated[
        int, Meta(ge=1, description="After this many failures in a row the provider is left alone.")
    ] = 5
    breaker_seconds: Annotated[
        float, Meta(ge=0, description="For this time; then one request finds out whether it is back.")
    ] = 30.0


OneAuth = Auth | Annotated[str, Meta(extra={"secret": True})]


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
        OneAuth | list[OneAuth] | None,
        Meta(
            description="Where its credential comes from; a bare string is a shell command. Of a list each conversation "
            "keeps to one, and moves on when that is refused or over its limit."
        ),
    ] = None
    retry: Annotated[
        Retry | None, Meta(description="Try again when the provider fails. Default: leave that to the client.")
    ] = None
    fallback: Annotated[
        list[str],
        Meta(
            description="Providers to go to, in order, when this one fails: `NAME`, or `NAME/MODEL` to ask for another "
            "model there."
        ),
    ] = []
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
    project: Annotated[
        str,
        Meta(
            description="Project of Google's cloud: needed by `vertex_ai` and `vertex_claude`; for Code Assist in place of "
            "the one that belongs to the login.",
            pattern=r"^([a-z0-9.-]+:)?[a-z0-9-]*$",
        ),
    ] = ""
    location: Annotated[
        str,
        Meta(description="Where that project's models run: a region, `global`, `us` or `eu`.", pattern=r"^[a-z0-9-]*$"),
    ] = ""
    models: Annotated[list[str], Meta(description="Model names to list under `/v1/models`.")] = []


class GeminiCapacity(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What to do when a model of a Gemini provider is full or over its limit (429, 503)."""

    enabled: Annotated[bool, Meta(description="Do it. Otherwise such errors go to the client as they are.")] = False
    fallback_models: Annotated[
        list[str], Meta(description="Models to ask instead, in order and once each, when the client's own stays full.")
    ] = []
    sticky_retry_attempts: Annotated[
        int, Meta(ge=0, le=10, description="How often the client's own model is asked again before that.")
    ] = 3
    sticky_retry_max_delay_seconds: Annotated[
        float,
        Meta(
            ge=0,
            description="Longest wait for the same model. If the provider asks for more, the next one's turn comes.",
        ),
    ] = 60.0
    terminal_delay_threshold_seconds: Annotated[
        float, Meta(ge=0, description="If it asks for more than this, nothing else is tried.")
    ] = 300.0
    total_retry_budget_seconds: Annotated[
        float,
        Meta(ge=0, description="No wait begins that would end after this time, and no other model is asked then."),
    ] = 120.0
