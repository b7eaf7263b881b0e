from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.egress.wire import CHUNKED, encode_head
from ccproxy.errors import BadRequest
from egress.support import ask, stream

TOKEN = st.text("!#$%&'*+.^_`|~0123456789ABCXYZabcxyz-", min_size=1, max_size=20).map(str.encode)
FIELD_NAME = TOKEN.filter(lambda name: name.lower() not in {b"host", b"content-length", b"transfer-encoding"})
FIELD_VALUE = st.binary(max_size=40).filter(lambda value: not set(value) & {0, 10, 13})
TARGET = st.binary(max_size=60).map(lambda tail: b"/" + bytes(byte for byte in tail if byte > 32 and byte != 127))


class TestWhatIsGivenStaysAsItIs:
    @given(target=TARGET, pairs=st.lists(st.tuples(FIELD_NAME, FIELD_VALUE), max_size=12))
    def test_target_names_values_order_and_repeats(self, target: bytes, pairs: list[tuple[bytes, bytes]]) -> None:
        head, length = encode_head(ask(80, target, headers=pairs), b"h")

        expected = [b"GET " + target + b" HTTP/1.1", b"Host: h", *(n + b": " + v for n, v in pairs), b"", b""]
        assert head == b"\r\n".join(expected)
        assert length == 0

    def test_a_host_field_keeps_its_place_and_case(self) -> None:
        head, _ = encode_head(ask(80, headers=[(b"x", b"1"), (b"hOST", b"elsewhere")]), b"h")

        assert head == b"GET / HTTP/1.1\r\nx: 1\r\nhOST: elsewhere\r\n\r\n"

    def test_a_lower_case_method_stays_lower_case(self) -> None:
        head, _ = encode_head(ask(80, method="get"), b"h")

        assert head.startswith(b"get / HTTP/1.1\r\n")


class TestFraming:
    @pytest.mark.parametrize("method", ["GET", "DELETE", "POST", "PUT", "OPTIONS"])
    def test_no_body_adds_nothing(self, method: str) -> None:
        head, length = encode_head(ask(80, method=method), b"h")

        assert head == method.encode() + b" / HTTP/1.1\r\nHost: h\r\n\r\n"
        assert length == 0

    def test_a_given_length_of_zero_stays(self) -> None:
        head, length = encode_head(ask(80, method="POST", headers=[(b"content-length", b"0")]), b"h")

        assert head == b"POST / HTTP/1.1\r\nHost: h\r\ncontent-length: 0\r\n\r\n"
        assert length == 0

    @pytest.mark.parametrize("body", [b"", b"abc"])
    def test_bytes_get_a_length(self, body: bytes) -> None:
        head, length = encode_head(ask(80, method="POST", body=body), b"h")

        assert head.endswith(b"\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert length == len(body)

    def test_a_wrong_length_is_corrected_where_it_stands(self) -> None:
        headers = [(b"a", b"1"), (b"content-LENGTH", b"99"), (b"b", b"2")]

        head, length = encode_head(ask(80, method="POST", headers=headers, body=b"abc"), b"h")

        assert head == b"POST / HTTP/1.1\r\nHost: h\r\na: 1\r\ncontent-LENGTH: 3\r\nb: 2\r\n\r\n"
        assert length == 3

    def test_an_iterator_is_chunked_or_has_the_given_length(self) -> None:
        chunked, unknown = encode_head(ask(80, method="POST", body=stream()), b"h")
        counted, known = encode_head(ask(80, method="POST", headers=[(b"content-length", b"7")], body=stream()), b"h")

        assert chunked.endswith(b"\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert unknown == CHUNKED
        assert counted.endswith(b"\r\ncontent-length: 7\r\n\r\n")
        assert known == 7

    def test_a_transfer_encoding_never_stands_beside_a_length(self) -> None:
        headers = [(b"transfer-encoding", b"chunked"), (b"content-length", b"3")]

        head, _ = encode_head(ask(80, method="POST", headers=headers, body=b"abc"), b"h")

        assert b"transfer-encoding" not in head.lower()

    def test_equal_lengths_become_one(self) -> None:
        headers = [(b"content-length", b"3"), (b"Content-Length", b"3")]

        head, _ = encode_head(ask(80, method="POST", headers=headers, body=b"abc"), b"h")

        assert head.lower().count(b"content-length") == 1


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        "pair",
        [
            (b"x", b"a\r\nx-injected: 1"),
            (b"x", b"a\nb"),
            (b"x", b"a\rb"),
            (b"x", b"a\0b"),
            (b"x: y\r\nz", b"1"),
            (b"x y", b"1"),
            (b"", b"1"),
        ],
    )
    def test_fields_that_would_change_the_message(self, pair: tuple[bytes, bytes]) -> None:
        with pytest.raises(BadRequest):
            encode_head(ask(80, headers=[pair]), b"h")

    @pytest.mark.parametrize("target", [b"/a b", b"/a\r\nx: y", b"/\0", b"/\x7f"])
    def test_targets_that_would_change_the_message(self, target: bytes) -> None:
        with pytest.raises(BadRequest):
            encode_head(ask(80, target), b"h")

    @pytest.mark.parametrize("method", ["", "GET /x", "CONNECT", "G\r\n", "Ünd"])
    def test_methods(self, method: str) -> None:
        with pytest.raises(BadRequest):
            encode_head(ask(80, method=method), b"h")

    @pytest.mark.parametrize(
        "headers",
        [
            [(b"content-length", b"3"), (b"content-length", b"4")],
            [(b"content-length", b"+3")],
            [(b"content-length", b"")],
        ],
    )
    def test_lengths_that_say_nothing(self, headers: list[tuple[bytes, bytes]]) -> None:
        with pytest.raises(BadRequest):
            encode_head(ask(80, method="POST", headers=headers, body=stream()), b"h")

    def test_a_length_without_a_body(self) -> None:
        with pytest.raises(BadRequest, match="announces 5 bytes"):
            encode_head(ask(80, method="POST", headers=[(b"content-length", b"5")]), b"h")

    def test_no_value_is_in_the_message(self) -> None:
        with pytest.raises(BadRequest) as caught:
            encode_head(ask(80, headers=[(b"authorization", b"Bearer sk-canary\n")]), b"h")

        assert "canary" not in str(caught.value)


class TestThroughAProxy:
    def test_the_target_becomes_absolute_and_the_password_goes_along(self) -> None:
        head, _ = encode_head(
            ask(80, b"/a//b?"), b"h:81", absolute=b"http://h:81", proxy_authorization=b"Basic dXNlcg=="
        )

        assert head == (b"GET http://h:81/a//b? HTTP/1.1\r\nHost: h:81\r\nProxy-Authorization: Basic dXNlcg==\r\n\r\n")

    def test_an_asterisk_names_the_server_itself(self) -> None:
        head, _ = encode_head(ask(80, b"*", method="OPTIONS"), b"h", absolute=b"http://h")

        assert head.startswith(b"OPTIONS http://h HTTP/1.1\r\n")
