"""Content codings of recorded bodies, read leniently: what can be decoded of a damaged or cut body is worth showing.

For the reader of a flow, not for the wire: nothing here is sent to anyone. Output is bounded, so that a compressed bomb
costs no more than the limit.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MAX_DECODED = 64 * 1024 * 1024
_CHUNK = 256 * 1024
_PIECE = 1024
_MAX_CODINGS = 4
_IDENTITY = frozenset({"", "identity"})


@dataclass(frozen=True, slots=True)
class Decoded:
    """What came out: `complete` is False if the body was cut or damaged, or is larger than the limit."""

    data: bytes
    complete: bool


class _Unreadable(Exception):
    """The coding's library refuses the data from here on."""


def codings(content_encoding: str) -> list[str]:
    """The codings of a Content-Encoding field in the order applied, `identity` left out."""
    names = (name.strip().lower() for name in content_encoding.split(","))
    return [name for name in names if name not in _IDENTITY]


def decode(body: bytes, content_encoding: str, *, limit: int = MAX_DECODED) -> Decoded | None:
    """`body` without its content codings, at most `limit` bytes of it; None if a coding is unknown or nothing of the
    body can be decoded. Without a coding the body itself."""
    names = codings(content_encoding)
    if len(names) > _MAX_CODINGS:
        return None
    complete = True
    for name in reversed(names):
        if name not in _DECODERS:
            return None
        if not body:
            break
        out = bytearray()
        try:
            ended = _DECODERS[name](body, out, limit)
        except _Unreadable:
            ended = False
        if not out and not ended:
            return None
        complete = complete and ended and len(out) <= limit
        body = bytes(out[:limit])
    return Decoded(body, complete)


def encode(data: bytes, content_encoding: str) -> bytes:
    """`data` with the codings of a Content-Encoding field applied. Raises ValueError for a coding `decode` does not know."""
    for name in codings(content_encoding):
        match name:
            case "gzip" | "x-gzip":
                data = gzip.compress(data, compresslevel=1, mtime=0)
            case "deflate":
                data = zlib.compress(data, 1)
            case "br":
                import brotli

                data = brotli.compress(data, quality=1)
            case "zstd":
                import zstandard

                data = zstandard.ZstdCompressor(level=1).compress(data)
            case _:
                raise ValueError(f"unknown content coding {name!r}")
    return data


def sizes(body: bytes, content_encoding: str, ends: Sequence[int], *, limit: int = MAX_DECODED) -> list[int] | None:
    """How many bytes have come out of the body's content coding when so many have gone in: the size of what the first
    `ends[0]`, `ends[1]`, ... bytes hold, at most about `limit`. None for several codings, or one that is unknown or broken.

    Args:
        ends: in ascending order.
    """
    names = codings(content_encoding)
    if len(names) != 1 or names[0] not in _DECODERS:
        return None
    found: list[int] = []
    feed = _feeder(names[0], body)
    size = start = 0
    for end in ends:
        while start < end and size <= limit:
            stop = min(end, start + _PIECE)
            try:
                size += feed(body[start:stop])
            except _Unreadable:
                return None
            start = stop
        found.append(size)
    return found


def _feeder(name: str, body: bytes) -> Callable[[bytes], int]:
    """Takes a body piece by piece and tells for each how many bytes came out."""
    match name:
        case "br":
            import brotli

            machine = brotli.Decompressor()
            failures: type[Exception] = brotli.error

            def process(data: bytes) -> bytes:
                out = bytearray(machine.process(data, output_buffer_limit=_CHUNK))
                while not machine.can_accept_more_data() and len(out) <= MAX_DECODED:
                    out += machine.process(b"", output_buffer_limit=_CHUNK)
                return bytes(out)
        case "zstd":
            import zstandard

            unpacker = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True)
            failures = zstandard.ZstdError

            def process(data: bytes) -> bytes:
                return unpacker.decompress(data)
        case _:
            bare = name == "deflate" and _is_bare(body)
            wbits = -zlib.MAX_WBITS if bare else zlib.MAX_WBITS if name == "deflate" else zlib.MAX_WBITS | 16
            inflater = zlib.decompressobj(wbits)
            failures = zlib.error

            def process(data: bytes) -> bytes:
                return inflater.decompress(data)

    def feed(data: bytes) -> int:
        try:
            return len(process(data))
        except failures as error:
            raise _Unreadable from error

    return feed


# Each decoder appends to `out` until the data end or `out` is longer than the limit, and returns whether the data ended
# properly within it.


def _zlib(body: bytes, out: bytearray, limit: int, wbits: int) -> bool:
    while body:
        machine = zlib.decompressobj(wbits)
        while body and not machine.eof:
            try:
                out += machine.decompress(body, _CHUNK)
            except zlib.error as error:
                raise _Unreadable from error
            if len(out) > limit:
                return False
            body = machine.unconsumed_tail
        while not machine.eof and (more := machine.decompress(b"", _CHUNK)):
            out += more
            if len(out) > limit:
                return False
        if not machine.eof:
            return False
        body = machine.unused_data.lstrip(b"\0") if wbits > zlib.MAX_WBITS else b""
    return True


def _gzip(body: bytes, out: bytearray, limit: int) -> bool:
    return _zlib(body, out, limit, zlib.MAX_WBITS | 16)


def _deflate(body: bytes, out: bytearray, limit: int) -> bool:
    # RFC 9110 means the zlib format; some servers send the bare stream.
    return _zlib(body, out, limit, -zlib.MAX_WBITS if _is_bare(body) else zlib.MAX_WBITS)


def _is_bare(body: bytes) -> bool:
    return body[0] & 0x0F != 8 or int.from_bytes(body[:2]) % 31 != 0


def _brotli(body: bytes, out: bytearray, limit: int) -> bool:
    ended, position = _brotli_pieces(body, out, limit, careful_from=len(body))
    if ended is None:
        # The library gives nothing of a piece that has an error in it: once more, byte by byte towards the error.
        out.clear()
        ended, _ = _brotli_pieces(body, out, limit, careful_from=position)
    if ended is None:
        raise _Unreadable
    return ended


def _brotli_pieces(body: bytes, out: bytearray, limit: int, *, careful_from: int) -> tuple[bool | None, int]:
    """Whether the data ended properly, None for an error; and how many bytes were taken before that."""
    import brotli

    machine = brotli.Decompressor()
    position = 0
    try:
        while position < len(body) and not machine.is_finished():
            data = body[position : position + (_PIECE if position < careful_from else 1)]
            more = machine.process(data, output_buffer_limit=_CHUNK)
            out += more
            while more and not machine.can_accept_more_data():
                if len(out) > limit:
                    return False, position
                more = machine.process(b"", output_buffer_limit=_CHUNK)
                out += more
            position += len(data)
    except brotli.error:
        return None, position
    return machine.is_finished() and position == len(body) and len(out) <= limit, position


def _zstd(body: bytes, out: bytearray, limit: int) -> bool:
    import zstandard

    context = zstandard.ZstdDecompressor()
    while body:  # one round per frame
        machine = context.decompressobj()
        position = 0
        try:
            while position < len(body) and not machine.eof:
                # Small pieces: each may expand a thousandfold, and the limit is looked at between them.
                out += machine.decompress(body[position : position + _PIECE])
                position += _PIECE
                if len(out) > limit:
                    return False
        except zstandard.ZstdError as error:
            raise _Unreadable from error
        if not machine.eof:
            return False
        body = machine.unused_data + body[position:]
    return True


_DECODERS = {"gzip": _gzip, "x-gzip": _gzip, "deflate": _deflate, "br": _brotli, "zstd": _zstd}
