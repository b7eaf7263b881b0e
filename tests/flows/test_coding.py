"""Content codings are undone as far as they can be, and within a limit."""

from __future__ import annotations

import gzip
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.flows.coding import codings, decode, encode

CODINGS = ["gzip", "x-gzip", "deflate", "br", "zstd"]
TEXT = b"".join(b"line %d of a body that compresses well\n" % n for n in range(20_000))


@pytest.mark.parametrize("coding", [*CODINGS, "gzip, zstd", "BR , gzip", "identity", ""])
def test_what_was_encoded_is_decoded(coding: str) -> None:
    decoded = decode(encode(TEXT, coding), coding)
    assert decoded is not None
    assert decoded.data == TEXT
    assert decoded.complete


@pytest.mark.parametrize("coding", CODINGS)
def test_the_beginning_of_a_cut_body_is_readable(coding: str) -> None:
    encoded = encode(TEXT, coding)
    decoded = decode(encoded[: len(encoded) * 3 // 4], coding)
    assert decoded is not None
    assert not decoded.complete
    assert decoded.data
    assert TEXT.startswith(decoded.data)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_bomb_costs_no_more_than_the_limit(coding: str) -> None:
    decoded = decode(encode(bytes(50_000_000), coding), coding, limit=10_000)
    assert decoded is not None
    assert decoded.data == bytes(10_000)
    assert not decoded.complete


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_what_is_no_such_coding_is_not_decoded(coding: str) -> None:
    assert decode(b"plain text that is no archive", coding) is None


def test_unknown_and_too_many_codings_are_not_decoded() -> None:
    assert decode(b"x", "compress") is None
    assert decode(b"x", "gzip, gzip, gzip, gzip, gzip") is None
    with pytest.raises(ValueError, match="compress"):
        encode(b"x", "compress")


def test_members_and_frames_follow_one_another() -> None:
    both = decode(gzip.compress(b"one") + gzip.compress(b"two"), "gzip")
    assert both is not None
    assert (both.data, both.complete) == (b"onetwo", True)
    frame = zstandard.ZstdCompressor().compress
    both = decode(frame(b"one") + frame(b"two"), "zstd")
    assert both is not None
    assert (both.data, both.complete) == (b"onetwo", True)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("size", [20, 200_000])
def test_what_stands_before_trailing_garbage_is_decoded(coding: str, size: int) -> None:
    decoded = decode(encode(TEXT[:size], coding) + b" garbage", coding)
    assert decoded is not None
    assert decoded.data == TEXT[:size]


def test_deflate_without_its_wrapper() -> None:
    machine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    decoded = decode(machine.compress(TEXT) + machine.flush(), "deflate")
    assert decoded is not None
    assert (decoded.data, decoded.complete) == (TEXT, True)


def test_an_empty_body_is_empty() -> None:
    decoded = decode(b"", "gzip")
    assert decoded is not None
    assert (decoded.data, decoded.complete) == (b"", True)


def test_codings_are_read_from_the_field() -> None:
    assert codings(" GZIP, identity ,br") == ["gzip", "br"]


@given(st.binary(max_size=200), st.sampled_from([*CODINGS, "gzip, br", "nonsense"]))
def test_garbage_is_decoded_or_not_but_never_fails(body: bytes, coding: str) -> None:
    decode(body, coding)


@given(st.binary(max_size=2_000), st.sampled_from(CODINGS))
def test_round_trip(body: bytes, coding: str) -> None:
    decoded = decode(encode(body, coding), coding)
    assert decoded is not None
    assert (decoded.data, decoded.complete) == (body, True)
