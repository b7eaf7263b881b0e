"""Content-encodings that stream: each piece comes out at once, as a provider that flushes after every event sends it."""

from __future__ import annotations

import zlib
from typing import Literal, Protocol

import brotli
import zstandard

Encoding = Literal["", "gzip", "br", "zstd", "deflate"]


class Encoder(Protocol):
    """A running compression."""

    def piece(self, data: bytes) -> bytes:
        """`data` compressed and flushed: the reader can decode all of it from what it has got so far."""
        ...

    def finish(self) -> bytes:
        """What ends the stream."""
        ...


def encoder(encoding: Encoding) -> Encoder:
    """A fresh encoder."""
    match encoding:
        case "":
            return _Identity()
        case "gzip":
            return _Zlib(31)
        case "deflate":
            return _Zlib(15)
        case "br":
            return _Brotli()
        case "zstd":
            return _Zstd()


def encode(encoding: Encoding, data: bytes) -> bytes:
    """All of `data` in one go."""
    running = encoder(encoding)
    return running.piece(data) + running.finish()


class _Identity:
    def piece(self, data: bytes) -> bytes:
        return data

    def finish(self) -> bytes:
        return b""


class _Zlib:
    def __init__(self, wbits: int) -> None:
        self._running = zlib.compressobj(wbits=wbits)

    def piece(self, data: bytes) -> bytes:
        return self._running.compress(data) + self._running.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._running.flush()


class _Brotli:
    def __init__(self) -> None:
        self._running = brotli.Compressor()

    def piece(self, data: bytes) -> bytes:
        return bytes(self._running.process(data) + self._running.flush())

    def finish(self) -> bytes:
        return bytes(self._running.finish())


class _Zstd:
    def __init__(self) -> None:
        self._running = zstandard.ZstdCompressor().compressobj()

    def piece(self, data: bytes) -> bytes:
        return self._running.compress(data) + self._running.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    def finish(self) -> bytes:
        return self._running.flush(zstandard.COMPRESSOBJ_FLUSH_FINISH)
