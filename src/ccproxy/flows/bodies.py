"""Stored bodies: compressed, and as the difference from one that came before. The only way in and out of table `body`.

An agent sends everything it has said before again with each turn, so a request is mostly one that is stored already. The
packer keeps the last bodies of each conversation in memory; a body that is enough like one of them is stored as a delta
of it, any other whole. A chain of deltas is bounded, so that reading stays quick and old flows can go. Before a delta is
stored, its base is looked up: one that is gone (retention, another file) makes the body whole again, so what is written
can always be read. What is read is checked by length and CRC-32.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ccproxy.errors import StoreError
from ccproxy.flows import delta
from ccproxy.flows.rows import insert

#: Half the time of level 3, for a few per cent of size.
_LEVEL = 1
#: Smaller ones are not compressed: it saves less than it costs.
_COMPRESS_FROM = 512
#: Most deltas before the next whole body.
MAX_CHAIN = 64
#: What the packer remembers.
_MAX_REMEMBERED = 64
MAX_REMEMBERED_BYTES = 8 * 1024 * 1024
#: More of the two than this part must be alike for a body to be taken for the next of the same conversation at once.
_SURE = 0.9
_LEAST_ALIKE = 32

BODY_VALUES = "id, base, encoding, size, crc, data"
_INSERT = f"INSERT INTO body ({BODY_VALUES})"

Values = tuple[Any, ...]
#: Base, encoding, size, CRC-32 and data of a body.
Row = tuple[int | None, str, int, int | None, bytes]


@dataclass(slots=True, eq=False)
class Packed:
    """A body ready to be stored. `id` is given when it is; `base` and `data` are let go then."""

    size: int
    crc: int | None
    content: bytes = b""
    encoding: str = ""
    data: bytes = b""
    base: Packed | None = None
    depth: int = 0
    id: int = 0


class Packer:
    """Compresses and stores bodies. For one thread."""

    def __init__(self) -> None:
        import zstandard

        self._compress = zstandard.ZstdCompressor(level=_LEVEL).compress
        self._remembered: list[tuple[int, Packed]] = []
        self._bytes = 0

    @property
    def remembered_bytes(self) -> int:
        """Bytes of the bodies that are kept for comparison."""
        return self._bytes

    def pack(self, content: bytes, leg: int, beside: Packed | None = None, *, crc: int | None = None) -> Packed:
        """Prepares a request's body; outside of any transaction.

        Args:
            leg: which side of the proxy it was on: bodies are compared with those of the same.
            beside: the client's body, for the forwarded one.
            crc: the CRC-32 of `content`, if it is known.
        """
        packed = Packed(len(content), zlib.crc32(content) if crc is None else crc, content)
        place, base, alike = self._nearest(content, leg)
        if beside is not None and sum(delta.common(beside.content, content)) > alike:
            base = beside
        if base is None or not self._try_delta(packed, delta.make(base.content, content), base):
            self._fill(packed)
        self._remember(leg, packed, place)
        return packed

    def pack_changed(self, content: bytes, change: bytes, base: Packed) -> Packed:
        """Prepares a body of which the delta is known already. It goes without a checksum: its base has one."""
        packed = Packed(len(content), None, content)
        if not self._try_delta(packed, change, base):
            self._fill(packed)
        return packed

    def pack_alone(self, content: bytes, *, crc: int | None = None) -> Packed:
        """Prepares a body that is like no other: an answer."""
        packed = Packed(len(content), zlib.crc32(content) if crc is None else crc, content)
        self._fill(packed)
        return packed

    def store(self, connection: sqlite3.Connection, bodies: Sequence[Packed]) -> None:
        """Puts bodies, to which ids have been given, into table `body`. Inside a transaction."""
        insert(connection, _INSERT, self.ready(bodies, partial(_is_there, connection)))
        release(bodies)

    def ready(self, bodies: Sequence[Packed], is_there: Callable[[Packed], bool]) -> list[Values]:
        """The rows of table `body` (the columns of BODY_VALUES) for bodies to which ids have been given.

        Args:
            is_there: whether a body that was stored earlier still is.
        """
        values: list[Values] = []
        new: set[Packed] = set()
        for packed in bodies:
            base = packed.base
            if base is not None and base not in new and not is_there(base):
                self._fill(packed)
                base = None
            new.add(packed)
            values.append((packed.id, base.id if base else None, packed.encoding, packed.size, packed.crc, packed.data))
        return values

    def _try_delta(self, packed: Packed, change: bytes, base: Packed) -> bool:
        if base.depth >= MAX_CHAIN or len(change) > packed.size // 2:
            return False
        packed.encoding, packed.data, packed.base, packed.depth = "delta", change, base, base.depth + 1
        if len(change) >= _COMPRESS_FROM:
            compressed = self._compress(change)
            if len(compressed) < len(change):
                packed.encoding, packed.data = "delta+zstd", compressed
        return True

    def _fill(self, packed: Packed) -> None:
        """Makes it whole."""
        packed.encoding, packed.data, packed.base, packed.depth = "raw", packed.content, None, 0
        if packed.size >= _COMPRESS_FROM:
            compressed = self._compress(packed.content)
            if len(compressed) < packed.size:
                packed.encoding, packed.data = "zstd", compressed

    def _nearest(self, content: bytes, leg: int) -> tuple[int, Packed | None, int]:
        """The remembered body that is most like `content`: its place, itself, and how much is alike."""
        best, place = _LEAST_ALIKE - 1, -1
        for number in range(len(self._remembered) - 1, -1, -1):
            other, packed = self._remembered[number]
            if other != leg:
                continue
            alike = sum(delta.common(packed.content, content))
            if alike > best:
                best, place = alike, number
                if alike >= min(packed.size, len(content)) * _SURE:
                    break
        return place, self._remembered[place][1] if place >= 0 else None, best

    def _remember(self, leg: int, packed: Packed, instead_of: int) -> None:
        """Keeps a body, in place of the one before it in the same conversation."""
        remembered = self._remembered
        if instead_of >= 0:
            before = remembered[instead_of][1]
            if packed.base is before or before.depth >= MAX_CHAIN:
                self._forget(instead_of)
        if packed.size <= MAX_REMEMBERED_BYTES:
            remembered.append((leg, packed))
            self._bytes += packed.size
        while self._bytes > MAX_REMEMBERED_BYTES or len(remembered) > _MAX_REMEMBERED:
            self._forget(0)

    def _forget(self, place: int) -> None:
        self._bytes -= self._remembered.pop(place)[1].size


def release(bodies: Iterable[Packed]) -> None:
    """Lets go of what only storing them needed."""
    for packed in bodies:
        packed.base, packed.data = None, b""


def _is_there(connection: sqlite3.Connection, packed: Packed) -> bool:
    row = connection.execute("SELECT size, crc FROM body WHERE id = ?", (packed.id,)).fetchone()
    return bool(row == (packed.size, packed.crc))


def read(connection: sqlite3.Connection, number: int) -> bytes:
    """The content of a stored body, by its id. Raises StoreError if it is missing or damaged."""
    return assemble(number, partial(_row, connection), partial(_moved, connection))


def assemble(number: int, fetch: Callable[[int | None], Row | None], moved: Callable[[bytes], bytes | None]) -> bytes:
    """`read` from any database.

    Args:
        fetch: the row of a body.
        moved: a body that an earlier version stored, by its hash.
    """
    name = f"body {number} of the flow store"

    def row(wanted: int | None) -> Row:
        if (found := fetch(wanted)) is None:
            raise StoreError(f"{name} is missing")
        return found

    changes: list[tuple[bytes, int, int | None]] = []
    base, encoding, size, crc, data = row(number)
    while encoding.startswith("delta"):
        if len(changes) > 2 * MAX_CHAIN:
            raise StoreError(f"{name} is damaged: its bases go round in a circle")
        changes.append((_decompressed(data, name) if encoding == "delta+zstd" else data, size, crc))
        base, encoding, size, crc, data = row(base)
    match encoding:
        case "raw":
            content = data
        case "zstd":
            content = _decompressed(data, name)
        case "moved":
            found = moved(data)
            if found is None:
                raise StoreError(f"{name} is missing")
            content = found
        case _:
            raise StoreError(f"{name} has the unknown encoding {encoding!r}", hint="update ccproxy")
    _check(content, size, crc, name)
    for change, size, crc in reversed(changes):
        content = delta.apply(content, change)
        _check(content, size, crc, name)
    return content


def _check(content: bytes, size: int, crc: int | None, name: str) -> None:
    if len(content) != size or (crc is not None and zlib.crc32(content) != crc):
        raise StoreError(f"{name} is damaged: it is not what was recorded")


def _row(connection: sqlite3.Connection, number: int | None) -> Row | None:
    query = "SELECT base, encoding, size, crc, data FROM body WHERE id = ?"
    found: Row | None = connection.execute(query, (number,)).fetchone()
    return found


def _moved(connection: sqlite3.Connection, digest: bytes) -> bytes | None:
    """A body that an earlier version stored."""
    row = connection.execute("SELECT encoding, data FROM old_body WHERE hash = ?", (digest,)).fetchone()
    if row is None:
        return None
    encoding, data = row
    return _decompressed(data, "a body of the flow store") if encoding == "zstd" else bytes(data)


def _decompressed(data: bytes, name: str) -> bytes:
    import zstandard

    try:
        return zstandard.ZstdDecompressor().decompress(data)
    except zstandard.ZstdError as error:
        raise StoreError(f"{name} is damaged: {error}") from error
