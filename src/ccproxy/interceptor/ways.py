"""The ways into the interceptor process: a WireGuard server or a relay's endpoint for each run, and the open doors for
clients beyond jails. Each connection that comes in is given to mitmproxy, with where it was going.

A run has a server of its own: two clients with one key would throw each other out, and what comes in by it is the run's.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import logging
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import mitmproxy_rs
from mitmproxy.connection import Client, Server
from mitmproxy.master import Master
from mitmproxy.proxy import layers, mode_specs
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler, ServerManager

from ccproxy.egress.proxy import EgressProxy
from ccproxy.interceptor import processes
from ccproxy.interceptor.above import Above
from ccproxy.interceptor.policy import Policy, is_loopback
from ccproxy.jail.network import HOST_ADDRESSES

_log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
#: Ports on which the server speaks first, so that waiting for the client's first words would take for ever.
_SERVER_SPEAKS_FIRST = frozenset({21, 25, 110, 119, 143, 587, 1080, 2525, 3306, 5900, 6667})
_QUIC_PORT = 443
_MAX_LINE = 4096
#: Longest wait for a jail's first process to be named, for a relay's first line, and for connections to be closed.
_NAMING_SECONDS = 2.0
_LINE_SECONDS = 10.0
_CLOSING_SECONDS = 2.0

type Address = tuple[str, int]


@dataclass(slots=True)
class Way:
    """Where the connections of one run come in.

    Attributes:
        run: its id; "" for clients beyond jails.
        pid: the jail's first process, by its id outside; 0 as long as it is not known.
        pid_known: set when it is, or when it will not be told any more.
        owners: the process behind each open connection, found in the background.
        connections: the open ones, each with what its client's side is closed by.
        beyond: for connections to the proxy above, by their ids, the server that is asked for through them.
    """

    run: str
    policy: Policy
    mode: mode_specs.ProxyMode
    pid: int = 0
    pid_known: asyncio.Event = field(default_factory=asyncio.Event)
    owners: dict[str, asyncio.Task[str]] = field(default_factory=dict)
    connections: dict[asyncio.Task[None], Any] = field(default_factory=dict)
    beyond: dict[str, Server] = field(default_factory=dict)
    server: Any = None

    def attribute(self, pid: int) -> None:
        """Names the jail's first process."""
        self.pid = pid
        self.pid_known.set()

    async def owner(self, protocol: str, port: int) -> str:
        """The process of the jail that has a connection from a port. Waits for the jail to be named, but not twice."""
        try:
            async with asyncio.timeout(_NAMING_SECONDS):
                await self.pid_known.wait()
        except TimeoutError:
            self.pid_known.set()
        return await asyncio.to_thread(processes.owner, self.pid, protocol, port) if self.pid else ""


