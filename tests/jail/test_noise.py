"""The handshake against another implementation of its other half, and the published vectors of what lies below."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ccproxy.jail import noise
from ccproxy.jail.noise import BadMessage, Initiator
from jail.responder import Responder

NOW = 1_700_000_000_123_456_789


def begun(responder: Responder, cookie: bytes = b"") -> Initiator:
    return Initiator(X25519PrivateKey.generate(), responder.public, NOW, cookie)


def test_hchacha20_as_the_draft_has_it() -> None:
    # draft-irtf-cfrg-xchacha-03, section 2.2.1
    key = bytes(range(32))
    nonce = bytes.fromhex("000000090000004a0000000031415927")
    assert noise.hchacha20(key, nonce).hex() == "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"


def test_a_cookie_as_the_draft_has_it() -> None:
    # draft-irtf-cfrg-xchacha-03, appendix A.3.1
    key = bytes(range(0x80, 0xA0))
    nonce = bytes(range(0x40, 0x58))
    associated = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    plain = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."
    sealed = bytes.fromhex(
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216"
        "cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13"
        "b52ec0875924c1c7987947deafd8780acf49"
    )
    assert noise.open_cookie(key, nonce, sealed, associated) == plain


def test_both_sides_have_the_same_keys() -> None:
    responder = Responder()
    initiator = begun(responder)
    session = initiator.finish(responder.answer(initiator.message))
    assert len(initiator.message) == 148
    nonce = bytes(12)
    sealed = session.send.encrypt(nonce, b"there", b"")
    assert responder.open(b"\4\0\0\0" + session.remote + bytes(8) + sealed) == b"there"
    back = responder.seal(b"and back")
    assert session.receive.decrypt(bytes(4) + back[8:16], back[16:], b"").startswith(b"and back")
    assert back[4:8] == session.local


def test_the_time_is_in_it() -> None:
    responder = Responder()
    initiator = begun(responder)
    responder.answer(initiator.message)
    assert responder.stamps == [noise.tai64n(NOW)]
    assert noise.tai64n(0).hex() == "400000000000000a00000000"
    assert noise.tai64n(NOW) < noise.tai64n(NOW + 1)


def test_a_cookie_is_sent_along() -> None:
    responder = Responder()
    first = begun(responder)
    cookie = first.cookie(responder.want_cookie(first.message), responder.public)
    assert cookie == responder.cookie
    second = begun(responder, cookie)
    responder.answer(second.message)
    assert responder.with_cookie == [True]


@pytest.mark.parametrize("place", [0, 5, 9, 20, 50, 59])
def test_a_changed_answer_is_refused(place: int) -> None:
    responder = Responder()
    initiator = begun(responder)
    answer = bytearray(responder.answer(initiator.message))
    if place in {0, 5}:
        with pytest.raises(BadMessage):
            initiator.finish(bytes(answer[:-1]))
        return
    answer[place] ^= 1
    with pytest.raises(BadMessage):
        initiator.finish(bytes(answer))


def test_a_changed_cookie_is_refused() -> None:
    responder = Responder()
    initiator = begun(responder)
    reply = bytearray(responder.want_cookie(initiator.message))
    reply[40] ^= 1
    with pytest.raises(BadMessage):
        initiator.cookie(bytes(reply), responder.public)
    with pytest.raises(BadMessage):
        initiator.cookie(bytes(reply[:-1]), responder.public)
