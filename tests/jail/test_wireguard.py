"""The tunnel: what it says to its peer when, and what it believes."""

from __future__ import annotations

import itertools

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.jail import wireguard
from ccproxy.jail.wireguard import ReplayWindow, Tunnel
from jail.responder import Responder

PACKET = b"\x45\0\0\x17" + bytes(16) + b"abc"
PACKET6 = b"\x60\0\0\0\0\x03" + bytes(34) + b"abc"


class Pair:
    """A tunnel and its peer."""

    def __init__(self) -> None:
        private = X25519PrivateKey.generate()
        self.responder = Responder(private.public_key().public_bytes_raw())
        self.ephemeral: list[X25519PrivateKey] = []
        clock = itertools.count(5)
        self.tunnel = Tunnel(
            private.private_bytes_raw(),
            self.responder.public,
            stamp=lambda: next(clock),
            on_handshake=self.ephemeral.append,
        )

    def connect(self, now: float = 0.0) -> list[bytes]:
        """Goes through a handshake; returns what the tunnel sends after it."""
        (initiation,) = self.tunnel.tick(now).datagrams
        return self.tunnel.receive(self.responder.answer(initiation), now).datagrams


@pytest.fixture
def pair() -> Pair:
    return Pair()


class TestHandshake:
    def test_it_is_confirmed_by_an_empty_message(self, pair: Pair) -> None:
        assert not pair.tunnel.up
        (confirmation,) = pair.connect()
        assert pair.responder.open(confirmation) == b""
        assert pair.tunnel.up
        assert len(pair.ephemeral) == 1

    def test_what_waited_goes_first(self, pair: Pair) -> None:
        (initiation,) = pair.tunnel.send(PACKET, 0.0).datagrams
        assert pair.tunnel.send(PACKET6, 0.0).datagrams == []
        sent = pair.tunnel.receive(pair.responder.answer(initiation), 0.0).datagrams
        opened = [pair.responder.open(message) for message in sent]
        assert [packet[:23] for packet in opened[:1]] == [PACKET]
        assert opened[1].startswith(PACKET6)
        assert all(len(packet) % 16 == 0 for packet in opened)

    def test_what_waits_is_bounded(self, pair: Pair) -> None:
        (initiation,) = pair.tunnel.tick(0.0).datagrams
        for _ in range(1000):
            pair.tunnel.send(PACKET, 0.0)
        assert len(pair.tunnel.receive(pair.responder.answer(initiation), 0.0).datagrams) == 256

    def test_it_is_repeated_until_it_is_answered(self, pair: Pair) -> None:
        pair.tunnel.tick(0.0)
        assert pair.tunnel.tick(0.5).datagrams == []
        (again,) = pair.tunnel.tick(1.0).datagrams
        pair.tunnel.receive(pair.responder.answer(again), 1.1)
        assert pair.tunnel.up

    def test_a_cookie_is_answered_at_once_and_used_again(self, pair: Pair) -> None:
        (initiation,) = pair.tunnel.tick(0.0).datagrams
        (second,) = pair.tunnel.receive(pair.responder.want_cookie(initiation), 0.0).datagrams
        pair.tunnel.receive(pair.responder.answer(second), 0.0)
        assert pair.tunnel.up
        (third,) = pair.tunnel.tick(wireguard.REKEY_AFTER + 0.1).datagrams
        pair.responder.answer(third)
        assert pair.responder.with_cookie == [True, False]  # a cookie is good for two minutes

    def test_the_same_cookie_twice_makes_no_loop(self, pair: Pair) -> None:
        (first,) = pair.tunnel.tick(0.0).datagrams
        (second,) = pair.tunnel.receive(pair.responder.want_cookie(first), 0.0).datagrams
        assert pair.tunnel.receive(pair.responder.want_cookie(second), 0.0).datagrams == []

    def test_keys_are_renewed_whether_or_not_anything_is_sent(self, pair: Pair) -> None:
        pair.connect()
        assert pair.tunnel.tick(wireguard.REKEY_AFTER - 1).datagrams == []
        (renewal,) = pair.tunnel.tick(wireguard.REKEY_AFTER + 1).datagrams
        old = pair.responder.seal(PACKET)
        answer = pair.responder.answer(renewal)
        # Until the answer has come the old keys serve, and what is still on its way in them is taken afterwards.
        assert pair.tunnel.send(PACKET, wireguard.REKEY_AFTER + 1).datagrams
        pair.tunnel.receive(answer, wireguard.REKEY_AFTER + 1.1)
        assert pair.tunnel.receive(old, wireguard.REKEY_AFTER + 1.2).packets == [PACKET]
        assert pair.tunnel.receive(pair.responder.seal(PACKET6), wireguard.REKEY_AFTER + 1.2).packets == [PACKET6]

    def test_old_keys_send_nothing_any_more(self, pair: Pair) -> None:
        pair.connect()
        late = wireguard.REJECT_AFTER + 1
        (initiation,) = pair.tunnel.send(PACKET, late).datagrams
        assert initiation[:1] == b"\1"
        assert not pair.tunnel.up
        (sent,) = pair.tunnel.receive(pair.responder.answer(initiation), late).datagrams
        assert pair.responder.open(sent).startswith(PACKET)

    def test_the_stamp_grows_even_where_the_clock_stands(self) -> None:
        private, responder = X25519PrivateKey.generate(), Responder()
        tunnel = Tunnel(private.private_bytes_raw(), responder.public, stamp=lambda: 7)
        for now in (0.0, 1.0, 2.0):
            responder.answer(tunnel.tick(now).datagrams[0])
        assert responder.stamps == sorted(set(responder.stamps))


