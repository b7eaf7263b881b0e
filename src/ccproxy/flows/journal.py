"""The journal: flows that are safe from the death of the process before the database has them.

Small files (segments) beside the store, `NAME.pending-PID-N`, 0600. A flow is appended with one `write`, which puts it
into the system's page cache: that outlives `kill -9` (not a power cut). A segment holds what is committed as one batch
and goes when that is done. Whoever writes a segment keeps it locked (`flock`), so a segment that can be locked belongs to
a process that is gone, whatever has become of its number.

A segment begins with MAGIC; each record is its length, its checksum (CRC-32) and the length of its first part, each 32
bits little-endian, then that part (`rows.Written` without bodies, the sizes of those, and what was derived already, as
MessagePack), then the bodies. The length counts all that comes after the checksum, the checksum is that of the first
part, which holds the bodies'. A record that is cut or damaged ends the segment. What is appended must be clean of secrets
already.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import msgspec

from ccproxy.flows import rows
from ccproxy.flows.model import Flow
from ccproxy.flows.rows import Written
from ccproxy.util.fs import private_dir

MAGIC = b"ccproxy flows 6\n"
_HEAD = struct.Struct("<III")
#: Length and checksum, which do not count themselves.
_FRAME = 8
_ATTEMPTS = 100
#: Up to here a copy is cheaper than handing over pieces one by one.
_JOINED_BYTES = 16 * 1024
#: The least that systems take in one call.
_MOST_PIECES = 1024

_Heads = tuple[str | None, ...]
_Numbers = tuple[int, ...]
_First = tuple[list[Any], list[Any], _Heads, int, _Numbers, _Numbers, bytes]

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_First).decode


class UnknownJournal(Exception):
    """The file is no segment, or one of another version."""


class Segment:
    """One open and locked file of the journal. Made by `create` or `claim`; ended by `remove`, or by `close`, which
    leaves it to whoever looks after leftovers."""

    __slots__ = ("_descriptor", "path", "size")

    def __init__(self, path: Path, descriptor: int, size: int) -> None:
        self.path = path
        #: Bytes of whole records, MAGIC included.
        self.size = size
        self._descriptor = descriptor

    @classmethod
    def create(cls, store: Path) -> Self:
        """A new segment for the store at `store`. Raises OSError."""
        private_dir(store.parent)
        for number in itertools.islice(itertools.count(), _ATTEMPTS):
            path = store.with_name(f"{store.name}.pending-{os.getpid()}-{number}")
            try:
                descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600)
            except FileExistsError:
                continue
            try:
                # Somebody who looks for leftovers may have come in between, and taken it for one.
                if _lock(descriptor) and os.fstat(descriptor).st_nlink:
                    segment = cls(path, descriptor, 0)
                    segment.append((MAGIC,))
                    return segment
            except BaseException:
                path.unlink(missing_ok=True)
                os.close(descriptor)
                raise
            os.close(descriptor)
        raise FileExistsError(f"no free name for a journal beside {store}")

    @classmethod
    def claim(cls, path: Path) -> Self | None:
        """The segment at `path` if nobody has it any more. Raises OSError."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            if _lock(descriptor) and (status := os.fstat(descriptor)).st_nlink:
                return cls(path, descriptor, status.st_size)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None

    def append(self, pieces: Sequence[bytes]) -> None:
        """Adds records, given in pieces, whole or, raising OSError, not at all."""
        size = sum(map(len, pieces))
        if size <= _JOINED_BYTES or len(pieces) > _MOST_PIECES:
            pieces = (b"".join(pieces),)
        try:
            written = os.writev(self._descriptor, pieces)
            if written < size:
                rest = b"".join(pieces)
                while written < size:
                    written += os.write(self._descriptor, rest[written:])
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self.size)
            raise
        self.size += written

    def flows(self) -> Iterator[tuple[Flow, Written]]:
        """The flows in it and how they were written, up to the end or the first record that is not whole. Raises OSError, and UnknownJournal for a
        file that is not ours to read."""
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            file.seek(0)
            data = file.read()
        if data[: len(MAGIC)] != MAGIC[: len(data)]:
            raise UnknownJournal(f"{self.path} is no journal of this version of ccproxy")
        return records(data)

    def remove(self) -> None:
        """Deletes the file: its flows are in the database, or are not wanted any more."""
        with suppress(OSError):
            self.path.unlink()
        self.close()

    def close(self) -> None:
        """Lets go of the file."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def leftovers(store: Path) -> list[Path]:
    """The files beside `store` that are segments, of running processes too, in the order they were made."""
    prefix = f"{store.name}.pending-"
    try:
        found = [entry for entry in os.scandir(store.parent) if entry.name.startswith(prefix)]
    except OSError:
        return []
    times: list[tuple[int, str]] = []
    for entry in found:
        with suppress(OSError):
            times.append((entry.stat().st_mtime_ns, entry.path))
    return [Path(path) for _, path in sorted(times)]


def encode(flow: Flow, written: Written) -> list[bytes]:
    """A flow as a record, in pieces. Raises TypeError or ValueError for one that cannot be written down."""
    bodies = written.bodies
    sizes = [len(body) for body in bodies]
    derived, arrived = rows.derived(flow), written.arrivals
    first = _encode((written.facts, derived, written.heads, written.form, sizes, written.checksums, arrived))
    length = _HEAD.size - _FRAME + len(first) + sum(sizes)
    return [_HEAD.pack(length, zlib.crc32(first), len(first)), first, *filter(None, bodies)]


def records(data: bytes) -> Iterator[tuple[Flow, Written]]:
    """The flows in the content of a segment, up to the first record that is not whole."""
    position = len(MAGIC)
    while position + _HEAD.size <= len(data):
        length, checksum, size = _HEAD.unpack_from(data, position)
        start, position = position + _HEAD.size, position + _FRAME + length
        first = data[start : start + size]
        if position > len(data) or start + size > position or not size:
            return
        if zlib.crc32(first) != checksum:
            return
        try:
            facts, derived, heads, form, sizes, checksums, arrived = _decode(first)
        except msgspec.MsgspecError:
            return
        start += size
        bodies: list[bytes] = []
        for size in sizes:
            bodies.append(data[start : start + size])
            start += size
        if start != position or tuple(map(zlib.crc32, bodies)) != checksums:
            return
        written = Written(facts, heads, bodies, checksums, arrived, form)
        yield rows.read_written(written, derived), written


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
