"""The request reader: every case whole, byte by byte, and with the next request behind it."""

import pytest

from ccproxy.errors import BadRequest
from ccproxy.testing.wire import Data, End, Head, RequestReader

#: bytes on the wire: (method, target, body)
CASES = {
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n": ("GET", b"/", b""),
    b"\r\nGET /a?b=c%20d HTTP/1.1\r\nHost: x\r\n\r\n": ("GET", b"/a?b=c%20d", b""),
    b"POST /p HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello": ("POST", b"/p", b"hello"),
    b"POST /p HTTP/1.1\r\nContent-Length: 0\r\n\r\n": ("POST", b"/p", b""),
    b"POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n": (
        "POST",
        b"/p",
        b"hello!",
    ),
    b"POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: y\r\n\r\n": ("POST", b"/p", b""),
    b"POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n": (
        "POST",
        b"/p",
        b"0123456789",
    ),
    b"DELETE /d HTTP/1.0\r\n\r\n": ("DELETE", b"/d", b""),
}


def read(*pieces: bytes) -> list[tuple[Head, bytes, bytes]]:
    """The complete requests: head, body, and the bytes after the head."""
    reader = RequestReader()
    found: list[tuple[Head, bytes, bytes]] = []
    head, body, raw = None, b"", b""
    for piece in pieces:
        reader.receive(piece)
        while (event := reader.next_event()) is not None:
            match event:
                case Head():
                    head, body, raw = event, b"", b""
                case Data():
                    body += event.body
                    raw += event.raw
                case End():
                    assert head is not None
                    found.append((head, body, raw))
    return found


@pytest.mark.parametrize(("wire", "expected"), CASES.items())
def test_requests_are_read_whole_split_and_in_a_row(wire: bytes, expected: tuple[str, bytes, bytes]) -> None:
    whole = read(wire)

    assert [(head.method, head.target, body) for head, body, _ in whole] == [expected]
    assert whole[0][0].raw + whole[0][2] == wire.lstrip(b"\r\n")
    assert read(*(wire[at : at + 1] for at in range(len(wire)))) == whole
    for at in range(len(wire)):
        assert read(wire[:at], wire[at:]) == whole
    assert read(wire + wire) == whole + whole


def test_header_fields_keep_order_case_and_repeats() -> None:
    [(head, _, _)] = read(b"GET / HTTP/1.1\r\nX-B: 1\r\nx-a:  2 \r\nX-B: 3\r\n\r\n")

    assert head.headers.pairs == [(b"X-B", b"1"), (b"x-a", b"2"), (b"X-B", b"3")]


@pytest.mark.parametrize(
    "wire",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused(wire: bytes) -> None:
    with pytest.raises(BadRequest):
        read(wire)


def test_a_head_without_an_end_is_refused() -> None:
    with pytest.raises(BadRequest, match="too large"):
        read(b"GET / HTTP/1.1\r\nX: " + b"x" * (4 * 1024 * 1024))


def test_the_reader_stands_still_after_an_upgrade() -> None:
    upgrade = b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    reader = RequestReader()
    reader.receive(upgrade + b"frames")

    head = reader.next_event()

    assert isinstance(head, Head)
    assert head.upgrade
    assert reader.next_event() is None
    assert reader.take_rest() == b"frames"


def test_the_reader_goes_on_after_a_refused_upgrade() -> None:
    upgrade = b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    reader = RequestReader()
    reader.receive(upgrade + b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
    reader.next_event()

    reader.proceed()

    following = reader.next_event()
    assert isinstance(following, Head)
    assert following.target == b"/next"
