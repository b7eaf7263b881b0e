"""Typed reading of objects that others wrote."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.lightllm.fields import Fields, ShapeError


def test_known_fields_are_taken_and_the_rest_is_left() -> None:
    given = {"a": "x", "n": 2.0, "f": True, "l": [1], "t": ["y"], "o": {"b": None}, "null": None, "more": 1}
    fields = Fields(given, "body")
    assert fields.text("a") == "x"
    assert fields.integer("n") == 2
    assert fields.flag("f") is True
    assert fields.items("l") == [1]
    assert fields.texts("t") == ("y",)
    inner = fields.fields("o")
    assert inner.text("b", "default") == "default"
    assert inner.where("b") == "body.o.b"
    assert fields.mapping("absent") is None
    assert fields.texts("absent") == ()
    assert not fields.has("null")
    assert fields.rest() == {"null": None, "more": 1}
    assert given["a"] == "x"


def test_a_string_is_a_list_of_one() -> None:
    assert Fields({"stop": "x"}, "").texts("stop") == ("x",)


@pytest.mark.parametrize(
    ("method", "value", "message"),
    [
        ("text", 1, "body.x: expected a string, found a number"),
        ("number", "1", "expected a number, found a string"),
        ("number", True, "found a boolean"),
        ("integer", 1.5, "expected a whole number"),
        ("flag", 0, "expected true or false, found a number"),
        ("items", {}, "expected an array, found an object"),
        ("texts", [1], r"body.x\[0\]: expected a string"),
        ("mapping", [], "expected an object, found an array"),
        ("fields", "x", "expected an object, found a string"),
    ],
)
def test_a_wrong_type_is_refused_with_its_path(method: str, value: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        getattr(Fields({"x": value}, "body"), method)("x")


def test_what_must_be_there() -> None:
    with pytest.raises(ShapeError, match="x: is missing"):
        Fields({}, "").required_text("x")
    with pytest.raises(ShapeError, match="expected a string, found null"):
        Fields({"x": None}, "").required_text("x")
    with pytest.raises(ShapeError, match="body: expected an object"):
        Fields(None, "body")


@given(st.dictionaries(st.just("x"), st.none() | st.integers() | st.floats() | st.text() | st.lists(st.none())))
def test_any_value_is_read_or_refused(value: dict[str, Any]) -> None:
    for method in ("text", "number", "integer", "flag", "items", "texts", "mapping", "fields", "required_text"):
        try:
            getattr(Fields(value, ""), method)("x")
        except ShapeError as problem:
            assert str(problem).startswith("x")
