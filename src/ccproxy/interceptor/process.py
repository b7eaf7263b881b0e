"""The interceptor process: mitmproxy with the few of its addons that are needed, and ours, steered over a channel.

It ends when the proxy closes the channel or dies. It listens on nothing of its own accord: each run's way in is opened
when the proxy says so. Its log lines go to the proxy's log, its flows to the proxy's store.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

import mitmproxy_rs
from mitmproxy import exceptions
from mitmproxy.addons import (
    core,
    disable_h2c,
    dns_resolver,
    next_layer,
    proxyserver,
    script,
    strip_dns_https_records,
    tlsconfig,
)
from mitmproxy.master import Master
from mitmproxy.options import Options

from ccproxy.egress.proxy import parse_proxy
from ccproxy.errors import CCProxyError
from ccproxy.flows.config import FlowsConfig
from ccproxy.flows.model import Flow
from ccproxy.flows.recorder import Recorder
from ccproxy.flows.redact import Scrubber
from ccproxy.interceptor import messages, wireguard
from ccproxy.interceptor.gatekeeper import Destinations, Gatekeeper
from ccproxy.interceptor.messages import Channel, Settings
from ccproxy.interceptor.names import Names
from ccproxy.interceptor.policy import Patterns, Policy
from ccproxy.interceptor.scribe import Scribe
from ccproxy.interceptor.ways import Ways
from ccproxy.util.aio import TaskGroupKeeper
from ccproxy.util.clock import SystemClock

_log = logging.getLogger("ccproxy.interceptor")

_EVERYTHING = Patterns.of([])
#: The file that mitmproxy keeps the public half of its authority in.
_AUTHORITY = "mitmproxy-ca-cert.pem"


class RemoteStore:
    """A flow store at the other end of a channel."""

    problem = ""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def put(self, flow: Flow, scrubber: Scrubber) -> asyncio.Future[bool]:
        """Hands the flow over. Whether it came to the disk is not told: the future says no at once."""
        self._channel.send(messages.Recorded(flow=flow, secrets=scrubber.secrets))
        future = asyncio.get_running_loop().create_future()
        future.set_result(False)
        return future

    def put_all(self, flows: Sequence[tuple[Flow, Scrubber]]) -> list[asyncio.Future[bool]]:
        """`put` for several flows."""
        return [self.put(flow, scrubber) for flow, scrubber in flows]


class ChannelHandler(logging.Handler):
    """Sends log records to the proxy, as text."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        self._channel.send(messages.Said(level=record.levelno, text=self.format(record)))


