from __future__ import annotations

import json

import pytest

from ccproxy.auth.document import Document


def test_values_are_found_by_dotted_path() -> None:
    document = Document(b'{"a": {"b": "text", "n": 5, "f": 1.5, "t": true}, "z": null}')

    assert document.text("a.b") == "text"
    assert document.number("a.n") == 5.0
    assert document.number("a.f") == 1.5
    assert document.number("a.t") is None
    assert document.text("a.n") == document.text("z.b") == document.text("a.b.c") == ""


@pytest.mark.parametrize(
    "text",
    [
        '{"a":{"b":1,"c":"ü"},"d":[1,2.50]}',
        '{\n  "a": {\n    "b": 1,\n    "c": "x"\n  }\n}\n',
        '{\n    "a": {\n        "b": 1\n    },\n    "e": []\n}',
        '{\n\t"a": {\n\t\t"b": 1\n\t}\n}',
    ],
)
def test_a_change_keeps_order_layout_and_all_else(text: str) -> None:
    changed = Document(text.encode()).changed({"a.b": 2}).decode()

    assert json.loads(changed) == json.loads(text) | {"a": json.loads(text)["a"] | {"b": 2}}
    assert changed.replace("2.5]", "2.50]") == text.replace('"b":1', '"b":2').replace('"b": 1', '"b": 2')


def test_what_is_missing_on_the_way_is_made_and_the_original_stays() -> None:
    document = Document(b'{"a":1}')

    assert json.loads(document.changed({"a.b.c": "x", "d": 1})) == {"a": {"b": {"c": "x"}}, "d": 1}
    assert document.get("a") == 1


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"1", b"\xff\xfe{}", b"[" * 100_000])
def test_what_is_no_object_is_refused_without_quoting_it(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^no JSON( object)?$"):
        Document(data)


def test_a_byte_order_mark_is_passed_over() -> None:
    assert Document(b'\xef\xbb\xbf{"a":1}').get("a") == 1
