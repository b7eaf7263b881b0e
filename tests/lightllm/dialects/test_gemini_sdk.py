"""The official SDK is the judge: it reads every answer we write, buffered and streamed, and its types accept every
request. It is asked through its own client, over a transport that answers by itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2 as httpx
import pytest
from google import genai
from google.genai import errors, types
from hypothesis import given, settings

from ccproxy.lightllm.dialect import ModelInfo, Target
from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.ir.events import End, Failed, PartEnd, PartStart, Start, Stop, TextDelta
from ccproxy.lightllm.ir.parts import Citation, Refusal, Signature, Text, Thinking, ToolCall, ToolResult
from ccproxy.lightllm.ir.response import Response, unfold
from ccproxy.lightllm.ir.usage import Usage
from ccproxy.lightllm.signatures import unwrap
from ccproxy.lightllm.translate import SseWriter

from ..kit import REGISTRY, cases, collected, encode_frames, encode_stream, essence
from ..strategies import responses

GEMINI = REGISTRY.get("gemini")

type Answer = Callable[[httpx.Request], httpx.Response]


def client(answer: Answer) -> genai.Client:
    http = httpx.Client(transport=httpx.MockTransport(answer))
    return genai.Client(api_key="dummy", http_options=types.HttpOptions(httpx_client=http))


def buffered(body: bytes) -> types.GenerateContentResponse:
    """What the SDK makes of a buffered answer."""
    asked = client(lambda _: httpx.Response(200, content=body, headers={"content-type": "application/json"}))
    with asked:
        return asked.models.generate_content(model="m", contents="hi")


def streamed(body: bytes) -> list[types.GenerateContentResponse]:
    """The chunks that the SDK makes of a stream."""
    asked = client(lambda _: httpx.Response(200, content=body, headers={"content-type": "text/event-stream"}))
    with asked:
        return list(asked.models.generate_content_stream(model="m", contents="hi"))


def parts_of(chunks: list[types.GenerateContentResponse]) -> list[types.Part]:
    return [
        part
        for chunk in chunks
        for candidate in chunk.candidates or []
        if candidate.content
        for part in candidate.content.parts or []
    ]


def told(chunks: list[types.GenerateContentResponse]) -> dict[str, Any]:
    """What a client sees of an answer."""
    parts = parts_of(chunks)
    last = [candidate for chunk in chunks for candidate in chunk.candidates or []][-1]
    usage = chunks[-1].usage_metadata
    return {
        "text": "".join(part.text or "" for part in parts if not part.thought),
        "thoughts": "".join(part.text or "" for part in parts if part.thought),
        "calls": [(call.id, call.name, call.args) for part in parts if (call := part.function_call) is not None],
        "reason": last.finish_reason,
        "output": usage and (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
        "total": usage and usage.total_token_count,
    }


@settings(deadline=None, max_examples=25)
@given(responses())
def test_the_sdk_reads_any_answer(response: Response) -> None:
    events = list(unfold(response))
    whole = told([buffered(collected(GEMINI, events))])
    assert told(streamed(encode_stream(GEMINI, events))) == whole
    expected = essence(response)
    assert whole["text"] == expected["text"]
    assert whole["calls"] == expected["calls"]
    assert whole["output"] == expected["output"]
    assert whole["total"] == expected["input"] + expected["output"]


def test_the_sdk_reads_everything_other_dialects_can_say() -> None:
    signature = Signature("c2ln", "anthropic")
    response = Response(
        "msg_1",
        "claude",
        (
            Thinking("because", signature),
            Thinking("", signature, "redacted"),
            Text("see", (Citation("https://e.com", "E", "w"),)),
            Refusal("no"),
            ToolCall("call_1", "f", '{"a": [1, {"b": null}]}', signature=signature),
        ),
        Stop("tool_use"),
        usage=Usage(10, 5, 3, 2, 1),
        dialect="anthropic",
    )
    events = list(unfold(response))
    chunks = streamed(encode_stream(GEMINI, events))
    assert told(chunks) == told([buffered(collected(GEMINI, events))])
    parts = parts_of(chunks)
    thought = [part for part in parts if part.thought and part.thought_signature]
    assert len(thought) == 2
    # The SDK decodes the base64 of signatures and encodes them again in the alphabet of URLs.
    for part in (thought[0], parts[-1]):
        sent = json.loads(part.model_dump_json(by_alias=True))["thoughtSignature"]
        assert unwrap(sent, "gemini") == (signature, "here")
    grounding = chunks[-1].candidates[0].grounding_metadata  # type: ignore[index]
    assert grounding is not None
    assert grounding.grounding_chunks[0].web.uri == "https://e.com"  # type: ignore[index, union-attr]
    usage = chunks[-1].usage_metadata
    assert usage is not None
    assert (usage.prompt_token_count, usage.candidates_token_count, usage.thoughts_token_count) == (10, 4, 1)
    assert (usage.cached_content_token_count, usage.total_token_count) == (3, 15)


def test_a_chat_of_the_sdk_takes_every_chunk_for_a_valid_one() -> None:
    events = list(unfold(Response("r", "m", (Text("Hello"), ToolCall("c", "f", "{}")), Stop("tool_use"), dialect="x")))
    body = encode_stream(GEMINI, events)
    asked = client(lambda _: httpx.Response(200, content=body))
    with asked:
        chat = asked.chats.create(model="m")
        list(chat.send_message_stream("hi"))
        assert len(chat.get_history(curated=True)) > 1


def test_the_sdk_raises_what_went_wrong_in_a_stream() -> None:
    error = ErrorInfo("overloaded", "it is too much", 529)
    frames = encode_frames(GEMINI, [Start("i", "m"), PartStart(0, Text("")), TextDelta("half"), Failed(error)])
    body = SseWriter().write(frames)
    with pytest.raises(errors.APIError, match="it is too much") as raised:
        streamed(body)
    assert raised.value.code == 503
    assert raised.value.status == "UNAVAILABLE"


def test_the_sdk_raises_an_error_with_a_status() -> None:
    status, body = GEMINI.encode_error(ErrorInfo("rate_limit", "slow down", retry_after=3.0))
    asked = client(lambda _: httpx.Response(status, content=body))
    with asked, pytest.raises(errors.ClientError, match="slow down") as raised:
        asked.models.generate_content(model="m", contents="hi")
    assert (raised.value.code, raised.value.status) == (429, "RESOURCE_EXHAUSTED")


def test_a_refused_prompt_is_one_for_the_sdk() -> None:
    events = [Start("i", "m", dialect="x"), End(Stop("refusal", native="refusal"))]
    chunks = streamed(encode_stream(GEMINI, events))
    assert chunks[-1].candidates[0].finish_reason is types.FinishReason.SAFETY  # type: ignore[index]
    blocked = next(case for case in cases("document.json") if case.path.name == "blocked-prompt")
    answer = buffered(blocked.read("document.json"))
    assert answer.prompt_feedback is not None
    assert answer.prompt_feedback.block_reason is types.BlockedReason.PROHIBITED_CONTENT


def test_the_sdk_reads_counts_and_models() -> None:
    asked = client(lambda _: httpx.Response(200, content=GEMINI.encode_count(42)))  # type: ignore[misc]
    with asked:
        assert asked.models.count_tokens(model="m", contents="hi").total_tokens == 42
    models = [ModelInfo("gemini-x", "Gemini X", "google", max_input=100, max_output=10), ModelInfo("claude")]
    asked = client(lambda _: httpx.Response(200, content=GEMINI.encode_models(models)))  # type: ignore[misc]
    with asked:
        found = list(asked.models.list())
    assert [(model.name, model.input_token_limit) for model in found] == [
        ("models/gemini-x", 100),
        ("models/claude", None),
    ]


# Requests


def test_what_the_sdk_sends_is_read() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"candidates": []})

    asked = client(answer)
    with asked:
        asked.models.generate_content(
            model="gemini-x",
            contents=[
                types.Content(role="user", parts=[types.Part(text="hi"), types.Part.from_bytes(data=b"x", mime_type="image/png")]),
                types.Content(
                    role="model",
                    parts=[
                        types.Part(
                            function_call=types.FunctionCall(name="f", args={"a": 1}), thought_signature=b"sig-\xff"
                        )
                    ],
                ),
                types.Content(role="user", parts=[types.Part.from_function_response(name="f", response={"output": "1"})]),
            ],
            config=types.GenerateContentConfig(
                system_instruction="Be brief.",
                temperature=0.5,
                max_output_tokens=10,
                stop_sequences=["X"],
                tools=[
                    types.Tool(
                        function_declarations=[
                            types.FunctionDeclaration(
                                name="f",
                                parameters=types.Schema(
                                    type=types.Type.OBJECT,
                                    properties={"a": types.Schema(type=types.Type.INTEGER, nullable=True)},
                                ),
                            )
                        ]
                    )
                ],
                thinking_config=types.ThinkingConfig(thinking_budget=2048, include_thoughts=True),
                response_mime_type="application/json",
                response_json_schema={"type": "object"},
            ),
        )  # fmt: skip
    (sent,) = seen
    assert GEMINI.match(sent.url.path) == "generate"
    request = GEMINI.decode_request(sent.content, model="gemini-x", stream=False)
    call, result = request.messages[1].parts[0], request.messages[2].parts[0]
    assert isinstance(call, ToolCall)
    assert isinstance(result, ToolResult)
    assert call.id == result.call_id != ""
    assert call.signature is not None
    assert request.tools[0].schema == {"type": "object", "properties": {"a": {"type": ["integer", "null"]}}}  # type: ignore[union-attr]
    assert (request.reasoning.mode, request.reasoning.budget) == ("on", 2048)
    assert request.output.schema == {"type": "object"}
    assert list(GEMINI.encode_request(request, Target()).losses) == []


def test_an_answer_that_is_over_is_over() -> None:
    events = [Start("i", "m"), PartStart(0, Text("")), TextDelta("x"), PartEnd(), End(Stop("max_tokens"))]
    assert told(streamed(encode_stream(GEMINI, events)))["reason"] is types.FinishReason.MAX_TOKENS
