"""Whatever dialect a flow is in, the page gets one shape; and whatever is in it, it gets an answer."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from ccproxy.flows.model import Flow, RequestRecord, ResponseRecord
from ccproxy.inspector.conversation import read
from ccproxy.lightllm.registry import Registry
from flows.support import make_flow
from inspector.world import png

PICTURE = base64.b64encode(png()).decode()
PATHS = {
    "anthropic": "/v1/messages",
    "openai": "/v1/chat/completions",
    "openai_responses": "/v1/responses",
    "gemini": "/v1beta/models/m:generateContent",
}
REQUESTS: dict[str, dict[str, Any]] = {
    "anthropic": {
        "model": "m",
        "max_tokens": 5,
        "system": "be brief",
        "tools": [{"name": "look", "description": "looks", "input_schema": {"type": "object"}}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "see this", "cache_control": {"type": "ephemeral"}},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}},
                ],
            },
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "look", "input": {"at": 1}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "a bar"}]},
        ],
    },
    "openai": {
        "model": "m",
        "max_completion_tokens": 5,
        "tools": [
            {"type": "function", "function": {"name": "look", "description": "looks", "parameters": {"type": "object"}}}
        ],
        "messages": [
            {"role": "system", "content": "be brief"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "see this"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}},
                ],
            },
            {
                "role": "assistant",
                "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "look", "arguments": '{"at":1}'}}],
            },
            {"role": "tool", "tool_call_id": "t1", "content": "a bar"},
        ],
    },
    "openai_responses": {
        "model": "m",
        "max_output_tokens": 5,
        "instructions": "be brief",
        "tools": [{"type": "function", "name": "look", "description": "looks", "parameters": {"type": "object"}}],
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "see this"},
                    {"type": "input_image", "image_url": f"data:image/png;base64,{PICTURE}"},
                ],
            },
            {"type": "function_call", "call_id": "t1", "name": "look", "arguments": '{"at":1}'},
            {"type": "function_call_output", "call_id": "t1", "output": "a bar"},
        ],
    },
    "gemini": {
        "generationConfig": {"maxOutputTokens": 5},
        "systemInstruction": {"parts": [{"text": "be brief"}]},
        "tools": [
            {"functionDeclarations": [{"name": "look", "description": "looks", "parameters": {"type": "OBJECT"}}]}
        ],
        "contents": [
            {
                "role": "user",
                "parts": [{"text": "see this"}, {"inlineData": {"mimeType": "image/png", "data": PICTURE}}],
            },
            {"role": "model", "parts": [{"functionCall": {"id": "t1", "name": "look", "args": {"at": 1}}}]},
            {
                "role": "user",
                "parts": [{"functionResponse": {"id": "t1", "name": "look", "response": {"output": "a bar"}}}],
            },
        ],
    },
}
ANSWERS: dict[str, dict[str, Any]] = {
    "anthropic": {
        "type": "message",
        "id": "x",
        "role": "assistant",
        "model": "m-1",
        "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "A bar."}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 7, "output_tokens": 3},
    },
    "openai": {
        "id": "x",
        "object": "chat.completion",
        "model": "m-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "A bar."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
    },
    "openai_responses": {
        "id": "x",
        "object": "response",
        "status": "completed",
        "model": "m-1",
        "output": [
            {
                "type": "message",
                "id": "y",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": "A bar.", "annotations": []}],
            }
        ],
        "usage": {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10},
    },
    "gemini": {
        "responseId": "x",
        "modelVersion": "m-1",
        "candidates": [{"content": {"role": "model", "parts": [{"text": "A bar."}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10},
    },
}


def flow_of(dialect: str, request: object, answer: object = None, **changes: Any) -> Flow:
    body = request if isinstance(request, bytes) else json.dumps(request).encode()
    asked = RequestRecord(headers=[], body=body, size=len(body), method="POST", target=PATHS.get(dialect, "/x"))
    response = None
    if answer is not None:
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        kind = "text/event-stream" if data.startswith((b"event", b"data")) else "application/json"
        response = ResponseRecord(headers=[("content-type", kind)], body=data, size=len(data), status=200)
    return make_flow(**({"dialect": dialect, "model": "m", "request": asked, "response": response} | changes))


def document(flow: Flow) -> dict[str, Any]:
    return json.loads(json.dumps(read(flow, Registry()).document))  # type: ignore[no-any-return]


@pytest.mark.parametrize("dialect", PATHS)
class TestEveryDialect:
    def test_one_shape(self, dialect: str) -> None:
        found = document(flow_of(dialect, REQUESTS[dialect], ANSWERS[dialect]))
        request = found["request"]
        assert found["problem"] == ""
        assert request["settings"]["max_tokens"] == 5
        assert [tool["name"] for tool in request["tools"]] == ["look"]
        instructions = request["system"] or request["messages"].pop(0)["parts"]
        assert [part["text"] for part in instructions] == ["be brief"]
        first, second = [message for message in request["messages"] if message["parts"]]
        assert first["role"] == "user"
        assert [part["part"] for part in first["parts"]] == ["text", "image"]
        assert first["parts"][1]["media"] == 0
        (call,) = second["parts"]
        assert (call["part"], call["name"], json.loads(call["args"])) == ("tool_call", "look", {"at": 1})
        assert not call["result"]["error"]
        assert "a bar" in json.dumps(call["result"]["parts"])
        answer = found["answer"]
        assert answer["model"] == "m-1"
        assert [part["text"] for part in answer["parts"] if part["part"] == "text"] == ["A bar."]
        assert answer["stop"]["reason"] == "end"
        assert (answer["usage"]["input"], answer["usage"]["output"]) == (7, 3)

    def test_the_image_itself(self, dialect: str) -> None:
        media = read(flow_of(dialect, REQUESTS[dialect]), Registry()).media
        assert media.get(0) == (png(), "image/png")
        assert media.get(1) is None

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b'{"messages":7,"contents":7,"input":{}}', b"[" * 5000]
    )
    def test_what_cannot_be_read_says_so(self, dialect: str, body: bytes) -> None:
        found = document(flow_of(dialect, body, body))
        assert found["request"] is None or found["request"]["messages"] == []
        assert found["problem"] or found["request"] is not None

    def test_an_error_of_the_provider(self, dialect: str) -> None:
        response = ResponseRecord(headers=[], body=b'{"error":{"message":"too long","type":"x"}}', size=43, status=400)
        found = document(flow_of(dialect, REQUESTS[dialect], response=response))
        assert found["answer"]["error"]["message"] == "too long"
        assert found["answer"]["parts"] == []


class TestAnswers:
    STREAM = (
        b'event: message_start\ndata: {"type":"message_start","message":{"id":"x","model":"m-1","usage":{"input_tokens":1}}}\n\n'
        b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"one"}}\n\n'
    )

    def test_a_stream_that_was_cut_shows_what_came(self) -> None:
        answer = document(flow_of("anthropic", REQUESTS["anthropic"], self.STREAM, streaming=True))["answer"]
        assert answer["parts"] == [{"part": "text", "text": "one"}]
        assert answer["error"]["kind"] == "cut"

    def test_one_that_runs_is_no_failure(self) -> None:
        flow = flow_of("anthropic", REQUESTS["anthropic"], self.STREAM, streaming=True, outcome="pending")
        answer = document(flow)["answer"]
        assert answer["parts"] == [{"part": "text", "text": "one"}]
        assert answer["error"] is None

    def test_the_answer_alone(self) -> None:
        flow = flow_of("anthropic", REQUESTS["anthropic"], ANSWERS["anthropic"])
        found = read(flow, Registry(), answer_only=True).document
        assert found["request"] is None
        assert found["answer"]["parts"][0] == {"part": "thinking", "text": "hm", "form": "", "signed": True}

    def test_a_converted_one_is_read_as_the_client_got_it(self) -> None:
        flow = flow_of("openai", REQUESTS["openai"], ANSWERS["gemini"], upstream_dialect="gemini")
        assert document(flow)["answer"]["parts"][0]["text"] == "A bar."
        body = json.dumps(ANSWERS["openai"]).encode()
        flow.answer = ResponseRecord(headers=[], body=body.replace(b"A bar.", b"A rod."), size=1, status=200)
        assert document(flow)["answer"]["parts"][0]["text"] == "A rod."

    def test_a_token_count(self) -> None:
        flow = flow_of("anthropic", REQUESTS["anthropic"], {"input_tokens": 812})
        flow.request.target = "/v1/messages/count_tokens"
        found = document(flow)
        assert found["counted"] == 812
        assert found["answer"] is None


class TestOdd:
    def test_no_request_to_a_model(self) -> None:
        assert document(flow_of("", b"x"))["problem"] == "this is no request to a model"

    def test_a_request_that_was_not_kept_whole(self) -> None:
        flow = flow_of("anthropic", REQUESTS["anthropic"])
        flow.request.truncated = True
        assert "only the beginning" in document(flow)["problem"]

    def test_a_result_without_its_call_stays_where_it_is(self) -> None:
        messages = [
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "gone", "content": "x", "is_error": True}],
            }
        ]
        found = document(flow_of("anthropic", {"model": "m", "max_tokens": 1, "messages": messages}))
        (part,) = found["request"]["messages"][0]["parts"]
        assert (part["part"], part["error"]) == ("tool_result", True)

    def test_an_image_elsewhere_is_named_and_not_fetched(self) -> None:
        image = {"type": "image", "source": {"type": "url", "url": "https://example.com/x.png"}}
        svg = {"type": "image", "source": {"type": "base64", "media_type": "image/svg+xml", "data": "PHN2Zz4="}}
        messages = [{"role": "user", "content": [image, svg]}]
        found = read(flow_of("anthropic", {"model": "m", "max_tokens": 1, "messages": messages}), Registry())
        first, second = found.document["request"]["messages"][0]["parts"]
        assert first["url"] == "https://example.com/x.png"
        assert "media" not in first
        assert second["media"] is None
        assert found.media.get(0) is None

    def test_a_part_that_only_its_dialect_knows(self) -> None:
        messages = [{"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "newest_thing", "a": 1}]}]
        found = document(flow_of("anthropic", {"model": "m", "max_tokens": 1, "messages": messages}))
        part = found["request"]["messages"][0]["parts"][1]
        assert part == {"part": "opaque", "type": "newest_thing", "raw": {"type": "newest_thing", "a": 1}}

    def test_broken_base64_is_no_picture(self) -> None:
        image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "é"}}
        messages = [{"role": "user", "content": [image]}]
        found = read(flow_of("anthropic", {"model": "m", "max_tokens": 1, "messages": messages}), Registry())
        assert found.media.get(0) is None


CAPTURES = Path(__file__).parents[1] / "data" / "captures"


@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.json")), ids=lambda path: path.stem)
def test_what_real_clients_send_is_readable(path: Path) -> None:
    dialects = Registry()
    for sent in json.loads(path.read_text()):
        target = sent["target"]
        name = next((one for one in PATHS if dialects.get(one).match(target.partition("?")[0]) == "generate"), "")
        body = sent["body"]
        if not name or not isinstance(body, dict):
            continue
        holder = body.get("request", body)
        if any(isinstance(tool, str) for tool in holder.get("tools") or ()):
            del holder["tools"]  # of these captures only the names were kept
        flow = flow_of(name, body)
        flow.request.target = target
        found = document(flow)
        assert found["problem"] == ""
        assert any(message["parts"] for message in found["request"]["messages"])
