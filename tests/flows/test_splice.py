"""A body as another with one piece replaced."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.errors import StoreError
from ccproxy.flows import splice

pieces = st.binary(max_size=40) | st.sampled_from([b"", b"a" * 10, b"ab" * 10])


@given(before=pieces, one=pieces, other=pieces, after=pieces)
def test_any_body_comes_back_and_only_the_difference_is_kept(
    before: bytes, one: bytes, other: bytes, after: bytes
) -> None:
    base, body = before + one + after, before + other + after
    data = splice.make(base, body)
    assert splice.apply(base, data) == body
    assert len(data) <= 16 + len(other)


@pytest.mark.parametrize("data", [b"", b"short", (9).to_bytes(8) + (0).to_bytes(8)])
def test_damage_is_said(data: bytes) -> None:
    with pytest.raises(StoreError, match="damaged"):
        splice.apply(b"12345678", data)
