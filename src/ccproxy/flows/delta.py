"""One body as pieces of another: what ccproxy forwards is the client's body with a field changed, and what an agent
sends is its last request with some messages more.

A delta is made by three cheap means, in this order: what both bodies have in common at their beginning and at their end;
of what is left, the members of JSON arrays (messages, content blocks, tools) that are equal; and, between two of those,
again beginning and end. So the price is that of comparing bytes, wherever in the body things were added, removed or
changed.

A delta is a number of steps (unsigned 32-bit), that many steps (an unsigned 32-bit number of new bytes, then two
unsigned 64-bit numbers: where a piece of the base begins and how long it is), and the new bytes of all steps. Everything
is big-endian. The body is, step by step, the new bytes and then the piece.
"""

from __future__ import annotations

import re
import struct
from itertools import pairwise

from ccproxy.errors import StoreError

_COUNT = struct.Struct(">I")
_STEP = struct.Struct(">IQQ")
_SPLICE = struct.Struct(">QQ")

#: Between two members of a JSON array of objects, however it is spaced.
_BORDER = re.compile(rb"\},\s*(?=\{)")
#: Shorter pieces are not looked for: to name one costs 20 bytes.
_SHORTEST = 32
#: Where less than this is left on either side, looking for equal members does not pay.
_WORTHWHILE = 512

#: A piece: where it begins in the new body, where in the base, and how long it is.
_Piece = tuple[int, int, int]


def make(base: bytes, body: bytes) -> bytes:
    """`body` as a delta of `base`. Always possible; how much it saves is for the caller to see."""
    pieces: list[_Piece] = []
    _match(base, 0, len(base), body, 0, len(body), pieces, members=True)
    new: list[bytes] = []
    steps: list[bytes] = []
    done = 0
    for start, origin, length in pieces:
        steps.append(_STEP.pack(start - done, origin, length))
        new.append(body[done:start])
        done = start + length
    if done < len(body):
        steps.append(_STEP.pack(len(body) - done, 0, 0))
        new.append(body[done:])
    return b"".join((_COUNT.pack(len(steps)), *steps, *new))


def splice(base_size: int, begin: int, end: int, new: bytes) -> bytes:
    """The delta that puts `new` between the first `begin` and the last `end` bytes of the base."""
    return b"".join((_COUNT.pack(2), _STEP.pack(0, 0, begin), _STEP.pack(len(new), base_size - end, end), new))


def from_splice(base_size: int, data: bytes) -> bytes:
    """The delta for the form of earlier versions: two unsigned 64-bit big-endian numbers, how many bytes at the
    beginning and at the end are the base's, and the bytes between. Raises StoreError."""
    if len(data) < _SPLICE.size:
        raise StoreError("a body of the flow store is damaged: it is no splice")
    begin, end = _SPLICE.unpack_from(data)
    if begin + end > base_size:
        raise StoreError("a body of the flow store is damaged: it is a splice of another body")
    return splice(base_size, begin, end, data[_SPLICE.size :])


def apply(base: bytes, delta: bytes) -> bytes:
    """The body that a delta of `base` stands for. Raises StoreError if it cannot be one."""
    try:
        (count,) = _COUNT.unpack_from(delta)
        position = _COUNT.size + count * _STEP.size
        parts: list[bytes] = []
        for number in range(count):
            new, start, length = _STEP.unpack_from(delta, _COUNT.size + number * _STEP.size)
            if start + length > len(base) or position + new > len(delta):
                raise StoreError("a body of the flow store is damaged: it is a delta of another body")
            parts += delta[position : position + new], base[start : start + length]
            position += new
    except struct.error as error:
        raise StoreError("a body of the flow store is damaged: it is no delta") from error
    return b"".join(parts)


def size(delta: bytes) -> int:
    """The length of the body that a delta stands for."""
    (count,) = _COUNT.unpack_from(delta)
    return sum(
        new + length for new, _, length in _STEP.iter_unpack(delta[_COUNT.size : _COUNT.size + count * _STEP.size])
    )


def common(base: bytes, body: bytes) -> tuple[int, int]:
    """How many bytes the two have in common at their beginning, and how many of the rest at their end. Quick, and a
    measure of how small a delta would be."""
    most = min(len(base), len(body))
    begin = _alike(base, 0, body, 0, most)
    return begin, _alike_at_end(base, len(base), body, len(body), most - begin)


def _match(
    base: bytes, low: int, high: int, body: bytes, first: int, last: int, pieces: list[_Piece], *, members: bool
) -> None:
    """Adds the pieces of base[low:high] that body[first:last] is made of, in the order of the body."""
    most = min(high - low, last - first)
    begin = _alike(base, low, body, first, most)
    end = _alike_at_end(base, high, body, last, most - begin)
    if begin >= _SHORTEST:
        pieces.append((first, low, begin))
    else:
        begin = 0
    if end < _SHORTEST:
        end = 0
    if members and min(high - low, last - first) - begin - end >= _WORTHWHILE:
        _match_members(base, low + begin, high - end, body, first + begin, last - end, pieces)
    if end:
        pieces.append((last - end, high - end, end))


def _match_members(base: bytes, low: int, high: int, body: bytes, first: int, last: int, pieces: list[_Piece]) -> None:
    """Adds equal members of JSON arrays, and what is alike between them."""
    known: dict[bytes, int] = {}
    for start, end in _members(base, low, high):
        known.setdefault(base[start:end], start)
    done, origin_done = first, low  # up to where both are dealt with
    for start, end in _members(body, first, last):
        origin = known.get(body[start:end])
        if origin is None:
            continue
        if start == done and origin == origin_done and pieces and pieces[-1][0] + pieces[-1][2] == start:
            begin, where, length = pieces[-1]
            pieces[-1] = begin, where, length + end - start
        else:
            if origin >= origin_done:
                _match(base, origin_done, origin, body, done, start, pieces, members=False)
            pieces.append((start, origin, end - start))
        done, origin_done = end, origin + end - start
    if done < last and origin_done <= high:
        _match(base, origin_done, high, body, done, last, pieces, members=False)


def _members(data: bytes, low: int, high: int) -> list[tuple[int, int]]:
    """The stretches between the borders in data[low:high] that are long enough to matter."""
    borders = [low, *(match.end() for match in _BORDER.finditer(data, low, high)), high]
    return [(start, end) for start, end in pairwise(borders) if end - start >= _SHORTEST]


# Compared by `startswith`, which looks at a stretch of one body and a view of the other without a copy of
# either.


def _alike(one: bytes, start: int, other: bytes, begin: int, most: int) -> int:
    """How many bytes from `start` and `begin` on are alike, at most `most`. Bytes are compared a few times at most, and
    few beyond those that are alike."""
    done, step = 0, 64
    with memoryview(other) as view:
        while done < most:
            step = min(step, most - done)
            if one.startswith(view[begin + done : begin + done + step], start + done):
                done += step
                step *= 4
            else:
                most = done + step - 1
                step = step // 2 or 1
    return done


def _alike_at_end(one: bytes, stop: int, other: bytes, end: int, most: int) -> int:
    """How many bytes before `stop` and `end` are alike, at most `most`."""
    done, step = 0, 64
    with memoryview(other) as view:
        while done < most:
            step = min(step, most - done)
            if one.startswith(view[end - done - step : end - done], stop - done - step):
                done += step
                step *= 4
            else:
                most = done + step - 1
                step = step // 2 or 1
    return done
