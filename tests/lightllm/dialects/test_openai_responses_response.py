"""Answers for Responses clients, whoever made them, and OpenAI's own read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.lightllm.dialect import Context, Frame, Target
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.ir.events import (
    Event,
    Failed,
    PartEnd,
    PartStart,
    Ping,
    SignatureDelta,
    Start,
    Stop,
    TextDelta,
)
from ccproxy.lightllm.ir.parts import (
    Citation,
    Image,
    Opaque,
    Part,
    Refusal,
    Signature,
    Source,
    Text,
    Thinking,
    ToolCall,
)
from ccproxy.lightllm.ir.request import Message, Request
from ccproxy.lightllm.ir.response import Response, unfold
from ccproxy.lightllm.ir.usage import Usage
from ccproxy.lightllm.signatures import unwrap
from ccproxy.lightllm.translate import StreamTranslator, filters_of

from ..kit import (
    REGISTRY,
    checked,
    collected,
    context,
    decode_document,
    decode_stream,
    encode_frames,
    encode_stream,
)

RESPONSES = REGISTRY.get("openai_responses")
ANTHROPIC = REGISTRY.get("anthropic")


def answer(*parts: Part, stop: Stop | None = None, **fields: Any) -> Response:
    return Response("id_1", "model-1", parts, stop or Stop("end"), **{"dialect": "other", **fields})


def response(given: Response, request: Request | None = None) -> dict[str, Any]:
    written: dict[str, Any] = json.loads(collected(RESPONSES, list(unfold(given)), request))
    return written


def names(given: Response) -> list[str | None]:
    return [frame.name for frame in encode_frames(RESPONSES, list(unfold(given)))]


def event(kind: str, **fields: Any) -> bytes:
    return f"data: {json.dumps({'type': kind, **fields})}\n\n".encode()


def done(*output: dict[str, Any], **fields: Any) -> bytes:
    return event("response.completed", response={"id": "r", "status": "completed", "output": list(output), **fields})


def text_item(text: str, item: str = "msg") -> dict[str, Any]:
    return {"type": "message", "id": item, "role": "assistant", "content": [{"type": "output_text", "text": text}]}


# Out


def test_a_response_of_another_provider() -> None:
    assert response(answer(Text("hi"), usage=Usage(100, 20, 60, 10, 5))) == {
        "id": "id_1",
        "object": "response",
        "created_at": 1_700_000_000,
        "completed_at": 1_700_000_000,
        "status": "completed",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "metadata": {},
        "model": "model-1",
        "output": [
            {
                "type": "message",
                "id": "msg_0001",
                "status": "completed",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "hi", "annotations": [], "logprobs": []}],
            }
        ],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": False,
        "temperature": None,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "truncation": "disabled",
        "usage": {
            "input_tokens": 100,
            "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10},
            "output_tokens": 20,
            "output_tokens_details": {"reasoning_tokens": 5},
            "total_tokens": 120,
        },
        "user": None,
    }


def test_every_event_says_where_it_belongs() -> None:
    frames = encode_frames(
        RESPONSES, list(unfold(answer(Thinking("hm"), Text("a"), Text("b"), ToolCall("c", "f", "{}"))))
    )
    assert [(frame.name, frame.data.get("output_index"), frame.data.get("item_id")) for frame in frames] == [
        ("response.created", None, None),
        ("response.in_progress", None, None),
        ("response.output_item.added", 0, None),
        ("response.reasoning_summary_part.added", 0, "rs_0001"),
        ("response.reasoning_summary_text.delta", 0, "rs_0001"),
        ("response.reasoning_summary_text.done", 0, "rs_0001"),
        ("response.reasoning_summary_part.done", 0, "rs_0001"),
        ("response.output_item.done", 0, None),
        ("response.output_item.added", 1, None),
        ("response.content_part.added", 1, "msg_0002"),
        ("response.output_text.delta", 1, "msg_0002"),
        ("response.output_text.done", 1, "msg_0002"),
        ("response.content_part.done", 1, "msg_0002"),
        ("response.content_part.added", 1, "msg_0002"),
        ("response.output_text.delta", 1, "msg_0002"),
        ("response.output_text.done", 1, "msg_0002"),
        ("response.content_part.done", 1, "msg_0002"),
        ("response.output_item.done", 1, None),
        ("response.output_item.added", 2, None),
        ("response.function_call_arguments.delta", 2, "fc_0003"),
        ("response.function_call_arguments.done", 2, "fc_0003"),
        ("response.output_item.done", 2, None),
        ("response.completed", None, None),
    ]
    assert [frame.data["sequence_number"] for frame in frames] == list(range(len(frames)))
    indexes = [frame.data["content_index"] for frame in frames if "content_index" in frame.data]
    assert indexes == [0, 0, 0, 0, 1, 1, 1, 1]
    added = [frame.data["item"] for frame in frames if frame.name == "response.output_item.added"]
    assert [item.get("status") for item in added] == [None, "in_progress", "in_progress"]
    assert [item.get("content") for item in added] == [None, [], None]


def test_what_nobody_said_is_filled_in_only_where_the_protocol_demands_it() -> None:
    written = response(Response("", "", (Text("x"),), Stop("end")))
    assert written["id"] == "resp_0001"
    assert written["usage"] is None
    encoder = RESPONSES.encoder(context(model="asked-for"))
    assert encoder.event(Start("i", "real"))[0].data["response"]["model"] == "asked-for"


def test_the_request_is_repeated() -> None:
    request = RESPONSES.decode_request(
        json.dumps(
            {
                "model": "m",
                "input": "hi",
                "instructions": "Be brief.",
                "max_output_tokens": 20,
                "tools": [{"type": "namespace", "name": "n", "description": "N.", "tools": [{"type": "custom", "name": "c"}]}],
                "tool_choice": {"type": "custom", "name": "c"},
                "parallel_tool_calls": False,
                "reasoning": {"effort": "none"},
                "truncation": "auto",
                "prompt_cache_key": "k",
                "metadata": {"a": "b"},
            }
        ).encode()
    )  # fmt: skip
    written = response(answer(Text("x")), request)
    assert written["instructions"] == "Be brief."
    assert written["tools"][0]["tools"] == [{"type": "custom", "name": "c"}]
    assert written["tool_choice"] == {"type": "custom", "name": "c"}
    assert (written["parallel_tool_calls"], written["truncation"]) == (False, "auto")
    assert (written["reasoning"]["effort"], written["max_output_tokens"]) == ("none", 20)
    assert (written["prompt_cache_key"], written["metadata"]) == ("k", {"a": "b"})
    # A request of another dialect may have more than text as its instructions.
    foreign = Request("m", (), "anthropic", (Image(Source("url", "u")),))
    assert response(answer(Text("x")), foreign)["instructions"] is None


@pytest.mark.parametrize(
    ("stop", "status", "reason"),
    [
        (Stop("end"), "completed", None),
        (Stop("stop_sequence", "X"), "completed", None),
        (Stop("max_tokens"), "incomplete", "max_output_tokens"),
        (Stop("context_window"), "incomplete", "max_output_tokens"),
        (Stop("pause"), "incomplete", "max_output_tokens"),
        (Stop("refusal"), "incomplete", "content_filter"),
        (Stop("content_filter", native="SAFETY"), "incomplete", "content_filter"),
        (Stop("other", native="LANGUAGE"), "incomplete", "content_filter"),
    ],
)
def test_endings(stop: Stop, status: str, reason: str | None) -> None:
    written = response(answer(Text("x"), stop=stop))
    assert written["status"] == status
    assert written["incomplete_details"] == (reason and {"reason": reason})
    assert written["output"][0]["status"] == status
    assert names(answer(Text("x"), stop=stop))[-1] == f"response.{status}"


def test_a_refusal_in_the_models_words_is_complete() -> None:
    written = response(answer(Text("Hm."), Refusal("I cannot."), stop=Stop("refusal")))
    assert written["status"] == "completed"
    assert written["output"][0]["content"][1] == {"type": "refusal", "refusal": "I cannot."}
    assert checked(decode_document(RESPONSES, json.dumps(written).encode())).stop == Stop("refusal")


def test_an_unknown_reason_of_its_own_stays_as_it_is() -> None:
    body = {
        "id": "r",
        "model": "m",
        "status": "incomplete",
        "output": [],
        "incomplete_details": {"reason": "new", "x": 1},
    }
    events = decode_document(RESPONSES, json.dumps(body).encode())
    assert checked(events).stop == Stop("other", native="new", details={"x": 1})
    written = json.loads(collected(RESPONSES, events))
    assert written["incomplete_details"] == {"reason": "new", "x": 1}


def test_signatures_of_other_providers_are_wrapped() -> None:
    mine, yours = Signature("bXk=", "openai_responses"), Signature("eW91cnM=", "anthropic")
    written = response(
        answer(
            Thinking("a", mine),
            Thinking("b", yours),
            Thinking("", yours, "redacted"),
            Thinking("", yours),
            ToolCall("t", "f", signature=Signature("Z2Vt", "gemini")),
            stop=Stop("tool_use"),
        )
    )
    own, foreign, sealed, omitted, carrier, call = written["output"]
    assert own["encrypted_content"] == "bXk="
    assert unwrap(foreign["encrypted_content"], "openai_responses") == (yours, "here")
    assert unwrap(sealed["encrypted_content"], "openai_responses") == (yours, "whole")
    assert unwrap(omitted["encrypted_content"], "openai_responses") == (yours, "here")
    assert unwrap(carrier["encrypted_content"], "openai_responses") == (Signature("Z2Vt", "gemini"), "next")
    assert [item["summary"] for item in (sealed, omitted, carrier)] == [[], [], []]
    assert call["arguments"] == "{}"
    again = RESPONSES.decode_request(json.dumps({"input": written["output"]}).encode())
    kinds = [(type(part), getattr(part, "signature", None)) for part in again.messages[0].parts]
    assert kinds == [
        (Thinking, mine),
        (Thinking, yours),
        (Thinking, yours),
        (Thinking, yours),
        (ToolCall, Signature("Z2Vt", "gemini")),
    ]


def test_thinking_without_a_signature_is_a_summary_too() -> None:
    (item, _) = response(answer(Thinking("full words", form="full"), Text("x")))["output"]
    assert item == {"type": "reasoning", "id": "rs_0001", "summary": [{"type": "summary_text", "text": "full words"}]}


def test_a_call_without_arguments_says_so_in_every_event() -> None:
    frames = encode_frames(RESPONSES, list(unfold(answer(ToolCall("c", "f"), stop=Stop("tool_use")))))
    said = {frame.name: frame.data for frame in frames}
    assert said["response.function_call_arguments.delta"]["delta"] == "{}"
    assert said["response.function_call_arguments.done"]["arguments"] == "{}"
    assert said["response.output_item.done"]["item"]["arguments"] == "{}"
    custom = encode_frames(RESPONSES, list(unfold(answer(ToolCall("c", "f", kind="custom")))))
    assert {frame.name: frame.data for frame in custom}["response.custom_tool_call_input.done"]["input"] == ""


def test_broken_arguments_are_passed_on_as_they_are() -> None:
    written = response(answer(ToolCall("t", "f", '{"a":'), stop=Stop("tool_use")))
    assert written["output"][0]["arguments"] == '{"a":'


def test_citations_say_which_text_they_support() -> None:
    cited = answer(
        Text("Grüße!", (Citation("https://e.com", "E", "words"), Citation("https://f.com", start=2, end=4), Citation(title="none")))
    )  # fmt: skip
    frames = encode_frames(RESPONSES, list(unfold(cited)))
    annotations = [
        {"type": "url_citation", "url": "https://e.com", "title": "E", "start_index": 0, "end_index": 6},
        {"type": "url_citation", "url": "https://f.com", "title": "", "start_index": 2, "end_index": 4},
    ]
    added = [frame.data for frame in frames if frame.name == "response.output_text.annotation.added"]
    assert [(one["annotation_index"], one["annotation"]) for one in added] == list(enumerate(annotations))
    assert response(cited)["output"][0]["content"][0]["annotations"] == annotations


def test_a_picture_is_an_item_and_comes_back() -> None:
    written = response(answer(Text("Look."), Image(Source("base64", "iVBORw0KGgo=", "image/png"))))
    item = written["output"][1]
    assert (item["type"], item["result"], item["output_format"]) == ("image_generation_call", "iVBORw0KGgo=", "png")
    again = RESPONSES.decode_request(json.dumps({"input": written["output"]}).encode())
    assert again.messages[0].parts[1].source == Source("base64", "iVBORw0KGgo=", "image/png")  # type: ignore[union-attr]


def test_what_has_no_item_is_recorded() -> None:
    given = context()
    encoder = RESPONSES.encoder(given)
    events: list[Event] = [
        Start("i", "m", dialect="other"),
        PartStart(0, Image(Source("url", "x"))),
        PartEnd(),
        PartStart(1, Opaque("other", "widget", {})),
        PartEnd(),
        PartStart(2, Text("")),
        TextDelta("x"),
        SignatureDelta(Signature("s", "gemini")),
        PartEnd(),
    ]
    frames = [frame for event in events for frame in encoder.event(event)]
    assert [frame.data["output_index"] for frame in frames if frame.name == "response.output_item.added"] == [0]
    assert [loss.path for loss in given.ledger] == ["answer.Image", "answer.widget", "answer.parts[0].signature"]


def test_a_failure_in_a_stream_is_said_twice() -> None:
    """The official SDKs raise at the first event, Codex ends the turn at the second."""
    events: list[Event] = [
        Start("i", "m"),
        PartStart(0, Text("")),
        TextDelta("done"),
        PartEnd(),
        PartStart(1, ToolCall("c", "f")),
        Failed(ErrorInfo("overloaded", "busy", 529)),
    ]
    error, failed = encode_frames(RESPONSES, events)[-2:]
    assert error == Frame(
        {
            "type": "error",
            "sequence_number": 9,
            "code": "server_is_overloaded",
            "message": "busy",
            "param": None,
            "error": {"message": "busy", "type": "server_error", "param": None, "code": "server_is_overloaded"},
        },
        "error",
    )
    assert failed.name == "response.failed"
    assert failed.data["response"]["status"] == "failed"
    assert failed.data["response"]["error"] == {"code": "server_is_overloaded", "message": "busy"}
    assert [item["type"] for item in failed.data["response"]["output"]] == ["message"]


def test_keep_alives_are_comments() -> None:
    encoder = RESPONSES.encoder(context())
    assert encoder.event(Start("i", "m"))
    assert encoder.event(Ping()) == [Frame(None)]


def test_stop_sequences_are_cut_by_us_while_it_streams() -> None:
    """Responses has none: what Anthropic's client asked for is watched for on the way back."""
    client = ANTHROPIC.decode_request(
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":20,"stop_sequences":["END"]}'
    )
    encoded = RESPONSES.encode_request(client, Target())
    assert "stop" not in json.loads(encoded.body)
    assert encoded.stop == ("END",)
    translator = StreamTranslator(RESPONSES, ANTHROPIC, Context(client), filters=filters_of(encoded))
    out = translator.feed(event("response.created", response={"id": "r", "model": "m"}))
    for piece in ("one E", "N", "Dless EN", "D two", " three"):
        out += translator.feed(
            event("response.output_text.delta", output_index=0, content_index=0, item_id="a", delta=piece)
        )
    assert translator.done
    answered = checked(decode_stream(ANTHROPIC, [out + translator.eof()]))
    assert answered.parts == (Text("one "),)
    assert answered.stop == Stop("stop_sequence", "END", "stop_sequence")


