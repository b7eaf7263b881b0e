"""TCP keepalive, so that routers do not forget a connection while a model thinks, and a vanished peer is noticed."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any, Protocol

#: Seconds between probes of a silent connection.
SECONDS = 60


class _Options(Protocol):
    def setsockopt(self, level: int, option: int, value: int, /) -> None: ...


def probe(target: _Options) -> None:
    """Switches keepalive on for a TCP socket."""
    target.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # macOS calls TCP_KEEPIDLE TCP_KEEPALIVE.
    for name in ("TCP_KEEPIDLE", "TCP_KEEPALIVE", "TCP_KEEPINTVL"):
        if (option := getattr(socket, name, None)) is not None:
            target.setsockopt(socket.IPPROTO_TCP, option, SECONDS)


def new_socket(address: Iterable[Any]) -> socket.socket:
    """A socket for an entry of `getaddrinfo`, with keepalive on."""
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    probe(made)
    return made
