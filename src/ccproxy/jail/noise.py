"""The cryptography of WireGuard: the Noise_IKpsk2 handshake of an initiator, and cookies (wireguard.com/protocol).

Pure values and functions: no clock, no socket. Keys are 32 raw bytes; no pre-shared key is used.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

_CONSTRUCTION = b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"
_IDENTIFIER = b"WireGuard v1 zx2c4 Jason@zx2c4.com"
_LABEL_MAC1 = b"mac1----"
_LABEL_COOKIE = b"cookie--"
_NO_PRE_SHARED_KEY = bytes(32)

INITIATION, RESPONSE, COOKIE_REPLY, TRANSPORT = 1, 2, 3, 4
RESPONSE_SIZE = 92
COOKIE_REPLY_SIZE = 64
#: Bytes of a transport message before its ciphertext.
TRANSPORT_HEAD = 16


class BadMessage(Exception):
    """A message is not what it claims to be: not for us, or not from the peer."""


def hash_of(*parts: bytes) -> bytes:
    return hashlib.blake2s(b"".join(parts)).digest()


def mac_of(key: bytes, data: bytes) -> bytes:
    return hashlib.blake2s(data, key=key, digest_size=16).digest()


def derive(key: bytes, data: bytes, count: int) -> list[bytes]:
    """`count` keys out of a chaining key and new material (HKDF with BLAKE2s)."""
    secret = hmac.digest(key, data, "blake2s")
    found: list[bytes] = []
    last = b""
    for number in range(1, count + 1):
        last = hmac.digest(secret, last + bytes([number]), "blake2s")
        found.append(last)
    return found


def seal(key: bytes, counter: int, plain: bytes, associated: bytes) -> bytes:
    return ChaCha20Poly1305(key).encrypt(struct.pack("<4xQ", counter), plain, associated)


def unseal(key: bytes, counter: int, sealed: bytes, associated: bytes) -> bytes:
    """Raises BadMessage if it was not sealed with this key."""
    try:
        return ChaCha20Poly1305(key).decrypt(struct.pack("<4xQ", counter), sealed, associated)
    except InvalidTag:
        raise BadMessage("wrong key") from None


def mac1_key(public: bytes) -> bytes:
    """What proves knowledge of a peer's public key in the first MAC of messages to it."""
    return hash_of(_LABEL_MAC1, public)


def tai64n(nanoseconds: int) -> bytes:
    """A time since the epoch as TAI64N, which grows with it."""
    return struct.pack(">QI", 0x400000000000000A + nanoseconds // 10**9, nanoseconds % 10**9)


@dataclass(frozen=True, slots=True)
class Session:
    """The keys of a finished handshake.

    Attributes:
        local, remote: the indices by which either side names the session.
        send, receive: the keys of either direction.
    """

    local: bytes
    remote: bytes
    send: ChaCha20Poly1305
    receive: ChaCha20Poly1305


class Initiator:
    """One handshake: `message` goes out, `finish` takes the answer.

    Args:
        private: our static key; `peer`: the other side's public one.
        nanoseconds: the time since the epoch; the peer takes only ever greater ones.
        cookie: what the peer wants to see while it is under load, or b"".
        ephemeral: a fresh key, for tests.
    """

    def __init__(
        self,
        private: X25519PrivateKey,
        peer: bytes,
        nanoseconds: int,
        cookie: bytes = b"",
        ephemeral: X25519PrivateKey | None = None,
    ) -> None:
        self._static = private
        self.ephemeral = ephemeral or X25519PrivateKey.generate()
        self.index = os.urandom(4)
        remote = X25519PublicKey.from_public_bytes(peer)
        public = self.ephemeral.public_key().public_bytes_raw()
        chain = hash_of(_CONSTRUCTION)
        digest = hash_of(hash_of(chain, _IDENTIFIER), peer)
        (chain,) = derive(chain, public, 1)
        digest = hash_of(digest, public)
        chain, key = derive(chain, self.ephemeral.exchange(remote), 2)
        static = seal(key, 0, private.public_key().public_bytes_raw(), digest)
        digest = hash_of(digest, static)
        chain, key = derive(chain, private.exchange(remote), 2)
        stamp = seal(key, 0, tai64n(nanoseconds), digest)
        self._chain, self._digest = chain, hash_of(digest, stamp)
        body = struct.pack("<I", INITIATION) + self.index + public + static + stamp
        self.mac1 = mac_of(mac1_key(peer), body)
        body += self.mac1
        self.message = body + (mac_of(cookie, body) if cookie else bytes(16))

    def finish(self, message: bytes) -> Session:
        """Takes the response. Raises BadMessage if it is not the answer to this handshake."""
        if len(message) != RESPONSE_SIZE or message[8:12] != self.index:
            raise BadMessage("not an answer to this handshake")
        public = message[12:44]
        remote = X25519PublicKey.from_public_bytes(public)
        (chain,) = derive(self._chain, public, 1)
        digest = hash_of(self._digest, public)
        try:
            (chain,) = derive(chain, self.ephemeral.exchange(remote), 1)
            (chain,) = derive(chain, self._static.exchange(remote), 1)
        except ValueError:
            raise BadMessage("a public key of low order") from None
        chain, temporary, key = derive(chain, _NO_PRE_SHARED_KEY, 3)
        unseal(key, 0, message[44:60], hash_of(digest, temporary))
        send, receive = derive(chain, b"", 2)
        return Session(self.index, message[4:8], ChaCha20Poly1305(send), ChaCha20Poly1305(receive))

    def cookie(self, message: bytes, peer: bytes) -> bytes:
        """The cookie in a reply to this handshake. Raises BadMessage if it is none."""
        if len(message) != COOKIE_REPLY_SIZE or message[4:8] != self.index:
            raise BadMessage("not a reply to this handshake")
        return open_cookie(hash_of(_LABEL_COOKIE, peer), message[8:32], message[32:64], self.mac1)


def open_cookie(key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
    """XChaCha20-Poly1305 with a nonce of 24 bytes. Raises BadMessage."""
    try:
        return ChaCha20Poly1305(hchacha20(key, nonce[:16])).decrypt(bytes(4) + nonce[16:], sealed, associated)
    except InvalidTag:
        raise BadMessage("wrong key") from None


#: The quarter rounds of a double round: columns, then diagonals.
_ROUNDS = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)  # fmt: skip
_WORD = 0xFFFFFFFF


def hchacha20(key: bytes, nonce: bytes) -> bytes:
    """The subkey for a nonce of 16 bytes (draft-irtf-cfrg-xchacha, section 2.2)."""
    state = [*struct.unpack("<4I", b"expand 32-byte k"), *struct.unpack("<8I", key), *struct.unpack("<4I", nonce)]
    for _ in range(10):
        for a, b, c, d in _ROUNDS:
            for left, right, mixed, shift in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                state[left] = (state[left] + state[right]) & _WORD
                value = state[mixed] ^ state[left]
                state[mixed] = (value << shift | value >> (32 - shift)) & _WORD
    return struct.pack("<8I", *state[:4], *state[12:])
