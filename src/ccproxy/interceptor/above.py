"""The proxy above (`interceptor.upstream_proxy`), for connections that are not HTTP: a CONNECT, then the client's bytes.

HTTP is sent there by mitmproxy, request by request (`gatekeeper.py`). Everything else opens the one server connection of
its client connection; this layer, which lies below all others, opens the proxy's instead and asks it to go on. What the
proxy says no to is a connection that failed, with the proxy's answer as the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mitmproxy.connection import Server
from mitmproxy.proxy import commands, tunnel
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator

from ccproxy.egress.proxy import EgressProxy

#: Longest head of the proxy's answer, in bytes.
_MAX_HEAD = 65536
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})(?: ([^\r\n]*))?\r?\n")


class Above(tunnel.TunnelLayer):
    """The layer. `child_layer` is the caller's to set.

    Args:
        proxy: the one above.
        name_of: the host name to ask the proxy for, by address; "" where only the address is known.
    """

    def __init__(self, context: Context, proxy: EgressProxy, name_of: Callable[[str], str]) -> None:
        super().__init__(context, tunnel_connection=Server(address=(proxy.host, proxy.port)), conn=context.server)
        self._server = context.server
        self._proxy = proxy
        self._name_of = name_of
        self._head = b""

    def start_handshake(self) -> CommandGenerator[None]:
        """Asks for the destination."""
        yield commands.SendData(self.tunnel_connection, connect_request(self._target(), self._proxy.authorization))

    def receive_handshake_data(self, data: bytes) -> CommandGenerator[tuple[bool, str | None]]:
        """Takes the answer; returns whether it is complete, and what is wrong with it."""
        self._head += data
        end = re.search(rb"\r?\n\r?\n", self._head)
        if end is None:
            return False, self._complaint("sent no end of its answer") if len(self._head) > _MAX_HEAD else None
        head, rest = self._head[: end.end()], self._head[end.end() :]
        self._head = b""
        status = _STATUS_LINE.match(head)
        if status is None:
            return False, self._complaint("did not answer in HTTP/1")
        if not status[1].startswith(b"2"):
            reason = b" ".join(filter(None, status.groups())).decode("latin-1")
            return False, self._complaint(f"refused it: {reason}")
        if rest:
            yield from self.receive_data(rest)
        return True, None

    def _target(self) -> tuple[str, int]:
        assert self._server.address is not None
        host, port = self._server.address[:2]
        return self._name_of(host) or host, port

    def _complaint(self, what: str) -> str:
        host, port = self._target()
        return f"no connection to {host} port {port}: the proxy {self._proxy.name} (interceptor.upstream_proxy) {what}"


def connect_request(target: tuple[str, int], authorization: str = "") -> bytes:
    """A CONNECT (RFC 9110 section 9.3.6) for host and port.

    Args:
        authorization: the value for Proxy-Authorization, or "".
    """
    host, port = target
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if authorization:
        lines.append(f"Proxy-Authorization: {authorization}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")
