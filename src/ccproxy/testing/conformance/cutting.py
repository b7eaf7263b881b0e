"""Ways to cut a byte string into chunks, as a network may."""

from __future__ import annotations

from collections.abc import Iterator


def cuttings(raw: bytes, *, every_split_up_to: int = 3000) -> Iterator[list[bytes]]:
    """Whole, byte by byte, with empty chunks between, and cut in two: at each point if there are at most
    `every_split_up_to`, else at about that many."""
    yield [raw]
    yield [raw[i : i + 1] for i in range(len(raw))]
    yield [piece for i in range(0, len(raw), 7) for piece in (raw[i : i + 7], b"")]
    step = max(1, len(raw) // every_split_up_to)
    for point in range(0, len(raw) + 1, step):
        yield [raw[:point], raw[point:]]
