"""The outer end of a jail's TUN device: carries its packets through WireGuard to the interceptor.

Runs in a process of its own, outside the jail, with nothing but the device's descriptor and one UDP socket. It ends
when the launcher closes the control socket or the interceptor is gone. At its end it resets the connections that are
open and closes the device, so that programs in the jail fail at once instead of waiting: there is no other way out.
"""

from __future__ import annotations

import base64
import os
import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ccproxy.jail.packets import Connections, port_unreachable, udp_port
from ccproxy.jail.wireguard import Output, Tunnel

_BUFFER = 4 * 1024 * 1024
_BATCH = 64
_MAX_PACKET = 65536
_TICK_SECONDS = 1.0


class Bridge:
    """One tunnel between a device and an endpoint.

    Args:
        device: the TUN descriptor, which becomes the bridge's to close.
        endpoint: address and port of the interceptor's WireGuard server.
        private, peer: our static key, and the server's public one.
        refused_udp: UDP ports whose packets are answered by "port unreachable"; 0 stands for all but DNS.
        keylog: file that gets each handshake's keys in the form Wireshark reads, or None.
    """

    def __init__(
        self,
        device: int,
        endpoint: tuple[str, int],
        *,
        private: bytes,
        peer: bytes,
        refused_udp: frozenset[int] = frozenset(),
        keylog: Path | None = None,
    ) -> None:
        os.set_blocking(device, False)
        self._device = device
        self._socket = socket.socket(socket.AF_INET6 if ":" in endpoint[0] else socket.AF_INET, socket.SOCK_DGRAM)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self._socket.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
        self._socket.connect(endpoint)
        self._socket.setblocking(False)
        log = key_logger(keylog, private, peer) if keylog is not None else None
        self._tunnel = Tunnel(private, peer, stamp=time.time_ns, on_handshake=log)
        self._connections = Connections()
        self._refused_udp = refused_udp

    def run(self, control: socket.socket, on_up: Callable[[], None]) -> str:
        """Carries packets until an end comes. Returns why it ended: "" if the launcher asked for it."""
        with select.epoll() as poll:
            for descriptor in (self._device, self._socket.fileno(), control.fileno()):
                poll.register(descriptor, select.EPOLLIN)
            announced = False
            try:
                self._do(self._tunnel.tick(time.monotonic()))
                while True:
                    for descriptor, _ in poll.poll(_TICK_SECONDS):
                        if descriptor == control.fileno():
                            return ""
                        if descriptor == self._device:
                            self._from_device()
                        else:
                            self._from_socket()
                    self._do(self._tunnel.tick(time.monotonic()))
                    if not announced and self._tunnel.up:
                        announced = True
                        on_up()
            except ConnectionRefusedError:
                return "the interceptor is gone"
            finally:
                self.close()

    def close(self) -> None:
        """Ends every connection, then takes the device away."""
        for packet in self._connections.resets():
            self._to_device(packet)
        os.close(self._device)
        self._socket.close()

    def _from_device(self) -> None:
        now = time.monotonic()
        for _ in range(_BATCH):
            try:
                packet = os.read(self._device, _MAX_PACKET)
            except BlockingIOError:
                return
            port = udp_port(packet)
            if port and (port in self._refused_udp or (0 in self._refused_udp and port != 53)):
                if answer := port_unreachable(packet):
                    self._to_device(answer)
                continue
            self._connections.outgoing(packet)
            self._do(self._tunnel.send(packet, now))

    def _from_socket(self) -> None:
        now = time.monotonic()
        for _ in range(_BATCH):
            try:
                datagram = self._socket.recv(_MAX_PACKET)
            except BlockingIOError:
                return
            self._do(self._tunnel.receive(datagram, now))

    def _do(self, output: Output) -> None:
        for datagram in output.datagrams:
            # A full buffer loses the packet, as a network would; TCP sends it again.
            with suppress(BlockingIOError):
                self._socket.send(datagram)
        for packet in output.packets:
            self._to_device(packet)

    def _to_device(self, packet: bytes) -> None:
        with suppress(OSError):  # the device is down or full
            os.write(self._device, packet)


def key_logger(path: Path, private: bytes, peer: bytes) -> Callable[[X25519PrivateKey], None]:
    """Appends a handshake's keys to `path` (0600). The ephemeral one is what Wireshark needs to decrypt anything."""

    def encoded(key: bytes) -> str:
        return base64.b64encode(key).decode()

    def log(ephemeral: X25519PrivateKey) -> None:
        lines = (
            f"LOCAL_STATIC_PRIVATE_KEY = {encoded(private)}\n"
            f"REMOTE_STATIC_PUBLIC_KEY = {encoded(peer)}\n"
            f"LOCAL_EPHEMERAL_PRIVATE_KEY = {encoded(ephemeral.private_bytes_raw())}\n"
        )
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(lines)

    return log


def from_orders(orders: dict[str, Any], device: int) -> Bridge:
    """The bridge that the launcher's orders describe (`jail/helper.py`)."""
    return Bridge(
        device,
        (orders["host"], orders["port"]),
        private=base64.b64decode(orders["private_key"]),
        peer=base64.b64decode(orders["peer_key"]),
        refused_udp=frozenset(orders["refused_udp"]),
        keylog=Path(orders["keylog"]) if orders.get("keylog") else None,
    )
