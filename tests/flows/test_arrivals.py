"""When pieces came: what is stored comes back, stays bounded, and is found through a content coding too."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.flows import arrivals, coding

PAIRS = st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, 10**10).map(lambda units: units / 10_000)))


@given(PAIRS)
def test_what_is_stored_comes_back(pairs: arrivals.Arrivals) -> None:
    data = arrivals.encode(pairs)
    assert (arrivals.decode(data) if data else []) == pairs


def test_a_piece_takes_few_bytes() -> None:
    pairs = [(number * 150, 0.4 + number * 0.02) for number in range(1000)]
    assert len(arrivals.encode(pairs)) < 5_000


def test_a_byte_came_with_its_piece() -> None:
    pairs = [(0, 0.5), (10, 0.75), (20, 1.0)]
    assert [arrivals.at(pairs, offset) for offset in (0, 9, 10, 19, 20, 999)] == [0.5, 0.5, 0.75, 0.75, 1.0, 1.0]
    assert arrivals.at([], 0) is None
    assert arrivals.at([(5, 1.0)], 0) is None


def test_of_a_long_stream_the_beginning_and_the_end_are_noted() -> None:
    noted: arrivals.Arrivals = []
    for number in range(2 * arrivals.MOST):
        arrivals.note(noted, number, number / 10)
    assert len(noted) == arrivals.MOST
    assert noted[:-1] == [(number, number / 10) for number in range(arrivals.MOST - 1)]
    assert noted[-1] == (2 * arrivals.MOST - 1, (2 * arrivals.MOST - 1) / 10)


@pytest.mark.parametrize("content_encoding", ["gzip", "deflate", "br", "zstd"])
def test_pieces_of_a_compressed_body_are_told_by_what_came_out_of_them(content_encoding: str) -> None:
    plain = b"".join(b"event %d of many\n" % number for number in range(20_000))
    body = coding.encode(plain, content_encoding)
    middle = len(body) // 2
    found = arrivals.decoded([(0, 1.0), (middle, 2.0)], body, content_encoding)
    cut = coding.decode(body[:middle], content_encoding)
    assert cut is not None
    assert [moment for _, moment in found] == [1.0, 2.0]
    assert found[0][0] == 0
    assert 0 < found[1][0] <= len(plain)
    assert found[1][0] == len(cut.data)


def test_what_cannot_be_decoded_has_no_moments() -> None:
    assert arrivals.decoded([(0, 1.0), (5, 2.0)], b"no gzip", "gzip") == []
    assert arrivals.decoded([(0, 1.0), (1, 2.0)], b"??", "gzip, br") == []
    assert arrivals.decoded([(0, 1.0)], b"plain", "") == [(0, 1.0)]