# In


def test_another_provider_of_the_same_dialect_is_another_origin() -> None:
    item = {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "c2ln"}
    events = decode_stream(RESPONSES, [done(item)], origin="azure")
    assert checked(events).parts == (Thinking("", Signature("c2ln", "azure"), "redacted", "rs"),)


@pytest.mark.parametrize(
    "stream",
    [
        done(text_item("x")),
        event("response.output_item.done", output_index=0, item=text_item("x")) + done(),
        event("response.output_text.delta", delta="x") + done(),
        event("response.output_text.done", text="x") + done(),
        event("response.output_text.delta", delta="x", item_id="msg") + done(text_item("x")),
        event("response.output_text.delta", delta="x", output_index=3, item_id="msg") + done(text_item("x")),
        event("response.output_item.added", output_index=0, item=text_item("")) + event("response.output_text.delta", delta="x", output_index=0) + event("response.output_text.done", text="", output_index=0) + done(text_item("x")),
        b"event: response.output_text.delta\ndata: {\"delta\":\"x\"}\n\n" + done(),
        event("response.output_text.delta", delta="x") + event("response.done", response={"status": "completed"}),
        event("keepalive") + event("codex.rate_limits", limits={}) + event("response.output_text.delta", delta="x") + done() + b"data: [DONE]\n\n",
        event("response.output_text.delta", delta="x") + event("response.completed", response={"output": None}),
    ],
)  # fmt: skip
def test_a_text_is_said_once_wherever_it_was_said(stream: bytes) -> None:
    read = checked(decode_stream(RESPONSES, [stream]))
    assert [part.text for part in read.parts if isinstance(part, Text)] == ["x"]
    assert read.stop is not None


