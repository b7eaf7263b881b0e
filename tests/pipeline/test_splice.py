"""Edits in the depth of JSON text: the value changes, and no other byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.errors import BadRequest
from ccproxy.lightllm.jsontext import dumps, loads
from ccproxy.pipeline.splice import JsonList, get, merge, put, remove

ODD = b'{ "a" :\t[ 1.0e0 , {"b": "\\u0041\\ud83d" , "c":[]} ,\n "x" ], "d" : {"e":-0 } }'

LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.text('ab\\"é', max_size=4)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=4)
)
DOCUMENTS = st.dictionaries(st.text("abc", min_size=1, max_size=2), VALUES, min_size=1, max_size=4)


def spelled(value: Any, style: int) -> bytes:
    if style == 0:
        return dumps(value)
    text = json.dumps(value, indent=style, ensure_ascii=style == 1)
    return text.replace('": ', '"  :\t').encode() if style == 3 else text.encode()


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    found = [path] if path else []
    for step, one in inner:
        found += places(one, (*path, step))
    return found


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (("a", 1, "b"), b'"y"', ODD.replace(b'"\\u0041\\ud83d"', b'"y"')),
        (("a", "1", "c"), b"2", ODD.replace(b"[]", b"2")),
        (("d", "e"), b"1", ODD.replace(b"-0", b"1")),
        (("a", 3), b"4", ODD.replace(b'"x" ]', b'"x",\n 4 ]')),
        (("d", "f", "g"), b"1", ODD.replace(b"-0 }", b'-0 ,"f":{"g":1}}')),
        (("a", 0), b"2", ODD.replace(b"1.0e0", b"2")),
    ],
)
def test_put(path: tuple[str | int, ...], value: bytes, expected: bytes) -> None:
    made = put(ODD, path, value)
    assert loads(get(made, path)) == loads(value)
    if path != ("d", "f", "g"):
        assert made == expected


@pytest.mark.parametrize(
    ("path", "gone"),
    [
        (("a", 1, "c"), b' , "c":[]'),
        (("a", 0), b"1.0e0 , "),
        (("a", 2), b',\n "x"'),
    ],
)
def test_remove_takes_the_comma_along(path: tuple[str | int, ...], gone: bytes) -> None:
    made = remove(ODD, path)
    assert len(made) <= len(ODD) - len(gone.strip()) + 2
    with pytest.raises(LookupError):
        get(made, path) if path != ("a", 0) else get(made, ("a", 2))
    loads(made)


@pytest.mark.parametrize("path", [("x",), ("a", 9), ("a", "b"), ("a", 0, "b"), ("d", "e", "f"), ("d", 0)])
def test_a_path_that_leads_nowhere(path: tuple[str | int, ...]) -> None:
    with pytest.raises((LookupError, BadRequest)):
        get(ODD, path)
    with pytest.raises((LookupError, BadRequest)):
        remove(ODD, path)


def test_a_list_that_is_not_json() -> None:
    with pytest.raises(BadRequest):
        JsonList(b"[1, nope]")
    with pytest.raises(BadRequest):
        JsonList(b"[" * 100_000)


@given(DOCUMENTS, st.integers(0, 3), st.data())
def test_putting_changes_the_value_and_nothing_else(document: Any, style: int, data: st.DataObject) -> None:
    raw = spelled(document, style)
    path = data.draw(st.sampled_from(places(document)))
    value = data.draw(VALUES)
    old = get(raw, path)

    made = put(raw, path, dumps(value))

    expected = loads(raw)
    holder = expected
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    assert loads(made) == expected
    # Undone, it is the text that it was: so no other byte was touched.
    assert put(made, path, old) == raw


@given(DOCUMENTS, st.integers(0, 3), st.data())
def test_removing_leaves_the_rest(document: Any, style: int, data: st.DataObject) -> None:
    raw = spelled(document, style)
    path = data.draw(st.sampled_from(places(document)))
    expected = loads(raw)
    holder = expected
    for step in path[:-1]:
        holder = holder[step]
    del holder[path[-1]]
    assert loads(remove(raw, path)) == expected


@given(DOCUMENTS, DOCUMENTS, st.integers(0, 3))
def test_merging_arrives_at_the_new_value(before: Any, after: Any, style: int) -> None:
    raw = spelled(before, style)
    assert loads(merge(raw, before, after)) == after
    assert merge(raw, before, before) == raw


@given(st.lists(VALUES, max_size=4), st.lists(VALUES, max_size=4), st.lists(VALUES, max_size=2), VALUES)
def test_merging_keeps_the_bytes_of_what_is_equal(head: Any, tail: Any, new: Any, other: Any) -> None:
    raw = spelled({"list": [*head, *tail], "other": other}, 3)
    made = merge(raw, {"list": [*head, *tail], "other": other}, {"list": [*head, *new, *tail], "other": other})
    assert loads(made) == {"list": [*head, *new, *tail], "other": other}
    assert get(made, ("other",)) == get(raw, ("other",))
    for position in range(len(head)):
        assert get(made, ("list", position)) == get(raw, ("list", position))


def test_a_text_of_another_form_is_replaced_where_it_differs() -> None:
    """The client wrote a text where the neutral form has a list."""
    raw = b'{"messages": [ {"role":"user","content":"hi"} , {"role":"x"} ]}'
    before = {"messages": [{"role": "user", "content": [{"text": "hi"}]}, {"role": "x"}]}
    after = {"messages": [{"role": "user", "content": [{"text": "hello"}]}, {"role": "x"}]}
    assert merge(raw, before, after) == b'{"messages": [ {"role":"user","content":[{"text":"hello"}]} , {"role":"x"} ]}'
