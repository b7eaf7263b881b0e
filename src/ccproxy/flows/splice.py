"""One body as another with a piece replaced: what ccproxy forwards is often the client's body with one field changed.

A splice is two unsigned 64-bit big-endian numbers, how many bytes at the beginning and at the end are the base's, and
the bytes that stand between them.
"""

from __future__ import annotations

import struct

from ccproxy.errors import StoreError

_HEAD = struct.Struct(">QQ")


def make(base: bytes, body: bytes) -> bytes:
    """`body` as a splice of `base`."""
    most = min(len(base), len(body))
    begin = _alike(base, body, most)
    end = _alike_at_end(base, body, most - begin)
    return _HEAD.pack(begin, end) + body[begin : len(body) - end]


def apply(base: bytes, data: bytes) -> bytes:
    """The body that a splice of `base` stands for. Raises StoreError if it cannot be one."""
    if len(data) < _HEAD.size:
        raise StoreError("a body of the flow store is damaged: it is no splice")
    begin, end = _HEAD.unpack_from(data)
    if begin + end > len(base):
        raise StoreError("a body of the flow store is damaged: it is a splice of another body")
    return base[:begin] + data[_HEAD.size :] + base[len(base) - end :]


def _alike(one: bytes, other: bytes, most: int) -> int:
    """How many bytes at the beginning are alike, at most `most`; every byte is compared about twice."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _alike_at_end(one: bytes, other: bytes, most: int) -> int:
    low, high = 0, most
    size, length = len(one), len(other)
    while low < high:
        middle = (low + high + 1) // 2
        if one[size - middle : size - low] == other[length - middle : length - low]:
            low = middle
        else:
            high = middle - 1
    return low
