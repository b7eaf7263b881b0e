"""Answers for Anthropic clients, whoever made them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.lightllm.dialect import Frame
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.ir.events import ArgsDelta, End, Event, PartEnd, PartStart, SignatureDelta, Start, Stop, TextDelta
from ccproxy.lightllm.ir.parts import Citation, Image, Part, Refusal, Signature, Source, Text, Thinking, ToolCall
from ccproxy.lightllm.ir.response import Response, unfold
from ccproxy.lightllm.ir.usage import Usage
from ccproxy.lightllm.signatures import unwrap

from ..kit import REGISTRY, checked, collected, context, decode_document, decode_stream, encode_frames

ANTHROPIC = REGISTRY.get("anthropic")


def answer(*parts: Part, stop: Stop | None = None, **fields: Any) -> Response:
    return Response("id_1", "model-1", parts, stop or Stop("end"), **{"dialect": "other", **fields})


def message(response: Response) -> dict[str, Any]:
    written: dict[str, Any] = json.loads(collected(ANTHROPIC, list(unfold(response))))
    return written


def test_a_message_of_another_provider() -> None:
    assert message(answer(Text("hi"), usage=Usage(100, 20, 60, 10, 5))) == {
        "id": "id_1",
        "type": "message",
        "role": "assistant",
        "model": "model-1",
        "content": [{"type": "text", "text": "hi"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 30,
            "cache_creation_input_tokens": 10,
            "cache_read_input_tokens": 60,
            "output_tokens": 20,
            "output_tokens_details": {"thinking_tokens": 5},
        },
    }


def test_what_nobody_said_is_filled_in_only_where_the_protocol_demands_it() -> None:
    written = message(Response("", "", (Text("x"),), Stop("end")))
    assert written["id"] == "msg_0001"
    assert written["usage"] == {"input_tokens": 0, "output_tokens": 0}
    encoder = ANTHROPIC.encoder(context(model="asked-for"))
    assert encoder.event(Start("i", "real"))[0].data["message"]["model"] == "asked-for"


@pytest.mark.parametrize(
    ("stop", "reason", "explained"),
    [
        (Stop("end"), "end_turn", False),
        (Stop("max_tokens"), "max_tokens", False),
        (Stop("context_window"), "model_context_window_exceeded", False),
        (Stop("stop_sequence", "X"), "stop_sequence", False),
        (Stop("pause"), "pause_turn", False),
        (Stop("refusal"), "refusal", True),
        (Stop("content_filter", native="SAFETY"), "refusal", True),
        (Stop("other", native="LANGUAGE"), "refusal", True),
    ],
)
def test_reasons(stop: Stop, reason: str, explained: bool) -> None:
    written = message(answer(Text("x"), stop=stop))
    assert written["stop_reason"] == reason
    assert written["stop_sequence"] == (stop.sequence or None)
    assert ("stop_details" in written) == explained
    if stop.native:
        assert stop.native in written["stop_details"]["explanation"]


def test_an_unknown_reason_of_its_own_stays_as_it_is() -> None:
    body = {"id": "i", "model": "m", "content": [], "stop_reason": "compaction", "usage": {}}
    events = decode_document(ANTHROPIC, json.dumps(body).encode())
    assert checked(events).stop == Stop("other", native="compaction")
    assert json.loads(collected(ANTHROPIC, events))["stop_reason"] == "compaction"


def test_a_refusal_is_text_and_a_reason() -> None:
    written = message(answer(Refusal("I cannot.")))
    assert written["content"] == [{"type": "text", "text": "I cannot."}]
    assert written["stop_reason"] == "refusal"


def test_signatures_of_other_providers_are_wrapped_and_come_back() -> None:
    mine, yours = Signature("bXk=", "anthropic"), Signature("eW91cnM=", "gemini")
    written = message(
        answer(
            Thinking("a", mine),
            Thinking("b", yours),
            Thinking("", yours, "redacted"),
            ToolCall("t", "f", "{}", signature=yours),
            stop=Stop("tool_use"),
        )
    )
    own, foreign, sealed, carrier, call = written["content"]
    assert own["signature"] == "bXk="
    assert unwrap(foreign["signature"], "anthropic") == (yours, "here")
    assert unwrap(sealed["data"], "anthropic") == (yours, "here")
    assert carrier["type"] == "thinking"
    assert carrier["thinking"] == ""
    assert unwrap(carrier["signature"], "anthropic") == (yours, "next")
    assert call == {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    again = ANTHROPIC.decode_request(
        json.dumps({"messages": [{"role": "assistant", "content": written["content"]}]}).encode()
    )
    assert again.messages[0].parts == (
        Thinking("a", mine),
        Thinking("b", yours),
        Thinking("", yours, "redacted"),
        ToolCall("t", "f", signature=yours),
    )


def test_another_provider_of_the_same_dialect_is_another_origin() -> None:
    stream = (
        b'data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}\n\n'
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}\n\n'
    )
    events = decode_stream(ANTHROPIC, [stream], origin="deepseek")
    assert SignatureDelta(Signature("c2ln", "deepseek")) in events


def test_what_has_no_block_is_recorded() -> None:
    encoder = ANTHROPIC.encoder(context())
    events: list[Event] = [
        Start("i", "m", dialect="other"),
        PartStart(0, Image(Source("base64", "x"))),
        PartEnd(),
        PartStart(1, Text("")),
        TextDelta("x"),
        SignatureDelta(Signature("s", "gemini")),
        PartEnd(),
    ]
    frames = [frame for event in events for frame in encoder.event(event)]
    assert [frame.name for frame in frames] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
    ]
    assert {frame.data["index"] for frame in frames[1:]} == {0}
    assert [loss.path for loss in encoder.context.ledger] == ["answer.Image", "answer.parts[0].signature"]  # type: ignore[attr-defined]


def test_citations_with_a_page_are_kept() -> None:
    written = message(answer(Text("x", (Citation("https://e.com", "E", "words"), Citation(title="no page")))))
    (citation,) = written["content"][0]["citations"]
    assert (citation["url"], citation["title"], citation["cited_text"]) == ("https://e.com", "E", "words")


def test_an_error_in_a_stream() -> None:
    encoder = ANTHROPIC.encoder(context())
    encoder.event(Start("i", "m"))
    from ccproxy.lightllm.ir.events import Failed

    assert encoder.event(Failed(ErrorInfo("cut", "cut off"))) == [
        Frame({"type": "error", "error": {"type": "api_error", "message": "cut off"}}, "error")
    ]


def test_broken_arguments_of_a_call_are_not_lost_in_a_buffered_message() -> None:
    written = message(answer(ToolCall("t", "f", '{"a":'), stop=Stop("tool_use")))
    assert written["content"][0]["input"] == {"_raw_arguments": '{"a":'}


def test_white_space_before_arguments_is_not_said() -> None:
    encoder = ANTHROPIC.encoder(context())
    events: list[Event] = [Start("i", "m"), PartStart(0, ToolCall("t", "f"))]
    events += [ArgsDelta(text) for text in (" ", "\n ", ' {"a"', ": ", "1}")]
    frames = [frame for event in events for frame in encoder.event(event)]
    assert [frame.data["delta"]["partial_json"] for frame in frames[2:]] == ['{"a"', ": ", "1}"]


def test_an_error_without_a_type_is_one() -> None:
    stream = b'data: {"error":{"type":"1113","message":"no balance"}}\n\n'
    error = checked(decode_stream(ANTHROPIC, [stream])).error
    assert error is not None
    assert error.message == "no balance"


def test_usage_of_a_stream_is_cumulative_and_partial_reports_keep_the_rest() -> None:
    stream = (
        b'data: {"type":"message_start","message":{"id":"i","model":"m","usage":{"input_tokens":10,"cache_read_input_tokens":100,"output_tokens":1}}}\n\n'
        b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":10,"output_tokens":7}}\n\n'
        b'data: {"type":"message_stop"}\n\n'
    )
    assert checked(decode_stream(ANTHROPIC, [stream])).usage == Usage(110, 7, 100)


@pytest.mark.parametrize(
    "stream",
    [
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
        b'event: new_thing\ndata: {"type":"new_thing"}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n',
        b"event: message_stop\ndata: {}\n\n",
        b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}\n\n',
    ],
)
def test_what_providers_leave_out_is_no_failure(stream: bytes) -> None:
    assert checked(decode_stream(ANTHROPIC, [stream])).stop is not None


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"data: [DONE]\n\n",
        b"<html>",
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}}\n\n',
        b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":1}}\n\n',
        b'data: {"type":"message_start","message":[]}\n\n',
        b'data: {"type":"error"}\n\n',
        b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n',
    ],
)
def test_what_is_no_answer_is_a_failure(stream: bytes) -> None:
    assert checked(decode_stream(ANTHROPIC, [stream])).error is not None


def test_text_given_at_the_start_of_a_block_is_text() -> None:
    stream = (
        b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":"all "}}\n\n'
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"of it"}}\n\n'
        b'data: {"type":"message_stop"}\n\n'
    )
    assert checked(decode_stream(ANTHROPIC, [stream])).parts == (Text("all of it"),)
    assert encode_frames(ANTHROPIC, decode_stream(ANTHROPIC, [stream]))[-1].name == "message_stop"
    assert End(Stop("end")) in decode_stream(ANTHROPIC, [stream])