def test_items_at_one_index_are_not_one_item() -> None:
    """Some servers do not count."""
    stream = b"".join(
        event("response.output_item.added", output_index=0, item=text_item("", f"msg_{n}"))
        + event("response.output_text.delta", output_index=0, content_index=0, delta=str(n))
        + event("response.output_item.done", output_index=0, item=text_item(str(n), f"msg_{n}"))
        for n in range(3)
    )
    read = checked(decode_stream(RESPONSES, [stream + done(*(text_item(str(n), f"msg_{n}") for n in range(4)))]))
    assert [part.text for part in read.parts if isinstance(part, Text)] == ["0", "1", "2", "3"]


def test_a_reasoning_item_ends_with_its_signature_wherever_it_ends() -> None:
    item = {
        "type": "reasoning",
        "id": "rs",
        "summary": [{"type": "summary_text", "text": "ab"}],
        "encrypted_content": "s",
    }
    begun = event(
        "response.output_item.added", output_index=0, item={**item, "summary": [], "encrypted_content": "early"}
    )
    delta = event("response.reasoning_summary_text.delta", output_index=0, summary_index=0, delta="a")
    expected = (Thinking("ab", Signature("s", "openai_responses"), "summary", "rs"),)
    for stream in (
        begun + delta + event("response.output_item.done", output_index=0, item=item) + done(),
        begun + delta + done(item),
        done(item),
    ):
        assert checked(decode_stream(RESPONSES, [stream])).parts == expected


