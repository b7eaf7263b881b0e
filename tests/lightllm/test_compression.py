"""Content-encodings, however they are cut, and what bad ones do."""

from __future__ import annotations

import gzip
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.errors import BadRequest, CCProxyError, UpstreamError
from ccproxy.lightllm.compression import Decompressor, decode, is_known

from .streams import cuttings

TEXT = "Größe 😀 ".encode() * 40


def raw_deflate(data: bytes) -> bytes:
    return zlib.compress(data)[2:-4]


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


ENCODED = {
    "identity": ("identity", TEXT),
    "none": ("", TEXT),
    "gzip": ("gzip", gzip.compress(TEXT, mtime=0)),
    "x-gzip, upper case": ("X-GZip", gzip.compress(TEXT, mtime=0)),
    "gzip in members": ("gzip", gzip.compress(TEXT[:100], mtime=0) + gzip.compress(TEXT[100:], mtime=0)),
    "gzip with padding": ("gzip", gzip.compress(TEXT, mtime=0) + bytes(9)),
    "deflate": ("deflate", zlib.compress(TEXT)),
    "deflate, raw": ("deflate", raw_deflate(TEXT)),
    "br": ("br", brotli.compress(TEXT)),
    "zstd": ("zstd", zstd(TEXT)),
    "zstd in frames": ("zstd", zstd(TEXT[:100]) + zstd(TEXT[100:])),
    "stacked": ("gzip, br", brotli.compress(gzip.compress(TEXT, mtime=0))),
    "stacked three": ("zstd,identity, gzip ,deflate", zlib.compress(gzip.compress(zstd(TEXT), mtime=0))),
}


def stream(encoding: str, chunks: list[bytes]) -> bytes:
    machine = Decompressor(encoding, cap=10_000)
    out = b"".join(machine.feed(chunk) for chunk in chunks)
    machine.eof()
    return out


@pytest.mark.parametrize("name", ENCODED)
def test_any_cutting_gives_the_text(name: str) -> None:
    encoding, raw = ENCODED[name]
    assert decode(raw, encoding) == TEXT
    assert is_known(encoding)
    for chunks in cuttings(raw):
        assert stream(encoding, chunks) == TEXT


@pytest.mark.parametrize("name", [name for name in ENCODED if name not in ("identity", "none")])
def test_a_cut_body_is_an_error(name: str) -> None:
    encoding, raw = ENCODED[name]
    if name == "gzip with padding":
        raw = raw[:-9]
    with pytest.raises(UpstreamError, match="ends before it is complete"):
        stream(encoding, [raw[:-1]])
    with pytest.raises(BadRequest):
        decode(raw[:-3], encoding)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "br, gzip"])
def test_nothing_encoded_is_nothing(encoding: str) -> None:
    assert decode(b"", encoding) == b""
    assert stream(encoding, [b"", b""]) == b""


@given(st.binary(max_size=80), st.sampled_from(["gzip", "deflate", "br", "zstd", "gzip, zstd"]))
def test_garbage_raises_only_our_own(raw: bytes, encoding: str) -> None:
    for error in (BadRequest, UpstreamError):
        try:
            decode(raw, encoding, error=error)
        except CCProxyError as problem:
            assert type(problem) is error


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "zstd, gzip"])
def test_a_bomb_is_refused_and_stays_small(encoding: str) -> None:
    bomb = bytes(60_000_000)
    for name in encoding.split(", "):
        bomb = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstd}[name](bomb)
    machine = Decompressor(encoding, cap=1_000_000)
    with pytest.raises(UpstreamError, match="more than 1000000 bytes"):
        for i in range(0, len(bomb), 1000):
            assert len(machine.feed(bomb[i : i + 1000])) <= 1_000_000
    with pytest.raises(BadRequest, match="expands to more") as caught:
        decode(bomb, encoding, 1_000_000)
    assert caught.value.status == 413


def test_each_chunk_gives_what_it_holds() -> None:
    compressor = zlib.compressobj(wbits=31)
    machine = Decompressor("gzip")
    for text in (b"data: 1\n\n", b"data: 2\n\n"):
        assert machine.feed(compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH)) == text


def test_an_unknown_encoding_is_refused() -> None:
    assert not is_known("gzip, rot13")
    with pytest.raises(BadRequest, match="'rot13' is not known"):
        decode(b"x", "rot13")
    assert decode(TEXT, "identity") is TEXT
