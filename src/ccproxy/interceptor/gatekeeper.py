"""The mitmproxy addon that decides: answered here, refused, handed to the gateway, or let through.

    names (DNS) -> TLS -> request head -> gateway or upstream

Requests for a provider's host, or for one that a routing rule matches, go to the gateway over loopback with one field
that says where they were going (`exchange/handoff.py`): hooks, rules, credentials and recording are there. They are
taken in HTTP/1.1, since mitmproxy opens at most five connections to one address for a client connection, which
several streams of one HTTP/2 connection would wait for.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from mitmproxy import dns, http, tls
from mitmproxy.connection import Server
from mitmproxy.net.dns import response_codes, types
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from ccproxy.egress.proxy import EgressProxy
from ccproxy.exchange import handoff
from ccproxy.exchange.handoff import Handoff
from ccproxy.interceptor.messages import Targets
from ccproxy.interceptor.policy import OWN_ADDRESSES, REFUSED_ADDRESSES, address_of, is_loopback
from ccproxy.interceptor.ways import Way, Ways
from ccproxy.jail.network import DOCTOR_NAME, HOST_ADDRESSES, HOST_NAME
from ccproxy.routing.sentinel import PREFIX

#: What other addons see of the decision, in a flow's metadata.
REFUSED = "ccproxy.refused"
HANDED = "ccproxy.handed"
OURS = "ccproxy.ours"

_TTL = 60
_SETTLE_SECONDS = 0.05


@dataclass(slots=True)
class Destinations:
    """Whose requests are the gateway's."""

    hosts: frozenset[str]
    patterns: tuple[re.Pattern[str], ...]

    @classmethod
    def of(cls, targets: Targets) -> Destinations:
        return cls(frozenset(targets.hosts), tuple(re.compile(text) for text in targets.patterns))

    def include(self, host: str) -> bool:
        """Whether requests for `host` (lower case) go to the gateway."""
        return host in self.hosts or any(pattern.search(host) for pattern in self.patterns)


