from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.auth.secret import MAX_BYTES, secret_in
from ccproxy.errors import CredentialError


def read(data: bytes) -> str:
    return secret_in(data, "provider 'x': the output of its command", hint="look")


@pytest.mark.parametrize("around", [b"", b"\n", b"\r\n", b"  \t\n\n"])
def test_white_space_around_it_goes(around: bytes) -> None:
    assert read(around + b"sk-dummy" + around) == "sk-dummy"


def test_white_space_in_it_stays() -> None:
    assert read(b"Bearer  dummy\n") == "Bearer  dummy"


@pytest.mark.parametrize("data", [b"", b"\n", b" \t\r\n "])
def test_nothing_is_the_users_to_repair(data: bytes) -> None:
    with pytest.raises(CredentialError, match="is empty") as caught:
        read(data)

    assert caught.value.status == 401


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"sk-canary\nx-injected: 1", "has 2 lines; a credential has one"),
        (b"sk-canary\r\nx: 1\r\nz", "has 3 lines"),
        (b"sk-canary\rx", "has 2 lines"),
        (b"sk-\0canary", "something else than printable ASCII"),
        (b"sk-\x1b[1mcanary", "something else than printable ASCII"),
        ("sk-canary-é".encode(), "something else than printable ASCII"),
        ("\ufeffsk-canary".encode(), "something else than printable ASCII"),
        (b"\xff\xfesk-canary", "is not text"),
        (b"canary" * MAX_BYTES, "is larger than 64 KiB"),
    ],
)
def test_what_cannot_stand_in_a_header(data: bytes, message: str) -> None:
    with pytest.raises(CredentialError, match=message) as caught:
        read(data)

    assert caught.value.message.startswith("provider 'x': the output of its command ")
    assert caught.value.status == 503
    assert caught.value.hint == "look"
    assert "canary" not in repr(caught.value)


@given(st.binary(max_size=200))
def test_whatever_comes_out_is_one_header_value(data: bytes) -> None:
    try:
        text = read(data)
    except CredentialError:
        return
    assert text
    assert text == text.strip()
    assert all(32 <= ord(character) < 127 for character in text)
