"""Takes the content-encoding off a request body, up to a limit."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import brotli
import zstandard

LIMIT = 256 * 1024 * 1024
_PIECE = 64 * 1024


def decode(encoding: str, data: bytes, *, limit: int = LIMIT) -> bytes:
    """`data` without the codings that a Content-Encoding header names.

    Raises ValueError if the data is not in that coding, ends too early, or grows beyond `limit` bytes.
    """
    for name in reversed([word.strip().lower() for word in encoding.split(",")]):
        match name:
            case "" | "identity":
                continue
            case "gzip" | "x-gzip":
                pieces = _inflated(data, 31)
            case "deflate":
                pieces = _inflated(data, 15)
            case "br":
                pieces = _unbrotlied(data)
            case "zstd":
                pieces = _unzstded(data)
            case _:
                raise ValueError(f"unknown content-encoding {name!r}")
        try:
            data = _collected(pieces, limit)
        except (zlib.error, brotli.error, zstandard.ZstdError) as error:
            raise ValueError(f"the body is not {name}: {error}") from None
    return data


def _collected(pieces: Iterator[bytes], limit: int) -> bytes:
    whole = bytearray()
    for piece in pieces:
        whole += piece
        if len(whole) > limit:
            raise ValueError(f"the decoded body is larger than {limit} bytes")
    return bytes(whole)


def _cut(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), _PIECE):
        yield data[start : start + _PIECE]


def _inflated(data: bytes, wbits: int) -> Iterator[bytes]:
    running = zlib.decompressobj(wbits=wbits)
    for piece in _cut(data):
        yield running.decompress(piece)
    if not running.eof:
        raise ValueError("the compressed body ends too early")


def _unbrotlied(data: bytes) -> Iterator[bytes]:
    running = brotli.Decompressor()
    for piece in _cut(data):
        yield running.process(piece)
    if not running.is_finished():
        raise ValueError("the compressed body ends too early")


def _unzstded(data: bytes) -> Iterator[bytes]:
    running = zstandard.ZstdDecompressor().decompressobj()
    for piece in _cut(data):
        yield running.decompress(piece)
    if not running.eof:
        raise ValueError("the compressed body ends too early")
