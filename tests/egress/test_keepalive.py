from __future__ import annotations

import socket

from ccproxy.egress.keepalive import SECONDS, new_socket, probe


def test_a_new_socket_probes_a_silent_peer() -> None:
    [address, *_] = socket.getaddrinfo("127.0.0.1", 9, type=socket.SOCK_STREAM)

    with new_socket(address) as made:
        assert made.family is socket.AF_INET
        assert made.type & socket.SOCK_STREAM
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if hasattr(socket, "TCP_KEEPIDLE"):
            assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == SECONDS


def test_a_socket_that_exists_can_be_told_to() -> None:
    with socket.socket(socket.AF_INET6) as made:
        assert not made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)

        probe(made)

        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
