import pytest

from ccproxy.exchange.http import Headers
from ccproxy.testing import Received
from ccproxy.testing.encoding import encode


def received(body: bytes, *fields: tuple[bytes, bytes], target: bytes = b"/p?a=b") -> Received:
    return Received(
        index=0,
        connection=0,
        method="POST",
        target=target,
        http_version="1.1",
        headers=Headers(fields),
        head=b"POST /p?a=b HTTP/1.1\r\n\r\n",
        framed=bytearray(b"2\r\n{}\r\n0\r\n\r\n"),
        content=bytearray(body),
    )


def test_target_and_headers() -> None:
    request = received(b"", (b"X-A", b"1"), (b"x-a", b"2"))

    assert (request.path, request.query) == ("/p", b"a=b")
    assert (request.header("x-A"), request.header("x-b")) == ("1", "")
    assert request.raw == b"POST /p?a=b HTTP/1.1\r\n\r\n2\r\n{}\r\n0\r\n\r\n"


def test_a_body_with_a_length_is_on_the_wire_as_it_is() -> None:
    request = received(b"hello")
    request.framed.clear()

    assert request.raw.endswith(b"\r\n\r\nhello")


def test_the_body_is_decoded_for_json_only() -> None:
    encoded = encode("zstd", b'{"a": 1}')
    request = received(encoded, (b"Content-Encoding", b"zstd"))

    assert request.body == encoded
    assert request.decoded() == b'{"a": 1}'
    assert request.json() == {"a": 1}


def test_a_body_that_is_not_json_says_so() -> None:
    with pytest.raises(ValueError):
        received(b"{").json()
