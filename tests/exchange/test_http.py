"""HTTP heads that keep what they were given."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.exchange.http import HOP_BY_HOP, Headers, Pair, Snapshot

NAMES = st.sampled_from([b"A", b"a", b"B-b", b"b-B", b"C", b""])
VALUES = st.binary(max_size=3)
PAIRS = st.lists(st.tuples(NAMES, VALUES), max_size=8)


def test_case_order_and_repeats_stay_and_lookups_ignore_case() -> None:
    headers = Headers([(b"X-B", b"1"), (b"x-a", b"2"), (b"x-b", b"3")])
    assert list(headers) == headers.pairs == [(b"X-B", b"1"), (b"x-a", b"2"), (b"x-b", b"3")]
    assert (headers.get(b"x-B"), headers.all(b"X-b"), headers.text(b"X-A")) == (b"1", [b"1", b"3"], "2")
    assert b"X-A" in headers
    assert len(headers) == 3


def test_what_is_not_there() -> None:
    headers = Headers([(b"a", b"")])
    assert (headers.get(b"nix"), headers.text(b"nix"), headers.all(b"nix"), b"nix" in headers) == (None, "", [], False)
    assert (headers.get(b"a"), headers.text(b"a"), headers.all(b"a"), b"a" in headers) == (b"", "", [b""], True)
    assert headers.tokens(b"nix") == set()


def test_any_bytes_can_be_text() -> None:
    assert Headers([(b"a", b"\xff\xc3\xa4")]).text(b"a") == "ÿÃ¤"


@given(PAIRS, NAMES, VALUES)
def test_set_replaces_in_place_and_drops_repeats(pairs: list[Pair], name: bytes, value: bytes) -> None:
    headers = Headers(pairs)
    headers.set(name, value)
    assert headers.all(name) == [value]
    others = [pair for pair in pairs if pair[0].lower() != name.lower()]
    assert [pair for pair in headers if pair[0].lower() != name.lower()] == others
    first = next((i for i, pair in enumerate(pairs) if pair[0].lower() == name.lower()), len(pairs))
    assert headers.pairs[first] == (pairs[first][0] if first < len(pairs) else name, value)


def _replace_first(headers: Headers, pair: Pair) -> None:
    if headers.pairs:
        headers.pairs[0] = pair


def _replace_all(headers: Headers, pair: Pair) -> None:
    headers.pairs = [pair]


def _replace_content(headers: Headers, pair: Pair) -> None:
    headers.pairs[:] = [pair, *headers.pairs[1:]]


CHANGES: list[Callable[[Headers, Pair], None]] = [
    lambda headers, pair: headers.set(*pair),
    lambda headers, pair: headers.add(*pair),
    lambda headers, pair: headers.pairs.insert(0, pair),
    lambda headers, pair: headers.pairs.clear(),
    lambda headers, pair: headers.pairs.reverse(),
    _replace_first,
    _replace_all,
    _replace_content,
]


@given(PAIRS, st.lists(st.tuples(st.sampled_from(CHANGES), st.tuples(NAMES, VALUES)), max_size=6), NAMES)
def test_lookups_see_every_change_however_it_is_made(
    pairs: list[Pair], changes: list[tuple[Callable[[Headers, Pair], None], Pair]], name: bytes
) -> None:
    headers = Headers(pairs)
    for change, pair in changes:
        headers.get(name)
        change(headers, pair)
        expected = [value for field, value in headers.pairs if field.lower() == name.lower()]
        assert headers.all(name) == expected
        assert headers.get(name) == (expected[0] if expected else None)
        assert (name in headers) == bool(expected)


@given(PAIRS, NAMES)
def test_copies_leave_the_original_alone(pairs: list[Pair], name: bytes) -> None:
    headers = Headers(pairs)
    assert headers.without([name.lower()]).pairs == [pair for pair in pairs if pair[0].lower() != name.lower()]
    copy = headers.copy()
    copy.add(b"Z", b"1")
    assert headers.pairs == pairs
    assert headers == Headers(pairs)
    assert headers != copy
    headers.all(name).append(b"x")
    assert headers.pairs == pairs


def test_headers_are_equal_as_they_stand_on_the_wire() -> None:
    headers = Headers([(b"A", b"1"), (b"B", b"2")])
    assert headers == Headers(iter([(b"A", b"1"), (b"B", b"2")]))
    assert headers != Headers([(b"B", b"2"), (b"A", b"1")])
    assert headers != Headers([(b"a", b"1"), (b"B", b"2")])
    assert headers != [(b"A", b"1"), (b"B", b"2")]
    with pytest.raises(TypeError):
        hash(headers)


@pytest.mark.parametrize(
    ("values", "tokens"),
    [
        ([b"close"], {b"close"}),
        ([b" Keep-Alive ,  X-Hop,", b"te"], {b"keep-alive", b"x-hop", b"te"}),
        ([b"", b" , ,"], set()),
    ],
)
def test_tokens_of_every_field_of_the_name(values: list[bytes], tokens: set[bytes]) -> None:
    assert Headers((b"Connection", value) for value in values).tokens(b"connection") == tokens


def test_hop_by_hop_fields_and_those_that_connection_names() -> None:
    headers = Headers(
        [
            (b"Connection", b"close, X-Hop"),
            (b"CONNECTION", b"x-other-hop"),
            (b"X-Hop", b"1"),
            (b"x-Other-Hop", b"1"),
            (b"TE", b"trailers"),
            (b"Transfer-Encoding", b"chunked"),
            (b"Proxy-Authorization", b"Basic x"),
            (b"X-Hops", b"1"),
            (b"Content-Encoding", b"zstd"),
        ]
    )
    assert headers.end_to_end() == Headers([(b"X-Hops", b"1"), (b"Content-Encoding", b"zstd")])
    assert Headers((name, b"x") for name in HOP_BY_HOP).end_to_end() == Headers()


def test_values_stay_out_of_representations() -> None:
    assert repr(Headers([(b"Authorization", b"secret")])) == "Headers(['Authorization'])"


@pytest.mark.parametrize(
    ("scheme", "host", "port", "url"),
    [
        ("https", "h", 443, "https://h/a?b=c"),
        ("http", "h", 80, "http://h/a?b=c"),
        ("http", "h", 443, "http://h:443/a?b=c"),
        ("https", "h", 80, "https://h:80/a?b=c"),
        ("https", "::1", 8443, "https://[::1]:8443/a?b=c"),
        ("http", "::1", 80, "http://[::1]/a?b=c"),
        ("ws", "h", 80, "ws://h/a?b=c"),
        ("wss", "h", 443, "wss://h/a?b=c"),
    ],
)
def test_the_url_of_a_snapshot(scheme: str, host: str, port: int, url: str) -> None:
    snapshot = Snapshot("GET", scheme, host, port, b"/a?b=c", "1.1")
    assert (snapshot.url, snapshot.path, snapshot.query) == (url, "/a", b"b=c")


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [(b"/", "/", b""), (b"/?", "/", b""), (b"/a??b=?", "/a", b"?b=?"), (b"/\xff%20", "/ÿ%20", b""), (b"*", "*", b"")],
)
def test_odd_targets(target: bytes, path: str, query: bytes) -> None:
    snapshot = Snapshot("GET", "http", "h", 80, target, "1.1")
    assert (snapshot.path, snapshot.query, snapshot.url) == (path, query, f"http://h{target.decode('latin-1')}")
