"""Tool calls from servers that number and name them in their own ways. Ids are unique, whatever comes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.lightllm.ir.parts import ToolCall
from ccproxy.lightllm.ir.request import Message, Request

from ..kit import REGISTRY, checked, context, decode_document, decode_stream

OPENAI = REGISTRY.get("openai")

#: A call, or a piece of one: number, id, name, arguments.
type Piece = tuple[int | None, str | None, str | None, Any]


def entry(piece: Piece) -> dict[str, Any]:
    index, call_id, name, arguments = piece
    fields = {"index": index, "id": call_id, "function": {"name": name, "arguments": arguments}}
    return {name: value for name, value in fields.items() if value is not None}


def calls(*pieces: Piece) -> list[tuple[str, str, str]]:
    """Id, name and arguments of what a stream of these pieces says."""
    frames = [{"id": "c", "choices": [{"index": 0, "delta": {"tool_calls": [entry(piece)]}}]} for piece in pieces]
    raw = b"".join(b"data: " + json.dumps(frame).encode() + b"\n\n" for frame in frames) + b"data: [DONE]\n\n"
    response = checked(decode_stream(OPENAI, [raw]))
    assert response.error is None, response.error
    return [(part.id, part.name, part.args) for part in response.parts if isinstance(part, ToolCall)]


def test_as_the_protocol_says() -> None:
    assert calls(
        (0, "a", "f", ""), (0, None, None, '{"x":'), (0, None, None, "1}"), (1, "b", "g", ""), (1, None, None, "{}")
    ) == [("a", "f", '{"x":1}'), ("b", "g", "{}")]


def test_id_and_name_in_each_piece() -> None:
    assert calls((0, "a", "f", '{"x":'), (0, "a", "f", "1}"), (1, "b", "f", "{"), (1, "b", "f", "}")) == [
        ("a", "f", '{"x":1}'),
        ("b", "f", "{}"),
    ]


def test_the_name_alone_in_each_piece() -> None:
    assert calls((0, "a", "f", '{"x":'), (0, "", "f", "1}")) == [("a", "f", '{"x":1}')]


def test_every_call_has_the_number_0() -> None:
    assert calls((0, "a", "f", "{}"), (0, "b", "f", "{}"), (0, "c", "g", "{")) == [
        ("a", "f", "{}"),
        ("b", "f", "{}"),
        ("c", "g", "{"),
    ]
    # And no ids either.
    assert calls((0, "", "f", '{"x":1}'), (0, "", "f", '{"x":2}'), (0, None, "g", "{}")) == [
        ("call_ccp0001", "f", '{"x":1}'),
        ("call_ccp0002", "f", '{"x":2}'),
        ("call_ccp0003", "g", "{}"),
    ]


def test_no_numbers() -> None:
    assert calls((None, "a", "f", "{"), (None, None, None, "}"), (None, "b", "g", "{"), (None, "a", None, " ")) == [
        ("a", "f", "{}"),
        ("b", "g", "{"),
    ]
    assert calls((None, None, "f", "{}"), (None, None, "f", "{}")) == [
        ("call_ccp0001", "f", "{}"),
        ("call_ccp0002", "f", "{}"),
    ]


def test_one_id_for_several_calls() -> None:
    assert calls((0, "a", "f", "{}"), (1, "a", "g", "{}"), (2, "a", "f", "{}")) == [
        ("a", "f", "{}"),
        ("a_2", "g", "{}"),
        ("a_3", "f", "{}"),
    ]


def test_the_name_comes_later() -> None:
    assert calls((0, "a", None, '{"x"'), (0, None, "f", ":1}")) == [("a", "f", '{"x":1}')]


def test_arguments_absent_empty_or_an_object() -> None:
    assert calls((0, "a", "f", None), (1, "b", "g", ""), (2, "c", "h", {"x": [1]})) == [
        ("a", "f", ""),
        ("b", "g", ""),
        ("c", "h", '{"x":[1]}'),
    ]


def test_ids_of_the_conversation_are_taken() -> None:
    request = Request("m", (Message("assistant", (ToolCall("call_1", "f"),)),))
    message = {"tool_calls": [entry((None, "call_1", "f", "{}")), entry((None, "call_1", "f", "{}"))]}
    body = json.dumps({"id": "c", "choices": [{"message": message}]}).encode()
    response = checked(OPENAI.decoder(context(request)).document(body))
    assert [part.id for part in response.parts if isinstance(part, ToolCall)] == ["call_1_2", "call_1_3"]


def test_calls_of_a_document_are_whole_and_apart() -> None:
    message = {"tool_calls": [entry((None, "a", "f", "{}")), entry((None, "", "f", "{}")), entry((0, "a", "g", ""))]}
    body = json.dumps({"id": "c", "choices": [{"message": message}]}).encode()
    response = checked(decode_document(OPENAI, body))
    names = [(part.name, part.args) for part in response.parts if isinstance(part, ToolCall)]
    assert sorted(names) == [("f", "{}"), ("f", "{}"), ("g", "")]


def test_freeform_calls() -> None:
    pieces = [
        {"index": 0, "id": "a", "type": "custom", "custom": {"name": "patch", "input": "*** "}},
        {"index": 0, "custom": {"input": "Begin"}},
        {"index": 1, "id": "b", "type": "function", "function": {"name": "f", "arguments": "{}"}},
    ]
    frames = [{"id": "c", "choices": [{"index": 0, "delta": {"tool_calls": [piece]}}]} for piece in pieces]
    raw = b"".join(b"data: " + json.dumps(frame).encode() + b"\n\n" for frame in frames) + b"data: [DONE]\n\n"
    response = checked(decode_stream(OPENAI, [raw]))
    assert response.parts == (ToolCall("a", "patch", "*** Begin", "custom"), ToolCall("b", "f", "{}"))


maybe = st.none() | st.sampled_from(["", "a", "b"])


@given(st.lists(st.tuples(st.none() | st.integers(0, 2), maybe, maybe, maybe | st.sampled_from(["{", "}", "{}"]))))
def test_any_pieces_give_calls_with_ids_of_their_own_or_a_failure(pieces: list[Piece]) -> None:
    frames = [{"id": "c", "choices": [{"index": 0, "delta": {"tool_calls": [entry(piece)]}}]} for piece in pieces]
    raw = b"".join(b"data: " + json.dumps(frame).encode() + b"\n\n" for frame in frames) + b"data: [DONE]\n\n"
    response = checked(decode_stream(OPENAI, [raw]))
    found = [part for part in response.parts if isinstance(part, ToolCall)]
    assert len({part.id for part in found}) == len(found)
    if response.error is None:
        assert all(part.id and part.name for part in found)
        said = sum(len(piece[3] or "") for piece in pieces)
        assert sum(len(part.args) for part in found) == said


@pytest.mark.parametrize("wrong", [{"id": 5}, {"function": {"name": 5}}, {"function": {"arguments": 5}}, 5])
def test_what_cannot_be_read_is_a_failure(wrong: Any) -> None:
    body = json.dumps({"id": "c", "choices": [{"message": {"tool_calls": [wrong]}}]}).encode()
    assert checked(decode_document(OPENAI, body)).error is not None
