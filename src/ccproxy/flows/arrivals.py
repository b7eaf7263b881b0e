"""When the pieces of a streamed answer came: pairs of where in the body a piece begins (bytes) and when (seconds since
the start of its flow), in order. A byte came with the last piece that begins at or before it.

Stored as a MessagePack array of whole numbers, two for each piece: how much further its beginning is than the one
before, and how much later it came, in units of 100 microseconds. That takes three or four bytes for each piece.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

import msgspec

from ccproxy.flows import coding

Arrivals = list[tuple[int, float]]

#: Most pieces that are told apart: of a longer stream the first ones, and the last.
MOST = 16_384
_UNITS = 10_000

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[int]).decode


def note(arrivals: Arrivals, offset: int, moment: float) -> None:
    """Adds a piece. What is noted stays bounded."""
    if len(arrivals) < MOST:
        arrivals.append((offset, moment))
    else:
        arrivals[-1] = (offset, moment)


def encode(arrivals: Sequence[tuple[int, float]]) -> bytes:
    """As it is stored; b"" for none."""
    if not arrivals:
        return b""
    numbers: list[int] = []
    before = earlier = 0
    for offset, moment in arrivals:
        units = round(moment * _UNITS)
        numbers += (offset - before, units - earlier)
        before, earlier = offset, units
    return _encode(numbers)


def decode(data: bytes) -> Arrivals:
    """What `encode` made, moments to 100 microseconds. Raises msgspec.MsgspecError."""
    numbers = iter(_decode(data))
    found: Arrivals = []
    offset = units = 0
    for further, later in zip(numbers, numbers, strict=False):
        offset, units = offset + further, units + later
        found.append((offset, units / _UNITS))
    return found


def at(arrivals: Arrivals, offset: int) -> float | None:
    """When the byte at `offset` came; None if that is not known."""
    place = bisect_right(arrivals, offset, key=_offset)
    return arrivals[place - 1][1] if place else None


def decoded(arrivals: Arrivals, body: bytes, content_encoding: str) -> Arrivals:
    """The same with offsets in the body without its content coding; empty if that cannot be told."""
    if not arrivals or not coding.codings(content_encoding):
        return arrivals
    ends = [after for (_, _), (after, _) in pairwise(arrivals)]
    sizes = coding.sizes(body, content_encoding, ends)
    if sizes is None:
        return []
    return [(size, moment) for size, (_, moment) in zip([0, *sizes], arrivals, strict=True)]


def _offset(pair: tuple[int, float]) -> int:
    return pair[0]
