"""HTTP heads that keep what they were given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.exchange.http import Headers, Snapshot

NAMES = st.sampled_from([b"A", b"a", b"B-b", b"b-B", b"C"])
PAIRS = st.lists(st.tuples(NAMES, st.binary(max_size=5)), max_size=8)


def test_case_and_order_stay_and_lookups_ignore_case() -> None:
    headers = Headers([(b"X-B", b"1"), (b"x-a", b"2"), (b"x-b", b"3")])
    assert list(headers) == [(b"X-B", b"1"), (b"x-a", b"2"), (b"x-b", b"3")]
    assert (headers.get(b"x-B"), headers.all(b"X-b"), headers.text(b"X-A")) == (b"1", [b"1", b"3"], "2")
    assert b"X-A" in headers
    assert (headers.get(b"nix"), headers.text(b"nix"), headers.all(b"nix")) == (None, "", [])


@given(PAIRS, NAMES, st.binary(max_size=3))
def test_set_replaces_in_place_and_drops_repeats(pairs: list[tuple[bytes, bytes]], name: bytes, value: bytes) -> None:
    headers = Headers(pairs)
    headers.get(name)
    headers.set(name, value)
    assert headers.all(name) == [value]
    others = [pair for pair in pairs if pair[0].lower() != name.lower()]
    assert [pair for pair in headers if pair[0].lower() != name.lower()] == others
    first = next((i for i, pair in enumerate(pairs) if pair[0].lower() == name.lower()), len(pairs))
    assert headers.pairs[first] == (pairs[first][0] if first < len(pairs) else name, value)


@given(PAIRS, NAMES)
def test_lookups_see_every_change(pairs: list[tuple[bytes, bytes]], name: bytes) -> None:
    headers = Headers(pairs)
    before = headers.all(name)
    headers.add(name, b"new")
    assert headers.all(name) == [*before, b"new"]
    headers.pairs = [(name, b"only")]
    assert headers.all(name) == [b"only"]


@given(PAIRS, NAMES)
def test_without_leaves_the_original_alone(pairs: list[tuple[bytes, bytes]], name: bytes) -> None:
    headers = Headers(pairs)
    assert headers.without([name.lower()]).pairs == [pair for pair in pairs if pair[0].lower() != name.lower()]
    copy = headers.copy()
    copy.add(b"Z", b"1")
    assert headers.pairs == pairs
    assert headers == Headers(pairs)


def test_hop_by_hop_fields_and_those_that_connection_names() -> None:
    headers = Headers(
        [
            (b"Connection", b"close, X-Hop"),
            (b"X-Hop", b"1"),
            (b"TE", b"trailers"),
            (b"Transfer-Encoding", b"chunked"),
            (b"A", b"1"),
        ]
    )
    assert headers.end_to_end() == Headers([(b"A", b"1")])
    assert headers.tokens(b"connection") == {b"close", b"x-hop"}


def test_values_stay_out_of_representations() -> None:
    assert "secret" not in repr(Headers([(b"authorization", b"secret")]))


@pytest.mark.parametrize(
    ("scheme", "host", "port", "url"),
    [
        ("https", "h", 443, "https://h/a?b=c"),
        ("http", "h", 80, "http://h/a?b=c"),
        ("http", "h", 443, "http://h:443/a?b=c"),
        ("https", "::1", 8443, "https://[::1]:8443/a?b=c"),
    ],
)
def test_the_url_of_a_snapshot(scheme: str, host: str, port: int, url: str) -> None:
    snapshot = Snapshot("GET", scheme, host, port, b"/a?b=c", "1.1")
    assert (snapshot.url, snapshot.path, snapshot.query) == (url, "/a", b"b=c")