def test_arguments_given_as_an_object() -> None:
    item = {"type": "function_call", "call_id": "c", "name": "f", "arguments": {"a": 1}}
    assert checked(decode_stream(RESPONSES, [done(item)])).parts == (ToolCall("c", "f", '{"a":1}'),)


def test_probabilities_and_sound_are_recorded_as_lost_once() -> None:
    given = context()
    decoder = RESPONSES.decoder(given)
    for _ in range(3):
        decoder.frame(None, b'{"type":"response.audio.delta","delta":"AAAA"}')
        data = {"type": "response.output_text.delta", "delta": "x", "logprobs": [{"token": "x", "logprob": 0}]}
        decoder.frame(None, json.dumps(data).encode())
    assert [loss.path for loss in given.ledger] == ["answer.audio", "answer.logprobs"]


def test_what_a_response_repeats_of_its_request_is_no_loss_elsewhere() -> None:
    body = {
        "id": "r", "object": "response", "created_at": 1, "status": "completed", "model": "m", "instructions": "x",
        "output": [text_item("x")], "tools": [{"type": "web_search"}], "tool_choice": "auto", "truncation": "auto",
        "service_tier": "default", "store": True, "metadata": {"a": "b"}, "usage": {"input_tokens": 1, "output_tokens": 1},
    }  # fmt: skip
    given = context()
    encoder = ANTHROPIC.encoder(given)
    for one in decode_document(RESPONSES, json.dumps(body).encode()):
        encoder.event(one)
    assert list(given.ledger) == []
    given = context()
    encoder = ANTHROPIC.encoder(given)
    for one in decode_document(RESPONSES, json.dumps(body | {"service_tier": "priority", "new": 1}).encode()):
        encoder.event(one)
    assert [loss.path for loss in given.ledger] == ["answer.service_tier", "answer.new"]


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"data: [DONE]\n\n",
        b"<html>",
        event("response.output_text.delta", delta="x"),
        event("response.output_text.delta", delta=5),
        event("response.output_text.delta"),
        event("response.completed"),
        event("response.completed", response=[]),
        event("response.completed", response={"output": {}}),
        event("response.completed", response={"output": [5]}),
        event("response.completed", response={"output": [{}]}),
        event("response.completed", response={"output": [{"type": "function_call"}]}),
        event("response.completed", response={"status": "failed"}),
        event("response.completed", response={"status": "queued"}),
        event("response.failed", response={}),
        event("response.cancelled", response={"id": "r"}),
        event("response.completed", response={"status": "completed", "error": {"code": "x", "message": "m"}}),
        event("error"),
        event("error", message="m"),
        b'data: {"error": {"message": "m"}}\n\n',
        b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n',
        event("response.output_item.done", output_index=0, item={"type": "message", "content": 5}),
        event("response.content_part.added", part={"type": "output_text"}),
    ],
)
def test_what_is_no_answer_is_a_failure(stream: bytes) -> None:
    assert checked(decode_stream(RESPONSES, [stream])).error is not None


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b"<html>",
        b'{"error":{"message":"m","code":"server_error"}}',
        b'{"output":null,"error":null}',
        b'{"id":"r","status":"in_progress","output":[]}',
    ],
)
def test_a_document_that_is_no_answer_is_a_failure(body: bytes) -> None:
    assert checked(decode_document(RESPONSES, body)).error is not None


def test_a_codex_client_and_an_anthropic_client_see_the_same_conversation() -> None:
    """There and back: what an Anthropic model thinks and calls comes back to it word for word."""
    given = answer(
        Thinking("Let me see.", Signature("c2ln", "anthropic")),
        Text("Reading."),
        ToolCall("toolu_1", "f", '{"x":1}'),
        stop=Stop("tool_use"),
    )
    output = response(given)["output"]
    request = RESPONSES.decode_request(
        json.dumps({"model": "m", "input": [{"role": "user", "content": "go"}, *output]}).encode()
    )
    body = json.loads(ANTHROPIC.encode_request(request, Target()).body)
    assert body["messages"][1] == {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"},
            {"type": "text", "text": "Reading."},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"x": 1}},
        ],
    }
    assert request.messages[0] == Message("user", (Text("go"),))
    assert b"response.completed" in encode_stream(RESPONSES, list(unfold(given)))
