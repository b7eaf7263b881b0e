"""The streamed JSON array: one table of cases, each run whole, byte by byte and cut at every point."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.errors import UpstreamError
from ccproxy.lightllm.json_array import JsonArraySplitter, JsonArrayWriter, join_array

from .streams import cuttings

CASES: dict[str, tuple[bytes, list[bytes]]] = {
    "empty": (b"[]", []),
    "one": (b'[{"a":1}]', [b'{"a":1}']),
    "as it is sent": (b'[{"a":1}\n,\r\n{"b":2}\n]\n', [b'{"a":1}', b'{"b":2}']),
    "brackets in texts": (b'[{"a":"}]\\"{"},[["]"]]]', [b'{"a":"}]\\"{"}', b'[["]"]]']),
    "escapes": (b'[{"a":"\\\\"},{"b":"\\\\\\""}]', [b'{"a":"\\\\"}', b'{"b":"\\\\\\""}']),
    "scalars": (b'[1, "a,]" ,true,\nnull]', [b"1", b'"a,]"', b"true", b"null"]),
    "no array": (b' {"error": {"code": 500}}\n', [b'{"error": {"code": 500}}']),
    "pretty": (b'[{\n  "a": [\n    1\n  ]\n}]', [b'{\n  "a": [\n    1\n  ]\n}']),
    "cut in an element": (b'[{"a":1},{"b":', [b'{"a":1}', b'{"b":']),
    "cut in a text": (b'[{"a":"x\\', [b'{"a":"x\\']),
    "cut after a comma": (b'[{"a":1},', [b'{"a":1}']),
    "cut in a scalar": (b"[tru", [b"tru"]),
    "byte order mark": (b'\xef\xbb\xbf[{"a":1}]', [b'{"a":1}']),
    "utf-8": ('[{"a":"ä😀"}]'.encode(), ['{"a":"ä😀"}'.encode()]),
    "a quote in a word": (b'[1""x, 2]', [b'1""x', b"2"]),
    "html": (b"<html>", [b"<html>"]),
    "nothing": (b"", []),
}


def read(chunks: list[bytes]) -> list[bytes] | str:
    splitter = JsonArraySplitter()
    elements: list[bytes] = []
    try:
        for chunk in chunks:
            elements += splitter.feed(chunk)
        return elements + splitter.eof()
    except UpstreamError as problem:
        return str(problem)


@pytest.mark.parametrize("name", CASES)
def test_cases_however_they_are_cut(name: str) -> None:
    raw, expected = CASES[name]
    for chunks in cuttings(raw):
        assert read(chunks) == expected, chunks


@given(st.text(alphabet='[]{}",:\\ 1n', max_size=40).map(str.encode) | st.binary(max_size=40))
def test_any_bytes_in_any_cutting_give_the_same_elements(raw: bytes) -> None:
    expected = read([raw])
    for chunks in cuttings(raw):
        assert read(chunks) == expected


values = st.recursive(
    st.none() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


@given(st.lists(values, max_size=5), st.sampled_from([None, 1]))
def test_the_elements_of_any_array(items: list[Any], indent: int | None) -> None:
    found = read([json.dumps(items, indent=indent).encode()])
    assert [json.loads(element) for element in found] == items


@given(st.lists(st.sampled_from([b"1", b'{"a":"]"}', b"[]"])))
def test_what_is_written_is_read(elements: list[bytes]) -> None:
    writer = JsonArrayWriter()
    raw = b"".join([*(writer.write(element) for element in elements), writer.close()])
    assert read([raw]) == elements
    assert read([join_array(elements)]) == elements
    assert json.loads(raw) == [json.loads(element) for element in elements]


def test_an_element_comes_out_with_its_last_byte() -> None:
    splitter = JsonArraySplitter()
    assert splitter.feed(b'[{"a":') == []
    assert splitter.feed(b"1}") == [b'{"a":1}']
    assert splitter.feed(b',{"b":2},{') == [b'{"b":2}']
    assert splitter.feed(b"}") == [b"{}"]
    assert not splitter.closed
    assert splitter.feed(b"]") == []
    assert splitter.closed


def test_more_after_the_end_and_endless_elements_are_refused() -> None:
    with pytest.raises(UpstreamError, match="after the end"):
        JsonArraySplitter().feed(b"[1] 2")
    splitter = JsonArraySplitter(max_element=50)
    with pytest.raises(UpstreamError, match="more than 50 bytes"):
        splitter.feed(b'[{"a":"' + b"x" * 60)
    assert splitter.eof() == []
