from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from ccproxy.lightllm.ir.parts import Image, ToolCall, ToolResult
from ccproxy.lightllm.ir.request import Request
from ccproxy.lightllm.ir.response import Response, fold, unfold
from ccproxy.testing.conformance.strategies import broken, cut, damaged, requests, responses
from ccproxy.testing.conformance.ways import checked


@given(responses(thinking=True))
def test_answers_are_complete_and_obey_the_grammar(response: Response) -> None:
    assert checked(list(unfold(response))) == response == fold(unfold(response))


@given(requests(images=False))
def test_conversations_have_a_result_for_each_call_and_end_with_the_user(request: Request) -> None:
    parts = [part for message in request.messages for part in message.parts]
    calls = [part.id for part in parts if isinstance(part, ToolCall)]
    assert calls == [part.call_id for part in parts if isinstance(part, ToolResult)]
    assert len(set(calls)) == len(calls)
    assert request.messages[-1].role == "user"
    assert not any(isinstance(part, Image) for part in parts)


@given(st.data(), st.binary(max_size=50))
def test_cut_pieces_make_the_whole(data: st.DataObject, raw: bytes) -> None:
    assert b"".join(data.draw(cut(raw))) == raw


@given(broken({"a": [1, {"b": None}], "c": "d"}))
def test_broken_values_are_json(value: object) -> None:
    json.dumps(value)


@given(damaged(b'data: {"a": 1}\n\ndata: {not json\n\ndata: [DONE]\n\n') | damaged(b""))
def test_anything_can_be_damaged(raw: bytes) -> None:
    assert isinstance(raw, bytes)