class Ways:
    """All ways of this process.

    Args:
        refuse_quic, refuse_udp: answer HTTP/3, or all UDP but DNS, with nothing at all.
        upstream: the proxy through which TCP connections that are not HTTP are made, or None.
    """

    def __init__(
        self,
        master: Master,
        manager: ServerManager,
        *,
        refuse_quic: bool,
        refuse_udp: bool,
        upstream: EgressProxy | None = None,
    ) -> None:
        self._master = master
        self._manager = manager
        self._upstream = upstream
        self._refuse_quic = refuse_quic
        self._refuse_udp = refuse_udp
        self._ways: dict[str, Way] = {}

    def of(self, client: Client) -> Way | None:
        """The way by which a client came in."""
        return self._ways.get(client.proxy_mode.full_spec)

    def by_run(self, run: str) -> Way | None:
        """The way of a run."""
        return self._ways.get(_spec(run))

    async def owner(self, client: Client) -> str:
        """The process that opened a client connection, if it is a jail's."""
        way = self.of(client)
        task = way.owners.get(client.id) if way is not None else None
        return await task if task is not None else ""

    async def open_tunnel(self, run: str, policy: Policy, public_key: bytes) -> tuple[Address, bytes]:
        """A WireGuard server for a run: its address and its public key. Raises OSError or ValueError."""
        way = self._begin(run, policy)
        private = mitmproxy_rs.wireguard.genkey()
        return await self._serve_tunnel(way, (LOOPBACK, 0), private, public_key)

    async def open_endpoint(self, policy: Policy, listen: Address, private: str, public_key: bytes) -> Address:
        """The WireGuard server for clients beyond this machine; its address. Raises OSError or ValueError."""
        address, _ = await self._serve_tunnel(self._begin("", policy), listen, private, public_key)
        return address

    async def open_relay(self, run: str, policy: Policy) -> tuple[Address, str]:
        """An endpoint for a run's relay: its address, and what connections to it begin with. Raises OSError."""
        way = self._begin(run, policy)
        token = secrets.token_urlsafe(32)

        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                async with asyncio.timeout(_LINE_SECONDS):
                    line = json.loads(await reader.readuntil(b"\n"))
                known = hmac.compare_digest(str(line["token"]), token)
                source, target = _address(line["source"]), _address(line["target"])
            except (ValueError, KeyError, TypeError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                known = False
            if not known:
                writer.close()
                return
            await self._connection(way, reader, _Relayed(writer, source, target), target)

        way.server = await asyncio.start_server(accepted, LOOPBACK, 0, limit=_MAX_LINE * 64)
        return way.server.sockets[0].getsockname()[:2], token

    async def open_http_proxy(self, policy: Policy, port: int) -> Address:
        """A listener for clients that are told to use an HTTP proxy. Raises OSError."""
        mode = mode_specs.ProxyMode.parse(f"regular@{LOOPBACK}:{port}")
        way = self._ways[mode.full_spec] = Way("", policy, mode)

        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._connection(way, reader, writer, None)

        way.server = await asyncio.start_server(accepted, LOOPBACK, port)
        address: Address = way.server.sockets[0].getsockname()[:2]
        return address

    async def close(self, run: str) -> None:
        """Closes a run's way and ends its connections. Returns when they have been recorded."""
        way = self.by_run(run)
        if way is None:
            return
        if way.server is not None:
            way.server.close()
        for writer in list(way.connections.values()):
            with suppress(OSError):  # its server, which has just been closed, was quicker
                writer.close()
        if way.connections:
            await asyncio.wait(list(way.connections), timeout=_CLOSING_SECONDS)
        for task in list(way.connections):
            task.cancel()
        del self._ways[_spec(run)]

    def _begin(self, run: str, policy: Policy) -> Way:
        mode = mode_specs.ProxyMode.parse(_spec(run))
        way = self._ways[mode.full_spec] = Way(run, policy, mode)
        return way

    def forget(self, run: str) -> None:
        """A way that could not be opened."""
        self._ways.pop(_spec(run), None)

    async def _serve_tunnel(self, way: Way, listen: Address, private: str, public_key: bytes) -> tuple[Address, bytes]:
        async def tcp(stream: mitmproxy_rs.Stream) -> None:
            target = stream.get_extra_info("sockname")
            await self._connection(way, stream, stream, target)

        async def udp(stream: mitmproxy_rs.Stream) -> None:
            target = stream.get_extra_info("sockname")
            quic = target[1] == _QUIC_PORT and self._refuse_quic
            if quic or (self._refuse_udp and target[1] != 53):
                stream.close()
                return
            await self._connection(way, stream, stream, target)

        client = base64.b64encode(public_key).decode()
        way.server = await mitmproxy_rs.wireguard.start_wireguard_server(*listen, private, [client], tcp, udp)
        own = base64.b64decode(mitmproxy_rs.wireguard.pubkey(private))
        return way.server.getsockname()[:2], own

    async def _connection(self, way: Way, reader: Any, writer: Any, target: Address | None) -> None:
        """One connection, from its first byte to its end."""
        handler = ProxyConnectionHandler(self._master, reader, writer, self._master.options, way.mode)
        context = handler.layer.context
        client = context.client
        if target is not None and is_loopback(target[0]):
            # Through a relay comes what a jail says to its own loopback, and there nobody listens.
            writer.close()
            return
        above = None
        if target is None:
            handler.layer = layers.modes.HttpProxy(context)
        else:
            mapped = target[0] in HOST_ADDRESSES and target[1] in way.policy.host_ports
            context.server.address = (LOOPBACK, target[1]) if mapped else target
            tcp = client.transport_protocol == "tcp"
            if tcp and not mapped and self._upstream is not None and target[1] != 53:
                above = Above(context, self._upstream, way.policy.name_of)
                way.beyond[above.tunnel_connection.id] = context.server
            first = tcp and target[1] in _SERVER_SPEAKS_FIRST
            handler.layer = layers.TCPLayer(context) if first else layers.modes.TransparentProxy(context)
            if above is not None:
                above.child_layer = handler.layer
                handler.layer = above
        if way.run and target is not None and target[1] != 53:
            find = way.owner(client.transport_protocol, client.peername[1])
            way.owners[client.id] = asyncio.create_task(find)
        task = asyncio.current_task()
        assert task is not None
        way.connections[task] = writer
        try:
            with self._manager.register_connection(client.id, handler):
                await handler.handle_client()
        finally:
            del way.connections[task]
            if above is not None:
                del way.beyond[above.tunnel_connection.id]
            if owner := way.owners.pop(client.id, None):
                await asyncio.wait({owner})  # whoever asked for it may still do so


class _Relayed:
    """A writer whose connection came through a relay: the addresses are those that the relay saw."""

    def __init__(self, writer: asyncio.StreamWriter, source: Address, target: Address) -> None:
        self._writer = writer
        self._known: dict[str, Any] = {"peername": source, "sockname": target, "transport_protocol": "tcp"}

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._known.get(name, self._writer.get_extra_info(name, default))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)


def _spec(run: str) -> str:
    """The proxy mode that the connections of a run have; its name says which run."""
    return f"wireguard:{run}@{LOOPBACK}:0"


def _address(value: Any) -> Address:
    return str(value[0]), int(value[1])