class Gatekeeper:
    """The addon.

    Args:
        gateway: where requests are handed to.
        secret: proves that we do.
        own_ports: ports of this machine that are ours.
        upstream: an HTTP proxy for what is let through, or None.
    """

    def __init__(
        self,
        ways: Ways,
        destinations: Destinations,
        gateway: tuple[str, int],
        secret: str,
        *,
        own_ports: frozenset[int],
        upstream: EgressProxy | None = None,
    ) -> None:
        self.destinations = destinations
        self._ways = ways
        self._gateway = gateway
        self._secret = secret
        self._own_ports = own_ports
        self._upstream = upstream

    def http_connect_upstream(self, flow: http.HTTPFlow) -> None:
        """Shows our credential to the proxy above."""
        if self._upstream is not None and self._upstream.authorization:
            flow.request.headers["proxy-authorization"] = self._upstream.authorization

    def dns_request(self, flow: dns.DNSFlow) -> None:
        """Answers our own names, and keeps questions for refused ones inside."""
        question = flow.request.question
        way = self._ways.of(flow.client_conn)
        if question is None or way is None:
            return
        name = question.name.lower().rstrip(".")
        if name in {HOST_NAME, DOCTOR_NAME}:
            self._answer(flow, question, HOST_ADDRESSES)
        elif name.endswith(".ccproxy.internal"):
            flow.response = flow.request.fail(response_codes.NXDOMAIN)
        elif way.policy.refuses_name(name):
            self._answer(flow, question, REFUSED_ADDRESSES)

    def dns_response(self, flow: dns.DNSFlow) -> None:
        """Remembers what a name led to."""
        way = self._ways.of(flow.client_conn)
        question = flow.request.question
        if way is not None and question is not None and flow.response is not None:
            records = [record for record in flow.response.answers if record.type in {types.A, types.AAAA}]
            found = [str(record.ipv4_address if record.type == types.A else record.ipv6_address) for record in records]
            way.policy.learn(question.name, found)

    def tls_clienthello(self, data: tls.ClientHelloData) -> None:
        """Keeps what will be handed on in HTTP/1.1."""
        hello = data.client_hello
        host = (hello.sni or "").lower()
        if self.destinations.include(host) and b"http/1.1" in hello.alpn_protocols:
            data.context.client.alpn = b"http/1.1"

    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Decides about a request."""
        way = self._ways.of(flow.client_conn)
        if way is None:
            flow.kill()
            return
        host = flow.request.pretty_host.lower().rstrip(".").strip("[]")
        if host == DOCTOR_NAME:
            flow.metadata[OURS] = True
            flow.response = http.Response.make(200, b"ccproxy\n", {"content-type": "text/plain"})
        elif reason := await self._refusal(flow, way, host):
            self._refuse(flow, reason)
        elif self.destinations.include(host):
            await self._hand_over(flow, way, host)
        elif _holds_sentinel(flow.request):
            self._refuse(
                flow,
                f"the request holds a sentinel key of ccproxy, and {host} is no provider's host: the key would be given "
                "away and be of no use there",
            )
        elif self._upstream is not None:
            via = (self._upstream.host, self._upstream.port)
            flow.request.host, header = host, flow.request.host_header
            flow.request.host_header = header
            flow.server_conn = Server(address=(host, flow.request.port))
            flow.server_conn.via = ("http", via)

    def server_connect(self, data: ServerConnectionHookData) -> None:
        """The last look at every connection that is about to be made."""
        address = data.server.address
        way = self._ways.of(data.client)
        if address is None or way is None:
            data.server.error = "unknown client"
            return
        host, port = address[0], address[1]
        if beyond := way.beyond.get(data.server.id):
            assert beyond.address is not None
            if reason := self._refuses(way, *beyond.address[:2]):
                data.server.error = reason
            return
        upstream = self._upstream
        if (host, port) == self._gateway or (upstream and (host, port) == (upstream.host, upstream.port)):
            return
        if upstream and data.server.transport_protocol == "tcp" and not self._machine(host):
            data.server.error = "of a client of the HTTP proxy only HTTP goes through interceptor.upstream_proxy"
        elif self._machine(host) and port in self._own_ports and not way.policy.on_this_machine:
            data.server.error = f"port {port} is ccproxy's own"
        elif self._machine(host) and port in way.policy.host_ports:
            return
        elif reason := self._refuses(way, host, port):
            data.server.error = reason

    async def server_connect_error(self, data: ServerConnectionHookData) -> None:
        """Gives the client's first words the time to come: a connection that the tunnel's server closes before them is
        left open, and the client waits for ever."""
        await asyncio.sleep(_SETTLE_SECONDS)

    async def _refusal(self, flow: http.HTTPFlow, way: Way, host: str) -> str:
        is_name = address_of(host) is None
        named = way.policy.refuses_name(host) if is_name else ""
        if named or self.destinations.include(host):
            return named
        address, port = flow.request.host, flow.request.port
        if self._machine(address) and port in way.policy.host_ports:
            return ""
        reason = self._refuses(way, address, port)
        if reason and is_name and not way.policy.knows(address):
            # The client has the address from elsewhere, its hosts file for one: is it the name's?
            way.policy.learn(host, await _resolve(host))
            reason = self._refuses(way, address, port)
        return reason

    def _refuses(self, way: Way, host: str, port: int) -> str:
        if address_of(host) is None:
            # Only clients of the HTTP proxy, and those sent on to another one, are connected by name.
            return way.policy.refuses_name(host) or way.policy.refuses_address(host, port)
        if host in OWN_ADDRESSES and host not in HOST_ADDRESSES:
            return f"{host} stands for a refused name"
        return way.policy.refuses_address(host, port)

    @staticmethod
    def _machine(host: str) -> bool:
        return host == "localhost" or is_loopback(host)

    async def _hand_over(self, flow: http.HTTPFlow, way: Way, host: str) -> None:
        request, client = flow.request, flow.client_conn
        flow.metadata[HANDED] = True
        peer = client.peername
        note = Handoff(
            scheme=request.scheme,
            host=host,
            port=request.port,
            http_version=request.http_version.removeprefix("HTTP/").removesuffix(".0"),
            run=way.run,
            address=peer[0],
            source_port=peer[1],
            process=await self._ways.owner(client),
        )
        header, authority = request.host_header, request.authority
        if client.transport_protocol == "udp":
            flow.server_conn = Server(address=self._gateway)  # what came as HTTP/3 goes on over TCP
        request.scheme = "http"
        request.host, request.port = self._gateway
        request.authority = authority
        if header is not None:
            request.host_header = header
        request.headers[handoff.FIELD.decode()] = handoff.field(note, self._secret).decode()

    @staticmethod
    def _refuse(flow: http.HTTPFlow, reason: str) -> None:
        flow.metadata[REFUSED] = reason
        document = {"type": "error", "error": {"type": "permission_error", "message": f"ccproxy: {reason}"}}
        flow.response = http.Response.make(
            403,
            json.dumps(document).encode() + b"\n",
            {"content-type": "application/json", "x-ccproxy-error": "denied"},
        )

    @staticmethod
    def _answer(flow: dns.DNSFlow, question: dns.Question, addresses: tuple[str, str]) -> None:
        ipv4, ipv6 = addresses
        if question.type == types.A:
            records = [dns.ResourceRecord.A(question.name, ipaddress.IPv4Address(ipv4), ttl=_TTL)]
        elif question.type == types.AAAA:
            records = [dns.ResourceRecord.AAAA(question.name, ipaddress.IPv6Address(ipv6), ttl=_TTL)]
        else:
            records = []
        flow.response = flow.request.succeed(records)


async def _resolve(host: str) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [str(entry[4][0]) for entry in found]


def _holds_sentinel(request: http.Request) -> bool:
    fields: Any = request.headers.fields
    return any(PREFIX in value for _, value in fields) or PREFIX in unquote_to_bytes(request.path)
