"""The composition root: settings become servers, stores, routes. Objects are wired here and nowhere else."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path

import msgspec

from ccproxy import __version__
from ccproxy.auth.build import SourceBuilder
from ccproxy.auth.pool import CredentialPool, credential_report
from ccproxy.config.formats import is_loopback
from ccproxy.config.load import LoadedConfig
from ccproxy.config.settings import Settings
from ccproxy.config.watch import ConfigWatcher
from ccproxy.egress.breaker import Breaker
from ccproxy.egress.demo import DemoTransport
from ccproxy.egress.fetch import PublicFiles, public_socket
from ccproxy.egress.pooled import PooledTransport
from ccproxy.egress.reach import Reach
from ccproxy.egress.tls import check_trust, trusted_bundles
from ccproxy.egress.tokens import TokenPost
from ccproxy.egress.transport import Timeouts, Transport
from ccproxy.errors import ConfigError
from ccproxy.flows.open import open_store
from ccproxy.flows.recorder import Recorder
from ccproxy.flows.store import store_place
from ccproxy.flows.writer import Writer
from ccproxy.gateway.guard import Guard
from ccproxy.gateway.handler import Gateway
from ccproxy.gateway.projects import Projects
from ccproxy.gateway.runtime import Runtime
from ccproxy.gateway.server import Server
from ccproxy.inspector.service import Inspector
from ccproxy.interceptor import messages
from ccproxy.interceptor.control import Control
from ccproxy.interceptor.supervisor import InterceptorError, Supervisor, write_trust
from ccproxy.jail.protocol import socket_path
from ccproxy.lightllm.reasoning_store import ReasoningStore
from ccproxy.lightllm.registry import Registry
from ccproxy.pipeline.loader import Loader
from ccproxy.pipeline.pipelines import Pipelines, build, hook_directory
from ccproxy.pipeline.services import Services
from ccproxy.providers.config import ProviderConfig, Retry
from ccproxy.providers.registry import build_provider
from ccproxy.routing.resolve import Router, compile_rules
from ccproxy.telemetry.logging import set_level
from ccproxy.telemetry.logging import shutdown as shutdown_logging
from ccproxy.util.address import parse_address
from ccproxy.util.aio import TaskGroupKeeper
from ccproxy.util.clock import SystemClock
from ccproxy.util.fs import ensure_private_file
from ccproxy.util.memory import Trimmer, find_trim
from ccproxy.util.paths import config_dir, state_dir

_log = logging.getLogger("ccproxy")

#: Settings that count only at the start, for the warning when they are edited.
_AT_START: tuple[tuple[str, Callable[[Settings], object]], ...] = (
    ("host", lambda s: s.host),
    ("port", lambda s: s.port),
    ("flows.path", lambda s: s.flows.path),
    ("flows.store", lambda s: s.flows.store),
    ("gateway.max_header_bytes", lambda s: s.gateway.max_header_bytes),
    ("gateway.max_headers", lambda s: s.gateway.max_headers),
    ("gateway.header_seconds", lambda s: s.gateway.header_seconds),
    ("gateway.idle_seconds", lambda s: s.gateway.idle_seconds),
    ("gateway.max_websocket_message_bytes", lambda s: s.gateway.max_websocket_message_bytes),
    ("inspector.port", lambda s: s.inspector.port),
    ("inspector.keylog", lambda s: s.inspector.keylog),
    ("inspector.mitmproxy", lambda s: s.inspector.mitmproxy),
    ("interceptor", lambda s: s.interceptor),
    ("jail.allow_host", lambda s: s.jail.allow_host),
)


#: Is called with the URLs of the gateway, and the address that logs a browser in to the inspector ("" without one).
type OnReady = Callable[[list[str], str], None]


class Application:
    """Everything that runs in one `ccproxy start`.

    Args:
        config: the configuration at the start.
        reload: reads it again.
    """

    def __init__(self, config: LoadedConfig, reload: Callable[[], LoadedConfig]) -> None:
        settings = config.settings
        self._clock = SystemClock()
        self._config = config
        self._bound_host = settings.host
        self._loaded_at = self._clock.wall()
        self._begin = self._clock.mono()
        self._hook_files: frozenset[Path] = frozenset()
        self._pools: dict[str, tuple[object, CredentialPool | None]] = {}
        self._breakers: dict[str, Breaker] = {}
        self._reach = Reach()
        self._checked = False
        self._credentials = SourceBuilder(clock=self._clock, post=TokenPost(lambda: self._network))
        check_trust(settings.egress)
        self._dialects = Registry()
        self._reasoning = ReasoningStore(self._clock.mono)
        self._projects = Projects()
        self._keylog = _keylog("tls.keylog") if settings.inspector.keylog else None
        self._network = PooledTransport(settings.egress, keylog=self._keylog)
        self._retired: list[PooledTransport] = []
        self._public: PublicFiles | None = None
        self._local = DemoTransport()
        self._store: Writer | None = None
        if settings.flows.enabled:
            self._store = open_store(store_place(settings.flows), clock=self._clock, config=settings.flows)
        self._recorder = Recorder(self._store, settings.flows, self._clock)
        self._inspector = Inspector(
            settings.inspector.port,
            store_place(settings.flows),
            self._dialects,
            lambda: self._config.settings.gateway.allowed_hosts,
            self._state,
        )
        if self._inspector.wanted:
            self._recorder.watcher = self._inspector.hub
        self._services = Services(self._clock, self._dialects)
        self._handoff_secret = secrets.token_urlsafe(32)
        self._gateway = Gateway(
            self._runtime(config, self._network),
            self._recorder,
            self._clock,
            self._health,
            handoff_secret=self._handoff_secret,
            note=self._reach.note,
        )
        self._server = Server(self._gateway, settings.gateway)
        self._watcher = ConfigWatcher(config, reload, self._apply, files=lambda: self._hook_files)
        self._interceptor = Supervisor(self._interceptor_settings, self._store)
        self._control = Control(self._interceptor, socket_path(settings.port))
        self._tasks = TaskGroupKeeper()
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()

    async def run(self, on_ready: OnReady) -> None:
        """Serves until a signal asks for the end. Raises CommandError if it cannot listen."""
        settings = self._config.settings
        urls = await self._server.start(settings.host, settings.port)
        if self._store is not None:
            self._store.start()
        try:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._signalled)
            loop.add_signal_handler(signal.SIGHUP, self._watcher.trigger)
            self._tasks.spawn(self._watcher.run(), name="configuration watcher")
            self._tasks.spawn(self._check_providers(settings.providers), name="first look at the providers")
            if (trim := find_trim()) is not None:
                trimmer = Trimmer(lambda: (self._gateway.total, self._gateway.active), trim)
                self._tasks.spawn(trimmer.run(), name="giving memory back")
            if sys.platform == "linux":
                await self._listen_for_launchers()
            if settings.interceptor.preload or _has_doors(settings):
                self._tasks.spawn(self._preload(), name="interceptor")
            _log.info("ccproxy %s listens on %s", __version__, " ".join(urls))
            for warning in self._config.warnings:
                _log.warning("%s", warning)
            if self._keylog is not None:
                _log.warning("inspector.keylog: the keys of every connection are written to %s", self._keylog.parent)
            self._inspector.bind()
            on_ready(urls, self._inspector.login_url())
            self._tasks.spawn(self._inspector.start(), name="inspector")
            await self._stop.wait()
            await self._server.drain(self._config.settings.gateway.drain_seconds, self._hurry)
        finally:
            await self._inspector.close()
            await self._control.close()
            await self._interceptor.close()
            await self._tasks.close()
            for _, pool in self._pools.values():
                if pool is not None:
                    await pool.close()
            transports: list[Transport] = [self._network, *self._retired, self._local]
            for transport in transports:
                await transport.close()
            if self._public is not None:
                await self._public.close()
            if self._store is not None:
                await asyncio.to_thread(self._store.close)
            _log.info("ccproxy has ended")

    def _signalled(self) -> None:
        """The first signal drains, the second ends what still runs, a third kills."""
        if self._hurry.is_set():
            shutdown_logging()
            os._exit(1)
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    def _apply(self, config: LoadedConfig) -> None:
        """Takes a new configuration into use for requests to come. Raises our errors; then the old one stays."""
        before, after = self._config.settings, config.settings
        if not is_loopback(self._bound_host) and not after.gateway.client_keys:
            raise ConfigError(
                f"gateway.client_keys is empty, and the proxy listens on {self._bound_host}",
                hint="give the keys back, or restart ccproxy on a loopback address",
            )
        network = self._network
        network_changed = after.egress != before.egress
        if network_changed:
            check_trust(after.egress)
            network = PooledTransport(after.egress, keylog=self._keylog)
        runtime = self._runtime(config, network)
        if network is not self._network:
            # Running answers hold on to the old connections, which close with them or as they idle.
            self._retired.append(self._network)
            self._network = network
        self._gateway.use(runtime)
        self._interceptor.retarget(_targets(after))
        self._recorder.config = after.flows
        if self._store is not None:
            self._store.config = after.flows
        set_level(after.log_level)
        late = [name for name, read in _AT_START if read(before) != read(after)]
        if late:
            _log.warning("restart ccproxy to use the new value of %s", ", ".join(late))
        for warning in config.warnings:
            _log.warning("%s", warning)
        self._config = config
        self._loaded_at = self._clock.wall()
        other = {
            name for name, each in after.providers.items() if network_changed or before.providers.get(name) != each
        }
        for name in {*before.providers} - {*after.providers} | other:
            self._reach.note(name, "")
        self._tasks.spawn(self._check_providers(other), name="a look at changed providers")

    def _runtime(self, config: LoadedConfig, network: PooledTransport) -> Runtime:
        settings = config.settings
        hooks = self._hooks(config)
        providers = {
            name: build_provider(name, config, self._pool(name, config.auth))
            for name, config in settings.providers.items()
        }
        gateway, egress = settings.gateway, settings.egress
        return Runtime(
            config=gateway,
            providers=providers,
            router=Router(
                providers,
                compile_rules(settings.inspector.transforms),
                msgspec.structs.asdict(gateway.default_upstreams),
                frozenset(self._dialects.names()),
            ),
            dialects=self._dialects,
            lightllm=settings.lightllm,
            reasoning=self._reasoning,
            files=self._files(settings),
            hooks=hooks,
            services=self._services,
            breakers={
                name: self._breaker(name, config)
                for name, config in settings.providers.items()
                if config.retry is not None or config.fallback
            },
            guard=Guard(
                hosts=frozenset(host.lower() for host in gateway.allowed_hosts),
                origins=frozenset(gateway.allowed_origins),
                client_keys=gateway.client_keys,
            ),
            timeouts=Timeouts(egress.connect_seconds, egress.first_byte_seconds, egress.idle_seconds),
            network=network,
            local=self._local,
            capacity=settings.gemini_capacity,
            projects=self._projects,
        )

    def _files(self, settings: Settings) -> PublicFiles | None:
        """What fetches images by URL, if that is wanted. Behind a proxy it cannot be seen where a name leads."""
        if not settings.lightllm.fetch_images or settings.egress.proxy:
            return None
        if self._public is None:
            # Kept for the life of the process; `egress.ca_file` is read when it first connects.
            self._public = PublicFiles(PooledTransport(settings.egress, new_socket=public_socket))
        return self._public

    def _hooks(self, config: LoadedConfig) -> Pipelines:
        """The hooks of a configuration; files are read anew. Those that could not be loaded are watched all the same."""
        loader = Loader(hook_directory(config.path))
        try:
            pipelines = build(config.settings.hooks, loader, origins=config.origins)
        finally:
            self._hook_files = frozenset(loader.files)
        for warning in pipelines.warnings:
            _log.warning("%s", warning)
        return pipelines

    def _pool(self, name: str, auth: object) -> CredentialPool | None:
        """The credentials of a provider; where the configuration is the same they keep what they know."""
        known = self._pools.get(name)
        if known is None or known[0] != auth:
            known = (auth, self._credentials.pool(auth, name))  # type: ignore[arg-type]
            self._pools[name] = known
        return known[1]

    async def _check_providers(self, names: Collection[str]) -> None:
        """Says at once what will not work, instead of at the first request: a credential that is not there is an error,
        as only a person can mend it, a provider that cannot be reached a warning."""
        providers = [each for each in self._gateway.runtime.providers.values() if each.name in names]
        for provider in providers:
            for member in provider.credentials.members if provider.credentials is not None else ():
                await member.source.look()
                if problem := member.source.status().problem:
                    _log.error("%s", problem)
        if self._config.settings.egress.check_at_start:
            await self._reach.check(providers, self._network)
            for provider in providers:
                if problem := self._reach.problems.get(provider.name, ""):
                    _log.warning("provider %r: %s", provider.name, problem)
        self._checked = True

    def _breaker(self, name: str, config: ProviderConfig) -> Breaker:
        """The state of health of a provider, kept as long as its limits stay the same."""
        limits = config.retry or Retry()
        known = self._breakers.get(name)
        if known is None or (known.failures, known.seconds) != (limits.breaker_failures, limits.breaker_seconds):
            known = Breaker(failures=limits.breaker_failures, seconds=limits.breaker_seconds, clock=self._clock)
            self._breakers[name] = known
        return known

    def _interceptor_settings(self) -> messages.Settings:
        """What an interceptor process is told at its start."""
        settings = self._config.settings
        host = self._server.address
        return messages.Settings(
            config=settings.interceptor,
            mitmproxy=settings.inspector.mitmproxy,
            gateway=host,
            secret=self._handoff_secret,
            targets=_targets(settings),
            directory=str(config_dir()),
            trust=write_trust(state_dir() / "interceptor-trust.pem", trusted_bundles(settings.egress)),
            keylog=str(self._keylog or ""),
            wireguard_keylog=str(_keylog("wireguard.keylog")) if settings.inspector.keylog else "",
            max_body_bytes=settings.flows.max_body_bytes if settings.flows.enabled else -1,
            own_ports=[host[1]],
            host_ports=[int(port) for port in settings.jail.allow_host],
        )

    async def _listen_for_launchers(self) -> None:
        try:
            await self._control.start()
        except OSError as error:
            _log.warning("`run --inspect` will not work: no control socket: %s", error)

    async def _preload(self) -> None:
        try:
            await self._interceptor.start()
        except InterceptorError as error:
            _log.error("%s", error)

    def _health(self) -> dict[str, object]:
        """The document of `/health`."""
        settings = self._config.settings
        breakers = self._gateway.runtime.breakers
        return {
            "status": "ok",
            "version": __version__,
            "pid": os.getpid(),
            "uptime_seconds": round(self._clock.mono() - self._begin, 3),
            "port": settings.port,
            "exchanges": {"active": self._gateway.active, "total": self._gateway.total},
            "recording": self._recording(),
            "inspector": self._inspector.report(),
            "config": {
                "path": str(self._config.path or ""),
                "loaded_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._loaded_at)),
                "problem": self._watcher.problem,
            },
            "hooks": {
                pipeline.stage: [pipeline.hooks[position].name for position in pipeline.graph.order]
                for pipeline in (self._gateway.runtime.hooks.inbound, self._gateway.runtime.hooks.outbound)
            },
            "checked": self._checked,
            "providers": [
                {
                    "name": provider.name,
                    "type": provider.type.name,
                    "dialect": provider.dialect,
                    "dialects": list(provider.dialects),
                    "url": "" if provider.type.in_process else provider.origin + provider.path,
                    "auth": provider.credentials.label if provider.credentials is not None else "",
                    "credentials": credential_report(provider.credentials, self._clock),
                    "breaker": breakers[provider.name].state if provider.name in breakers else None,
                    "problem": self._reach.problems.get(provider.name, ""),
                }
                for provider in self._gateway.runtime.providers.values()
            ],
        }

    def _recording(self) -> dict[str, object]:
        problem = self._store.problem if self._store is not None else "switched off by flows.enabled"
        return {"on": not problem and self._config.settings.flows.enabled, "problem": problem}

    def _state(self) -> dict[str, object]:
        """What the inspector's page says of the proxy."""
        return {
            "port": self._config.settings.port,
            "active": self._gateway.active,
            "total": self._gateway.total,
            "recording": self._recording(),
        }


