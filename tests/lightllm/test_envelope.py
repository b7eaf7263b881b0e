"""Code Assist's envelope, on and off: what is inside keeps its bytes."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest

from ccproxy.errors import BadRequest, UpstreamCut
from ccproxy.lightllm import envelope
from ccproxy.lightllm.dialect import StreamForm
from ccproxy.lightllm.ir.losses import LossLedger

ODD = b'{ "contents" : [ {"parts":[{"text":"\\u00e4\\/"}]} ],"generationConfig":{"temperature":1.50e0} }'


class TestRequests:
    def test_what_is_wrapped_keeps_its_bytes(self) -> None:
        wrapped = envelope.wrap_request(b"\xef\xbb\xbf \n" + ODD + b"\n", 'g"1')
        assert wrapped == b'{"model":"g\\"1","request":' + ODD + b"}"
        assert envelope.unwrap_request(wrapped) == ('g"1', ODD)

    def test_a_model_in_the_body_has_no_place_inside(self) -> None:
        wrapped = json.loads(envelope.wrap_request(b'{"model":"models/other","contents":[]}', "g"))
        assert wrapped == {"model": "g", "request": {"contents": []}}

    @pytest.mark.parametrize("body", [b"", b"[]", b'{"a":', b"\xff"])
    def test_what_is_no_object_is_refused(self, body: bytes) -> None:
        with pytest.raises(BadRequest):
            envelope.wrap_request(body, "g")
        with pytest.raises(BadRequest):
            envelope.complete(body, prompt="p", session="s")

    def test_ids_are_put_in_where_there_are_none(self) -> None:
        completed = envelope.complete(envelope.wrap_request(ODD, "g"), prompt="p", session="s")
        assert completed == (
            b'{"model":"g","request":'
            + ODD.removesuffix(b" }")
            + b',"session_id":"s" },"user_prompt_id":"p"}'
        )  # fmt: skip
        assert envelope.complete(completed, prompt="other", session="other") == completed
        without = json.loads(envelope.complete(b'{"request":{}}', prompt="p", session=""))
        assert without == {"request": {}, "user_prompt_id": "p"}

    def test_what_only_the_envelope_has_goes_with_it(self) -> None:
        body = b'{"model":"models/g","project":"p","request":{"session_id":"s","contents":[]}}'
        assert envelope.unwrap_request(body) == ("g", b'{"contents":[]}')
        assert envelope.unwrap_request(ODD) == ("", ODD)

    @pytest.mark.parametrize("nested", ["generateContentRequest", "generate_content_request", ""])
    def test_a_count_is_of_contents_alone(self, nested: str) -> None:
        losses = LossLedger()
        asked: dict[str, Any] = {"contents": [1], "tools": [2], "systemInstruction": {}}
        body = json.dumps({nested: {"model": "models/x", **asked}} if nested else asked).encode()
        counted = json.loads(envelope.wrap_count(body, "models/g", losses))
        assert counted == {"request": {"model": "models/g", "contents": [1]}}
        assert losses.header() == "2; tools=dropped, systemInstruction=dropped"

    def test_a_count_for_vertex_is_flat(self) -> None:
        body = b'{"generateContentRequest":{"model":"m","contents":[1],"tools":[2],"toolConfig":{}}}'
        assert json.loads(envelope.flat_count(body)) == {"contents": [1], "tools": [2]}
        assert envelope.flat_count(ODD) == ODD


ANSWER = b'{"candidates": [ 1 ],"n":1.0e2}'
WRAPPED = b'{"response": ' + ANSWER + b', "traceId":"t"}'
ERROR = b'{"error":{"code":429}}'
FORMS: list[StreamForm] = ["sse", "json_array"]


def rewritten(
    way: Literal["wrap", "unwrap"], data: bytes, form: StreamForm | None, *, kind: str, step: int = 0
) -> bytes:
    rewriter = envelope.AnswerRewriter(way, kind, form)
    pieces = [data[at : at + step] for at in range(0, len(data), step)] if step else [data]
    return b"".join([rewriter.feed(piece) for piece in pieces]) + rewriter.eof()


class TestAnswers:
    def test_documents(self) -> None:
        kind = "application/json"
        assert rewritten("unwrap", WRAPPED, None, kind=kind) == ANSWER
        assert rewritten("wrap", ANSWER, None, kind=kind) == b'{"response":' + ANSWER + b"}"
        assert rewritten("unwrap", ANSWER, None, kind=kind, step=3) == ANSWER
        for body in (ERROR, b"", b"not json", b"5"):
            assert rewritten("unwrap", body, None, kind=kind) == rewritten("wrap", body, None, kind=kind) == body

    @pytest.mark.parametrize("step", [0, 1, 2, 7])
    @pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
    @pytest.mark.parametrize("last", [True, False])
    def test_streams_cut_anywhere(self, step: int, end: bytes, last: bool) -> None:
        stream = b": hello" + end + b"".join(b"data: " + each + end for each in (WRAPPED, ERROR, WRAPPED))
        stream = stream if last else stream.removesuffix(end)
        plain = [ANSWER, ERROR, ANSWER]
        got = rewritten("unwrap", stream, "sse", kind="text/event-stream", step=step)
        assert got == b"".join(b"data: " + each + b"\n\n" for each in plain)
        array = rewritten("unwrap", stream, "json_array", kind="text/event-stream", step=step)
        assert json.loads(array) == [json.loads(each) for each in plain]

    def test_the_other_way(self) -> None:
        stream = b"data: " + ANSWER + b"\n\ndata: " + ERROR + b"\n\n"
        got = rewritten("wrap", stream, "sse", kind="text/event-stream")
        assert got == b'data: {"response":' + ANSWER + b"}\n\ndata: " + ERROR + b"\n\n"

    def test_an_array_that_came_whole(self) -> None:
        body = b"[" + WRAPPED + b",\r\n" + ERROR + b"]"
        got = rewritten("unwrap", body, "json_array", kind="application/json", step=5)
        assert json.loads(got) == [json.loads(ANSWER), json.loads(ERROR)]

    def test_several_lines_become_one(self) -> None:
        stream = b'data: {"response": {"a":\ndata:  1.0e2}}\n\n'
        assert rewritten("unwrap", stream, "sse", kind="text/event-stream") == b'data: {"a":1.0e2}\n\n'

    def test_the_types_say_what_comes_out(self) -> None:
        def said(kind: str, form: StreamForm | None) -> str:
            return envelope.AnswerRewriter("unwrap", kind, form).content_type

        assert said("text/event-stream", "sse") == "text/event-stream"
        assert {said("text/event-stream", "json_array"), said("application/json", None)} == {"application/json"}

    @pytest.mark.parametrize("form", FORMS)
    def test_a_stream_that_ends_within_an_event_is_cut(self, form: StreamForm) -> None:
        rewriter = envelope.AnswerRewriter("unwrap", "text/event-stream", form)
        rewriter.feed(b"data: " + WRAPPED + b"\n\ndata: " + WRAPPED[:9] + b"\n")
        with pytest.raises(UpstreamCut):
            rewriter.eof()
