"""Ways to cut a byte string into chunks: every test of a stream runs them all."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import strategies as st


def cuttings(raw: bytes, *, every_split_up_to: int = 3000) -> Iterator[list[bytes]]:
    """Whole, byte by byte, with empty chunks between, and cut in two at each point."""
    yield [raw]
    yield [raw[i : i + 1] for i in range(len(raw))]
    yield [piece for i in range(0, len(raw), 7) for piece in (raw[i : i + 7], b"")]
    step = max(1, len(raw) // every_split_up_to)
    for point in range(0, len(raw) + 1, step):
        yield [raw[:point], raw[point:]]


@st.composite
def cut(draw: st.DrawFn, raw: bytes) -> list[bytes]:
    """`raw` cut at drawn points."""
    points = sorted(draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    return [raw[a:b] for a, b in zip([0, *points], [*points, len(raw)], strict=True)]
