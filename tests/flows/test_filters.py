"""jq filters: each takes an array and gives one; a wrong one is named with jq's own words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.errors import CommandError
from ccproxy.flows.filters import apply
from ccproxy.flows.views import flow_json

from .support import make_flow

ITEMS: list[Any] = [{"a": 1}, {"a": 2}, {"a": 3}]


def test_no_filter_changes_nothing() -> None:
    assert apply([], ITEMS) is ITEMS


def test_filters_are_applied_in_order() -> None:
    assert apply(["map(select(.a > 1))", "map(.a)", "[.[] * 10]"], ITEMS) == [20, 30]


@pytest.mark.parametrize("text", ["def twice: . + .; twice", "map(.) # a comment", ". as $x | $x", "\n.\n"])
def test_filters_are_taken_as_they_stand(text: str) -> None:
    assert apply([text, "map(.a)", "unique"], ITEMS) == [1, 2, 3]


def test_the_filters_of_the_manual() -> None:
    items = [flow_json(make_flow(1)), flow_json(make_flow(2, forwarded=None, response=None))]
    chain = [
        'map(select(.request.pretty_host == "api.anthropic.com"))',
        'map(select(.request.path | startswith("/v1/messages")))',
        'map(select(.request.method == "POST"))',
        "map(select(.response.status_code == 200))",
    ]
    assert [item["id"] for item in apply(chain, items)] == [f"{1:012x}"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("map(", "is no valid jq: syntax error"),
        ("", "is no valid jq"),
        (". ] | [ .", "is no valid jq"),
        (".) | (.", "is no valid jq"),
        ("nonsense", "is no valid jq: nonsense/0 is not defined"),
        ("map(.a.b)", 'fails: Cannot index number with string ("b")'),
        ('error("told so")', "fails: told so"),
        (".[]", "gives several values instead of one array"),
        ("repeat(.)", "gives several values instead of one array"),
        ("empty", "gives nothing"),
        ("halt", "gives nothing"),
        ("null", "gives null instead of an array"),
        ("true", "gives a boolean instead of an array"),
        ("length", "gives a number instead of an array"),
        ("tojson", "gives a string instead of an array"),
        (".[0]", "gives an object instead of an array"),
    ],
)
@pytest.mark.parametrize("place", [0, 1])
def test_a_wrong_filter_is_named(text: str, words: str, place: int) -> None:
    filters = ["map(.)", "map(.)"]
    filters.insert(place, text)
    with pytest.raises(CommandError) as caught:
        apply(filters, ITEMS)
    assert repr(text) in caught.value.message
    assert words in caught.value.message
    assert "\n" not in caught.value.message


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(json_values, max_size=4))
def test_values_come_through_unchanged(items: list[Any]) -> None:
    assert apply([".", "map(.)"], items) == items
