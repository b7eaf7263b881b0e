"""What is read out of IP packets, and the packets that are made up."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.jail import packets
from ccproxy.jail.packets import Connections, checksum_of, head, port_unreachable, udp_port

SYN, ACK, RST = 2, 16, 4
CLIENT4, SERVER4 = socket.inet_aton("10.0.0.1"), socket.inet_aton("203.0.113.10")
CLIENT6, SERVER6 = socket.inet_pton(socket.AF_INET6, "fd00:cc::1"), socket.inet_pton(socket.AF_INET6, "2001:db8::10")


def ip(source: bytes, target: bytes, protocol: int, payload: bytes) -> bytes:
    if len(source) == 4:
        return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0) + source + target + payload
    return struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64) + source + target + payload


def tcp(source: bytes, target: bytes, flags: int, sequence: int = 0, acknowledged: int = 0) -> bytes:
    segment = struct.pack(">HHIIBBHHH", 40000, 443, sequence, acknowledged, 5 << 4, flags, 100, 0, 0)
    return ip(source, target, packets.TCP, segment)


def udp(source: bytes, target: bytes, port: int) -> bytes:
    return ip(source, target, packets.UDP, struct.pack(">HHHH", 5000, port, 12, 0) + b"data")


def checked(packet: bytes) -> bool:
    """Whether the checksums of a packet without options are right."""
    size = 20 if packet[0] >> 4 == 4 else 40
    source, target = (packet[12:16], packet[16:20]) if size == 20 else (packet[8:24], packet[24:40])
    payload = packet[size:]
    protocol = packet[9] if size == 20 else packet[6]
    pseudo = source + target + struct.pack(">II", len(payload), protocol) if protocol != 1 else b""
    return (size == 40 or checksum_of(packet[:20]) == b"\0\0") and checksum_of(pseudo + payload) == b"\0\0"


BOTH = pytest.mark.parametrize(("client", "server"), [(CLIENT4, SERVER4), (CLIENT6, SERVER6)], ids=["ipv4", "ipv6"])


@BOTH
class TestResets:
    def test_an_open_connection_is_reset_where_its_client_is(self, client: bytes, server: bytes) -> None:
        connections = Connections()
        connections.outgoing(tcp(client, server, SYN, 99))
        connections.outgoing(tcp(client, server, ACK, 100, 5000))
        connections.outgoing(tcp(client, server, ACK | 8, 100, 6000))
        (reset,) = connections.resets()
        found = head(reset)
        assert found is not None
        assert (found.source, found.target, found.protocol) == (server, client, packets.TCP)
        ports_and_numbers = struct.unpack_from(">HHIIBB", reset, found.offset)
        assert ports_and_numbers == (443, 40000, 6000, 0, 5 << 4, RST)
        assert checked(reset)
        assert connections.resets() == []

    def test_one_that_is_being_opened_is_refused(self, client: bytes, server: bytes) -> None:
        connections = Connections()
        connections.outgoing(tcp(client, server, SYN, 0xFFFFFFFF))
        (reset,) = connections.resets()
        found = head(reset)
        assert found is not None
        assert struct.unpack_from(">IIBB", reset, found.offset + 4) == (0, 0, 5 << 4, RST | ACK)
        assert checked(reset)

    def test_one_that_was_reset_is_forgotten(self, client: bytes, server: bytes) -> None:
        connections = Connections()
        connections.outgoing(tcp(client, server, SYN))
        connections.outgoing(tcp(client, server, RST))
        assert len(connections) == 0

    def test_what_was_begun_before_is_not_known(self, client: bytes, server: bytes) -> None:
        connections = Connections()
        connections.outgoing(tcp(client, server, ACK, 1, 2))
        assert connections.resets() == []

    def test_udp_is_none(self, client: bytes, server: bytes) -> None:
        connections = Connections()
        connections.outgoing(udp(client, server, 53))
        assert len(connections) == 0

    def test_a_refusal_of_udp(self, client: bytes, server: bytes) -> None:
        packet = udp(client, server, 443)
        answer = port_unreachable(packet)
        assert answer is not None
        found = head(answer)
        assert found is not None
        assert (found.source, found.target) == (server, client)
        kind, code = answer[found.offset : found.offset + 2]
        assert (found.protocol, kind, code) == ((1, 3, 3) if len(client) == 4 else (packets.ICMP6, 1, 4))
        assert packet in answer
        assert checked(answer)

    def test_the_port_of_udp(self, client: bytes, server: bytes) -> None:
        assert udp_port(udp(client, server, 443)) == 443
        assert udp_port(tcp(client, server, SYN)) == 0


def test_there_is_an_end_to_what_is_remembered() -> None:
    connections = Connections()
    for number in range(10_000):
        packet = bytearray(tcp(CLIENT4, SERVER4, SYN))
        packet[20:22] = number.to_bytes(2, "big")
        connections.outgoing(bytes(packet))
    assert len(connections) <= 8192


def test_a_later_fragment_has_no_head() -> None:
    packet = bytearray(udp(CLIENT4, SERVER4, 443))
    packet[6:8] = b"\0\5"
    assert head(bytes(packet)) is None
    assert port_unreachable(bytes(packet)) is None


@given(st.binary(min_size=1, max_size=80))
def test_any_bytes_are_looked_at(data: bytes) -> None:
    connections = Connections()
    if len(data) >= 20:
        connections.outgoing(data)
        assert isinstance(udp_port(data), int)
    head(data)
    port_unreachable(data)
    connections.resets()
