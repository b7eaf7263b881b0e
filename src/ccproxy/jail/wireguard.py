"""One side of a WireGuard tunnel, without I/O: packets and datagrams in, datagrams and packets out.

The initiator of a tunnel with one peer that may send and receive everything. It answers cookies at once (a peer that
was asked often enough wants one for every handshake), renews its keys before they grow old whether or not anything is
sent (so that the peer, which never initiates, can always reach us), and takes each message once (replay window).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ccproxy.jail import noise
from ccproxy.jail.noise import BadMessage, Initiator, Session

#: Seconds, as the protocol has them; the retry is shorter since the peer is on the same machine.
REKEY_AFTER = 120.0
REJECT_AFTER = 180.0
COOKIE_LIFETIME = 120.0
RETRY_AFTER = 1.0

REKEY_AFTER_MESSAGES = 2**60
REJECT_AFTER_MESSAGES = 2**64 - 2**13 - 1

_WINDOW = 2048
_MAX_WAITING = 256
_KEPT_SESSIONS = 2
_PADDING = 16


class ReplayWindow:
    """Which counters were seen, of the last 2,048."""

    __slots__ = ("_newest", "_seen")

    def __init__(self) -> None:
        self._newest = -1
        self._seen = 0

    def accepts(self, counter: int) -> bool:
        """Whether `counter` is new. Asked only for messages that are authentic."""
        ahead = counter - self._newest
        if ahead > 0:
            self._seen = 1 if ahead >= _WINDOW else (self._seen << ahead | 1) & ((1 << _WINDOW) - 1)
            self._newest = counter
            return True
        bit = 1 << -ahead
        if -ahead >= _WINDOW or self._seen & bit:
            return False
        self._seen |= bit
        return True


@dataclass(slots=True)
class _Live:
    """A session in use."""

    session: Session
    born: float
    sent: int = 0
    window: ReplayWindow = field(default_factory=ReplayWindow)


@dataclass(slots=True)
class Output:
    """What came of an input: `datagrams` for the peer, `packets` for the device."""

    datagrams: list[bytes] = field(default_factory=list)
    packets: list[bytes] = field(default_factory=list)


class Tunnel:
    """A tunnel to one peer.

    Args:
        private: our static key, 32 bytes.
        peer: the peer's public one.
        stamp: nanoseconds since the epoch; must not go back between two handshakes.
        on_handshake: called with each handshake's ephemeral key, for a key log.
    """

    def __init__(
        self,
        private: bytes,
        peer: bytes,
        *,
        stamp: Callable[[], int],
        on_handshake: Callable[[X25519PrivateKey], None] | None = None,
    ) -> None:
        self._private = X25519PrivateKey.from_private_bytes(private)
        self._peer = peer
        self._stamp = stamp
        self._on_handshake = on_handshake
        self._current: _Live | None = None
        self._sessions: dict[bytes, _Live] = {}
        self._pending: Initiator | None = None
        self._asked = -RETRY_AFTER
        self._cookie = b""
        self._cookie_at = 0.0
        self._waiting: list[bytes] = []
        self._last_stamp = 0

    @property
    def up(self) -> bool:
        """Whether a handshake has succeeded."""
        return self._current is not None

    def tick(self, now: float) -> Output:
        """To be called at the start, and then at least every second: begins, repeats and renews handshakes.

        Args:
            now: seconds of a clock that only goes forward, here and in the other methods.
        """
        out = Output()
        live = self._current
        if live is not None and now - live.born > REJECT_AFTER:
            self._current = live = None
        if now - self._asked >= RETRY_AFTER and (live is None or now - live.born > REKEY_AFTER):
            self._initiate(now, out)
        return out

    def send(self, packet: bytes, now: float) -> Output:
        """An IP packet for the other side. What comes before the first handshake waits for it, up to a bound."""
        out = Output()
        live = self._current
        if live is None or now - live.born > REJECT_AFTER or live.sent >= REJECT_AFTER_MESSAGES:
            self._current = None
            if len(self._waiting) < _MAX_WAITING:
                self._waiting.append(packet)
            return self._and(out, self.tick(now))
        if live.sent >= REKEY_AFTER_MESSAGES and now - self._asked >= RETRY_AFTER:
            self._initiate(now, out)
        out.datagrams.append(_seal(live, packet))
        return out

    def receive(self, datagram: bytes, now: float) -> Output:
        """A datagram from the peer. What is not a valid message of this tunnel is passed over."""
        out = Output()
        try:
            match datagram[:1]:
                case b"\x04":
                    self._transport(datagram, out)
                case b"\x02" if self._pending is not None:
                    self._established(self._pending.finish(datagram), now, out)
                case b"\x03" if self._pending is not None:
                    self._cookie_reply(self._pending, datagram, now, out)
        except BadMessage:
            pass
        return out

    def _transport(self, datagram: bytes, out: Output) -> None:
        live = self._sessions.get(datagram[4:8])
        if live is None or len(datagram) < noise.TRANSPORT_HEAD + 16:
            return
        try:
            packet = live.session.receive.decrypt(b"\0\0\0\0" + datagram[8:16], datagram[16:], b"")
        except InvalidTag:
            return
        if not live.window.accepts(int.from_bytes(datagram[8:16], "little")) or not packet:
            return
        if packet := _without_padding(packet):
            out.packets.append(packet)

    def _established(self, session: Session, now: float, out: Output) -> None:
        live = _Live(session, now)
        self._pending = None
        self._current = live
        self._sessions[session.local] = live
        while len(self._sessions) > _KEPT_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        waiting, self._waiting = self._waiting, []
        # The peer uses a session only after it has seen a message in it: an empty one if there is nothing to say.
        out.datagrams += [_seal(live, packet) for packet in waiting or [b""]]

    def _cookie_reply(self, pending: Initiator, datagram: bytes, now: float, out: Output) -> None:
        cookie = pending.cookie(datagram, self._peer)
        known = cookie == self._cookie
        self._cookie, self._cookie_at = cookie, now
        if not known:
            self._initiate(now, out)

    def _initiate(self, now: float, out: Output) -> None:
        self._asked = now
        self._last_stamp = max(self._stamp(), self._last_stamp + 1)
        cookie = self._cookie if now - self._cookie_at < COOKIE_LIFETIME else b""
        self._pending = Initiator(self._private, self._peer, self._last_stamp, cookie)
        if self._on_handshake is not None:
            self._on_handshake(self._pending.ephemeral)
        out.datagrams.append(self._pending.message)

    @staticmethod
    def _and(first: Output, second: Output) -> Output:
        return Output(first.datagrams + second.datagrams, first.packets + second.packets)


def _seal(live: _Live, packet: bytes) -> bytes:
    counter = live.sent
    live.sent = counter + 1
    if missing := -len(packet) % _PADDING:
        packet += bytes(missing)
    nonce = struct.pack("<Q", counter)
    sealed = live.session.send.encrypt(b"\0\0\0\0" + nonce, packet, b"")
    return b"\x04\0\0\0" + live.session.remote + nonce + sealed


def _without_padding(packet: bytes) -> bytes:
    """The IP packet by its own length; b"" if it is none."""
    version = packet[0] >> 4
    if version == 4 and len(packet) >= 20:
        length = int.from_bytes(packet[2:4], "big")
    elif version == 6 and len(packet) >= 40:
        length = 40 + int.from_bytes(packet[4:6], "big")
    else:
        return b""
    return packet[:length] if length <= len(packet) else b""
