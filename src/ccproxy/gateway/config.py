"""Configuration of the gateway: the values of `gateway`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Label = Annotated[str, Meta(extra={"format": "label"})]
Url = Annotated[str, Meta(extra={"format": "url"})]


class DefaultUpstreams(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Where a request with the client's own credential goes, by the dialect it speaks. null refuses such requests."""

    anthropic: Annotated[Url | None, Meta(description="The Messages API and its siblings.")] = (
        "https://api.anthropic.com"
    )
    openai: Annotated[Url | None, Meta(description="Chat Completions, Responses and the other OpenAI endpoints.")] = (
        "https://api.openai.com"
    )
    gemini: Annotated[Url | None, Meta(description="`generateContent` and its siblings.")] = (
        "https://generativelanguage.googleapis.com"
    )
    codex: Annotated[Url | None, Meta(description="`/backend-api/…` of a ChatGPT login.")] = "https://chatgpt.com"
    code_assist: Annotated[Url | None, Meta(description="`/v1internal:…` of a gemini-cli login.")] = (
        "https://cloudcode-pa.googleapis.com"
    )


class GatewayConfig(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Limits and safety of the listener."""

    default_upstreams: DefaultUpstreams = DefaultUpstreams()
    client_keys: Annotated[
        dict[Label, Annotated[str, Meta(extra={"secret": True, "format": "client_key"})]],
        Meta(
            description="Keys that clients must present, by a name for each. Required to bind beyond loopback. "
            "`openssl rand -hex 32` makes a good one."
        ),
    ] = {}
    allowed_hosts: Annotated[
        list[Annotated[str, Meta(extra={"format": "hostname"})]],
        Meta(description="Further Host names that clients may use, beside loopback and IP addresses."),
    ] = []
    allowed_origins: Annotated[
        list[Annotated[str, Meta(extra={"format": "origin"})]],
        Meta(description="Web origins whose pages may call the gateway. Default: none but its own."),
    ] = []
    max_header_bytes: Annotated[int, Meta(ge=1024, description="Largest request head.")] = 128 * 1024
    max_headers: Annotated[int, Meta(ge=10, description="Most header fields of a request.")] = 500
    max_body_bytes: Annotated[int, Meta(ge=1024, description="Largest request body.")] = 256 * 1024 * 1024
    max_buffered_bytes: Annotated[
        int, Meta(ge=1024, description="Most bytes of request bodies held in memory at once, over all requests.")
    ] = 1024 * 1024 * 1024
    max_exchanges: Annotated[int, Meta(ge=1, description="Most requests served at once; further ones get a 503.")] = (
        2000
    )
    header_seconds: Annotated[float, Meta(gt=0, description="Time a client has to send a request head.")] = 15.0
    body_idle_seconds: Annotated[float, Meta(gt=0, description="Longest silence inside a request body.")] = 60.0
    idle_seconds: Annotated[float, Meta(gt=0, description="How long an idle client connection is kept.")] = 75.0
    keepalive_seconds: Annotated[
        float,
        Meta(
            ge=0,
            description="Silence inside of a provider's answer after which a client that gets a converted stream is told to keep "
            "waiting; 0 = never. Streams that are not converted are never added to.",
        ),
    ] = 30.0
    drain_seconds: Annotated[float, Meta(ge=0, description="How long running answers may go on after SIGTERM.")] = 30.0
    max_websocket_message_bytes: Annotated[int, Meta(ge=1024, description="Largest WebSocket message.")] = (
        64 * 1024 * 1024
    )
