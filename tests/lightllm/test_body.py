"""JsonBody: what is not set stays byte for byte, whatever the bytes are."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.errors import BadRequest
from ccproxy.lightllm.body import JsonBody

LINE = '{\n  "model": "a",\n  "n": 1.50,\n  "t": [1, {"x": "}"}]\n}\n'

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)
objects = st.dictionaries(st.text(max_size=6) | st.sampled_from(["model", "stream", "x"]), json_values, max_size=6)
spaces = st.text(alphabet=" \t\n\r", max_size=3)


def written(draw: Any, tree: dict[str, Any]) -> bytes:
    """`tree` as JSON with drawn whitespace, escapes and byte order mark."""
    parts = []
    for name, value in tree.items():
        key = json.dumps(name, ensure_ascii=draw(st.booleans()))
        text = json.dumps(
            value,
            ensure_ascii=True if _has_surrogate(value) else draw(st.booleans()),
            indent=draw(st.sampled_from([None, 2])),
        )
        parts.append(f"{draw(spaces)}{key}{draw(spaces)}:{draw(spaces)}{text}{draw(spaces)}")
    inner = ",".join(parts) if parts else draw(spaces)
    text = f"{draw(spaces)}{{{inner}}}{draw(spaces)}"
    mark = b"\xef\xbb\xbf" if draw(st.booleans()) else b""
    return mark + text.encode()


def _has_surrogate(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def same(left: object, right: object) -> bool:
    return json.dumps(left) == json.dumps(right)


def parsed(raw: bytes) -> Any:
    return json.loads(raw.decode("utf-8-sig"))


@given(st.data(), objects)
def test_an_untouched_body_is_the_object_that_was_given(data: Any, tree: dict[str, Any]) -> None:
    raw = written(data.draw, tree)
    body = JsonBody(raw)
    assert body.is_object
    assert body.error == ""
    assert list(body) == list(tree)
    assert same(body.tree(), tree)
    assert body.raw is raw
    assert not body.dirty


@given(st.data(), objects, st.text(max_size=6), json_values)
def test_setting_a_field_changes_that_field_and_no_other_byte(
    data: Any, tree: dict[str, Any], name: str, value: Any
) -> None:
    raw = written(data.draw, tree)
    name = data.draw(st.sampled_from([*tree, name])) if tree else name
    body = JsonBody(raw)
    before = {key: body.get_raw(key) for key in body}
    body[name] = value
    assert same(parsed(body.raw), tree | {name: value})
    again = JsonBody(body.raw)
    for key, text in before.items():
        if key != name:
            assert again.get_raw(key) == text
    if name in tree:
        old = before[name]
        assert old is not None
        if body.dirty:
            head = raw.index(old, _start_of_value(raw, name))
            new = again.get_raw(name)
            assert new is not None
            assert body.raw == raw[:head] + new + raw[head + len(old) :]
        else:
            assert body.raw is raw
    else:
        assert body.raw.startswith(raw.rstrip(b" \t\n\r").removesuffix(b"}").rstrip(b" \t\n\r"))


def _start_of_value(raw: bytes, name: str) -> int:
    """Where the value of `name` starts, found the slow way: the only place where cutting it leaves its siblings."""
    body = JsonBody(raw)
    position = raw.index(b"{") + 1
    for key in body:
        value = body.get_raw(key)
        assert value is not None
        if key == name:
            break
        position = raw.index(b":", position + len(json.dumps(key, ensure_ascii=False).encode()))
        position = raw.index(value, position) + len(value)
    key_end = position
    while raw[key_end : key_end + 1] != b'"':
        key_end += 1
    decoder_text = raw[key_end:].decode()
    _, length = json.JSONDecoder().raw_decode(decoder_text)
    return key_end + len(decoder_text[:length].encode())


@given(st.data(), objects, st.lists(st.tuples(st.text(max_size=3), json_values | st.just(...)), max_size=6))
def test_any_series_of_edits_equals_the_same_edits_on_a_dict(
    data: Any, tree: dict[str, Any], edits: list[tuple[str, Any]]
) -> None:
    body = JsonBody(written(data.draw, tree))
    expected = dict(tree)
    for name, value in edits:
        if value is ...:
            assert body.delete(name) == (name in expected)
            expected.pop(name, None)
        else:
            body[name] = value
            expected[name] = value
        assert same(parsed(body.raw), expected)
    assert same(JsonBody(body.raw).tree(), expected)


@given(st.data(), objects, objects)
def test_replacing_the_tree_keeps_the_bytes_of_equal_fields(
    data: Any, tree: dict[str, Any], other: dict[str, Any]
) -> None:
    body = JsonBody(written(data.draw, tree))
    before = {key: body.get_raw(key) for key in body}
    body.replace_tree(other)
    result = parsed(body.raw)
    assert {key: json.dumps(value) for key, value in result.items()} == {
        key: json.dumps(value) for key, value in other.items()
    }
    for key, value in other.items():
        if key in tree and json.dumps(tree[key]) == json.dumps(value):
            assert body.get_raw(key) == before[key]


@given(
    st.binary()
    | st.text(alphabet='{}[]":,\\\\ 01eEn.-truefalsnu\ufeff\ud800', max_size=40).map(
        lambda text: text.encode("utf-8", "surrogatepass")
    )
)
def test_garbage_is_a_legal_body_and_raises_nothing_but_our_own(raw: bytes) -> None:
    body = JsonBody(raw)
    assert body.is_object == (body.error == "")
    for name in list(body):
        with contextlib.suppress(BadRequest):
            body.get(name)
    assert body.raw is raw
    if body.is_object:
        body["model"] = "m"
        assert JsonBody(body.raw).get("model") == "m"
    else:
        assert body.get("model", "none") == "none"
        assert "model" not in body
        with pytest.raises(BadRequest):
            body["model"] = "m"
        with pytest.raises(BadRequest):
            body.tree()
        assert body.raw is raw


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"[1, 2]", "an array, not a JSON object"),
        (b'"x"', "a string, not a JSON object"),
        (b"-1.5", "a number, not a JSON object"),
        (b"true", "a boolean, not a JSON object"),
        (b"null", "null, not a JSON object"),
        (b'{"a": 1', "not JSON: Input data was truncated"),
        (b'{"a": 1}}', "not JSON: trailing characters"),
        (b'{"a": NaN}', "not JSON: invalid character (byte 6)"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8"),
        (b"--boundary\r\n", "not JSON: invalid character (byte 1)"),
        (b'{"a":' + b"[" * 200_000, "JSON nested too deeply"),
        (b'{"a":' + b'{"a":' * 200_000 + b"1" + b"}" * 200_001, "JSON nested too deeply"),
        (b"[" * 200_000 + b"]" * 200_000, "not JSON: nested too deeply"),
    ],
)
def test_what_is_no_object_says_why(raw: bytes, error: str) -> None:
    body = JsonBody(raw)
    assert body.error == error
    assert not body.is_object
    assert body.raw is raw


def test_style_is_kept_when_fields_come_and_go() -> None:
    body = JsonBody(LINE.encode())
    body["model"] = "b"
    body["new"] = True
    assert body.raw == LINE.replace('"a"', '"b"').replace("\n}\n", ',\n  "new": true\n}\n').encode()
    body.delete("new")
    body.delete("n")
    assert body.raw == LINE.replace('"a"', '"b"').replace('  "n": 1.50,\n', "").encode()
    compact = JsonBody(b'{"a":1,"b":2}')
    compact["c"] = 3
    assert compact.raw == b'{"a":1,"b":2,"c":3}'
    single = JsonBody(b'{"a": 1}')
    single["c"] = 3
    assert single.raw == b'{"a": 1, "c": 3}'


def test_a_repeated_key_reads_as_its_last_and_is_changed_everywhere() -> None:
    body = JsonBody(b'{"model":"x","a":[1],"mod\\u0065l":"xy" ,"b":2}')
    assert body.duplicates == ["model"]
    assert body.get("model") == "xy"
    body["model"] = "z"
    assert body.raw == b'{"model":"z","a":[1],"mod\\u0065l":"z" ,"b":2}'
    body.delete("model")
    assert body.raw == b'{"a":[1],"b":2}'


def test_repeated_keys_cannot_shift_the_table() -> None:
    # The first value begins like the last, or holds text that looks like the rest of the object.
    for raw in (
        b'{"a":1,"a":12}',
        b'{"a":{"a":1},"a":{"a":1},"b":3}',
        b'{"a":[1],"b":",","a":[1,2]}',
        b'{"a":"","a":"\\""}',
    ):
        body = JsonBody(raw)
        assert json.dumps(body.tree()) == json.dumps(json.loads(raw))
        body["z"] = 1
        assert json.dumps(json.loads(body.raw)) == json.dumps(json.loads(raw) | {"z": 1})


def test_setting_the_present_value_is_no_edit() -> None:
    raw = rb'{"model": "a\/b", "n": 1, "f": 1.0, "t": {"a" : 1}}'
    body = JsonBody(raw)
    body["model"] = "a/b"
    body["n"] = 1
    body["t"] = {"a": 1}
    assert body.raw is raw
    assert not body.dirty
    body["n"] = True  # equal in Python, not in JSON
    assert body.get_raw("n") == b"true"
    assert body.dirty


def test_bytes_of_a_value_go_in_as_they_are() -> None:
    body = JsonBody(b'{ "a" : 1, "b":2 }')
    body.set_raw("a", b"[1.0 ,2]")
    body.set_raw("c", b"{ }")
    assert body.raw == b'{ "a" : [1.0 ,2], "b":2, "c":{ } }'
    assert body.dirty
    with pytest.raises(BadRequest):
        JsonBody(b"[]").set_raw("a", b"1")


def test_what_is_read_belongs_to_the_reader() -> None:
    body = JsonBody(b'{"a": {"b": 1}}')
    body.get("a")["b"] = 2
    body.tree()["a"] = 3
    assert body.get("a") == {"b": 1}
    changed = body.get("a")
    changed["b"] = 2
    body["a"] = changed
    assert body.raw == b'{"a": {"b":2}}'


def test_a_text_cut_inside_an_emoji_passes() -> None:
    raw = b'{"model":"m","text":"cut \\ud83d","n":[1,"\xc3\xa4"]}'
    body = JsonBody(raw)
    body["model"] = "k"
    assert body.raw == raw.replace(b'"m"', b'"k"')
    assert body.get("text") == "cut \ud83d"
    body["copy"] = body.get("text")
    assert JsonBody(body.raw).get_raw("copy") == b'"cut \\ud83d"'


def test_a_field_that_cannot_be_read_is_refused_by_name_and_the_others_serve() -> None:
    body = JsonBody(b'{"model":"m","text":"\xff","big":1e999}')
    assert body.get("model") == "m"
    with pytest.raises(BadRequest, match="'text' cannot be read: not UTF-8"):
        body.get("text")
    with pytest.raises(BadRequest, match="'big'"):
        body.get("big")
    body["model"] = "k"
    assert body.raw == b'{"model":"k","text":"\xff","big":1e999}'


def test_what_json_cannot_say_is_refused() -> None:
    body = JsonBody(b'{"a":1}')
    with pytest.raises(BadRequest, match="'b' cannot be written"):
        body["b"] = object()
    assert body.raw == b'{"a":1}'


@given(st.data(), objects, st.booleans())
def test_a_copy_is_edited_apart(data: st.DataObject, tree: dict[str, Any], looked: bool) -> None:
    raw = written(data.draw, tree)
    body = JsonBody(raw)
    if looked:
        assert ("model" in body) == ("model" in tree)
    twin = body.copy()
    twin["model"] = "another"
    assert body.raw is raw and not body.dirty
    assert parsed(twin.raw) == {**tree, "model": "another"}
    third = twin.copy()
    third.delete("model")
    assert "model" not in third and twin.get("model") == "another"


@given(st.data(), objects)
def test_reading_says_the_same_before_and_after_the_places_are_found(data: st.DataObject, tree: dict[str, Any]) -> None:
    raw = written(data.draw, tree)
    before, after = JsonBody(raw), JsonBody(raw)
    list(after)
    for name in [*tree, "model", "absent"]:
        assert before.get_raw(name) == after.get_raw(name)
        assert (name in before) == (name in after)
    assert before.is_object and after.is_object and before.error == after.error == ""


def test_the_last_of_repeated_names_counts_before_their_places_are_known_too() -> None:
    body = JsonBody(b'{"a": 1, "b": 2, "a": 3}')
    assert body.get("a") == 3
    assert body.duplicates == ["a"]
    assert body.get("a") == 3