class TestMessages:
    def test_packets_come_without_their_padding(self, pair: Pair) -> None:
        pair.connect()
        assert pair.tunnel.receive(pair.responder.seal(PACKET), 0.0).packets == [PACKET]
        assert pair.tunnel.receive(pair.responder.seal(PACKET6), 0.0).packets == [PACKET6]

    def test_a_message_is_taken_once(self, pair: Pair) -> None:
        pair.connect()
        message = pair.responder.seal(PACKET)
        assert pair.tunnel.receive(message, 0.0).packets == [PACKET]
        assert pair.tunnel.receive(message, 0.0).packets == []

    @pytest.mark.parametrize("content", [b"", b"\0" * 32, b"\x45\0\xff\xff" + bytes(28), b"\x15" * 16])
    def test_what_is_no_packet_is_passed_over(self, pair: Pair, content: bytes) -> None:
        pair.connect()
        assert pair.tunnel.receive(pair.responder.seal(content), 0.0).packets == []

    @given(st.binary(max_size=200))
    def test_garbage_does_nothing(self, data: bytes) -> None:
        pair = Pair()
        pair.connect()
        out = pair.tunnel.receive(data, 0.0)
        assert (out.packets, out.datagrams) == ([], [])
        first = pair.tunnel.tick(200.0).datagrams
        assert first
        out = pair.tunnel.receive(data, 200.0)
        assert (out.packets, out.datagrams) == ([], [])


class TestReplayWindow:
    def test_order_does_not_matter_but_each_counts_once(self) -> None:
        window = ReplayWindow()
        assert [window.accepts(number) for number in (3, 1, 3, 2, 0, 1)] == [True, True, False, True, True, False]

    def test_what_is_too_old_is_refused(self) -> None:
        window = ReplayWindow()
        assert window.accepts(5000)
        assert window.accepts(5000 - 2047)
        assert not window.accepts(5000 - 2048)

    def test_a_jump_forgets_the_rest(self) -> None:
        window = ReplayWindow()
        assert window.accepts(1)
        assert window.accepts(10**9)
        assert not window.accepts(1)

    @given(st.lists(st.integers(min_value=0, max_value=2500), max_size=200))
    def test_it_is_a_set_of_the_recent_ones(self, counters: list[int]) -> None:
        window = ReplayWindow()
        seen: set[int] = set()
        for counter in counters:
            newest = max(seen, default=-1)
            expected = counter not in seen and counter > newest - 2048
            assert window.accepts(counter) == expected
            if expected:
                seen.add(counter)
