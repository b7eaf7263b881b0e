"""The bridge between a device and a tunnel. The device is one end of a packet socket pair, the peer a Responder."""

from __future__ import annotations

import socket
import stat
import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ccproxy.jail.bridge import Bridge
from jail.responder import Responder
from jail.test_packets import ACK, CLIENT4, RST, SERVER4, SYN, tcp, udp

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the jail needs Linux")

PATIENCE = 30.0


class Rig:
    """A bridge that runs in a thread."""

    def __init__(self, refused_udp: frozenset[int], keylog: Path) -> None:
        private = X25519PrivateKey.generate()
        self.peer = Responder(private.public_key().public_bytes_raw())
        self.server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.server.bind(("127.0.0.1", 0))
        self.server.settimeout(PATIENCE)
        self.device, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.device.settimeout(PATIENCE)
        self.control, self._control = socket.socketpair()
        self.up = threading.Event()
        self.reason: list[str] = []
        bridge = Bridge(
            theirs.detach(),
            self.server.getsockname(),
            private=private.private_bytes_raw(),
            peer=self.peer.public,
            refused_udp=refused_udp,
            keylog=keylog,
        )
        self.thread = threading.Thread(target=lambda: self.reason.append(bridge.run(self._control, self.up.set)))
        self.thread.start()

    def connect(self) -> None:
        initiation, self.address = self.server.recvfrom(65536)
        self.server.sendto(self.peer.answer(initiation), self.address)
        assert self.hear() == b""
        assert self.up.wait(PATIENCE)

    def hear(self) -> bytes:
        return self.peer.open(self.server.recvfrom(65536)[0])

    def say(self, packet: bytes) -> None:
        self.server.sendto(self.peer.seal(packet), self.address)

    def end(self) -> str:
        self.thread.join(PATIENCE)
        return self.reason[0]

    def close(self) -> None:
        self.control.close()
        self.thread.join(PATIENCE)
        for one in (self.server, self.device, self._control):
            one.close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(frozenset({443}), tmp_path / "wireguard.keylog")
    yield made
    made.close()


def test_packets_go_both_ways(rig: Rig) -> None:
    rig.connect()
    packet = tcp(CLIENT4, SERVER4, SYN)
    rig.device.send(packet)
    assert rig.hear().startswith(packet)
    rig.say(tcp(SERVER4, CLIENT4, SYN | ACK))
    assert rig.device.recv(65536) == tcp(SERVER4, CLIENT4, SYN | ACK)


def test_quic_is_refused_on_the_spot(rig: Rig) -> None:
    rig.connect()
    packet = udp(CLIENT4, SERVER4, 443)
    rig.device.send(packet)
    answer = rig.device.recv(65536)
    assert (answer[9], answer[20:22], answer[28:]) == (1, b"\3\3", packet)
    rig.device.send(udp(CLIENT4, SERVER4, 53))
    assert rig.hear().startswith(udp(CLIENT4, SERVER4, 53))  # nothing came before it


def test_at_its_end_connections_are_reset(rig: Rig) -> None:
    rig.connect()
    rig.device.send(tcp(CLIENT4, SERVER4, SYN, 1))
    rig.device.send(tcp(CLIENT4, SERVER4, ACK, 2, 700))
    rig.hear()
    rig.hear()
    rig.control.close()
    assert rig.end() == ""
    reset = rig.device.recv(65536)
    assert struct.unpack_from(">I", reset, 24) == (700,)
    assert reset[33] == RST
    assert rig.device.recv(65536) == b""  # and the device is closed


def test_it_notices_that_the_interceptor_is_gone(rig: Rig) -> None:
    rig.connect()
    rig.server.close()
    while rig.thread.is_alive():
        try:
            rig.device.send(udp(CLIENT4, SERVER4, 53))
        except OSError:
            break
    assert rig.end() == "the interceptor is gone"


def test_the_key_log(rig: Rig, tmp_path: Path) -> None:
    rig.connect()
    log = tmp_path / "wireguard.keylog"
    lines = log.read_text().splitlines()
    assert [line.partition(" = ")[0] for line in lines] == [
        "LOCAL_STATIC_PRIVATE_KEY",
        "REMOTE_STATIC_PUBLIC_KEY",
        "LOCAL_EPHEMERAL_PRIVATE_KEY",
    ]
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
