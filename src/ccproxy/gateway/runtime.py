"""What one configuration makes of the gateway: built whole, swapped whole when the file changes.

A request keeps the runtime it began with, so a reload never touches a running stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ccproxy.egress.breaker import Breaker
from ccproxy.egress.fetch import PublicFiles
from ccproxy.egress.transport import Timeouts, Transport
from ccproxy.gateway.config import GatewayConfig
from ccproxy.gateway.guard import Guard
from ccproxy.gateway.projects import Projects
from ccproxy.lightllm.config import LightllmConfig
from ccproxy.lightllm.reasoning_store import ReasoningStore
from ccproxy.lightllm.registry import Registry
from ccproxy.pipeline.pipelines import Pipelines
from ccproxy.pipeline.services import Services
from ccproxy.providers.base import Provider
from ccproxy.providers.config import GeminiCapacity
from ccproxy.routing.resolve import Router


@dataclass(frozen=True, slots=True)
class Runtime:
    """The parts that depend on the configuration.

    Attributes:
        dialects: those that can be converted into one another.
        breakers: the state of health of the providers that have one, by name.
        reasoning: what clients do not send back; one for the whole life of the process.
        files: fetches what requests name by URL; None where that is not allowed.
        hooks: those of both stages; `services` is what they are lent.
        capacity: what to do when a Gemini model is full.
        projects: those that logins have at Code Assist; one for the whole life of the process.
        network: the way to real providers.
        local: the way to providers of an in-process type.
    """

    config: GatewayConfig
    providers: Mapping[str, Provider]
    router: Router
    guard: Guard
    timeouts: Timeouts
    network: Transport
    local: Transport
    dialects: Registry
    lightllm: LightllmConfig
    reasoning: ReasoningStore
    files: PublicFiles | None
    hooks: Pipelines
    services: Services
    breakers: Mapping[str, Breaker] = field(default_factory=dict)
    capacity: GeminiCapacity = field(default_factory=GeminiCapacity)
    projects: Projects = field(default_factory=Projects)

    def transport(self, provider: Provider | None) -> Transport:
        """The transport that reaches `provider` (None: a default upstream)."""
        return self.local if provider is not None and provider.type.in_process else self.network
