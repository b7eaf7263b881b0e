"""The official SDK is the judge: it reads every answer we write, and its types accept every request."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic import not_given
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message as SdkMessage
from anthropic.types import ModelInfo as SdkModelInfo
from anthropic.types import RawMessageStreamEvent
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming
from hypothesis import given, settings
from pydantic import TypeAdapter

from ccproxy.errors import Untranslatable
from ccproxy.lightllm.dialect import ModelInfo, Target
from ccproxy.lightllm.ir.events import Stop
from ccproxy.lightllm.ir.parts import Citation, Refusal, Signature, Text, Thinking, ToolCall
from ccproxy.lightllm.ir.response import Response, unfold
from ccproxy.lightllm.ir.usage import Usage

from ..kit import REGISTRY, Case, cases, collected, encode_frames, essence
from ..strategies import responses
from ..test_cases import ids, request_of

ANTHROPIC = REGISTRY.get("anthropic")
EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)
STREAMED = TypeAdapter(MessageCreateParamsStreaming)
BUFFERED = TypeAdapter(MessageCreateParamsNonStreaming)


def read(response: Response) -> SdkMessage:
    """What the SDK makes of the answer, buffered and streamed, which must be the same."""
    events = list(unfold(response))
    buffered = SdkMessage.model_validate(json.loads(collected(ANTHROPIC, events)), strict=True)
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    for frame in encode_frames(ANTHROPIC, events):
        data = json.loads(json.dumps(frame.data))
        parsed = EVENT.validate_python(data)
        snapshot = accumulate_event(event=parsed, current_snapshot=snapshot, json_bufs=buffers, output_format=not_given)
    assert snapshot.to_dict()["content"] == buffered.to_dict()["content"]
    assert snapshot.stop_reason == buffered.stop_reason
    assert snapshot.usage.output_tokens == buffered.usage.output_tokens
    assert snapshot.usage.input_tokens == buffered.usage.input_tokens
    return buffered


@settings(deadline=None, max_examples=40)
@given(responses())
def test_the_sdk_reads_any_answer(response: Response) -> None:
    message = read(response)
    expected = essence(response)
    assert "".join(block.text for block in message.content if block.type == "text") == expected["text"]
    calls = [(block.id, block.name, block.input) for block in message.content if block.type == "tool_use"]
    assert calls == expected["calls"]
    assert message.usage.output_tokens == expected["output"]


def test_the_sdk_reads_everything_other_dialects_can_say() -> None:
    signature = Signature("c2ln", "gemini")
    message = read(
        Response(
            "resp_1",
            "gpt",
            (
                Thinking("because", signature, "summary"),
                Thinking("", signature, "redacted"),
                Text("see", (Citation("https://e.com", "E", "w"),)),
                Refusal("no"),
                ToolCall("call_1", "f", '{"a": [1, {"b": null}]}', signature=signature),
            ),
            Stop("tool_use"),
            usage=Usage(10, 5, 3, 2, 1),
            dialect="openai_responses",
        )
    )
    assert [block.type for block in message.content] == [
        "thinking",
        "redacted_thinking",
        "text",
        "text",
        "thinking",
        "tool_use",
    ]
    assert message.usage.output_tokens_details is not None
    refused = read(Response("r", "m", (Text("x"),), Stop("content_filter", native="SAFETY"), dialect="gemini"))
    assert refused.stop_reason == "refusal"
    assert refused.stop_details is not None


@pytest.mark.parametrize("case", cases("request.json"), ids=ids)
def test_the_sdks_types_accept_every_converted_request(case: Case) -> None:
    if case.dialect is ANTHROPIC:
        return
    try:
        body = json.loads(ANTHROPIC.encode_request(request_of(case), Target(model="claude")).body)
    except Untranslatable as problem:
        assert problem.message
        return
    # The version that converted requests name takes them; the SDK's newer one does not.
    for name in ("temperature", "top_p", "top_k"):
        body.pop(name, None)
    adapter = STREAMED if body.get("stream") else BUFFERED
    adapter.validate_python(body, extra="forbid")


def test_the_sdk_reads_a_model() -> None:
    from ccproxy.lightllm.dialects.anthropic.listings import model_object

    model = SdkModelInfo.model_validate(model_object(ModelInfo("m", created=1_700_000_000)))
    assert model.created_at.year == 2023
