"""JSON text: the two readers agree, and every failure is ours."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.lightllm.jsontext import JsonError, dumps, dumps_text, loads, loads_or_none


@given(st.binary() | st.text(alphabet='{}[]":,\\ 0eE.-u', max_size=30).map(str.encode))
def test_garbage_raises_only_our_own(raw: bytes) -> None:
    try:
        value = loads(raw)
    except JsonError:
        assert loads_or_none(raw) is None
    else:
        assert loads(dumps(value)) == value


@given(st.recursive(st.none() | st.integers() | st.text(alphabet=st.characters(), max_size=5), st.lists, max_leaves=9))
def test_what_is_written_is_read_back(value: object) -> None:
    assert loads(dumps(value)) == value
    assert json.loads(dumps_text(value)) == value


def test_a_lone_surrogate_is_read_and_written_as_it_came() -> None:
    assert loads(b'["\\ud83d", 1.5]') == ["\ud83d", 1.5]
    assert dumps(["\ud83d"]) == b'["\\ud83d"]'


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "1e999", "[" * 200_000, "", "{'a':1}", '"\ud800"'])
def test_what_json_does_not_know_is_refused(text: str) -> None:
    with pytest.raises(JsonError):
        loads(text.encode("utf-8", "surrogatepass"))


def test_what_json_cannot_say_is_null_or_refused() -> None:
    assert dumps([math.nan]) == b"[null]"
    for value in ({1, 2}.__iter__(), object()):
        with pytest.raises(JsonError):
            dumps(value)
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(JsonError, match="deeply"):
        dumps(deep)
