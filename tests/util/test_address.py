"""Addresses from the configuration."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.util.address import Address, origin, parse_address


@pytest.mark.parametrize(
    ("url", "address", "shown"),
    [
        ("https://h", Address("https", "h", 443, "", b""), "https://h"),
        ("HTTPS://H.Example/", Address("https", "h.example", 443, "", b""), "https://h.example"),
        ("http://h", Address("http", "h", 80, "", b""), "http://h"),
        ("http://h:443/v1/", Address("http", "h", 443, "/v1", b""), "http://h:443"),
        ("https://h/a%20b/?x=%20&y", Address("https", "h", 443, "/a%20b", b"x=%20&y"), "https://h"),
        ("http://h?x", Address("http", "h", 80, "", b"x"), "http://h"),
        ("http://[::1]:8080/v1", Address("http", "::1", 8080, "/v1", b""), "http://[::1]:8080"),
        ("http://127.0.0.1:1", Address("http", "127.0.0.1", 1, "", b""), "http://127.0.0.1:1"),
    ],
)
def test_taken_apart(url: str, address: Address, shown: str) -> None:
    assert parse_address(url) == address
    assert address.origin == shown


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "not a usable"),
        ("h:80", "not a usable"),
        ("ftp://h", "not a usable"),
        ("ws://h", "not a usable"),
        ("http://", "not a usable"),
        ("http:///path", "not a usable"),
        ("http://[::1", "not a usable"),
        ("http://u:secret@h", "not a usable"),
        ("http://@h", "not a usable"),
        ("http://h/#secret", "not a usable"),
        ("http://h:99999", "the port"),
        ("http://h:0", "the port"),
        ("http://h:secret", "the port"),
        ("http://h/ä", "as %XX"),
        ("http://bücher.example", "as %XX"),
        ("http://h/a b", "as %XX"),
        ("http://h/\r\nx", "as %XX"),
        (" http://h", "as %XX"),
    ],
)
def test_refused_without_being_quoted(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refused:
        parse_address(url)
    assert "secret" not in str(refused.value)


@given(st.text(max_size=30), st.sampled_from(["", "http://", "https://h", "http://[", "http://h:"]))
def test_anything_else_is_a_value_error(rest: str, start: str) -> None:
    try:
        address = parse_address(start + rest)
    except ValueError:
        return
    assert address.host
    assert 0 < address.port < 65536
    assert not address.path or address.path.startswith("/")


@pytest.mark.parametrize(
    ("scheme", "host", "port", "shown"),
    [
        ("ws", "h", 80, "ws://h"),
        ("wss", "h", 443, "wss://h"),
        ("wss", "h", 80, "wss://h:80"),
        ("x", "::1", 5, "x://[::1]:5"),
    ],
)
def test_origin(scheme: str, host: str, port: int, shown: str) -> None:
    assert origin(scheme, host, port) == shown
