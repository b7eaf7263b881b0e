"""Content-encodings, decoded as they stream: gzip, deflate (zlib and raw), br, zstd, identity, and stacks of them.

Strategy: one small machine per coding with the same two methods, chained in the reverse order of the header. Brotli and
zstandard are imported when the first body needs them.

Contract: any cutting into chunks gives the same bytes. What a body may expand to is capped, and each step's output is
bounded, so a bomb costs little more than the cap. A body that is damaged, cut short or too large raises the error
class the caller names (BadRequest for requests, UpstreamError for answers), and nothing else is raised.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Protocol

from ccproxy.errors import BadRequest, CCProxyError, UpstreamError

#: What a request body may expand to.
DEFAULT_CAP = 64 * 1024 * 1024

_STEP = 1024 * 1024


class _Coding(Protocol):
    """One content-coding, undone. `feed` raises one of `errors` on bad input."""

    @property
    def errors(self) -> tuple[type[Exception], ...]: ...

    def feed(self, data: bytes, room: int) -> bytes:
        """The output that `data` yields. Goes over `room` bytes by a bounded amount at most."""
        ...

    @property
    def complete(self) -> bool:
        """Whether the input so far may be all there is."""
        ...


class Decompressor:
    """Undoes a Content-Encoding.

    Args:
        encoding: the header's value, like `gzip` or `gzip, br`; "" is identity.
        cap: the most bytes to give out; 0 is no limit.
        error: what to raise.
    """

    __slots__ = ("_cap", "_chain", "_error", "_given", "_name")

    def __init__(self, encoding: str, *, cap: int = 0, error: type[CCProxyError] = UpstreamError) -> None:
        self._name = encoding
        self._cap = cap
        self._error = error
        self._given = 0
        self._chain: list[_Coding] = []
        for name in reversed(_names(encoding)):
            if name not in _CODINGS:
                raise error(f"the content-encoding {name[:40]!r} is not known")
            self._chain.append(_CODINGS[name]())

    def feed(self, data: bytes) -> bytes:
        """The bytes that `data` yields, as soon as they can be had."""
        room = self._cap - self._given if self._cap else 0
        for coding in self._chain:
            if not data:
                return b""
            try:
                data = coding.feed(data, room)
            except coding.errors as problem:
                raise self._error(f"the body is not valid {self._name}: {problem}") from None
            if self._cap and len(data) > room:
                raise self._too_large()
        if self._cap and len(data) > room:
            raise self._too_large()
        self._given += len(data)
        return data

    def eof(self) -> None:
        """Says that the input ended. Raises when a coding was in the middle of it."""
        if not all(coding.complete for coding in self._chain):
            raise self._error(f"the {self._name} body ends before it is complete")

    def _too_large(self) -> CCProxyError:
        message = f"the {self._name} body expands to more than {self._cap} bytes"
        return self._error(message, status=413) if issubclass(self._error, BadRequest) else self._error(message)


def decode(body: bytes, encoding: str, cap: int = DEFAULT_CAP, *, error: type[CCProxyError] = BadRequest) -> bytes:
    """A whole body with its Content-Encoding undone; the same object when there is none. Raises `error`."""
    if not _names(encoding):
        return body
    machine = Decompressor(encoding, cap=cap, error=error)
    decoded = machine.feed(body)
    machine.eof()
    return decoded


def is_known(encoding: str) -> bool:
    """Whether a Content-Encoding value can be undone."""
    return all(name in _CODINGS for name in _names(encoding))


def _names(encoding: str) -> list[str]:
    names = (name.strip().lower() for name in encoding.split(","))
    return [name for name in names if name and name != "identity"]


class _Zlib:
    """Members of a zlib format one after the other, with an output bound."""

    errors: tuple[type[Exception], ...] = (zlib.error,)

    def __init__(self, wbits: int) -> None:
        self._wbits = wbits
        self._machine = zlib.decompressobj(wbits)
        self._fed = False

    def feed(self, data: bytes, room: int) -> bytes:
        out: list[bytes] = []
        size = 0
        while data:
            if self._machine.eof:
                if not self._continues(data):
                    break  # padding after the last member
                self._machine = zlib.decompressobj(self._wbits)
            self._fed = True
            piece = self._machine.decompress(data, _STEP)
            out.append(piece)
            size += len(piece)
            if room and size > room:
                break
            data = self._machine.unused_data if self._machine.eof else self._machine.unconsumed_tail
        return b"".join(out)

    def _continues(self, data: bytes) -> bool:
        return False

    @property
    def complete(self) -> bool:
        return self._machine.eof or not self._fed


class _Gzip(_Zlib):
    def __init__(self) -> None:
        super().__init__(16 + zlib.MAX_WBITS)
        self._ended = False

    def _continues(self, data: bytes) -> bool:
        # RFC 1952: members follow each other directly. Zeros after the last one are padding.
        self._ended = self._ended or data[0] != 0x1F
        return not self._ended


class _Deflate:
    """RFC 9110 means zlib by `deflate`; some servers send the bare stream. The first two bytes tell."""

    errors: tuple[type[Exception], ...] = (zlib.error,)

    def __init__(self) -> None:
        self._head = b""
        self._machine: _Zlib | None = None

    def feed(self, data: bytes, room: int) -> bytes:
        if self._machine is None:
            self._head += data
            if len(self._head) < 2:
                return b""
            first, second = self._head[0], self._head[1]
            is_zlib = first & 0x0F == 8 and (first << 8 | second) % 31 == 0
            self._machine = _Zlib(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)
            data = self._head
        return self._machine.feed(data, room)

    @property
    def complete(self) -> bool:
        return self._machine.complete if self._machine else not self._head


class _Brotli:
    def __init__(self) -> None:
        import brotli

        self.errors: tuple[type[Exception], ...] = (brotli.error,)
        self._machine = brotli.Decompressor()
        self._fed = False

    def feed(self, data: bytes, room: int) -> bytes:
        if self._machine.is_finished():
            return b""
        self._fed = True
        out: list[bytes] = []
        size = 0
        while True:
            piece: bytes = self._machine.process(data, output_buffer_limit=_STEP)
            out.append(piece)
            size += len(piece)
            data = b""
            if self._machine.can_accept_more_data() or self._machine.is_finished() or (room and size > room):
                return b"".join(out)

    @property
    def complete(self) -> bool:
        return not self._fed or bool(self._machine.is_finished())


class _Zstd:
    #: zstandard has no output bound; this much input yields at most a few blocks of 128 KiB.
    _PIECE = 256

    def __init__(self) -> None:
        import zstandard

        self.errors: tuple[type[Exception], ...] = (zstandard.ZstdError,)
        self._library = zstandard.ZstdDecompressor()
        self._machine = self._library.decompressobj()
        self._fed = False

    def feed(self, data: bytes, room: int) -> bytes:
        out: list[bytes] = []
        size = position = 0
        step = self._PIECE if room else max(len(data), 1)
        while position < len(data):
            piece = data[position : position + step]
            position += len(piece)
            while piece:
                if self._machine.eof:
                    self._machine = self._library.decompressobj()
                out.append(self._machine.decompress(piece))
                size += len(out[-1])
                piece = self._machine.unused_data if self._machine.eof else b""
            if room and size > room:
                break
        self._fed = True
        return b"".join(out)

    @property
    def complete(self) -> bool:
        return not self._fed or self._machine.eof


_CODINGS: dict[str, Callable[[], _Coding]] = {
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstd,
}
