"""Trees of values with places: scalars after YAML 1.2, merging, finding."""

from __future__ import annotations

import math
from pathlib import PurePath

import pytest

from ccproxy.config.problems import Place
from ccproxy.config.tree import Items, Scalar, Table, find, merge, nested, node_of, place_of, plain, resolve

LOW, HIGH = Place("low", 1), Place("high", 2)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("4000", 4000),
        ("-12", -12),
        ("16_777_216", 16777216),
        ("0x10", 16),
        ("0o17", 15),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", -math.inf),
        # What YAML 1.1 would take for something else is text.
        ("yes", "yes"),
        ("off", "off"),
        ("04000", "04000"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("1__0", "1__0"),
        (".nan", ".nan"),
        ("1.2.3", "1.2.3"),
        ("tRue", "tRue"),
        ("9" * 41, "9" * 41),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_plain_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    found = resolve(text)

    assert found == value
    assert type(found) is type(value)


def test_python_values_become_a_tree_and_back() -> None:
    value = {"a": [1, {"b": None}], "c": True, 3: "x", "d": (1.5,)}

    tree = node_of(value, LOW)

    assert plain(tree) == {"a": [1, {"b": None}], "c": True, "3": "x", "d": [1.5]}
    assert plain(node_of(PurePath("x/y"), LOW)) == "x/y"


def test_mappings_merge_key_by_key_and_all_else_is_replaced() -> None:
    low = node_of({"a": {"x": 1, "y": 2}, "l": [1, 2], "s": "t"}, LOW)
    high = node_of({"a": {"y": 3, "z": 4}, "l": [9], "s": {"k": 1}}, HIGH)

    merged = merge(low, high)

    assert plain(merged) == {"a": {"x": 1, "y": 3, "z": 4}, "l": [9], "s": {"k": 1}}
    assert place_of(merged, ("a", "x")) == LOW
    assert place_of(merged, ("a", "y")) == HIGH
    assert plain(low) == {"a": {"x": 1, "y": 2}, "l": [1, 2], "s": "t"}


def test_a_variable_meets_the_key_it_cannot_spell() -> None:
    low = node_of({"My-Provider": {"host": "a"}}, LOW)

    assert plain(merge(low, nested(("my_provider", "host"), Scalar("b", HIGH), HIGH))) == {"My-Provider": {"host": "b"}}
    assert plain(merge(low, nested(("other",), Scalar(1, HIGH), HIGH))) == {"My-Provider": {"host": "a"}, "other": 1}


def test_the_place_of_what_was_not_written_is_that_of_the_whole_around_it() -> None:
    inner = node_of([{"a": 1}], Place("f", 5))
    tree = merge(Table({}, Place("f")), nested(("list",), inner, Place("f", 4)))

    assert place_of(tree, ("list", 0, "a")).line == 5
    assert place_of(tree, ("list", 0, "missing")).line == 5
    assert place_of(tree, ("list", 7)).line == 4
    assert place_of(tree, ("elsewhere",)) == Place("f", 4)


def test_finding() -> None:
    tree = node_of({"a": [{"b": 1}]}, LOW)

    assert isinstance(find(tree, ("a",)), Items)
    assert find(tree, ("a", 0, "b")) == Scalar(1, LOW)
    assert find(tree, ("a", 1)) is None
    assert find(tree, ("a", "b")) is None
    assert find(tree, ("a", 0, "b", "c")) is None
