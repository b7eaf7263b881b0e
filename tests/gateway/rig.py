"""A gateway on a free loopback port in front of a FakeProvider, in one event loop, recording into a list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ccproxy.auth.base import Credential, StaticSource
from ccproxy.auth.pool import CredentialPool
from ccproxy.egress.config import EgressConfig
from ccproxy.egress.demo import DemoTransport
from ccproxy.egress.fetch import PublicFiles
from ccproxy.egress.pooled import PooledTransport
from ccproxy.egress.transport import Timeouts
from ccproxy.flows.config import FlowsConfig
from ccproxy.flows.model import Flow
from ccproxy.flows.recorder import Recorder
from ccproxy.flows.redact import Scrubber
from ccproxy.gateway.config import GatewayConfig
from ccproxy.gateway.guard import Guard
from ccproxy.gateway.handler import Gateway
from ccproxy.gateway.runtime import Runtime
from ccproxy.gateway.server import Server
from ccproxy.lightllm.config import LightllmConfig
from ccproxy.lightllm.reasoning_store import ReasoningStore
from ccproxy.lightllm.registry import Registry
from ccproxy.pipeline.config import Hooks, HooksConfig
from ccproxy.pipeline.loader import Loader
from ccproxy.pipeline.pipelines import build
from ccproxy.pipeline.services import Services
from ccproxy.providers.config import GeminiCapacity, ProviderConfig
from ccproxy.providers.registry import build_provider
from ccproxy.routing.config import TransformRule
from ccproxy.routing.resolve import Router, compile_rules
from ccproxy.testing import FakeProvider
from ccproxy.util.clock import SystemClock

KEY = "sk-provider-secret-0123456789"
PATIENCE = 10.0


HANDOFF_SECRET = "made-for-this-process"


class ListStore:
    """Keeps flows in memory."""

    problem = ""

    def __init__(self) -> None:
        self.flows: list[Flow] = []
        self._arrived = asyncio.Condition()

    def put(self, flow: Flow, scrubber: Scrubber) -> asyncio.Future[bool]:
        return self.put_all([(flow, scrubber)])[0]

    def put_all(self, flows: Sequence[tuple[Flow, Scrubber]]) -> list[asyncio.Future[bool]]:
        futures: list[asyncio.Future[bool]] = []
        for flow, _ in flows:
            self.flows.append(flow)
            futures.append(asyncio.get_running_loop().create_future())
            futures[-1].set_result(True)
        return futures


@dataclass(slots=True)
class Raw:
    """An answer read from the wire."""

    status: int
    headers: dict[str, str]
    body: bytes
    complete: bool
    head: bytes = b""


@dataclass(slots=True)
class Rig:
    """The running gateway and what stands around it."""

    url: str
    port: int
    provider: FakeProvider
    gateway: Gateway
    server: Server
    store: ListStore
    runtime: Runtime
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def flow(self, index: int = -1) -> Flow:
        """A recorded flow; waits until the exchange has ended."""
        async with asyncio.timeout(PATIENCE):
            while self.gateway.active or len(self.store.flows) <= max(index, 0):
                await asyncio.sleep(0)
        return self.store.flows[index]

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A client connection; the rig closes what a test leaves open."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        return reader, writer

    async def raw(self, request: bytes) -> Raw:
        """Sends bytes on a connection of their own and reads one answer."""
        reader, writer = await self.open()
        writer.write(request)
        answer = await read_answer(reader)
        writer.close()
        return answer

    async def request(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: list[tuple[str, str]] | dict[str, str] | None = None,
    ) -> Raw:
        pairs = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
        lines = [f"{method} {target} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", *(f"{n}: {v}" for n, v in pairs)]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        return await self.raw("\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b""))


async def read_answer(reader: asyncio.StreamReader) -> Raw:
    """One HTTP/1.1 answer; `complete` tells whether its framing was fulfilled."""
    async with asyncio.timeout(PATIENCE):
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            if line:
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
        status = int(lines[0].split()[1])
        body, complete = b"", True
        try:
            if headers.get("transfer-encoding") == "chunked":
                while True:
                    size = int(await reader.readuntil(b"\r\n"), 16)
                    piece = await reader.readexactly(size + 2)
                    if not size:
                        break
                    body += piece[:-2]
            elif "content-length" in headers:
                body = await reader.readexactly(int(headers["content-length"]))
        except asyncio.IncompleteReadError as error:
            body, complete = body + error.partial, False
        except ConnectionResetError:
            complete = False
    return Raw(status, headers, body, complete, head)


@asynccontextmanager
async def rig(
    *,
    provider: FakeProvider | None = None,
    rules: list[TransformRule] | None = None,
    config: GatewayConfig | None = None,
    timeouts: Timeouts | None = None,
    defaults: dict[str, str | None] | None = None,
    types: dict[str, ProviderConfig] | None = None,
    egress: EgressConfig | None = None,
    hooks: Hooks | None = None,
    hook_base: Path | None = None,
    pools: dict[str, CredentialPool] | None = None,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    lightllm: LightllmConfig | None = None,
    files: PublicFiles | None = None,
    capacity: GeminiCapacity | None = None,
) -> AsyncIterator[Rig]:
    """A running gateway. `providers`: one per dialect (anthropic, openai, responses, gemini) at the fake provider with
    the key `KEY`, and `demo`; the default upstreams are the fake provider too."""
    async with provider or FakeProvider() as fake:
        clock = SystemClock()
        network = PooledTransport(egress or EgressConfig())
        pool = CredentialPool([StaticSource(Credential(KEY))], clock=clock)
        configs = {
            "anthropic": ProviderConfig(type="anthropic", base_url=fake.url),
            "openai": ProviderConfig(type="openai", base_url=fake.url),
            "responses": ProviderConfig(type="openai_responses", base_url=fake.url),
            "gemini": ProviderConfig(type="gemini", base_url=fake.url),
            "demo": ProviderConfig(type="demo"),
            **(types or {}),
        }
        providers = {
            name: build_provider(name, config, (pools or {}).get(name, pool)) for name, config in configs.items()
        }
        upstreams = dict.fromkeys(("anthropic", "openai", "gemini", "codex", "code_assist"), fake.url) | (
            defaults or {}
        )
        dialects = Registry()
        gateway_config = config or GatewayConfig()
        runtime = Runtime(
            config=gateway_config,
            providers=providers,
            router=Router(providers, compile_rules(rules or []), upstreams, frozenset(dialects.names())),
            dialects=dialects,
            lightllm=lightllm or LightllmConfig(),
            hooks=build(hooks if hooks is not None else HooksConfig(), Loader(hook_base or Path())),
            services=Services(clock),
            reasoning=ReasoningStore(clock.mono),
            files=files,
            guard=Guard(
                frozenset(gateway_config.allowed_hosts),
                frozenset(gateway_config.allowed_origins),
                gateway_config.client_keys,
            ),
            timeouts=timeouts or Timeouts(),
            network=network,
            local=DemoTransport(pause=0),
            capacity=capacity or GeminiCapacity(),
        )
        store = ListStore()
        gateway = Gateway(
            runtime,
            Recorder(store, FlowsConfig(), clock),
            clock,
            lambda: {"status": "ok"},
            sleep,
            handoff_secret=HANDOFF_SECRET,
        )
        server = Server(gateway, gateway_config)
        urls = await server.start("127.0.0.1", 0)
        port = int(urls[0].rsplit(":", 1)[1])
        built = Rig(urls[0], port, fake, gateway, server, store, runtime)
        try:
            yield built
        finally:
            for writer in built.writers:
                writer.close()
            await asyncio.gather(*(writer.wait_closed() for writer in built.writers), return_exceptions=True)
            built.hurry.set()
            await server.drain(0, built.hurry)
            await network.close()
