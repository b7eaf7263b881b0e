"""Answers for Chat clients, whoever made them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy.lightllm.dialect import COMMENT, Frame
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.ir.events import Event, Failed, Ping, Start, Stop
from ccproxy.lightllm.ir.parts import (
    Audio,
    Citation,
    Image,
    Part,
    Refusal,
    ServerTool,
    Signature,
    Source,
    Text,
    Thinking,
    ToolCall,
)
from ccproxy.lightllm.ir.request import Request
from ccproxy.lightllm.ir.response import Response, unfold
from ccproxy.lightllm.ir.usage import Usage

from ..kit import REGISTRY, collected, context, decode_document, encode_frames, encode_stream

OPENAI = REGISTRY.get("openai")


def answer(*parts: Part, stop: Stop | None = None, **fields: Any) -> Response:
    return Response("id_1", "model-1", parts, stop or Stop("end"), **{"dialect": "other", **fields})


def completion(response: Response, request: Request | None = None) -> dict[str, Any]:
    written: dict[str, Any] = json.loads(collected(OPENAI, list(unfold(response)), request))
    return written


def message(response: Response) -> dict[str, Any]:
    found: dict[str, Any] = completion(response)["choices"][0]["message"]
    return found


def losses(response: Response) -> list[str]:
    shared = context()
    encoder = OPENAI.encoder(shared)
    for event in unfold(response):
        encoder.event(event)
    return [loss.path for loss in shared.ledger]


def test_an_answer_of_another_provider() -> None:
    assert completion(answer(Text("hi"), usage=Usage(100, 20, 60, 10, 5), created=7)) == {
        "id": "id_1",
        "object": "chat.completion",
        "created": 7,
        "model": "model-1",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "hi", "refusal": None},
            }
        ],
        "usage": {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "total_tokens": 120,
            "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10},
            "completion_tokens_details": {"reasoning_tokens": 5},
        },
    }


def test_its_stream() -> None:
    call = ToolCall("call_1", "f", '{"a":1}')
    raw = encode_stream(OPENAI, list(unfold(answer(Text("hi"), call, stop=Stop("tool_use"), created=7))))
    head = '"id":"id_1","object":"chat.completion.chunk","created":7,"model":"model-1"'

    def line(delta: str, finish: str = "null") -> str:
        return f'data: {{{head},"choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}\n\n'

    assert raw.decode() == (
        line('{"role":"assistant","content":""}')
        + line('{"content":"hi"}')
        + line('{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}}]}')
        + line('{"tool_calls":[{"index":0,"function":{"arguments":"{\\"a\\":1}"}}]}')
        + line("{}", '"tool_calls"')
        + "data: [DONE]\n\n"
    )


def test_what_nobody_said_is_filled_in_only_where_the_protocol_demands_it() -> None:
    written = completion(Response("", "", (Text("x"),), Stop("end")))
    assert (written["id"], written["created"]) == ("chatcmpl-0001", 1_700_000_000)
    assert "usage" not in written
    frames = OPENAI.encoder(context(model="asked-for"))
    events = list(unfold(answer(Text("x"))))
    assert next(frame for event in events for frame in frames.event(event)).data["model"] == "asked-for"


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        (Stop("end"), "stop"),
        (Stop("max_tokens"), "length"),
        (Stop("context_window"), "length"),
        (Stop("pause"), "length"),
        (Stop("stop_sequence", "X"), "stop"),
        (Stop("refusal"), "content_filter"),
        (Stop("content_filter", native="SAFETY"), "content_filter"),
        (Stop("other", native="LANGUAGE"), "content_filter"),
    ],
)
def test_reasons(stop: Stop, reason: str) -> None:
    (choice,) = completion(answer(Text("x"), stop=stop))["choices"]
    assert choice["finish_reason"] == reason
    assert choice.get("stop_reason", "") == stop.sequence


def test_an_unknown_reason_of_its_own_stays_as_it_is() -> None:
    choice = {"index": 0, "message": {"content": "x"}, "finish_reason": "brand_new"}
    events = decode_document(OPENAI, json.dumps({"id": "i", "model": "m", "choices": [choice]}).encode())
    assert json.loads(collected(OPENAI, events))["choices"][0]["finish_reason"] == "brand_new"


@pytest.mark.parametrize(
    ("stream", "options", "usages"),
    [
        (True, None, []),
        (True, {"include_usage": False}, []),
        (True, {"include_usage": True}, [None, None, None, 3]),
        (False, None, [3]),
    ],
)
def test_usage_comes_if_the_client_asked(stream: bool, options: Any, usages: list[Any]) -> None:
    body = {"model": "m", "messages": [], "stream": stream, "stream_options": options}
    request = OPENAI.decode_request(json.dumps(body).encode())
    frames = encode_frames(OPENAI, list(unfold(answer(Text("x"), usage=Usage(1, 2)))), request)
    chunks = [frame.data for frame in frames if isinstance(frame.data, dict)]
    found = [chunk["usage"] for chunk in chunks if "usage" in chunk]
    assert [usage and usage["total_tokens"] for usage in found] == usages
    assert frames[-1].data == b"[DONE]"


def test_thoughts_never_reach_the_visible_text() -> None:
    written = message(answer(Thinking("a", Signature("s", "x")), Thinking("b"), Text("c")))
    assert written == {"role": "assistant", "content": "c", "refusal": None, "reasoning_content": "a\n\nb"}
    assert message(answer(Thinking("", Signature("s", "x")), Thinking("b"), Text("c")))["reasoning_content"] == "b"


def test_what_has_no_place_is_recorded() -> None:
    signature = Signature("s", "gemini")
    assert losses(
        answer(
            Thinking("a", signature),
            Thinking("", signature, "redacted"),
            Text("x", (Citation(title="no page"),), signature),
            ToolCall("i", "f", signature=signature),
            ServerTool("other", "web_search", {}),
            stop=Stop("refusal", details={"explanation": "why"}),
            extras={"container": 1},
        )
    ) == [
        "answer.container",
        "answer.signature",
        "answer.signature",
        "answer.parts[2].citations",
        "answer.signature",
        "answer.signature",
        "answer.web_search",
        "answer.stop_details",
    ]


def test_citations_of_pages_are_annotations() -> None:
    cited = (Citation("https://a.com", "A", start=1, end=3), Citation("https://b.com"))
    written = message(answer(Text("hello", cited), Text(" you", (Citation("https://c.com"),))))
    assert [note["url_citation"] for note in written["annotations"]] == [
        {"start_index": 1, "end_index": 3, "title": "A", "url": "https://a.com"},
        {"start_index": 0, "end_index": 5, "title": "", "url": "https://b.com"},
        {"start_index": 0, "end_index": 9, "title": "", "url": "https://c.com"},
    ]


def test_refusals_images_and_recordings() -> None:
    written = message(
        answer(
            Refusal("I cannot."),
            Image(Source("base64", "iVBORw0KGgo", "image/png")),
            Image(Source("url", "https://e.com/a.png")),
            Audio(Source("base64", "AAAA"), "hello"),
        )
    )
    assert (written["content"], written["refusal"]) == (None, "I cannot.")
    assert [image["image_url"]["url"] for image in written["images"]] == [
        "data:image/png;base64,iVBORw0KGgo",
        "https://e.com/a.png",
    ]
    assert written["audio"] == {"id": "audio_0001", "expires_at": 0, "data": "AAAA", "transcript": "hello"}


def test_freeform_calls_keep_their_text() -> None:
    written = message(answer(ToolCall("i", "patch", "*** Begin", "custom"), stop=Stop("tool_use")))
    assert written["tool_calls"] == [{"id": "i", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}}]


def test_broken_arguments_go_as_they_came() -> None:
    written = message(answer(ToolCall("i", "f", '{"a":'), stop=Stop("max_tokens")))
    assert written["tool_calls"][0]["function"]["arguments"] == '{"a":'


def test_a_client_of_functions_gets_one_call() -> None:
    request = OPENAI.decode_request(b'{"model":"m","messages":[],"functions":[{"name":"f"}]}')
    response = answer(ToolCall("1", "f", "{}"), ToolCall("2", "g", '{"x":1}'), stop=Stop("tool_use"))
    (choice,) = completion(response, request)["choices"]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"] == {"name": "f", "arguments": "{}"}
    assert "tool_calls" not in choice["message"]
    shared = context(request)
    encoder = OPENAI.encoder(shared)
    for event in unfold(response):
        encoder.event(event)
    assert [loss.path for loss in shared.ledger] == ["answer.tool_calls"]


def test_an_error_ends_the_stream_without_done() -> None:
    encoder = OPENAI.encoder(context())
    events: list[Event] = [Start("i", "m"), Failed(ErrorInfo("cut", "cut off"))]
    assert [frame for event in events for frame in encoder.event(event)] == [
        Frame({"error": {"message": "cut off", "type": "server_error", "param": None, "code": "upstream_cut"}})
    ]


def test_keep_alives_are_comments() -> None:
    encoder = OPENAI.encoder(context())
    encoder.event(Start("i", "m"))
    assert encoder.event(Ping()) == [COMMENT]
    assert encoder.keepalive() == [COMMENT]
