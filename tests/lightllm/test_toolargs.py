"""Arguments between text and object."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.lightllm.toolargs import to_object, to_text, unwrap_custom, wrap_custom


@pytest.mark.parametrize("args", ["", "{}", "  ", "{ }"])
def test_nothing_is_an_empty_object(args: str) -> None:
    assert to_object(args) == ({}, True)


@pytest.mark.parametrize("args", ['{"a":', "[1]", '"x"', "null", "not json", "\ud83d"])
def test_what_is_no_object_is_not_lost(args: str) -> None:
    value, is_object = to_object(args)
    assert not is_object
    assert to_text(value) == args


@given(st.dictionaries(st.text(), st.integers() | st.text()))
def test_objects_there_and_back(value: dict[str, Any]) -> None:
    assert to_object(to_text(value)) == (value, True)


@given(st.text())
def test_freeform_text_there_and_back(text: str) -> None:
    assert unwrap_custom(wrap_custom(text)) == text


def test_other_arguments_of_a_freeform_tool_are_its_text() -> None:
    assert unwrap_custom('{"input":"a","more":1}') == '{"input":"a","more":1}'
    assert unwrap_custom("plain") == "plain"
