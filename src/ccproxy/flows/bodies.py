"""Stored bodies, by the hash of their content: equal bodies are kept once. The only way in and out of table `body`.

`encoding` says how `data` holds the content: `raw` as it is, `zstd` compressed where that makes it smaller. A later
version may add encodings (bodies made of shared parts); readers go through `read`, so nothing else needs to know.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from ccproxy.errors import StoreError
from ccproxy.flows.rows import insert

#: Smaller bodies are stored as they are: most of what they take is the page they are on, and each compression is a change
#: of threads when the event loop is busy.
COMPRESS_FROM = 4096
#: For larger ones it pays to ask first whether the store has them.
_ASK_FROM = 16 * 1024
#: Half the time of level 3, for a few per cent of size.
_LEVEL = 1
_HASH_BYTES = 20


@dataclass(slots=True)
class Packed:
    """A body ready to be stored. `data` is None if the store had it already when it was packed."""

    hash: bytes
    content: bytes
    encoding: str = ""
    data: bytes | None = None


class Packer:
    """Hashes, compresses and stores bodies. For one thread."""

    def __init__(self) -> None:
        import zstandard

        self._compress = zstandard.ZstdCompressor(level=_LEVEL).compress

    def pack(self, connection: sqlite3.Connection, content: bytes) -> Packed:
        """Prepares `content` outside of any transaction."""
        packed = Packed(blake2b(content, digest_size=_HASH_BYTES).digest(), content)
        if len(content) < _ASK_FROM or not _has(connection, packed.hash):
            self._fill(packed)
        return packed

    def store(self, connection: sqlite3.Connection, bodies: Iterable[Packed]) -> None:
        """Puts what is missing into table `body`. Inside a transaction."""
        missing: dict[bytes, tuple[Any, ...]] = {}
        for packed in bodies:
            if packed.data is None:
                if _has(connection, packed.hash):
                    continue
                self._fill(packed)  # it was there a moment ago, and went with its last flow
            missing[packed.hash] = packed.hash, packed.encoding, len(packed.content), packed.data
        insert(connection, "INSERT OR IGNORE INTO body (hash, encoding, size, data)", list(missing.values()))

    def _fill(self, packed: Packed) -> None:
        packed.encoding, packed.data = "raw", packed.content
        if len(packed.content) >= COMPRESS_FROM:
            compressed = self._compress(packed.content)
            if len(compressed) < len(packed.content):
                packed.encoding, packed.data = "zstd", compressed


def _has(connection: sqlite3.Connection, digest: bytes) -> bool:
    return connection.execute("SELECT 1 FROM body WHERE hash = ?", (digest,)).fetchone() is not None


def read(connection: sqlite3.Connection, digest: bytes | None) -> bytes:
    """The content of a stored body, by its hash; b"" for None. Raises StoreError if it is missing or damaged."""
    if digest is None:
        return b""
    row = connection.execute("SELECT encoding, size, data FROM body WHERE hash = ?", (digest,)).fetchone()
    name = f"body {digest.hex()} of the flow store"
    if row is None:
        raise StoreError(f"{name} is missing")
    encoding, size, data = row
    match encoding:
        case "raw":
            content = bytes(data)
        case "zstd":
            import zstandard

            try:
                content = zstandard.ZstdDecompressor().decompress(data, max_output_size=size)
            except zstandard.ZstdError as error:
                raise StoreError(f"{name} is damaged: {error}") from error
        case _:
            raise StoreError(f"{name} has the unknown encoding {encoding!r}", hint="update ccproxy")
    if len(content) != size:
        raise StoreError(f"{name} is damaged: it has {len(content)} bytes instead of {size}")
    return content
