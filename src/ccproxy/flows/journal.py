"""The journal: flows that are safe from the death of the process before the database has them.

Small files (segments) beside the store, `NAME.pending-PID-N`, 0600. A flow is appended with one `write`, which puts it
into the system's page cache: that outlives `kill -9` (not a power cut). A segment holds what is committed as one batch
and goes when that is done. Whoever writes a segment keeps it locked (`flock`), so a segment that can be locked belongs to
a process that is gone, whatever has become of its number.

A segment begins with MAGIC; each record is its length and checksum (CRC-32), both 32 bits little-endian, a byte that
says whether the forwarded request shares the client's body, and the flow as MessagePack. A record that is cut or
damaged ends the segment. What is appended must be clean of secrets already.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import msgspec

from ccproxy.flows.model import Flow
from ccproxy.util.fs import private_dir

MAGIC = b"ccproxy flows 4\n"
_HEAD = struct.Struct("<IIB")
#: Length and checksum, which do not count themselves.
_FRAME = 8
_ATTEMPTS = 100

_encode_into = msgspec.msgpack.Encoder().encode_into
_decode = msgspec.msgpack.Decoder(Flow).decode


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
                    segment.append(MAGIC)
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

    def append(self, record: bytes | bytearray) -> None:
        """Adds a record whole or, raising OSError, not at all."""
        try:
            written = os.write(self._descriptor, record)
            while written < len(record):
                written += os.write(self._descriptor, record[written:])
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self.size)
            raise
        self.size += written

    def flows(self) -> Iterator[Flow]:
        """The flows in it, up to the end or the first record that is not whole. Raises OSError, and UnknownJournal for a
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


def encode(flow: Flow) -> bytearray:
    """A flow as a record. Raises TypeError or ValueError for one that cannot be written down."""
    record = bytearray(_HEAD.size)
    forwarded = flow.forwarded
    if forwarded is None or forwarded.body is not flow.request.body:
        _encode_into(flow, record, _HEAD.size)
        shared = 0
    else:
        body, forwarded.body = forwarded.body, b""
        try:
            _encode_into(flow, record, _HEAD.size)
        finally:
            forwarded.body = body
        shared = 1
    record[_FRAME] = shared
    with memoryview(record) as view, view[_FRAME:] as content:
        checksum = zlib.crc32(content)
    _HEAD.pack_into(record, 0, len(record) - _FRAME, checksum, shared)
    return record


def records(data: bytes) -> Iterator[Flow]:
    """The flows in the content of a segment, up to the first record that is not whole."""
    position = len(MAGIC)
    while position + _HEAD.size <= len(data):
        length, checksum, shared = _HEAD.unpack_from(data, position)
        content = data[position + _FRAME : position + _FRAME + length]
        if len(content) != length or not length or zlib.crc32(content) != checksum:
            return
        try:
            flow = _decode(memoryview(content)[1:])
        except msgspec.MsgspecError:
            return
        if shared and flow.forwarded is not None:
            flow.forwarded.body = flow.request.body
        yield flow
        position += _FRAME + length


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
