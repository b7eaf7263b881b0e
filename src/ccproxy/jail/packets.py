"""The little of IP that a tunnel's end needs: who talks to whom, and the answers that end a conversation at once.

A connection whose way out is gone would wait for minutes. A reset that carries the sequence number the client expects
next ends it now, and an ICMP "port unreachable" tells a UDP client to try something else.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

TCP, UDP, ICMP6 = 6, 17, 58
_FIN, _SYN, _RST, _ACK = 0x01, 0x02, 0x04, 0x10
_RESET_WINDOW = 0
_MAX_FLOWS = 8192
#: What an ICMP error may quote of a packet, so that it stays within the smallest MTU of IPv6.
_QUOTED4, _QUOTED6 = 548, 1192

Key = bytes


@dataclass(frozen=True, slots=True)
class Head:
    """The addresses of a packet, raw; `offset` is where its transport header begins."""

    version: int
    protocol: int
    source: bytes
    target: bytes
    offset: int


def head(packet: bytes) -> Head | None:
    """The head of an IP packet; None if it is no whole one, or no first fragment."""
    if len(packet) < 20:
        return None
    version = packet[0] >> 4
    if version == 4:
        offset = (packet[0] & 15) * 4
        if (int.from_bytes(packet[6:8], "big") & 0x1FFF) or len(packet) < offset + 8:
            return None
        return Head(4, packet[9], packet[12:16], packet[16:20], offset)
    if version == 6 and len(packet) >= 48:
        return Head(6, packet[6], packet[8:24], packet[24:40], 40)
    return None


def udp_port(packet: bytes) -> int:
    """The destination port of a UDP packet, 0 for every other packet. Quick: asked for every packet."""
    version = packet[0] >> 4
    if version == 4:
        if packet[9] != UDP:
            return 0
    elif version != 6 or packet[6] != UDP:
        return 0
    found = head(packet)
    return 0 if found is None else int.from_bytes(packet[found.offset + 2 : found.offset + 4], "big")


class Connections:
    """The TCP connections that leave through a tunnel, with what each one's client expects next."""

    def __init__(self) -> None:
        self._expected: dict[Key, bytes] = {}

    def __len__(self) -> int:
        return len(self._expected)

    def outgoing(self, packet: bytes) -> None:
        """Takes note of a packet that a client sends."""
        version = packet[0] >> 4
        if version == 4:
            if packet[9] != TCP:
                return
            offset = (packet[0] & 15) * 4
            key = packet[12 : offset + 4] if offset == 20 else packet[12:20] + packet[offset : offset + 4]
        elif version == 6 and packet[6] == TCP:
            offset = 40
            key = packet[8:44]
        else:
            return
        if len(packet) < offset + 20:
            return
        flags = packet[offset + 13]
        if flags & _RST:
            self._expected.pop(key, None)
        elif flags & _SYN:
            # Nothing was received yet: a reset must acknowledge the SYN instead.
            following = (int.from_bytes(packet[offset + 4 : offset + 8], "big") + 1) & 0xFFFFFFFF
            self._expected[key] = b"S" + following.to_bytes(4, "big")
            if len(self._expected) > _MAX_FLOWS:
                del self._expected[next(iter(self._expected))]
        elif flags & _ACK and key in self._expected:
            self._expected[key] = packet[offset + 8 : offset + 12]

    def resets(self) -> list[bytes]:
        """A reset for each connection, as if its server had sent it. The connections are forgotten."""
        found = [_reset(key, expected) for key, expected in self._expected.items()]
        self._expected.clear()
        return found


def _reset(key: Key, expected: bytes) -> bytes:
    size = 4 if len(key) == 12 else 16
    client, server = key[:size], key[size : 2 * size]
    client_port, server_port = key[2 * size : 2 * size + 2], key[2 * size + 2 :]
    if expected[:1] == b"S" and len(expected) == 5:
        sequence, acknowledged, flags = bytes(4), expected[1:], _RST | _ACK
    else:
        sequence, acknowledged, flags = expected, bytes(4), _RST
    segment = server_port + client_port + sequence + acknowledged
    segment += struct.pack(">BBHHH", 5 << 4, flags, _RESET_WINDOW, 0, 0)
    checksum = _transport_checksum(server, client, TCP, segment)
    segment = segment[:16] + checksum + segment[18:]
    return _packet(server, client, TCP, segment)


def port_unreachable(packet: bytes) -> bytes | None:
    """The ICMP error that answers a UDP packet; None if that is not a whole one."""
    found = head(packet)
    if found is None:
        return None
    if found.version == 4:
        body = struct.pack(">BBHI", 3, 3, 0, 0) + packet[:_QUOTED4]
        body = body[:2] + checksum_of(body) + body[4:]
        return _packet(found.target, found.source, 1, body)
    body = struct.pack(">BBHI", 1, 4, 0, 0) + packet[:_QUOTED6]
    body = body[:2] + _transport_checksum(found.target, found.source, ICMP6, body) + body[4:]
    return _packet(found.target, found.source, ICMP6, body)


def checksum_of(data: bytes) -> bytes:
    """The Internet checksum (RFC 1071)."""
    if len(data) & 1:
        data += b"\0"
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (~total & 0xFFFF).to_bytes(2, "big")


def _transport_checksum(source: bytes, target: bytes, protocol: int, segment: bytes) -> bytes:
    tail = (
        struct.pack(">HH", protocol, len(segment)) if len(source) == 4 else struct.pack(">II", len(segment), protocol)
    )
    return checksum_of(source + target + tail + segment)


def _packet(source: bytes, target: bytes, protocol: int, payload: bytes) -> bytes:
    if len(source) == 4:
        packet = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0) + source + target
        return packet[:10] + checksum_of(packet) + packet[12:] + payload
    return struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64) + source + target + payload
