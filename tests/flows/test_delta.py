"""A body as pieces of another."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.errors import StoreError
from ccproxy.flows import delta

pieces = st.binary(max_size=40) | st.sampled_from([b"", b"a" * 100, b"ab" * 300, b"},{", b'}, {"x":1'])


@given(before=pieces, one=pieces, other=pieces, after=pieces)
def test_any_body_comes_back_and_a_change_costs_little_more_than_itself(
    before: bytes, one: bytes, other: bytes, after: bytes
) -> None:
    base, body = before + one + after, before + other + after
    made = delta.make(base, body)
    assert delta.apply(base, made) == body
    assert len(made) <= 4 + 20 * 3 + len(other) + 2 * 32


members = st.lists(st.sampled_from([n * 200 for n in range(8)]) | st.integers(0, 1500), max_size=12)


def _body(members: list[int], tail: bytes) -> bytes:
    texts = [b'{"role":"user","content":"%s"}' % random.Random(n).randbytes(n // 2).hex().encode() for n in members]
    return b'{"messages":[' + b",".join(texts) + b"]" + tail


@given(one=members, other=members, tails=st.tuples(pieces, pieces))
def test_any_two_arrays(one: list[int], other: list[int], tails: tuple[bytes, bytes]) -> None:
    base, body = _body(one, tails[0]), _body(other, tails[1])
    assert delta.apply(base, delta.make(base, body)) == body


@given(base=st.binary(max_size=3000), body=st.binary(max_size=3000))
def test_any_two_bodies(base: bytes, body: bytes) -> None:
    assert delta.apply(base, delta.make(base, body)) == body
    begin, end = delta.common(base, body)
    assert body[:begin] == base[:begin]
    assert body[len(body) - end :] == base[len(base) - end :]
    assert body == base or begin + end < max(len(base), len(body))
    new = body[begin : len(body) - end]
    assert delta.apply(base, delta.splice(len(base), begin, end, new)) == body


def _text(seed: int, size: int) -> str:
    return random.Random(seed).randbytes(size // 2).hex()


def _request(count: int, *, stamp: str = "", cached: int = -1, separators: tuple[str, str] = (",", ":")) -> bytes:
    """A request of an agent with so many messages; the beginning, the end and a mark on one message may change."""
    messages: list[dict[str, object]] = [{"role": "user", "content": _text(n, 2_000)} for n in range(count)]
    if cached >= 0:
        messages[cached]["cache_control"] = {"type": "ephemeral"}
    body = {
        "stamp": stamp,
        "system": [{"type": "text", "text": f"{stamp} {_text(1000, 20_000)}"}],
        "messages": messages,
        "tools": [{"name": f"tool{n}", "description": _text(2000 + n, 1_000)} for n in range(20)],
        "end": stamp,
    }
    return json.dumps(body, separators=separators).encode()


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize(
    ("before", "after", "most"),
    [
        ({"count": 30}, {"count": 31}, 2_400),
        ({"count": 30, "cached": 29}, {"count": 31, "cached": 30}, 2_600),
        ({"count": 30, "stamp": "one"}, {"count": 30, "stamp": "another"}, 400),
        ({"count": 30, "stamp": "one", "cached": 29}, {"count": 32, "stamp": "another", "cached": 31}, 5_200),
        ({"count": 30}, {"count": 20}, 300),
    ],
    ids=["longer", "a mark moves", "both ends change", "everything at once", "rewound"],
)
def test_an_agents_next_request_costs_what_is_new(
    before: dict[str, object], after: dict[str, object], most: int, separators: tuple[str, str]
) -> None:
    base = _request(**before, separators=separators)  # type: ignore[arg-type]
    body = _request(**after, separators=separators)  # type: ignore[arg-type]
    made = delta.make(base, body)
    assert delta.apply(base, made) == body
    assert len(made) < most


def test_messages_in_another_order_are_found() -> None:
    one = [json.dumps({"content": _text(n, 1_000)}).encode() for n in range(30)]
    base, body = b"[" + b",".join(one) + b"]", b"[" + b",".join(reversed(one)) + b"]"
    made = delta.make(base, body)
    assert delta.apply(base, made) == body
    assert len(made) < 3_000  # the first and the last are not followed by the same


@pytest.mark.parametrize(
    "damaged", [b"", b"abc", b"\0\0\0\1", b"\0\0\0\1" + bytes(3) + b"\1" + bytes(16), b"\0\0\0\1" + bytes(19) + b"\x09"]
)
def test_damage_is_said(damaged: bytes) -> None:
    with pytest.raises(StoreError, match="damaged"):
        delta.apply(b"12345678", damaged)


def test_a_splice_of_an_earlier_version() -> None:
    made = delta.from_splice(8, (2).to_bytes(8) + (3).to_bytes(8) + b"new")
    assert delta.apply(b"12345678", made) == b"12new678"
    for damaged in (b"short", (9).to_bytes(8) + (0).to_bytes(8)):
        with pytest.raises(StoreError, match="damaged"):
            delta.from_splice(8, damaged)
