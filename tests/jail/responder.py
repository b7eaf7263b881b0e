"""The other side of a WireGuard tunnel, for tests: answers handshakes, can ask for cookies, seals and opens messages."""

from __future__ import annotations

import os
import struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from ccproxy.jail import noise


class Responder:
    """Made for one peer. `stamps` are the times in the initiations it has seen."""

    def __init__(self, peer: bytes = b"") -> None:
        self.private = X25519PrivateKey.generate()
        self.public = self.private.public_key().public_bytes_raw()
        self.peer = peer
        self.stamps: list[bytes] = []
        self.with_cookie: list[bool] = []
        self.cookie = b""
        self._session: tuple[bytes, bytes, ChaCha20Poly1305, ChaCha20Poly1305] | None = None
        self._sent = 0

    def answer(self, initiation: bytes) -> bytes:
        """The response to an initiation."""
        body, mac1, mac2 = initiation[:116], initiation[116:132], initiation[132:]
        assert mac1 == noise.mac_of(noise.mac1_key(self.public), body)
        self.with_cookie.append(bool(self.cookie) and mac2 == noise.mac_of(self.cookie, body + mac1))
        index, ephemeral, static, stamp = body[4:8], body[8:40], body[40:88], body[88:116]
        chain = noise.hash_of(b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s")
        digest = noise.hash_of(noise.hash_of(chain, b"WireGuard v1 zx2c4 Jason@zx2c4.com"), self.public)
        theirs = X25519PublicKey.from_public_bytes(ephemeral)
        (chain,) = noise.derive(chain, ephemeral, 1)
        digest = noise.hash_of(digest, ephemeral)
        chain, key = noise.derive(chain, self.private.exchange(theirs), 2)
        public = noise.unseal(key, 0, static, digest)
        assert not self.peer or public == self.peer
        digest = noise.hash_of(digest, static)
        chain, key = noise.derive(chain, self.private.exchange(X25519PublicKey.from_public_bytes(public)), 2)
        self.stamps.append(noise.unseal(key, 0, stamp, digest))
        digest = noise.hash_of(digest, stamp)
        own = X25519PrivateKey.generate()
        own_public = own.public_key().public_bytes_raw()
        (chain,) = noise.derive(chain, own_public, 1)
        digest = noise.hash_of(digest, own_public)
        (chain,) = noise.derive(chain, own.exchange(theirs), 1)
        (chain,) = noise.derive(chain, own.exchange(X25519PublicKey.from_public_bytes(public)), 1)
        chain, temporary, key = noise.derive(chain, bytes(32), 3)
        digest = noise.hash_of(digest, temporary)
        receive, send = noise.derive(chain, b"", 2)
        mine = os.urandom(4)
        self._session = mine, index, ChaCha20Poly1305(send), ChaCha20Poly1305(receive)
        self._sent = 0
        message = b"\2\0\0\0" + mine + index + own_public + noise.seal(key, 0, b"", digest)
        return message + noise.mac_of(noise.mac1_key(public), message) + bytes(16)

    def want_cookie(self, initiation: bytes) -> bytes:
        """A reply that asks for a cookie instead of an answer."""
        self.cookie = self.cookie or os.urandom(16)
        nonce = os.urandom(24)
        key = noise.hchacha20(noise.hash_of(b"cookie--", self.public), nonce[:16])
        sealed = ChaCha20Poly1305(key).encrypt(bytes(4) + nonce[16:], self.cookie, initiation[116:132])
        return b"\3\0\0\0" + initiation[4:8] + nonce + sealed

    def seal(self, packet: bytes, counter: int | None = None) -> bytes:
        """A packet as a message."""
        assert self._session is not None
        _, remote, send, _ = self._session
        counter = self._sent if counter is None else counter
        self._sent = counter + 1
        packet += bytes(-len(packet) % 16)
        nonce = struct.pack("<Q", counter)
        return b"\4\0\0\0" + remote + nonce + send.encrypt(b"\0\0\0\0" + nonce, packet, b"")

    def open(self, message: bytes) -> bytes:
        """The packet in a message, with its padding."""
        assert self._session is not None
        mine, _, _, receive = self._session
        assert message[:8] == b"\4\0\0\0" + mine
        return receive.decrypt(b"\0\0\0\0" + message[8:16], message[16:], b"")