class Process:
    """One interceptor.

    Args:
        settings: what the proxy began with.
        channel: to the proxy.
    """

    def __init__(self, settings: Settings, channel: Channel) -> None:
        self._settings = settings
        self._channel = channel
        self._master = Master(Options())
        self._closing = TaskGroupKeeper()
        self._server = proxyserver.Proxyserver()
        config = settings.config
        upstream = parse_proxy(config.upstream_proxy)
        self._ways = Ways(
            self._master,
            self._server,
            refuse_quic=config.quic == "reject",
            refuse_udp=config.udp == "refuse",
            upstream=upstream,
        )
        self._gatekeeper = Gatekeeper(
            self._ways,
            Destinations.of(settings.targets),
            settings.gateway,
            settings.secret,
            own_ports=frozenset(settings.own_ports),
            upstream=upstream,
        )
        clock = SystemClock()
        recording = FlowsConfig(enabled=settings.max_body_bytes >= 0, max_body_bytes=max(0, settings.max_body_bytes))
        scripts = [str(Path(path).expanduser()) for path in config.scripts]
        self._master.addons.add(
            core.Core(),
            script.ScriptLoader(),
            disable_h2c.DisableH2C(),
            strip_dns_https_records.StripDnsHttpsRecords(),
            self._server,
            self._gatekeeper,
            Scribe(self._ways, Recorder(RemoteStore(channel), recording, clock), clock, stream_requests=not scripts),
            Names(),
            dns_resolver.DnsResolver(),
            next_layer.NextLayer(),
            tlsconfig.TlsConfig(),
        )
        self._master.options.update(**self._options(), scripts=scripts)

    async def run(self) -> None:
        """Serves until the channel ends. Raises OSError, ValueError or mitmproxy's OptionsError if it cannot start."""
        running = asyncio.create_task(self._master.run())
        config = self._settings.config
        ready = messages.Ready(authority=str(Path(self._settings.directory) / _AUTHORITY))
        if config.wireguard.listen:
            ready.wireguard = await self._open_endpoint()
        if config.http_proxy_port is not None:
            host, port = await self._ways.open_http_proxy(
                self._policy([], [], on_this_machine=True), config.http_proxy_port
            )
            ready.http_proxy = f"http://{host}:{port}"
        self._channel.send(ready)
        while (message := await self._channel.receive()) is not None:
            match message:
                case messages.Open():
                    await self._open(message)
                case messages.Close(run=run):
                    self._closing.spawn(self._close(run), name=f"end of run {run}")
                case messages.Attribute(run=run, pid=pid):
                    if way := self._ways.by_run(run):
                        way.attribute(pid)
                case messages.Targets():
                    self._gatekeeper.destinations = Destinations.of(message)
                case _:
                    _log.error("unexpected message %s", type(message).__name__)
        self._master.shutdown()
        await running

    async def _open(self, message: messages.Open) -> None:
        try:
            policy = self._policy(message.allow, message.deny)
            if message.public_key:
                (host, port), key = await self._ways.open_tunnel(message.run, policy, message.public_key)
                reply = messages.Opened(run=message.run, host=host, port=port, peer_key=key)
            else:
                (host, port), token = await self._ways.open_relay(message.run, policy)
                reply = messages.Opened(run=message.run, host=host, port=port, token=token)
        except (OSError, ValueError) as error:
            self._ways.forget(message.run)
            self._channel.send(messages.NotOpened(run=message.run, message=str(error)))
        else:
            self._channel.send(reply)

    async def _close(self, run: str) -> None:
        await self._ways.close(run)
        self._channel.send(messages.Closed(run=run))

    async def _open_endpoint(self) -> str:
        """The WireGuard endpoint for clients beyond this machine; returns what such a client has to be told."""
        config = self._settings.config.wireguard
        keys = wireguard.keys(Path(self._settings.directory) / "wireguard-keys.json", mitmproxy_rs.wireguard.genkey)
        public = mitmproxy_rs.wireguard.pubkey(keys.client)
        await self._ways.open_endpoint(
            self._policy([], []), (config.listen, config.port), keys.server, base64.b64decode(public)
        )
        return wireguard.client_config(config, keys, mitmproxy_rs.wireguard.pubkey(keys.server))

    def _policy(self, allow: list[str], deny: list[str], *, on_this_machine: bool = False) -> Policy:
        return Policy(
            allow=Patterns.of(allow),
            deny=Patterns.of(deny),
            providers=self._gatekeeper.destinations.hosts,
            host_ports=frozenset(self._settings.host_ports),
            on_this_machine=on_this_machine,
        )

    def _options(self) -> dict[str, object]:
        settings = self._settings
        own = settings.mitmproxy
        return {
            "server": False,
            "confdir": settings.directory,
            # The connection to a server is made when it is known whose it will be.
            "connection_strategy": "lazy",
            "upstream_cert": False,
            "show_ignored_hosts": True,
            "http3": settings.config.quic == "intercept",
            "ssl_verify_upstream_trusted_ca": settings.trust,
            "ssl_insecure": own.ssl_insecure,
            "ignore_hosts": own.ignore_hosts,
            "allow_hosts": own.allow_hosts,
            "tcp_hosts": own.tcp_hosts,
            "udp_hosts": own.udp_hosts,
            "http2": own.http2,
            "websocket": own.websocket,
            "validate_inbound_headers": own.validate_inbound_headers,
            "tcp_timeout": own.tcp_timeout,
        }


async def serve(descriptor: int) -> int:
    """Runs over the socket with this descriptor. Returns the exit code."""
    channel = await Channel.open(socket.socket(fileno=descriptor))
    settings = await channel.receive()
    if not isinstance(settings, Settings):
        return 1
    root = logging.getLogger()
    root.addHandler(ChannelHandler(channel))
    root.setLevel(logging.WARNING)
    os.umask(0o077)
    try:
        await Process(settings, channel).run()
    except (CCProxyError, OSError, ValueError, exceptions.OptionsError) as error:
        channel.send(messages.Unable(message=str(error)))
        await channel.drain()
        channel.close()
        return 1
    return 0


def main(descriptor: int) -> int:
    """The process, from its first line to its exit code."""
    # Ctrl-C in the proxy's terminal is the proxy's, which closes the channel when it is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return asyncio.run(serve(descriptor))
