"""Where two JSON values differ."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.flows.structure import changed_ranges, differences


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [("a", "1", "2")]),
        ({"a": 1}, {"b": 1}, [("a", "1", ""), ("b", "", "1")]),
        ({"a": 1}, {"a": 1.0}, [("a", "1", "1.0")]),
        ({"a": None}, {}, [("a", "null", "")]),
        ({"m": [1, 2]}, {"m": [1, 2, 3]}, [("m.2", "", "3")]),
        ({"m": [1, 2, 3]}, {"m": [2, 3]}, [("m.0", "1", "")]),
        (
            {"m": [{"t": "a"}, {"t": "b"}]},
            {"m": [{"t": "a"}, {"t": "c"}, 1]},
            [("m.1.t", '"b"', '"c"'), ("m.2", "", "1")],
        ),
        ([1], {"a": 1}, [("", "[1]", '{"a":1}')]),
    ],
)
def test_differences(old: Any, new: Any, expected: list[tuple[str, str, str]]) -> None:
    assert list(differences("", old, new)) == expected


def test_the_path_of_the_values_comes_first() -> None:
    assert [path for path, _, _ in differences("body", {"a": [1]}, {"a": [2]})] == ["body.a.0"]


@given(st.lists(st.sampled_from([b"a", b"b", b"c"])), st.lists(st.sampled_from([b"a", b"b", b"c"])))
def test_ranges_turn_one_list_into_the_other(old: list[bytes], new: list[bytes]) -> None:
    made: list[bytes] = []
    position = 0
    for a, b, c, d in changed_ranges(old, new):
        made += old[position:a] + new[c:d]
        position = b
    assert made + old[position:] == new


def test_a_list_that_is_too_long_to_align_is_one_range() -> None:
    old, new = [b"%d" % n for n in range(5_000)], [b"%d" % n for n in range(5_000, 0, -1)]
    assert list(changed_ranges(old, new)) == [(0, 5_000, 0, 5_000)]
