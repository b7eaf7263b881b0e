"""All settings in one value: the composition of each package's own configuration model."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from ccproxy.egress.config import EgressConfig
from ccproxy.flows.config import FlowsConfig
from ccproxy.gateway.config import GatewayConfig
from ccproxy.interceptor.config import InterceptorConfig, MitmproxyConfig
from ccproxy.jail.config import JailConfig
from ccproxy.lightllm.config import LightllmConfig
from ccproxy.pipeline.config import HookEntry, HookPath, HooksConfig
from ccproxy.providers.config import GeminiCapacity, ProviderConfig
from ccproxy.routing.config import TransformRule

Port = Annotated[int, Meta(ge=1, le=65535)]
ProviderName = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]*$", extra={"format": "name"})]


class InspectorConfig(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Routing rules, and where the inspector listens."""

    port: Annotated[
        Port | None, Meta(description="Port of the web inspector, on 127.0.0.1 and ::1. null: no inspector.")
    ] = 8083
    transforms: Annotated[list[TransformRule], Meta(description="Routing rules, first match decides.")] = []
    keylog: Annotated[
        bool,
        Meta(
            description="Write the keys of TLS and WireGuard to `keylog/` in the state directory, for Wireshark. Whoever "
            "has them can read every recorded packet, credentials included."
        ),
    ] = False
    mitmproxy: MitmproxyConfig = MitmproxyConfig()


class Settings(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What stands under `ccproxy:` in ccproxy.yaml."""

    host: Annotated[
        str,
        Meta(
            description="Address the gateway binds. Beyond loopback it needs gateway.client_keys.",
            extra={"format": "bind"},
        ),
    ] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Port the gateway binds.")] = 4000
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], Meta(description="How much goes to the log.")
    ] = "INFO"
    providers: Annotated[
        dict[ProviderName, ProviderConfig],
        Meta(description="Providers by name. The key `sk-ant-oat-ccproxy-NAME` selects the provider NAME."),
    ] = {}
    gemini_capacity: GeminiCapacity = GeminiCapacity()
    hooks: Annotated[
        HooksConfig | list[HookPath | HookEntry], Meta(description="Hooks; a flat list is the inbound stage.")
    ] = HooksConfig()
    inspector: InspectorConfig = InspectorConfig()
    gateway: GatewayConfig = GatewayConfig()
    lightllm: LightllmConfig = LightllmConfig()
    egress: EgressConfig = EgressConfig()
    interceptor: InterceptorConfig = InterceptorConfig()
    jail: JailConfig = JailConfig()
    flows: FlowsConfig = FlowsConfig()