def _targets(settings: Settings) -> messages.Targets:
    """Whose requests the interceptor hands to the gateway: those of every provider, of the default upstreams, and what
    a rule matches by host."""
    built = [build_provider(name, config, None) for name, config in settings.providers.items()]
    urls = msgspec.structs.asdict(settings.gateway.default_upstreams).values()
    hosts = {provider.host for provider in built if not provider.type.in_process}
    hosts |= {parse_address(url).host for url in urls if url}
    patterns = [rule.match_host for rule in settings.inspector.transforms if rule.match_host]
    return messages.Targets(hosts=sorted(host.lower() for host in hosts), patterns=patterns)


def _has_doors(settings: Settings) -> bool:
    """Whether the interceptor has clients beyond jails."""
    return bool(settings.interceptor.wireguard.listen) or settings.interceptor.http_proxy_port is not None


def _keylog(name: str) -> Path:
    return ensure_private_file(state_dir() / "keylog" / name)


async def serve(config: LoadedConfig, *, reload: Callable[[], LoadedConfig], on_ready: OnReady) -> None:
    """Runs the proxy until SIGTERM or SIGINT (a second one cuts running answers short); SIGHUP reads the
    configuration again.

    Args:
        config: what to start with.
        reload: reads the configuration again; raises ConfigError.
        on_ready: called once when requests are served.

    Raises CommandError if an address cannot be bound, ConfigError if the settings cannot be put into use.
    """
    await Application(config, reload).run(on_ready)
